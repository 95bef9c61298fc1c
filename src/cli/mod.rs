//! The command line: one file a subcommand.

mod config;
#[cfg(feature = "demo")]
mod demo;
mod healthcheck;
mod serve;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::app::StartError;
use crate::config::Faults;

/// The status of a process whose settings are wrong (`docs/api.md`).
const WRONG_SETTINGS: u8 = 2;

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
    Serve(Layered),
    /// Try it without a tenant: an emulated Auth0 and the service on this machine
    #[cfg(feature = "demo")]
    Demo(demo::Demo),
    /// Check or show the settings
    #[command(subcommand)]
    Config(config::Config),
    /// Ask a running service whether it is ready: 0 if so, 1 if not
    Healthcheck(healthcheck::Healthcheck),
}

/// Where settings come from beside the environment.
#[derive(Debug, clap::Args)]
struct Layered {
    /// A TOML file laid over the defaults; the environment wins over it
    #[arg(long, value_name = "FILE", env = "SIGNUP_CONFIG")]
    config: Option<PathBuf>,
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(layered) => serve::run(&layered),
        #[cfg(feature = "demo")]
        Command::Demo(demo) => demo.run(),
        Command::Config(config) => config.run(),
        Command::Healthcheck(healthcheck) => healthcheck.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            let wrong_settings = error.is::<Faults>()
                || error.downcast_ref().is_some_and(StartError::is_of_the_settings);
            ExitCode::from(if wrong_settings { WRONG_SETTINGS } else { 1 })
        }
    }
}

#[expect(clippy::print_stderr, reason = "a command tells what failed on stderr")]
fn complain(error: &anyhow::Error) {
    eprintln!("auth0-signup: {error:#}");
}

/// The variables of this process.
fn environment() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os()
}
