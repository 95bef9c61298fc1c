//! Opens the ledger: picks the database, applies migrations, verifies the secret.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Cause, Digests, InstrumentedLedger, Ledger, LedgerError, Migration, postgres, sqlite};
use crate::config::{Database, LedgerSettings};
use crate::lifecycle::Lifecycle;
use crate::telemetry::LedgerMetrics;

/// The kind of process that opens the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The service. One process at a time serves from an SQLite file, so attempts that an earlier
    /// one left open are due for a check at once.
    Service,
    /// An operator's command, which may run beside a service.
    Cli,
}

/// A failure to open the ledger.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process serves from this file.
    #[error("another process serves from {}", path.display())]
    InUse {
        /// The SQLite file.
        path: PathBuf,
    },
    /// The file does not exist. An operator's command does not create it: an empty ledger would
    /// report that nothing ever happened.
    #[error("there is no ledger at {}", path.display())]
    Absent {
        /// The SQLite file.
        path: PathBuf,
    },
    /// The database was written with another secret.
    #[error(
        "the database was written with another secrets.key; set that one, or both as \
         docs/ledger.md describes"
    )]
    WrongSecret,
    /// Migrations are pending, and the settings forbid applying them.
    #[error("{0} migrations are pending; run `auth0-signup migrate`")]
    Pending(usize),
    /// It cannot be reached, read or created.
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

/// Opens the ledger that the settings name, and reports its calls to `metrics`.
///
/// Creates a missing SQLite file and its folder, accessible to their owner only. Applies pending
/// migrations unless the settings say otherwise; replicas that start together take turns.
///
/// # Errors
/// When it cannot be reached or belongs to another deployment; see [`OpenError`].
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
            let options = sqlite::SqliteOptions {
                path: path.clone(),
                synchronous: settings.synchronous,
                migrate: settings.migrate,
                access,
                batches: metrics.batches(),
            };
            Arc::new(sqlite::Sqlite::open(options, check, now).await?)
        }
        Database::Postgres(url) => {
            let options = postgres::PostgresOptions {
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

/// Returns every migration with its status. Changes nothing, and does not create a missing SQLite
/// file.
///
/// # Errors
/// When the database cannot be reached.
pub async fn migrations(settings: &LedgerSettings) -> Result<Vec<Migration>, OpenError> {
    match &settings.database {
        Database::Sqlite(path) => sqlite::migrations(path.clone()).await,
        Database::Postgres(url) => postgres::migrations(url, settings.timeout).await,
    }
}

/// Applies the pending migrations and returns their number.
///
/// # Errors
/// When the database cannot be reached or a migration fails. Then none is applied.
pub async fn migrate(settings: &LedgerSettings, now: Duration) -> Result<usize, OpenError> {
    match &settings.database {
        Database::Sqlite(path) => sqlite::migrate(path.clone(), now).await,
        Database::Postgres(url) => postgres::migrate(url, settings.timeout, now).await,
    }
}
