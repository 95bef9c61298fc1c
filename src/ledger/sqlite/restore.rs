//! `auth0-signup restore`: puts a verified backup in the place of the ledger.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::backup::{BackupError, CopySummary, Draft, failed, open_verified};
use super::file_id::FileId;
use super::open::blocking;
use super::service_lock::{ServiceLock, lock_path, try_lock_file};
use super::{connection::SHORT_WAIT, file, schema};
use crate::clock::utc;
use crate::digest::DigestPair;
use crate::ledger::OpenError;
use crate::ledger::files::{create_folder, or_current, set_owner, sibling};
use crate::ledger::secret_key::SecretFile;

/// The result of a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The content of the ledger now.
    pub summary: CopySummary,
    /// The file from before; `None` if there was none.
    pub previous: Option<PathBuf>,
}

/// Replaces the ledger at `path` with the backup `from`. Keeps the file from before under another
/// name.
///
/// # Errors
/// When a service or another program uses the ledger, the backup is damaged, is no ledger or was
/// written with another secret, or a file cannot be written.
pub(crate) async fn restore(
    path: PathBuf,
    secret_file: SecretFile,
    from: PathBuf,
    secrets: DigestPair,
    now: Duration,
) -> Result<Restored, BackupError> {
    blocking(move || restore_blocking(&path, &secret_file, &from, &secrets, now)).await
}

fn restore_blocking(
    path: &Path,
    secret_file: &SecretFile,
    from: &Path,
    secrets: &DigestPair,
    now: Duration,
) -> Result<Restored, BackupError> {
    create_folder(path).map_err(|source| file_error(path, source))?;
    let owner = owner(path).map_err(|source| file_error(path, source))?;
    let _lock = lock(path)?;
    // A symbolic link stays; the file that it leads to is replaced.
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let source_id = FileId::of_path(from).map_err(|source| file_error(from, source))?;
    if FileId::of_path(&real).is_ok_and(|ledger| ledger == source_id) {
        return Err(BackupError::Same { path: from.to_owned() });
    }
    let source = open_verified(from)?;
    if !schema::knows(&source, secrets).map_err(|error| failed(from, error))? {
        return Err(OpenError::WrongSecret.into());
    }
    let draft = Draft::copy(&source, &real)?;
    let summary = draft.verify()?;
    draft.set_write_ahead()?;
    for file in [draft.path(), &lock_path(path)] {
        set_owner(file, &owner).map_err(|source| file_error(file, source))?;
    }
    let previous = set_aside(&real, now)?;
    draft.replace(&real)?;
    secret_file.keep_new().map_err(|source| file_error(path, source))?;
    Ok(Restored { summary, previous })
}

/// The owner of the service's files: of the ledger or its lock file, or else of the folder, which can be
/// root's where a volume is shared by group.
fn owner(path: &Path) -> io::Result<fs::Metadata> {
    let files = [path.to_owned(), lock_path(path)];
    let file = files.iter().find_map(|file| fs::metadata(file).ok());
    file.map_or_else(|| fs::metadata(or_current(path.parent().unwrap_or(path))), Ok)
}

/// Keeps every service out until the returned value is dropped.
fn lock(path: &Path) -> Result<Lock, BackupError> {
    let in_use = || OpenError::InUse { path: path.to_owned() };
    let lock_file = try_lock_file(path).map_err(|source| file_error(path, source))?;
    let lock_file = lock_file.ok_or_else(in_use)?;
    if !path.exists() {
        return Ok(Lock { _file: Some(lock_file), _service: None });
    }
    let lock = ServiceLock::try_new(path, lock_file).map_err(|source| file_error(path, source))?;
    Ok(Lock { _file: None, _service: Some(lock.ok_or_else(in_use)?) })
}

/// The locks of a service, on the files that exist.
struct Lock {
    _file: Option<fs::File>,
    _service: Option<ServiceLock>,
}

/// Gives the file a second name under which it is kept, and takes its log from beside it.
fn set_aside(path: &Path, now: Duration) -> Result<Option<PathBuf>, BackupError> {
    let time: String = utc(now).chars().filter(char::is_ascii_alphanumeric).collect();
    let aside = sibling(path, &format!(".before-restore-{time}"));
    let has_content = fs::metadata(path).is_ok_and(|file| file.len() > 0);
    if has_content {
        empty_log(path)?;
        fs::hard_link(path, &aside).map_err(|source| file_error(&aside, source))?;
    }
    // Left only if the file is damaged or gone.
    let (log, index) = (sibling(path, "-wal"), sibling(path, "-shm"));
    ignore_missing(fs::rename(&log, sibling(&aside, "-wal")), &log)?;
    ignore_missing(fs::remove_file(&index), &index)?;
    Ok(has_content.then_some(aside))
}

/// Moves everything from the log to the database, and deletes the log. A damaged file keeps it.
///
/// # Errors
/// When another program uses the file.
fn empty_log(path: &Path) -> Result<(), BackupError> {
    let emptied = file::connect_unchanged(path, SHORT_WAIT).and_then(|connection| {
        connection.pragma_update(None, "journal_mode", "DELETE")?;
        // A file that had this mode already was not locked by that.
        connection.execute_batch("BEGIN EXCLUSIVE; ROLLBACK")
    });
    match emptied {
        Err(error) if file::is_busy(&error) => {
            Err(OpenError::InUse { path: path.to_owned() }.into())
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn ignore_missing(result: io::Result<()>, path: &Path) -> Result<(), BackupError> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file_error(path, error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn file_error(path: &Path, source: io::Error) -> BackupError {
    BackupError::File { path: path.to_owned(), source }
}
