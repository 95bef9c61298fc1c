//! Opens the file: the wait for an earlier service, the migrations, the check of the secret.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::connection::LedgerConnection;
use super::guard::FileGuard;
use super::key_filter::KeyFilter;
use super::reader::SqliteReader;
use super::service_lock::{ServiceLock, try_lock_file};
use super::writer::SqliteWriter;
use super::{Sqlite, SqliteOptions, file, schema, upkeep};
use crate::clock::LedgerTime;
use crate::config::Database;
use crate::digest::DigestPair;
use crate::ledger::files::create_folder;
use crate::ledger::migrations::{SQLITE, pending, status};
use crate::ledger::secret_key::SecretFile;
use crate::ledger::{Access, Migration, OpenError, millis};

/// The longest wait for a lock of another process while the file is opened.
pub(super) const OPEN_WAIT: Duration = Duration::from_secs(5);

/// The longest duration of a call of an operator's command, which may read every row.
const COMMAND_TIMEOUT: Duration = Duration::from_mins(5);

/// The pause between two tries to lock the file.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

impl Sqlite {
    /// Opens the file, and starts the writer thread. A service creates a missing file, and waits
    /// until no other one has the file.
    ///
    /// # Errors
    /// When another process serves from it for too long, it was written with another secret, or it
    /// cannot be opened.
    pub(crate) async fn open(
        options: SqliteOptions,
        secrets: DigestPair,
    ) -> Result<Self, OpenError> {
        let lock = match options.access {
            Access::Service => Some(wait_for_lock(&options).await?),
            Access::Cli => None,
        };
        blocking(move || Self::open_blocking(options, &secrets, lock)).await
    }

    fn open_blocking(
        options: SqliteOptions,
        secrets: &DigestPair,
        lock: Option<ServiceLock>,
    ) -> Result<Self, OpenError> {
        let SqliteOptions { path, secret_file, synchronous, migrate, clock, batches, .. } = options;
        let serves = lock.is_some();
        if !serves {
            file::reject_lost(&path, &secret_file)?;
        }
        let guard = Arc::new(FileGuard::new(&path, lock).map_err(OpenError::unavailable)?);
        drop(connect_checked(&path)?);
        let connection = LedgerConnection::open(&guard, OPEN_WAIT)?;
        let now = clock.now();
        if migrate {
            let is_new = schema::migrate(&connection, now)? == SQLITE.len();
            if serves && is_new {
                let ledger = Database::Sqlite(path).to_string();
                tracing::info!(ledger, "created a new ledger: {ledger}");
            }
        } else {
            let applied = schema::applied(&connection)?;
            let pending = pending(&SQLITE, &applied).count();
            if pending > 0 {
                return Err(OpenError::Pending(pending));
            }
        }
        if !schema::recognise(&connection, secrets, serves, now)? {
            return Err(OpenError::WrongSecret);
        }
        secret_file.keep_new().map_err(OpenError::unavailable)?;
        let keys = if serves {
            let now = LedgerTime::from_epoch(now);
            upkeep::take_over_file(&connection, now)?;
            guard.watch().map_err(OpenError::unavailable)?;
            // A damaged page is reported when it is met.
            KeyFilter::new(&connection, now).unwrap_or_else(|_| KeyFilter::unused())
        } else {
            KeyFilter::unused()
        };
        let timeout = if serves { options.timeout } else { COMMAND_TIMEOUT };
        let reader = SqliteReader::open(Arc::clone(&guard), Arc::clone(&clock), timeout)?;
        let shared = Arc::clone(&guard);
        let writer = SqliteWriter::start(connection, shared, timeout, clock, batches);
        let writer = writer.map_err(OpenError::unavailable)?;
        Ok(Self { writer, reader, keys, guard, synchronous, secret: secrets.current })
    }
}

/// Waits until no other service has the file, so that a rolling restart succeeds.
async fn wait_for_lock(options: &SqliteOptions) -> Result<ServiceLock, OpenError> {
    let SqliteOptions { path, secret_file, may_replace, lock_wait, .. } = options;
    let started_at = Instant::now();
    let mut has_waited = false;
    loop {
        let (path, secret_file, may_replace) = (path.clone(), secret_file.clone(), *may_replace);
        let lock = blocking(move || try_lock(&path, &secret_file, may_replace)).await?;
        if let Some(lock) = lock {
            if has_waited {
                tracing::info!(waited_ms = millis(started_at.elapsed()), "the ledger is free");
            }
            return Ok(lock);
        }
        if started_at.elapsed() >= *lock_wait {
            return Err(OpenError::InUse { path: options.path.clone() });
        }
        if !has_waited {
            has_waited = true;
            let path = options.path.display();
            tracing::warn!(
                wait_ms = millis(*lock_wait),
                "waiting for another process that serves from {path} (ledger.lock_wait_ms)"
            );
        }
        sleep(LOCK_PAUSE).await;
    }
}

fn try_lock(
    path: &Path,
    secret_file: &SecretFile,
    may_replace: bool,
) -> Result<Option<ServiceLock>, OpenError> {
    create_folder(path).map_err(OpenError::unavailable)?;
    let Some(lock_file) = try_lock_file(path).map_err(OpenError::unavailable)? else {
        return Ok(None);
    };
    file::create(path, secret_file, may_replace)?;
    ServiceLock::try_new(path, lock_file).map_err(OpenError::unavailable)
}

/// Opens a file that is empty or a ledger, and changes nothing in it.
///
/// # Errors
/// When it belongs to another program, is damaged, or cannot be read.
fn connect_checked(path: &Path) -> Result<Connection, OpenError> {
    let connection = file::connect_unchanged(path, OPEN_WAIT)?;
    schema::check(&connection, path)?;
    Ok(connection)
}

/// Returns every migration of this file with its status.
///
/// # Errors
/// When it cannot be read, or was lost and `may_replace` is `false`.
pub(crate) async fn migrations(
    path: PathBuf,
    secret_file: SecretFile,
    may_replace: bool,
) -> Result<Vec<Migration>, OpenError> {
    blocking(move || {
        if !may_replace {
            file::reject_lost(&path, &secret_file)?;
        }
        if !path.try_exists().map_err(OpenError::unavailable)? {
            return Ok(status(&SQLITE, &[]));
        }
        let connection = connect_checked(&path)?;
        Ok(status(&SQLITE, &schema::applied(&connection)?))
    })
    .await
}

/// Applies the pending migrations, all or none, and returns their number. Creates a missing file,
/// unless `may_replace` is `false` and an earlier ledger was here.
///
/// # Errors
/// When the file cannot be created or written, or a migration fails.
pub(crate) async fn migrate(
    path: PathBuf,
    secret_file: SecretFile,
    may_replace: bool,
    now: Duration,
) -> Result<usize, OpenError> {
    blocking(move || {
        file::create(&path, &secret_file, may_replace)?;
        drop(connect_checked(&path)?);
        let connection = file::connect(&path, OPEN_WAIT)?;
        let applied = schema::migrate(&connection, now)?;
        secret_file.keep_new().map_err(OpenError::unavailable)?;
        Ok(applied)
    })
    .await
}

pub(super) async fn blocking<T: Send + 'static, E: From<OpenError> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    spawn_blocking(work).await.map_err(OpenError::unavailable)?
}
