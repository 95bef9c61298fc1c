//! Sign-ups through every fault of the tenant, by clients that hang up, collide and come back, while
//! the service is killed again and again; then the count of those whose outcome is not known.
//!
//! ```sh
//! cargo run --release --bin chaos -- --signups 10000 --kills 50
//! scripts/with-postgres cargo run --release --bin chaos -- --database postgres --replicas 2
//! ```
//!
//! The emulator runs in this process, the service is `auth0-signup serve` in processes of its own.
//! Under cargo the service is built first, as this program was; else the one beside it is used.
//! The end compares the tenant's users, the ledger and every answer: created twice, lost and unknown
//! have to be 0. The same seed draws the same people, faults and kills, though not the same race.

mod check;
mod client;
mod database;
mod fault_catalog;
mod fault_injector;
mod finding;
mod history;
mod options;
mod people;
mod run;
mod service;

use std::process::ExitCode;

use clap::Parser as _;

use self::options::ChaosOptions;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().map_err(anyhow::Error::from);
    let result = runtime.and_then(|runtime| runtime.block_on(run::run(ChaosOptions::parse())));
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            print_error(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "a command tells what failed on stderr")]
fn print_error(error: &anyhow::Error) {
    eprintln!("chaos: {error:#}");
}
