//! Reads: single rows on the caller's thread, searches on threads that delay no caller.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::TimedOut;
use super::connection::LedgerConnection;
use super::file::is_busy;
use super::guard::FileGuard;
use crate::clock::{Clock, LedgerTime};
use crate::ledger::{Closed, LedgerError};

/// Looks up single rows on the caller's thread. The few pages are in memory as a rule, so this
/// takes a fifth of the time of a read on another thread.
#[derive(Debug)]
pub(super) struct SqliteReader {
    guard: Arc<FileGuard>,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    state: Arc<Mutex<ReaderState>>,
}

#[derive(Debug)]
enum ReaderState {
    Open(LedgerConnection),
    /// The last read failed; the next one opens the file again.
    Failed,
    Closed,
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
        let connection = LedgerConnection::open(&guard, timeout)?;
        connection.busy_timeout(Duration::ZERO)?;
        let state = Arc::new(Mutex::new(ReaderState::Open(connection)));
        Ok(Self { guard, clock, timeout, state })
    }

    /// The current time.
    pub(super) fn now(&self) -> LedgerTime {
        LedgerTime::from_epoch(self.clock.now())
    }

    /// Returns the error of a read that would fail whatever it reads.
    pub(super) fn check(&self) -> Result<(), LedgerError> {
        let mut state = lock(&self.state);
        if matches!(*state, ReaderState::Closed) {
            return Err(LedgerError::unavailable(Closed));
        }
        self.check_file(&mut state)
    }

    /// Returns the guard's error, and then closes the connection: the ledger opens a new log only once no
    /// connection has the old one.
    fn check_file(&self, state: &mut ReaderState) -> Result<(), LedgerError> {
        self.guard.last_check().inspect_err(|_| close_if_open(state))
    }

    /// Reads single rows, at the current time.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection, LedgerTime) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        if let Some(read) = self.read_at_once(&work) {
            return read.inspect_err(|error| self.guard.report_damage(error));
        }
        let state = Arc::clone(&self.state);
        let keep = move |connection: LedgerConnection| {
            let mut state = lock(&state);
            // A read on the caller's thread never waits.
            if matches!(*state, ReaderState::Failed)
                && connection.busy_timeout(Duration::ZERO).is_ok()
            {
                *state = ReaderState::Open(connection);
            }
        };
        self.on_another_thread(work, keep).await
    }

    /// Reads on this thread. `None` if that would wait: for a lock, or until the file is open.
    fn read_at_once<T>(
        &self,
        work: impl Fn(&Connection, LedgerTime) -> rusqlite::Result<T>,
    ) -> Option<Result<T, LedgerError>> {
        let mut state = lock(&self.state);
        if let Err(error) = self.check_file(&mut state) {
            return Some(Err(error));
        }
        let ReaderState::Open(connection) = &*state else { return None };
        match work(connection, self.now()) {
            Err(error) if is_busy(&error) => None,
            Err(error) => {
                *state = ReaderState::Failed;
                Some(Err(error.into()))
            }
            Ok(read) => Some(Ok(read)),
        }
    }

    /// Reads many rows: on a connection of its own, and on a thread that delays no caller.
    pub(super) async fn search<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection, LedgerTime) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.on_another_thread(work, drop).await
    }

    async fn on_another_thread<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection, LedgerTime) -> rusqlite::Result<T> + Send + 'static,
        keep: impl FnOnce(LedgerConnection) + Send + 'static,
    ) -> Result<T, LedgerError> {
        if matches!(*lock(&self.state), ReaderState::Closed) {
            return Err(LedgerError::unavailable(Closed));
        }
        let (guard, now, limit) = (Arc::clone(&self.guard), self.now(), self.timeout);
        let read = spawn_blocking(move || {
            let connection = LedgerConnection::open(&guard, limit)?;
            let read = work(&connection, now)?;
            keep(connection);
            Ok(read)
        });
        // The thread ends by itself: every wait in it has the same limit.
        let read = timeout(limit, read).await.map_err(|_| LedgerError::unavailable(TimedOut))?;
        let read: Result<T, LedgerError> = read.map_err(LedgerError::unavailable)?;
        read.inspect_err(|error| self.guard.report_damage(error))
    }

    /// Closes the connection if the file is no longer the right one; the next read opens it again.
    pub(super) fn close_if_displaced(&self) {
        if self.guard.has_problem() {
            close_if_open(&mut lock(&self.state));
        }
    }

    pub(super) fn close(&self) {
        *lock(&self.state) = ReaderState::Closed;
    }
}

fn close_if_open(state: &mut ReaderState) {
    if matches!(state, ReaderState::Open(_)) {
        *state = ReaderState::Failed;
    }
}

fn lock(state: &Mutex<ReaderState>) -> MutexGuard<'_, ReaderState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
