//! `auth0-signup migrate [status]`: applies the ledger's pending migrations, or lists all.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::output::print;
use super::{ConfigArgs, NewLedger, block_on, exit_status};
use crate::app::DatabaseError;
use crate::clock::{Clock as _, SystemClock, utc};
use crate::config::LedgerSettings;
use crate::ledger;

/// Apply the pending migrations.
#[derive(Debug, Args)]
pub(super) struct Migrate {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    new_ledger: NewLedger,
    #[command(subcommand)]
    command: Option<MigrateCommand>,
}

#[derive(Debug, Subcommand)]
enum MigrateCommand {
    /// Print every migration with its time, or "pending"; changes nothing
    Status,
}

impl Migrate {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let mut settings = self.config.load_ledger()?;
        settings.new_ledger = self.new_ledger.allowed;
        block_on(async {
            match self.command {
                Some(MigrateCommand::Status) => status(&settings).await,
                None => migrate(&settings).await,
            }
        })?
    }
}

async fn migrate(settings: &LedgerSettings) -> anyhow::Result<ExitCode> {
    // Creates a missing secret first: without it, the tables would look like a ledger whose secret
    // was lost.
    ledger::digests(settings).map_err(|error| DatabaseError::explain(settings, error))?;
    let applied = ledger::migrate(settings, SystemClock.now())
        .await
        .map_err(|error| DatabaseError::explain(settings, error))?;
    print(&match applied {
        0 => "nothing is pending\n".to_owned(),
        1 => "applied 1 migration\n".to_owned(),
        count => format!("applied {count} migrations\n"),
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn status(settings: &LedgerSettings) -> anyhow::Result<ExitCode> {
    let migrations = ledger::migrations(settings)
        .await
        .map_err(|error| DatabaseError::explain(settings, error))?;
    let mut text = String::new();
    for migration in &migrations {
        let applied = migration.applied_at.map_or_else(|| "pending".to_owned(), utc);
        // Writing to a string cannot fail.
        let _unfailing =
            writeln!(text, "{:04} {:<24} {applied}", migration.version, migration.name);
    }
    print(&text)?;
    Ok(exit_status(migrations.iter().all(|migration| migration.applied_at.is_some())))
}
