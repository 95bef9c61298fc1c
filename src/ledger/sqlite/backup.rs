//! `auth0-signup backup`: a verified copy of the file, beside a running service.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::open::{OPEN_WAIT, blocking};
use super::{file, schema};
use crate::config::Synchronous;
use crate::ledger::secret_key::{sibling, sync_folder};
use crate::ledger::{KeyError, LedgerError, OpenError};

/// A failed backup or restore. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The ledger is in PostgreSQL, which has its own tools.
    #[error("backup and restore are for SQLite: use pg_dump and pg_restore for PostgreSQL")]
    NotSqlite,
    /// The ledger is absent, in use, or cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The secret cannot be read.
    #[error(transparent)]
    Secret(#[from] KeyError),
    /// A file with the name of the backup exists.
    #[error("{} exists: choose another name", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file to restore is the ledger itself.
    #[error("{} is the ledger itself", path.display())]
    Same {
        /// The file.
        path: PathBuf,
    },
    /// SQLite's own check of a copy found damage.
    #[error("{} is damaged: {report}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first damage found.
        report: String,
    },
    /// The file to restore has other tables.
    #[error("{} is not a ledger of auth0-signup", path.display())]
    NotLedger {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("cannot read or write {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// SQLite cannot read or write a file.
    #[error("cannot read or write {}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        #[source]
        source: rusqlite::Error,
    },
}

/// The content of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopySummary {
    /// The number of attempts.
    pub attempts: usize,
    /// The size of the file.
    pub bytes: u64,
}

/// Writes a copy of the ledger at `path` to `target`, as of one moment. The copy is complete,
/// verified and on the disk before it gets its name. Holds no row that was deleted.
///
/// # Errors
/// When `target` exists, a file cannot be read or written, or the copy is damaged.
pub async fn backup(path: PathBuf, target: PathBuf) -> Result<CopySummary, BackupError> {
    blocking(move || {
        if target.symlink_metadata().is_ok() {
            return Err(BackupError::Exists { path: target });
        }
        if !path.try_exists().map_err(OpenError::unavailable)? {
            return Err(OpenError::Absent { path }.into());
        }
        let source = file::connect(&path, Synchronous::Normal, OPEN_WAIT);
        let source = source.map_err(LedgerError::from).map_err(OpenError::from)?;
        if !schema::is_ledger(&source).map_err(|error| failed(&path, error))? {
            return Err(BackupError::NotLedger { path });
        }
        let draft = Draft::copy(&source, &target)?;
        let summary = draft.verify()?;
        draft.publish(&target)?;
        Ok(summary)
    })
    .await
}

/// A copy that is being written, beside its later name. Removed unless it gets that name.
#[derive(Debug)]
pub(super) struct Draft(PathBuf);

impl Draft {
    /// Copies a database: as of one moment, without free pages.
    pub(super) fn copy(source: &Connection, target: &Path) -> Result<Self, BackupError> {
        let path = sibling(target, &format!(".{:016x}.tmp", rand::random::<u64>()));
        let mut options = OpenOptions::new();
        let created = options.write(true).create_new(true).mode(0o600).open(&path);
        created.map_err(|source| BackupError::File { path: path.clone(), source })?;
        let draft = Self(path);
        let name = draft.0.to_str().ok_or_else(|| {
            let source = io::Error::new(io::ErrorKind::InvalidFilename, "not UTF-8");
            BackupError::File { path: draft.0.clone(), source }
        })?;
        let copied = source.execute("VACUUM INTO ?1", [name]);
        copied.map_err(|error| failed(&draft.0, error))?;
        Ok(draft)
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Checks the copy as it is in the file, then syncs it.
    pub(super) fn verify(&self) -> Result<CopySummary, BackupError> {
        let connection = open_verified(&self.0)?;
        let count = connection.query_row("SELECT count(*) FROM attempts", [], |row| row.get(0));
        let attempts: i64 = count.map_err(|error| failed(&self.0, error))?;
        let synced = File::open(&self.0).and_then(|file| {
            file.sync_all()?;
            file.metadata()
        });
        let bytes = synced.map_err(|source| self.error(source))?.len();
        Ok(CopySummary { attempts: usize::try_from(attempts).unwrap_or(0), bytes })
    }

    /// Gives the copy its name, which no file may have.
    fn publish(self, target: &Path) -> Result<(), BackupError> {
        // A link, unlike a rename, does not replace a file that appeared meanwhile.
        match fs::hard_link(&self.0, target) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(BackupError::Exists { path: target.to_owned() });
            }
            Err(source) => return Err(BackupError::File { path: target.to_owned(), source }),
        }
        drop(self);
        sync_folder(target).map_err(|source| BackupError::File { path: target.to_owned(), source })
    }

    /// Replaces a file by the copy, in one step.
    pub(super) fn replace(self, target: &Path) -> Result<(), BackupError> {
        fs::rename(&self.0, target).map_err(|source| self.error(source))?;
        sync_folder(target).map_err(|source| BackupError::File { path: target.to_owned(), source })
    }

    fn error(&self, source: io::Error) -> BackupError {
        BackupError::File { path: self.0.clone(), source }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Ignored: it has its other name, or stays as a file that nothing reads.
        drop(fs::remove_file(&self.0));
    }
}

/// Opens a file that nothing writes to, after SQLite's own check of every page.
pub(super) fn open_verified(path: &Path) -> Result<Connection, BackupError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let checked = Connection::open_with_flags(path, flags).and_then(|connection| {
        connection.busy_timeout(OPEN_WAIT)?;
        let check = "PRAGMA integrity_check(1)";
        let report: String = connection.query_row(check, [], |row| row.get(0))?;
        let is_ledger = schema::is_ledger(&connection)?;
        Ok((connection, report, is_ledger))
    });
    let (connection, report, is_ledger) = checked.map_err(|error| failed(path, error))?;
    if report != "ok" {
        return Err(BackupError::Damaged { path: path.to_owned(), report });
    }
    if !is_ledger {
        return Err(BackupError::NotLedger { path: path.to_owned() });
    }
    Ok(connection)
}

pub(super) fn failed(path: &Path, source: rusqlite::Error) -> BackupError {
    BackupError::Database { path: path.to_owned(), source }
}
