//! Opening the ledger: which database, its migrations, whose secret.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Cause, Digests, InstrumentedLedger, Ledger, LedgerError, Migration, postgres, sqlite};
use crate::config::{Database, LedgerSettings};
use crate::lifecycle::Lifecycle;
use crate::telemetry::LedgerMetrics;

/// Who opens the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The service. One process at a time has an SQLite file, so attempts that an earlier one left
    /// open are due for a look at once.
    Service,
    /// An operator's command, beside a running service.
    Cli,
}

/// Why the ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process serves from this file.
    #[error("another process serves from {}", path.display())]
    InUse {
        /// The SQLite file.
        path: PathBuf,
    },
    /// There is no such file, and an operator's command makes none: its answer would be that
    /// nothing ever happened.
    #[error("there is no ledger at {}", path.display())]
    Absent {
        /// The SQLite file.
        path: PathBuf,
    },
    /// The database was written under another secret.
    #[error(
        "the database was written under another secrets.key; set that one, or both as \
         docs/ledger.md says"
    )]
    WrongSecret,
    /// Migrations are pending and not to be applied.
    #[error("{0} migrations are pending; run `auth0-signup migrate`")]
    Pending(usize),
    /// It cannot be reached, read or made.
    #[error("the ledger cannot be opened")]
    Unavailable(#[source] Cause),
}

impl OpenError {
    pub(super) fn unavailable(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Arc::new(cause))
    }
}

impl From<LedgerError> for OpenError {
    fn from(error: LedgerError) -> Self {
        Self::unavailable(error)
    }
}

/// Opens the ledger that the settings name, counted by `metrics`; `now` since the Unix epoch.
///
/// Makes an SQLite file and its folder, for their owner only. Applies pending migrations unless
/// the settings say otherwise; replicas that start together do so one after the other.
///
/// # Errors
/// When it cannot be reached or is not this deployment's; see [`OpenError`].
pub async fn open(
    settings: &LedgerSettings,
    digests: &Digests,
    access: Access,
    now: Duration,
    lifecycle: &Lifecycle,
    metrics: &LedgerMetrics,
) -> Result<Arc<dyn Ledger>, OpenError> {
    let check = digests.check_value();
    let ledger: Arc<dyn Ledger> = match &settings.database {
        Database::Sqlite(path) => {
            let options = sqlite::Options {
                path: path.clone(),
                synchronous: settings.synchronous,
                migrate: settings.migrate,
                access,
                batches: metrics.batches(),
            };
            Arc::new(sqlite::Sqlite::open(options, check, now).await?)
        }
        Database::Postgres(url) => {
            let options = postgres::Options {
                url: url.clone(),
                synchronous: settings.synchronous,
                migrate: settings.migrate,
                access,
                writers: settings.writers,
                timeout: settings.timeout,
                batches: metrics.batches(),
            };
            Arc::new(postgres::Postgres::open(options, check, now, lifecycle).await?)
        }
    };
    Ok(Arc::new(InstrumentedLedger::new(ledger, metrics)))
}

/// Every migration, and when it was applied. Changes nothing; an SQLite file that is not there is
/// not made.
///
/// # Errors
/// When the database cannot be reached.
pub async fn migrations(settings: &LedgerSettings) -> Result<Vec<Migration>, OpenError> {
    match &settings.database {
        Database::Sqlite(path) => sqlite::migrations(path.clone()).await,
        Database::Postgres(url) => postgres::migrations(url, settings.timeout).await,
    }
}

/// Applies what is pending and says how many there were.
///
/// # Errors
/// When the database cannot be reached or a migration fails; then none is applied.
pub async fn migrate(settings: &LedgerSettings, now: Duration) -> Result<usize, OpenError> {
    match &settings.database {
        Database::Sqlite(path) => sqlite::migrate(path.clone(), now).await,
        Database::Postgres(url) => postgres::migrate(url, settings.timeout, now).await,
    }
}
