//! Opens the ledger: picks the database, applies migrations, verifies the secret.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::access::{Access, OpenError};
use super::secret_key::{SecretFile, existing_digests};
use super::{
    BackupError, CopySummary, InstrumentedLedger, Ledger, Migration, Restored, postgres, sqlite,
};
use crate::clock::Clock;
use crate::config::{Database, LedgerSettings};
use crate::digest::Digests;
use crate::telemetry::LedgerMetrics;

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
    clock: &Arc<dyn Clock>,
    metrics: &LedgerMetrics,
) -> Result<Arc<dyn Ledger>, OpenError> {
    let check = digests.check_value();
    let ledger: Arc<dyn Ledger> = match &settings.database {
        Database::Sqlite(path) => {
            let options = sqlite::SqliteOptions {
                path: path.clone(),
                secret_file: SecretFile::new(path, settings),
                synchronous: settings.synchronous,
                migrate: settings.migrate,
                access,
                may_replace: settings.new_ledger,
                lock_wait: settings.lock_wait,
                timeout: settings.timeout,
                clock: Arc::clone(clock),
                batches: metrics.batches(),
            };
            Arc::new(sqlite::Sqlite::open(options, check).await?)
        }
        Database::Postgres(url) => {
            // Boxed: it holds a connection, which is large.
            Arc::new(Box::pin(postgres::Postgres::open(url, settings, access, check)).await?)
        }
    };
    Ok(Arc::new(InstrumentedLedger::new(ledger, metrics)))
}

/// Returns every migration with its status. Changes nothing, and does not create a missing SQLite
/// file.
///
/// # Errors
/// When the database cannot be reached, or was lost.
pub async fn migrations(settings: &LedgerSettings) -> Result<Vec<Migration>, OpenError> {
    match &settings.database {
        Database::Sqlite(path) => {
            let secret_file = SecretFile::new(path, settings);
            sqlite::migrations(path.clone(), secret_file, settings.new_ledger).await
        }
        Database::Postgres(url) => postgres::migrations(url, settings.timeout).await,
    }
}

/// Applies the pending migrations and returns their number.
///
/// # Errors
/// When the database cannot be reached or a migration fails. Those before it stay applied.
pub async fn migrate(settings: &LedgerSettings, now: Duration) -> Result<usize, OpenError> {
    match &settings.database {
        Database::Sqlite(path) => {
            let secret_file = SecretFile::new(path, settings);
            sqlite::migrate(path.clone(), secret_file, settings.new_ledger, now).await
        }
        Database::Postgres(url) => postgres::migrate(url, settings.timeout).await,
    }
}

/// Copies an SQLite ledger to a new file, beside a running service.
///
/// # Errors
/// See [`BackupError`].
pub async fn backup(
    settings: &LedgerSettings,
    target: PathBuf,
) -> Result<CopySummary, BackupError> {
    match &settings.database {
        Database::Sqlite(path) => sqlite::backup(path.clone(), target).await,
        Database::Postgres(_) => Err(BackupError::NotSqlite),
    }
}

/// Replaces an SQLite ledger with a backup that was written with the same secret.
///
/// # Errors
/// See [`BackupError`].
pub async fn restore(
    settings: &LedgerSettings,
    from: PathBuf,
    now: Duration,
) -> Result<Restored, BackupError> {
    match &settings.database {
        Database::Sqlite(path) => {
            let secrets = existing_digests(settings)?.check_value();
            let secret_file = SecretFile::new(path, settings);
            sqlite::restore(path.clone(), secret_file, from, secrets, now).await
        }
        Database::Postgres(_) => Err(BackupError::NotSqlite),
    }
}
