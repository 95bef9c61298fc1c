//! The locks by which one service at a time uses a file.
//!
//! A service holds two: one on `signup.db.lock`, one on the database file. If the lock file is
//! removed, the database is still locked. If the database is replaced, the lock file still is. Both
//! end with the process, for whatever reason it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::file_id::FileId;
use crate::ledger::files::sibling;

/// The locks of a service. By POSIX rules, SQLite's locks would be lost if this process closed any
/// descriptor of the database file, so this outlives every connection.
#[derive(Debug)]
pub(super) struct ServiceLock {
    path: PathBuf,
    file: Mutex<File>,
    database: File,
}

impl ServiceLock {
    /// Locks the database, which must exist. `None` if another process has locked it.
    ///
    /// # Errors
    /// When a file cannot be opened.
    pub(super) fn try_new(path: &Path, lock_file: File) -> io::Result<Option<Self>> {
        let database = File::open(path)?;
        let is_free = try_lock(&database)?;
        let is_current = FileId::of_path(path)? == FileId::of_file(&database)?;
        let path = lock_path(path);
        Ok((is_free && is_current).then(|| Self { path, file: Mutex::new(lock_file), database }))
    }

    /// The database file, open for reading.
    pub(super) const fn database(&self) -> &File {
        &self.database
    }

    /// Creates the lock file again if somebody has removed it.
    pub(super) fn renew(&self) {
        let mut file = self.file.lock();
        let Ok(ours) = FileId::of_file(&file) else { return };
        if FileId::of_path(&self.path).is_ok_and(|now| now == ours) {
            return;
        }
        // Another service that waits for the database holds the new file.
        if let Ok(Some(new)) = try_lock_file_at(&self.path) {
            tracing::warn!("{} was removed; it was created again", self.path.display());
            *file = new;
        }
    }

    /// Ends both locks, without closing the files.
    pub(super) fn release(&self) {
        let file = self.file.lock();
        // Ignored: the locks also end with the process.
        drop(self.database.unlock());
        drop(file.unlock());
    }
}

/// Locks the lock file of this database, which is created if missing. `None` if another process has
/// locked it.
///
/// # Errors
/// When it cannot be created.
pub(super) fn try_lock_file(database: &Path) -> io::Result<Option<File>> {
    try_lock_file_at(&lock_path(database))
}

/// Locks the file at this path, which is created if missing. `None` if another process has locked it.
///
/// # Errors
/// When it cannot be created.
pub(super) fn try_lock_file_at(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    if !try_lock(&file)? {
        return Ok(None);
    }
    // Another file may have got this name between the two steps.
    let is_current = FileId::of_path(path)? == FileId::of_file(&file)?;
    Ok(is_current.then_some(file))
}

/// Locks a file if no other process has.
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The path of the lock file.
pub(super) fn lock_path(database: &Path) -> PathBuf {
    sibling(database, ".lock")
}
