//! The guard of an open ledger: the file at its path must stay the file that is open.
//!
//! A file that is deleted, moved or replaced beneath the service would swallow every write: the
//! process keeps the old file open, and the next one starts on another. So every batch is checked
//! after its commit, and the path once a second. The same holds for the write-ahead log and its
//! index: without them, SQLite would read an older state or write over a newer one.

use std::error::Error as StdError;
use std::fs::{self, Metadata};
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::ErrorCode;

use super::file_id::FileId;
use super::header::{FileHeader, is_log};
use super::service_lock::ServiceLock;
use crate::ledger::LedgerError;
use crate::ledger::files::sibling;
use crate::telemetry::chain;

/// The interval of the checks while nothing is written.
const INTERVAL: Duration = Duration::from_secs(1);

/// A difference between the file at the ledger's path and the file that is open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FileProblem {
    #[error("{} was deleted or moved; put it back, or stop the service and restore a backup", .0.display())]
    Missing(PathBuf),
    #[error("{} was replaced by another file; put the right one back, or restart the service to use the new one", .0.display())]
    Replaced(PathBuf),
    #[error("the write-ahead log {} was deleted or replaced; what it held is kept, and it is opened again", .0.display())]
    Log(PathBuf),
    /// The second is the system's error.
    #[error("{} cannot be examined: {}", .0.display(), .1)]
    Unreadable(PathBuf, String),
    #[error("{} was truncated or overwritten while the service used it; stop the service and restore a backup", .0.display())]
    Overwritten(PathBuf),
}

impl From<FileProblem> for LedgerError {
    fn from(problem: FileProblem) -> Self {
        match problem {
            FileProblem::Missing(_)
            | FileProblem::Replaced(_)
            | FileProblem::Log(_)
            | FileProblem::Unreadable(..) => Self::unavailable(problem),
            FileProblem::Overwritten(_) => Self::corrupt(problem),
        }
    }
}

/// The log and its index while at least one connection is open. SQLite may replace them between two
/// connections.
#[derive(Debug, Default)]
struct OpenLog {
    connections: usize,
    files: Option<[FileId; 2]>,
}

/// The result of the last check, and what the next one compares the file with.
#[derive(Debug, Default)]
struct LastCheck {
    problem: Option<FileProblem>,
    header: FileHeader,
    length: u64,
}

/// Compares the path with the open file. Outlives every connection to the file.
#[derive(Debug)]
pub(super) struct FileGuard {
    path: PathBuf,
    /// The log and its index, beside the file that a symbolic link leads to.
    log_paths: [PathBuf; 2],
    database: FileId,
    /// Present in a service.
    lock: Option<ServiceLock>,
    log: Mutex<OpenLog>,
    is_damaged: AtomicBool,
    /// A call has met a page that SQLite cannot read. Other pages show nothing about it.
    has_bad_page: AtomicBool,
    /// Locked during a check, which hangs where the file system does.
    last: Mutex<LastCheck>,
    /// True if the last check found a problem. Read without that lock, so that no sign-up waits for a
    /// check that hangs.
    has_problem: AtomicBool,
    is_released: AtomicBool,
}

impl FileGuard {
    /// A guard of the file that is at this path now.
    ///
    /// # Errors
    /// When the file does not exist or cannot be examined.
    pub(super) fn new(path: &Path, lock: Option<ServiceLock>) -> io::Result<Self> {
        let real = fs::canonicalize(path)?;
        let database = match &lock {
            Some(lock) => FileId::of_file(lock.database())?,
            None => FileId::of_path(path)?,
        };
        let header = lock.as_ref().map(|lock| FileHeader::read(lock.database())).transpose()?;
        Ok(Self {
            path: path.to_owned(),
            log_paths: [sibling(&real, "-wal"), sibling(&real, "-shm")],
            database,
            lock,
            log: Mutex::default(),
            is_damaged: AtomicBool::new(false),
            has_bad_page: AtomicBool::new(false),
            last: Mutex::new(LastCheck {
                header: header.unwrap_or_default(),
                ..LastCheck::default()
            }),
            has_problem: AtomicBool::new(false),
            is_released: AtomicBool::new(false),
        })
    }

    /// The path of the ledger.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the write-ahead log.
    pub(super) fn log_path(&self) -> &Path {
        let [log, _] = &self.log_paths;
        log
    }

    /// Checks the path once a second, until this guard is dropped or released.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub(super) fn watch(self: &Arc<Self>) -> io::Result<()> {
        let guard = Arc::downgrade(self);
        let watch = move || while Self::tick(&guard) {};
        thread::Builder::new().name("ledger-watch".into()).spawn(watch).map(drop)
    }

    fn tick(guard: &Weak<Self>) -> bool {
        thread::sleep(INTERVAL);
        let Some(guard) = guard.upgrade().filter(|guard| !guard.is_released()) else {
            return false;
        };
        // Ignored: the check has logged the problem, and the next call of the ledger reports it.
        drop(guard.examine(true));
        if let Some(lock) = &guard.lock {
            lock.renew();
        }
        true
    }

    /// Compares the files at the paths with those that are open. Logs a problem once, and its end.
    ///
    /// # Errors
    /// When they differ.
    pub(super) fn check(&self) -> Result<(), LedgerError> {
        self.examine(false)
    }

    fn examine(&self, with_header: bool) -> Result<(), LedgerError> {
        let mut last = self.last.lock();
        // Lasts: the log that is left belongs to the content from before.
        if !matches!(last.problem, Some(FileProblem::Overwritten(_))) {
            // What cannot be read is readable again only once its header was read.
            let with_header =
                with_header || matches!(last.problem, Some(FileProblem::Unreadable(..)));
            let found = self.compare(&mut last, with_header).err();
            if last.problem != found {
                self.report(found.as_ref());
                last.problem = found;
            }
        }
        last.problem.clone().map_or(Ok(()), |problem| Err(problem.into()))
    }

    fn report(&self, problem: Option<&FileProblem>) {
        self.has_problem.store(problem.is_some(), Ordering::Release);
        if self.is_released() {
            return;
        }
        if let Some(problem) = problem {
            tracing::error!(error = chain(problem), "the ledger is unavailable: {problem}");
        } else {
            tracing::warn!("the ledger's file is the right one again");
        }
    }

    fn compare(&self, last: &mut LastCheck, with_header: bool) -> Result<(), FileProblem> {
        let length = is_still(&self.path, self.database)?.len();
        let files = self.log.lock().files;
        for (path, id) in self.log_paths.iter().zip(files.into_iter().flatten()) {
            is_still(path, id).map_err(|problem| match problem {
                FileProblem::Missing(path) | FileProblem::Replaced(path) => FileProblem::Log(path),
                problem => problem,
            })?;
        }
        let is_shorter = length < mem::replace(&mut last.length, length);
        if with_header || is_shorter { self.compare_header(&mut last.header) } else { Ok(()) }
    }

    /// Compares the header in the file with the last one. A copy over the file keeps its identity,
    /// but shortens it or sets its change counter back.
    fn compare_header(&self, last: &mut FileHeader) -> Result<(), FileProblem> {
        let Some(lock) = &self.lock else { return Ok(()) };
        let [log, _] = &self.log_paths;
        match is_log(log) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(FileProblem::Unreadable(log.clone(), error.to_string()));
            }
            Ok(false) => return Err(FileProblem::Overwritten(log.clone())),
            Ok(true) | Err(_) => {}
        }
        let read = FileHeader::read(lock.database());
        let unreadable =
            |error: io::Error| FileProblem::Unreadable(self.path.clone(), error.to_string());
        let now = read.map_err(unreadable)?;
        if !now.follows(last) {
            return Err(FileProblem::Overwritten(self.path.clone()));
        }
        *last = now;
        Ok(())
    }

    /// Logs damage once, until [`Self::report_intact`].
    pub(super) fn report_damage(&self, error: &LedgerError) {
        let LedgerError::Corrupt(cause) = error else { return };
        if self.has_problem() {
            return;
        }
        if is_bad_page(&**cause) {
            self.has_bad_page.store(true, Ordering::Release);
        }
        if !self.is_damaged.swap(true, Ordering::AcqRel) {
            tracing::error!(
                error = chain(cause),
                "the ledger is damaged: stop the service and restore a backup"
            );
        }
    }

    /// Logs the end of damage.
    pub(super) fn report_intact(&self) {
        if self.is_damaged.swap(false, Ordering::AcqRel) {
            tracing::warn!("the ledger is no longer damaged");
        }
    }

    /// Returns whether a call has met a page that SQLite cannot read. Lasts until a restart.
    pub(super) fn has_bad_page(&self) -> bool {
        self.has_bad_page.load(Ordering::Acquire)
    }

    /// Returns whether the last check found a problem.
    pub(super) fn has_problem(&self) -> bool {
        self.has_problem.load(Ordering::Acquire)
    }

    /// Returns the last problem.
    ///
    /// # Errors
    /// When there is one.
    pub(super) fn last_check(&self) -> Result<(), LedgerError> {
        if !self.has_problem() {
            return Ok(());
        }
        self.last.lock().problem.clone().map_or(Ok(()), |problem| Err(problem.into()))
    }

    /// Returns whether the content of the file was overwritten. Its log belongs to the old content.
    pub(super) fn is_overwritten(&self) -> bool {
        matches!(self.last.lock().problem, Some(FileProblem::Overwritten(_)))
    }

    /// Moves the log of an overwritten file aside: SQLite would apply it to the new content.
    pub(super) fn set_log_aside(&self) {
        let files = self.log.lock().files;
        let is_ours =
            |(path, id): (&PathBuf, FileId)| FileId::of_path(path).is_ok_and(|now| now == id);
        if !self.log_paths.iter().zip(files.into_iter().flatten()).all(is_ours) {
            return;
        }
        let [log, index] = &self.log_paths;
        let aside = sibling(log, ".overwritten");
        match fs::rename(log, &aside).and_then(|()| fs::remove_file(index)) {
            Ok(()) => {
                tracing::warn!(
                    "the write-ahead log of the overwritten ledger was moved to {}",
                    aside.display()
                );
            }
            Err(error) => tracing::error!(
                error = chain(&error),
                "the write-ahead log of the ledger cannot be moved aside"
            ),
        }
    }

    /// Records a new connection.
    ///
    /// # Errors
    /// When the log does not exist.
    pub(super) fn connected(&self) -> io::Result<()> {
        let [log, index] = &self.log_paths;
        let mut open = self.log.lock();
        if open.files.is_none() {
            open.files = Some([FileId::of_path(log)?, FileId::of_path(index)?]);
        }
        open.connections += 1;
        Ok(())
    }

    /// Records that a connection is about to close. The last one that closes may delete the log.
    pub(super) fn disconnecting(&self) {
        let mut open = self.log.lock();
        open.connections = open.connections.saturating_sub(1);
        if open.connections == 0 {
            open.files = None;
        }
    }

    /// Ends the checks and gives up the locks. Called once every connection is closed.
    pub(super) fn release(&self) {
        self.is_released.store(true, Ordering::Release);
        if let Some(lock) = &self.lock {
            lock.release();
        }
    }

    fn is_released(&self) -> bool {
        self.is_released.load(Ordering::Acquire)
    }
}

/// Returns whether SQLite could not read what it found in the file or its log.
fn is_bad_page(cause: &(dyn StdError + 'static)) -> bool {
    let error = cause.downcast_ref::<rusqlite::Error>();
    let code = error.and_then(rusqlite::Error::sqlite_error_code);
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn is_still(path: &Path, id: FileId) -> Result<Metadata, FileProblem> {
    match fs::metadata(path) {
        Ok(now) if FileId::new(&now) == id => Ok(now),
        Ok(_) => Err(FileProblem::Replaced(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(FileProblem::Missing(path.to_owned()))
        }
        Err(error) => Err(FileProblem::Unreadable(path.to_owned(), error.to_string())),
    }
}
