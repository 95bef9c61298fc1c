//! Signs people up while faults are injected into the tenant, and while services are killed,
//! suspended, restarted and given wrong clocks, and the ledger loses rows, or its database fails.
//! The clients hang up, collide and come back. At the end it counts the sign-ups with a wrong or
//! unknown outcome.
//!
//! ```sh
//! cargo run --release --bin chaos -- --signups 20000 --kills 200
//! cargo run --release --bin chaos -- --database postgres --replicas 3
//! ```
//!
//! The emulator runs in this process; the service runs as `auth0-signup serve` in separate
//! processes. Under cargo the service is built first, with the profile of this program. Otherwise
//! the program beside this one is used. At the end the tenant's users, the ledger and every
//! response are compared: created twice, lost, unknown and incorrect must be 0. The same seed gives
//! the same people, faults and events, but not the same timing. The README has the details.

mod check;
mod check_ledger;
mod client;
mod clock;
mod database;
mod database_events;
mod drive;
mod events;
mod fault_catalog;
mod fault_injector;
mod finding;
mod history;
mod losses;
mod observed;
mod options;
mod past_events;
mod people;
mod plan;
mod postgres;
mod progress;
mod recovery;
mod report;
mod rotation;
mod run;
mod secrets;
mod service;
mod settings;
mod sqlite_rows;
mod truth;

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

#[expect(clippy::print_stderr, reason = "the command reports errors on stderr")]
fn print_error(error: &anyhow::Error) {
    eprintln!("chaos: {error:#}");
}
