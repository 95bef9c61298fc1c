//! One suite on both databases, and what is special to each.
//!
//! PostgreSQL: `scripts/with-postgres cargo nextest run` shares one cluster among all tests. Without
//! it every process starts a cluster of its own; where that cannot be, the tests fail.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests, and what they call, fail by panic; another process is told by environment"
)]

mod admission_costs;
mod backend;
mod child;
mod command;
mod postgres;
mod rows;
#[path = "../shared/postgres.rs"]
mod server;
mod sqlite;
mod suite;
