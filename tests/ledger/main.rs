//! One suite for both databases, and the tests that are specific to each.
//!
//! PostgreSQL: `scripts/with-postgres cargo nextest run` shares one cluster among all tests. Without
//! it every process starts its own cluster; where that is impossible, the tests fail.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests and their helpers fail by panic; a child process is configured by environment"
)]

/// Runs each of these functions on a fresh database of either kind.
macro_rules! on_both {
    ($($name:ident,)*) => {
        mod sqlite {
            use crate::backend::Backend;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(Backend::sqlite()).await;
            })*
        }
        mod postgres {
            use crate::backend::Backend;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(Backend::postgres().await).await;
            })*
        }
    };
}

mod admission_costs;
mod backend;
mod checks;
mod child;
mod command;
mod copies;
mod erased_bytes;
#[path = "../shared/eventually.rs"]
mod eventually;
mod inspect;
mod keys;
mod lost_replies;
mod migrating;
mod opening;
mod outcomes;
mod pooler;
mod postgres;
mod power_loss;
mod readiness;
mod resumption;
mod role;
mod rows;
#[path = "../shared/server.rs"]
mod server;
mod sqlite;
mod swapped_files;
#[path = "../shared/temp_dir.rs"]
mod temp_dir;
#[path = "../shared/unreliable_server.rs"]
mod unreliable_server;
mod upkeep;
