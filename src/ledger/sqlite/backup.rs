//! `auth0-signup backup`: a verified copy of the file, beside a running service.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::open::{OPEN_WAIT, blocking};
use super::service_lock::{try_lock, try_lock_file_at};
use super::{file, schema};
use crate::ledger::files::{or_current, sibling, sync_folder};
use crate::ledger::{KeyError, OpenError};

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
pub(crate) async fn backup(path: PathBuf, target: PathBuf) -> Result<CopySummary, BackupError> {
    blocking(move || {
        if target.symlink_metadata().is_ok() {
            return Err(BackupError::Exists { path: target });
        }
        if !path.try_exists().map_err(OpenError::unavailable)? {
            return Err(OpenError::Absent { path }.into());
        }
        let source = file::connect_unchanged(&path, OPEN_WAIT);
        let source = source.map_err(OpenError::from)?;
        require_ledger(&source, &path)?;
        let draft = Draft::copy(&source, &target)?;
        let summary = draft.verify()?;
        draft.publish(&target)?;
        Ok(summary)
    })
    .await
}

/// A copy that is being written, beside its later name. Removed unless it gets that name.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    /// Locked: one that is not is left from a process that was ended.
    _file: File,
}

impl Draft {
    /// Copies a database: as of one moment, without free pages. Removes what an earlier copy to the
    /// same name left.
    pub(super) fn copy(source: &Connection, target: &Path) -> Result<Self, BackupError> {
        remove_left_drafts(target);
        let path = sibling(target, &format!(".{:016x}.tmp", rand::random::<u64>()));
        let file = try_lock_file_at(&path)
            .and_then(|file| file.ok_or_else(|| io::ErrorKind::WouldBlock.into()))
            .map_err(|source| BackupError::File { path: path.clone(), source })?;
        let draft = Self { path, _file: file };
        let name = draft.path.to_str().ok_or_else(|| {
            draft.error(io::Error::new(io::ErrorKind::InvalidFilename, "not UTF-8"))
        })?;
        let copied = source.execute("VACUUM INTO ?1", [name]);
        copied.map_err(|error| failed(&draft.path, error))?;
        Ok(draft)
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Checks the copy as it is in the file, then syncs it.
    pub(super) fn verify(&self) -> Result<CopySummary, BackupError> {
        let connection = open_verified(&self.path)?;
        let count = connection.query_row("SELECT count(*) FROM attempts", [], |row| row.get(0));
        let attempts: i64 = count.map_err(|error| failed(&self.path, error))?;
        let synced = File::open(&self.path).and_then(|file| {
            file.sync_all()?;
            file.metadata()
        });
        let bytes = synced.map_err(|source| self.error(source))?.len();
        Ok(CopySummary { attempts: usize::try_from(attempts).unwrap_or(0), bytes })
    }

    /// Gives the copy the mode in which a service uses it, and syncs it. A file in another mode is locked by each
    /// of its readers, also against the start of a service.
    pub(super) fn set_write_ahead(&self) -> Result<(), BackupError> {
        let changed = file::open(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE, OPEN_WAIT)
            .and_then(|connection| file::set_write_ahead(&connection, OPEN_WAIT));
        changed.map_err(|error| failed(&self.path, error))
    }

    /// Gives the copy its name, which no file may have.
    fn publish(self, target: &Path) -> Result<(), BackupError> {
        // A link, unlike a rename, does not replace a file that appeared meanwhile.
        match fs::hard_link(&self.path, target) {
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
        fs::rename(&self.path, target).map_err(|source| self.error(source))?;
        sync_folder(target).map_err(|source| BackupError::File { path: target.to_owned(), source })
    }

    fn error(&self, source: io::Error) -> BackupError {
        BackupError::File { path: self.path.clone(), source }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Ignored: it has its other name, or stays as a file that nothing reads.
        drop(fs::remove_file(&self.path));
    }
}

/// Opens a file that nothing writes to, after SQLite's own check of every page.
pub(super) fn open_verified(path: &Path) -> Result<Connection, BackupError> {
    let checked = file::connect_read_only(path, OPEN_WAIT).and_then(|connection| {
        let check = "PRAGMA integrity_check(1)";
        let report: String = connection.query_row(check, [], |row| row.get(0))?;
        Ok((connection, report))
    });
    let (connection, report) = checked.map_err(|error| failed(path, error))?;
    if report != "ok" {
        return Err(BackupError::Damaged { path: path.to_owned(), report });
    }
    require_ledger(&connection, path)?;
    Ok(connection)
}

/// Checks that a file is a ledger, with all tables of its version.
fn require_ledger(connection: &Connection, path: &Path) -> Result<(), BackupError> {
    let path = path.to_owned();
    match schema::check(connection, &path) {
        Ok(()) if schema::is_ledger(connection).map_err(|error| failed(&path, error))? => Ok(()),
        Ok(()) | Err(OpenError::Foreign { .. }) => Err(BackupError::NotLedger { path }),
        Err(OpenError::Damaged(cause)) => {
            Err(BackupError::Damaged { path, report: cause.to_string() })
        }
        Err(error) => Err(error.into()),
    }
}

/// Removes the drafts of this name whose process was ended, with SQLite's own file beside each.
fn remove_left_drafts(target: &Path) {
    let folder = target.parent().map_or_else(|| Path::new("."), or_current);
    // Ignored: what cannot be read or removed stays as a file that nothing reads.
    let Ok(files) = fs::read_dir(folder) else { return };
    for draft in files.filter_map(|file| Some(file.ok()?.path())) {
        if is_draft(&draft, target)
            && let Ok(file) = File::open(&draft)
            && try_lock(&file).unwrap_or(false)
        {
            // The draft last: the other file is found by its name.
            drop(fs::remove_file(sibling(&draft, "-journal")));
            drop(fs::remove_file(&draft));
        }
    }
}

/// Returns whether a file has the name of a draft of this copy.
fn is_draft(file: &Path, target: &Path) -> bool {
    let name = |path: &Path| path.file_name().unwrap_or_default().as_encoded_bytes().to_vec();
    let (file, target) = (name(file), name(target));
    let id = file.strip_prefix(&*target).and_then(|end| end.strip_prefix(b"."));
    let id = id.and_then(|end| end.strip_suffix(b".tmp"));
    id.is_some_and(|id| id.len() == 16 && id.iter().all(u8::is_ascii_hexdigit))
}

pub(super) fn failed(path: &Path, source: rusqlite::Error) -> BackupError {
    BackupError::Database { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_that_is_being_written_outlives_another_copy() {
        let folder = std::env::temp_dir().join(format!("drafts-{:016x}", rand::random::<u64>()));
        fs::create_dir(&folder).unwrap();
        let target = folder.join("copy.db");
        let source = Connection::open_in_memory().unwrap();
        let first = Draft::copy(&source, &target).unwrap();
        let second = Draft::copy(&source, &target).unwrap();
        assert!(first.path().exists() && second.path().exists());
        drop((first, second));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::remove_dir(&folder).unwrap();
    }
}
