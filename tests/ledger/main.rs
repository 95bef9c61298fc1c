//! One suite on both databases, and what is special to each.
//!
//! PostgreSQL: `scripts/with-postgres cargo nextest run` shares one cluster among all tests. Without
//! it every process starts a cluster of its own; where that cannot be, the tests fail.
#![expect(clippy::disallowed_methods, reason = "tests need no tracked tasks and read one variable")]

mod backend;
mod child;
mod postgres;
mod rows;
mod sqlite;
mod suite;
