//! The command line: one file for each subcommand.

mod attempts;
mod backup;
mod config;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod hardening;
mod healthcheck;
mod migrate;
mod openapi;
mod output;
mod reload;
mod serve;
mod signals;
mod supervisor;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use self::output::print_to_stderr;
use crate::app::StartError;
use crate::config::{CONFIG_FILE, ConfigErrors, LedgerSettings, Settings};
use crate::ledger::BackupError;

/// The exit status for wrong settings (`docs/api.md`).
const WRONG_SETTINGS: u8 = 2;

/// The exit status of a successful command with a negative result: nothing found, something
/// pending, something still unknown (`docs/api.md`).
const NEGATIVE_RESULT: u8 = 3;

/// The output of `--version`: the version, the commit that a release was built from, and the optional
/// parts of this build.
static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    let commit = option_env!("SIGNUP_BUILD_COMMIT").unwrap_or("unknown");
    let parts = [("demo", cfg!(feature = "demo")), ("otlp", cfg!(feature = "otlp"))];
    let parts: Vec<_> = parts.into_iter().filter(|part| part.1).map(|part| part.0).collect();
    let parts = if parts.is_empty() { "none".to_owned() } else { parts.join(", ") };
    format!("{}\ncommit: {commit}\nfeatures: {parts}", env!("CARGO_PKG_VERSION"))
});

/// The sign-up backend for Auth0 tenants.
#[derive(Debug, Parser)]
#[command(name = "auth0-signup", version, long_version = LONG_VERSION.as_str())]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve sign-ups for the tenant in the settings
    Serve(serve::Serve),
    /// Try the service without a tenant: runs it with an emulated Auth0 on this machine
    #[cfg(feature = "demo")]
    Demo(demo::Demo),
    /// Check, show or describe the settings
    #[command(subcommand)]
    Config(config::Config),
    /// Check everything that a sign-up depends on, and name the setting to change
    Doctor(doctor::Doctor),
    /// Apply the ledger's pending migrations, or list all migrations
    Migrate(migrate::Migrate),
    /// Copy the SQLite ledger to a new file, beside a running service
    Backup(backup::Backup),
    /// Replace the SQLite ledger with a backup, while no service runs
    Restore(backup::Restore),
    /// List, find, reconcile or remove recorded sign-up attempts
    Attempts(attempts::Attempts),
    /// Print the OpenAPI 3.1 description of the service
    Openapi,
    /// Check that a running service is ready: exit status 0 if it is, 1 if not
    Healthcheck(healthcheck::Healthcheck),
}

/// The source of settings besides the environment.
#[derive(Debug, clap::Args)]
struct ConfigArgs {
    /// A TOML file that overrides the defaults; the environment overrides the file, and names it in
    /// `SIGNUP_CONFIG`
    #[arg(long = "config", value_name = "FILE", global = true)]
    file: Option<PathBuf>,
}

impl ConfigArgs {
    /// The settings file. A blank variable means that there is none.
    fn file(&self) -> Option<PathBuf> {
        let is_blank = |text: &OsString| text.to_str().is_some_and(|text| text.trim().is_empty());
        let named = environment().find(|(name, value)| name == CONFIG_FILE && !is_blank(value));
        self.file.clone().or_else(|| named.map(|(_, value)| value.into()))
    }

    /// Reads all settings.
    fn load(&self) -> Result<Settings, ConfigErrors> {
        crate::config::load(self.file().as_deref(), environment())
    }

    /// Reads the settings of the ledger.
    fn load_ledger(&self) -> Result<LedgerSettings, ConfigErrors> {
        crate::config::load_ledger(self.file().as_deref(), environment())
    }
}

/// The permission to lose an earlier ledger.
#[derive(Debug, Clone, Copy, clap::Args)]
struct NewLedger {
    /// Create an SQLite ledger although an earlier one was here: its file is missing, and its `.key` or
    /// `-wal` file is left
    #[arg(long = "new-ledger")]
    allowed: bool,
}

/// Runs the command in the process's arguments.
pub fn main() -> ExitCode {
    hardening::harden();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // clap would wait for a stderr that nobody reads.
        Err(error) if error.use_stderr() => {
            print_to_stderr(error.to_string().trim_end());
            return ExitCode::from(WRONG_SETTINGS);
        }
        Err(help) => help.exit(),
    };
    let result = match cli.command {
        Command::Serve(serve) => serve.run().map(success),
        #[cfg(feature = "demo")]
        Command::Demo(demo) => demo.run().map(success),
        Command::Config(config) => config.run().map(success),
        Command::Doctor(doctor) => doctor.run(),
        Command::Migrate(migrate) => migrate.run(),
        Command::Backup(backup) => backup.run().map(success),
        Command::Restore(restore) => restore.run().map(success),
        Command::Attempts(attempts) => attempts.run(),
        Command::Openapi => openapi::run().map(success),
        Command::Healthcheck(healthcheck) => healthcheck.run().map(success),
    };
    match result {
        Ok(status) => status,
        Err(error) => {
            print_to_stderr(&format!("auth0-signup: {error:#}"));
            let wrong_settings = error.is::<ConfigErrors>()
                || error.downcast_ref().is_some_and(StartError::is_configuration_error)
                || matches!(error.downcast_ref(), Some(BackupError::NotSqlite));
            ExitCode::from(if wrong_settings { WRONG_SETTINGS } else { 1 })
        }
    }
}

const fn success(_: ()) -> ExitCode {
    ExitCode::SUCCESS
}

/// The exit status of a successful command.
fn exit_status(is_positive: bool) -> ExitCode {
    if is_positive { ExitCode::SUCCESS } else { NEGATIVE_RESULT.into() }
}

/// Runs a sequential command.
fn block_on<F: Future>(work: F) -> anyhow::Result<F::Output> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    Ok(runtime.enable_all().build().context("the runtime cannot be started")?.block_on(work))
}

/// The environment variables of this process.
fn environment() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os()
}
