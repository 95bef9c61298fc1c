//! `auth0-signup backup FILE` and `auth0-signup restore FILE`: copies of an SQLite ledger.

use std::path::PathBuf;

use clap::Args;

use super::output::{format_attempts, print, print_to_stderr};
use super::{ConfigArgs, block_on};
use crate::app::DatabaseError;
use crate::clock::{Clock as _, SystemClock};
use crate::config::LedgerSettings;
use crate::ledger::{self, BackupError, CopySummary};

/// Copy the SQLite ledger to a new file, beside a running service.
#[derive(Debug, Args)]
pub(super) struct Backup {
    #[command(flatten)]
    config: ConfigArgs,
    /// The new file
    #[arg(value_name = "FILE")]
    target: PathBuf,
}

impl Backup {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let settings = self.config.load_ledger()?;
        let copied = block_on(ledger::backup(&settings, self.target.clone()))?;
        let summary = copied.map_err(|error| explain(&settings, error))?;
        print(&format!("backed up {}, verified\n", text(&summary)))?;
        if settings.secret_key.is_none() {
            print_to_stderr(
                "the copy is of no use without the secret, the file that ends in .key; keep that apart",
            );
        }
        Ok(())
    }
}

/// Replace the SQLite ledger with a backup, while no service runs.
#[derive(Debug, Args)]
pub(super) struct Restore {
    #[command(flatten)]
    config: ConfigArgs,
    /// The backup, which stays as it is
    #[arg(value_name = "FILE")]
    source: PathBuf,
}

impl Restore {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let settings = self.config.load_ledger()?;
        let now = SystemClock.now();
        let restored = block_on(ledger::restore(&settings, self.source.clone(), now))?;
        let restored = restored.map_err(|error| explain(&settings, error))?;
        print(&format!("restored {}, verified\n", text(&restored.summary)))?;
        if let Some(previous) = restored.previous {
            print_to_stderr(&format!("the ledger from before is {}", previous.display()));
        }
        Ok(())
    }
}

/// The error with the exit status of its kind.
fn explain(settings: &LedgerSettings, error: BackupError) -> anyhow::Error {
    match error {
        BackupError::Open(error) => DatabaseError::explain(settings, error).into(),
        BackupError::Secret(error) => DatabaseError::explain(settings, error).into(),
        error => error.into(),
    }
}

fn text(summary: &CopySummary) -> String {
    let CopySummary { attempts, bytes } = summary;
    format!("{}, {bytes} bytes", format_attempts(*attempts))
}
