//! A connection to the ledger's file that its guard knows of.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Result};

use super::file;
use super::guard::FileGuard;
use crate::ledger::LedgerError;

/// The longest wait of a housekeeping checkpoint for readers, during which sign-ups wait.
pub(super) const SHORT_WAIT: Duration = Duration::from_millis(100);

/// A connection to the file at the guard's path, which was the right one before and after.
#[derive(Debug)]
pub(super) struct LedgerConnection {
    // Closed before the guard, which keeps a descriptor of the file.
    connection: Connection,
    /// The write-ahead log. SQLite keeps this file as long as a connection is open, and holds no lock on it
    /// that closing a descriptor would release.
    log: File,
    guard: Arc<FileGuard>,
}

impl LedgerConnection {
    /// Opens the file. Waits at most `wait` for a lock, now and in later calls.
    ///
    /// # Errors
    /// When it is another file, or cannot be opened.
    pub(super) fn open(
        guard: &Arc<FileGuard>,
        wait: Duration,
    ) -> std::result::Result<Self, LedgerError> {
        guard.check()?;
        let connection = file::connect(guard.path(), wait)?;
        // A first read, which opens the log: that of a new file does not exist before.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        let log = File::open(guard.log_path()).map_err(LedgerError::unavailable)?;
        guard.connected().map_err(LedgerError::unavailable)?;
        // Dropped when the check fails: SQLite may have opened another file meanwhile.
        let connection = Self { connection, log, guard: Arc::clone(guard) };
        guard.check()?;
        Ok(connection)
    }

    /// Syncs what was committed until now. Setting `PRAGMA synchronous = FULL` for a single commit would compile
    /// two pragmas, which cost more than the commit's own statements. With `NORMAL`, SQLite syncs the log when
    /// it starts it again, and before it moves the content to the database.
    ///
    /// # Errors
    /// When the file cannot be synced.
    pub(super) fn sync_log(&self) -> io::Result<()> {
        self.log.sync_data()
    }

    /// Moves everything from the log to the database and empties the log file. Returns `false` if a
    /// reader of this or another process prevents it for longer than `wait`.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub(super) fn truncate_log(&self, wait: Duration) -> Result<bool> {
        self.connection.busy_timeout(wait)?;
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        let is_busy: bool = self.connection.query_row(sql, [], |row| row.get(0))?;
        Ok(!is_busy)
    }
}

impl Drop for LedgerConnection {
    fn drop(&mut self) {
        if self.guard.has_problem() || self.guard.has_bad_page() {
            // The files at these paths are not the open ones, or the log is damaged: nothing is moved, and
            // no file is deleted. Ignored: the connection then closes as any other.
            drop(self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true));
        }
        self.guard.disconnecting();
    }
}

impl Deref for LedgerConnection {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}
