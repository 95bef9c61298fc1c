//! Reads, on threads of their own: on a disk that hangs, a read does not return.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::TimedOut;
use super::connection::LedgerConnection;
use super::guard::FileGuard;
use crate::clock::{Clock, LedgerTime};
use crate::ledger::{Closed, LedgerError};

/// The most searches at once. On a disk that hangs, as many threads wait.
const SEARCHES: usize = 4;

/// Reads single rows one after the other on a connection that it keeps, and many rows on a new one.
#[derive(Debug)]
pub(super) struct SqliteReader {
    guard: Arc<FileGuard>,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    kept: Arc<Mutex<KeptConnection>>,
    single_reads: Arc<Semaphore>,
    searches: Arc<Semaphore>,
}

#[derive(Debug)]
struct KeptConnection {
    /// `None` while a read has it, and once a read has failed: the next one opens the file again.
    connection: Option<LedgerConnection>,
    is_closed: bool,
}

impl KeptConnection {
    /// Takes the connection, if it is there.
    ///
    /// # Errors
    /// When the ledger was closed, perhaps while the caller waited for its turn.
    fn take(&mut self) -> Result<Option<LedgerConnection>, LedgerError> {
        if self.is_closed {
            return Err(LedgerError::unavailable(Closed));
        }
        Ok(self.connection.take())
    }
}

impl SqliteReader {
    /// A reader whose calls end after `timeout`.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(super) fn open(
        guard: Arc<FileGuard>,
        clock: Arc<dyn Clock>,
        timeout: Duration,
    ) -> Result<Self, LedgerError> {
        let connection = Some(LedgerConnection::open(&guard, timeout)?);
        let kept = Arc::new(Mutex::new(KeptConnection { connection, is_closed: false }));
        let single_reads = Arc::new(Semaphore::new(1));
        let searches = Arc::new(Semaphore::new(SEARCHES));
        Ok(Self { guard, clock, timeout, kept, single_reads, searches })
    }

    /// The current time.
    pub(super) fn now(&self) -> LedgerTime {
        LedgerTime::from_epoch(self.clock.now())
    }

    /// Returns the error of a read that would fail whatever it reads.
    pub(super) fn check(&self) -> Result<(), LedgerError> {
        if self.kept.lock().is_closed {
            return Err(LedgerError::unavailable(Closed));
        }
        self.guard.last_check().inspect_err(|_| self.drop_connection())
    }

    /// Reads single rows, at the current time.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, LedgerTime) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (guard, kept) = (Arc::clone(&self.guard), Arc::clone(&self.kept));
        let (now, wait) = (self.now(), self.timeout);
        let read = move || {
            let connection = kept.lock().take()?;
            let connection = match connection {
                Some(connection) => connection,
                None => LedgerConnection::open(&guard, wait)?,
            };
            let read = work(&connection, now)?;
            let mut kept = kept.lock();
            if !kept.is_closed && !guard.has_problem() {
                kept.connection = Some(connection);
            }
            Ok(read)
        };
        self.on_another_thread(&self.single_reads, read).await
    }

    /// Reads many rows, at the current time.
    pub(super) async fn search<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, LedgerTime) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let guard = Arc::clone(&self.guard);
        let (now, wait) = (self.now(), self.timeout);
        let search = move || Ok(work(&*LedgerConnection::open(&guard, wait)?, now)?);
        self.on_another_thread(&self.searches, search).await
    }

    async fn on_another_thread<T: Send + 'static>(
        &self,
        turns: &Arc<Semaphore>,
        work: impl FnOnce() -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.check()?;
        let read = async {
            let turn = Arc::clone(turns).acquire_owned().await;
            let turn = turn.map_err(LedgerError::unavailable)?;
            let work = move || {
                let read = work();
                drop(turn);
                read
            };
            spawn_blocking(work).await.map_err(LedgerError::unavailable)?
        };
        let read = timeout(self.timeout, read).await;
        let read = read.unwrap_or_else(|_| Err(LedgerError::unavailable(TimedOut)));
        read.inspect_err(|error| self.guard.report_damage(error))
    }

    /// Closes the connection if the file is no longer the right one: the ledger opens a new log only once no
    /// connection has the old one.
    pub(super) fn close_if_displaced(&self) {
        if self.guard.has_problem() {
            self.drop_connection();
        }
    }

    pub(super) fn close(&self) {
        self.kept.lock().is_closed = true;
        self.drop_connection();
    }

    fn drop_connection(&self) {
        let connection = self.kept.lock().connection.take();
        drop(connection);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::sync::mpsc;

    use super::*;
    use crate::clock::SystemClock;

    #[tokio::test]
    async fn reads_that_hang_end_in_time_and_delay_no_other_task() {
        const LIMIT: Duration = Duration::from_secs(1);
        let folder = std::env::temp_dir().join(format!("reader-{:016x}", rand::random::<u64>()));
        fs::create_dir(&folder).unwrap();
        let path = folder.join("signup.db");
        File::create_new(&path).unwrap();
        let guard = Arc::new(FileGuard::new(&path, None).unwrap());
        let reader = SqliteReader::open(guard, Arc::new(SystemClock), LIMIT).unwrap();

        let (release, hang) = mpsc::channel::<()>();
        let hung = reader.read(move |_, _| Ok(hang.recv().is_err()));
        // Waits for its turn.
        let next = reader.read(|_, _| Ok(()));
        let (hung, next) = tokio::join!(hung, next);
        assert!(hung.is_err() && next.is_err());
        drop(release);
        reader.search(|_, _| Ok(())).await.unwrap();
        // Its turn comes with the end of the first one.
        reader.read(|_, _| Ok(())).await.unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }
}
