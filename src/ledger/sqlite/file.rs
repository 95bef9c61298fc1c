//! The database file: creation and connections.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Error, ErrorCode, OpenFlags, Result};

use crate::ledger::OpenError;
use crate::ledger::files::{create_folder, sibling};
use crate::ledger::secret_key::SecretFile;

/// The pause between two tries of an operation that SQLite does not wait for.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// Creates the folder and an empty file if missing, accessible to their owner only. SQLite creates
/// the files beside it with the same mode.
///
/// # Errors
/// When there was a ledger before and `may_replace` is `false`, or the file cannot be created.
pub(super) fn create(
    path: &Path,
    secret_file: &SecretFile,
    may_replace: bool,
) -> std::result::Result<(), OpenError> {
    if !may_replace {
        reject_lost(path, secret_file)?;
    }
    create_folder(path).and_then(|()| create_empty(path)).map_err(OpenError::unavailable)
}

fn create_empty(path: &Path) -> io::Result<()> {
    // Opens an existing file only if it is new: closing a descriptor of a database that is in use
    // would end the locks that SQLite has on it.
    match OpenOptions::new().append(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !path.exists() => {
            // A symbolic link to a file that does not exist yet.
            OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(drop)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        created => created.map(drop),
    }
}

/// Rejects a file that is missing or empty although a ledger was here: its `.key` or `-wal` file is left.
///
/// # Errors
/// Then, or when this user may not see the file.
pub(super) fn reject_lost(
    path: &Path,
    secret_file: &SecretFile,
) -> std::result::Result<(), OpenError> {
    if length(path)? == 0 && (secret_file.exists() || length(&sibling(path, "-wal"))? > 0) {
        return Err(OpenError::Lost { path: path.to_owned() });
    }
    Ok(())
}

/// The length of a file; zero only if it is empty or does not exist.
///
/// # Errors
/// When this user may not see it.
pub(super) fn length(path: &Path) -> std::result::Result<u64, OpenError> {
    match fs::metadata(path) {
        Ok(file) => Ok(file.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(OpenError::unavailable(error)),
    }
}

/// Opens an existing file. Waits at most `wait` for a lock, now and in later calls.
pub(super) fn open(path: &Path, access: OpenFlags, wait: Duration) -> Result<Connection> {
    // No CREATE: a file that disappears under a running service is an outage, not a new ledger.
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(wait)?;
    Ok(connection)
}

/// Opens a ledger, whose file must exist, or an empty file. Waits at most `wait` for a lock, now and in later
/// calls.
pub(super) fn connect(path: &Path, wait: Duration) -> Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, wait)?;
    set_write_ahead(&connection, wait)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // Deleted rows are overwritten with zeros.
    connection.pragma_update(None, "secure_delete", true)?;
    // The log shrinks again after a burst.
    connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
    // Does not run functions that the file's schema names.
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// Opens the file, which must exist, and changes nothing in it, unless a transaction of a process that died has to
/// be undone. Waits at most `wait` for a lock.
pub(super) fn connect_unchanged(path: &Path, wait: Duration) -> Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, wait)?;
    // SQLite puts the log beside the file that a symbolic link leads to.
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let has_log = fs::metadata(sibling(&real, "-wal")).is_ok_and(|log| log.len() > 0);
    // Of an empty log nothing is moved: SQLite only deletes it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_log)?;
    Ok(connection)
}

/// Opens the file, which must exist, and changes nothing in it. Waits at most `wait` for a lock.
pub(super) fn connect_read_only(path: &Path, wait: Duration) -> Result<Connection> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, wait)
}

/// Sets write-ahead mode: readers and the writer do not wait for each other, and a commit appends
/// to one file.
///
/// The mode of a new file can only change while no other connection has it open. SQLite fails at
/// once instead of waiting, so this retries: any other process that opens the file is done in a
/// moment.
pub(super) fn set_write_ahead(connection: &Connection, wait: Duration) -> Result<()> {
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if mode == "wal" {
        return Ok(());
    }
    let started_at = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if is_busy(&error) && started_at.elapsed() < wait => {
                thread::sleep(BUSY_PAUSE);
            }
            changed => return changed,
        }
    }
}

/// Returns whether another connection has a lock that this one needs.
pub(super) fn is_busy(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}
