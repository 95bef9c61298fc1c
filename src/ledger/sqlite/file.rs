//! The database file: creation, lock, connections, migrations, and the check of the secret.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, Error, ErrorCode, OpenFlags, Result, TransactionBehavior};

use crate::config::Synchronous;
use crate::digest::DigestPair;
use crate::ledger::OpenError;
use crate::ledger::migrations::{SQLITE, pending};
use crate::ledger::secret_key::{create_folder, sibling};

/// The longest wait of a write for another process: an operator's command, a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause between two tries of an operation that SQLite does not wait for.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// Creates the folder and an empty file if missing, accessible to their owner only. SQLite creates
/// the files beside it with the same mode.
pub(super) fn create(path: &Path) -> std::io::Result<()> {
    create_folder(path)?;
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(drop)
}

/// Locks the file for this process until the lock is dropped or the process ends for any reason.
///
/// Uses a separate file: by POSIX rules, a lock on the database itself would be lost as soon as
/// anything in this process closed a descriptor of it.
pub(super) fn lock(path: &Path) -> Result<File, OpenError> {
    let mut options = OpenOptions::new();
    let lock = options.append(true).create(true).mode(0o600).open(sibling(path, ".lock"));
    let lock = lock.map_err(OpenError::unavailable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(OpenError::unavailable(error)),
    }
}

/// Opens the file, which must exist.
pub(super) fn connect(path: &Path, synchronous: Synchronous) -> Result<Connection> {
    // No CREATE: a file that disappears under a running service is an outage, not a new ledger.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    set_write_ahead(&connection)?;
    let synchronous = match synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    // The log shrinks again after a burst.
    connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
    // Does not run functions that the file's schema names.
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// Sets write-ahead mode: readers and the writer do not wait for each other, and a commit appends
/// to one file.
///
/// The mode of a new file can only change while no other connection has it open. SQLite fails at
/// once instead of waiting, so this retries: any other process that opens the file is done in a
/// moment.
fn set_write_ahead(connection: &Connection) -> Result<()> {
    let mut waited = Duration::ZERO;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if is_busy(&error) && waited < BUSY_TIMEOUT => {
                thread::sleep(BUSY_PAUSE);
                waited += BUSY_PAUSE;
            }
            changed => return changed,
        }
    }
}

fn is_busy(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

/// Returns the applied migrations: `(version, milliseconds)`.
pub(super) fn applied(connection: &Connection) -> Result<Vec<(i32, i64)>> {
    // A statement, because Connection::table_exists does not see tables of other processes.
    let exists = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'schema_migrations')";
    if !connection.query_row(exists, [], |row| row.get(0))? {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare("SELECT version, applied_at FROM schema_migrations")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Applies the pending migrations, all or none, and returns their number.
pub(super) fn migrate(connection: &mut Connection, now: Duration) -> Result<usize> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let applied = applied(&transaction)?;
    let mut count = 0;
    for script in pending(&SQLITE, &applied) {
        transaction.execute_batch(
            "CREATE TABLE IF NOT EXISTS schema_migrations \
             (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT",
        )?;
        transaction.execute_batch(script.sql)?;
        transaction.execute(
            "INSERT INTO schema_migrations (version, name, applied_at) VALUES (?1, ?2, ?3)",
            (script.version, script.name, millis(now)),
        )?;
        count += 1;
    }
    transaction.commit()?;
    Ok(count)
}

/// Returns whether the file is new or was written with one of these secrets. Records the secrets
/// when `renew` is set or the file is new.
pub(super) fn recognise(
    connection: &mut Connection,
    secrets: &DigestPair,
    renew: bool,
    now: Duration,
) -> Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let known: Vec<[u8; 32]> = transaction
        .prepare("SELECT value FROM secret_checks")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_>>()?;
    let ours = |value: &[u8; 32]| secrets.iter().any(|secret| secret.as_bytes() == value);
    if !known.is_empty() && !known.iter().any(ours) {
        return Ok(false);
    }
    if renew || known.is_empty() {
        transaction.execute("DELETE FROM secret_checks", [])?;
        for secret in secrets.iter() {
            transaction.execute(
                "INSERT OR REPLACE INTO secret_checks (value, seen_at) VALUES (?1, ?2)",
                (secret.as_bytes(), millis(now)),
            )?;
        }
    }
    transaction.commit()?;
    Ok(true)
}

/// Milliseconds since the Unix epoch.
fn millis(at: Duration) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}
