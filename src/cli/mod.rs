//! The command line: one file a subcommand.

mod attempts;
mod config;
#[cfg(feature = "demo")]
mod demo;
mod healthcheck;
mod migrate;
mod openapi;
mod output;
mod serve;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::app::StartError;
use crate::config::ConfigErrors;

/// The status of a process whose settings are wrong (`docs/api.md`).
const WRONG_SETTINGS: u8 = 2;

/// The status of a process that did what it was asked and whose answer is no: nothing found,
/// something pending, something still unknown (`docs/api.md`).
const NO: u8 = 3;

/// The sign-up backend for Auth0 tenants.
#[derive(Debug, Parser)]
#[command(name = "auth0-signup", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve sign-ups for the tenant that the settings name
    Serve(ConfigArgs),
    /// Try it without a tenant: an emulated Auth0 and the service on this machine
    #[cfg(feature = "demo")]
    Demo(demo::Demo),
    /// Check or show the settings
    #[command(subcommand)]
    Config(config::Config),
    /// Apply the ledger's pending migrations, or tell which there are
    Migrate(migrate::Migrate),
    /// Look at what the ledger knows of sign-ups, settle it, or forget it
    Attempts(attempts::Attempts),
    /// Print the service's description in OpenAPI 3.1
    Openapi,
    /// Ask a running service whether it is ready: 0 if so, 1 if not
    Healthcheck(healthcheck::Healthcheck),
}

/// Where settings come from beside the environment.
#[derive(Debug, clap::Args)]
struct ConfigArgs {
    /// A TOML file laid over the defaults; the environment wins over it
    #[arg(long, value_name = "FILE", env = "SIGNUP_CONFIG", global = true)]
    config: Option<PathBuf>,
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(layered) => serve::run(&layered).map(done),
        #[cfg(feature = "demo")]
        Command::Demo(demo) => demo.run().map(done),
        Command::Config(config) => config.run().map(done),
        Command::Migrate(migrate) => migrate.run(),
        Command::Attempts(attempts) => attempts.run(),
        Command::Openapi => openapi::run().map(done),
        Command::Healthcheck(healthcheck) => healthcheck.run().map(done),
    };
    match result {
        Ok(status) => status,
        Err(error) => {
            print_error(&error);
            let wrong_settings = error.is::<ConfigErrors>()
                || error.downcast_ref().is_some_and(StartError::is_of_the_settings);
            ExitCode::from(if wrong_settings { WRONG_SETTINGS } else { 1 })
        }
    }
}

const fn done(_: ()) -> ExitCode {
    ExitCode::SUCCESS
}

/// The status that answers a question.
fn answer(yes: bool) -> ExitCode {
    if yes { ExitCode::SUCCESS } else { NO.into() }
}

#[expect(clippy::print_stderr, reason = "a command tells what failed on stderr")]
fn print_error(error: &anyhow::Error) {
    eprintln!("auth0-signup: {error:#}");
}

/// Says what a person wants to know and a program that reads stdout does not.
#[expect(clippy::print_stderr, reason = "beside the answer on stdout")]
fn print_hint(text: &str) {
    eprintln!("{text}");
}

/// Runs a command that does one thing after the other.
fn block_on<F: Future>(work: F) -> anyhow::Result<F::Output> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    Ok(runtime.enable_all().build().context("the runtime cannot be started")?.block_on(work))
}

/// The variables of this process.
fn environment() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os()
}
