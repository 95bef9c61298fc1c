//! Reads: single rows on the caller's thread, searches on threads that delay no caller.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::task::spawn_blocking;

use super::file;
use crate::clock::{Clock, LedgerTime};
use crate::config::Synchronous;
use crate::ledger::{Closed, LedgerError};

/// Looks up single rows on the caller's thread. The few pages are in memory as a rule, so this
/// takes a fifth of the time of a read on another thread.
#[derive(Debug)]
pub(super) struct SqliteReader {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    state: Mutex<ReaderState>,
}

#[derive(Debug)]
enum ReaderState {
    Open(Connection),
    /// The last read failed; the next one opens the file again.
    Failed,
    Closed,
}

impl SqliteReader {
    pub(super) const fn new(path: PathBuf, clock: Arc<dyn Clock>, connection: Connection) -> Self {
        Self { path, clock, state: Mutex::new(ReaderState::Open(connection)) }
    }

    /// The current time.
    pub(super) fn now(&self) -> LedgerTime {
        LedgerTime::from_epoch(self.clock.now())
    }

    /// Reads single rows, at the current time.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Connection, LedgerTime) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match std::mem::replace(&mut *state, ReaderState::Failed) {
            ReaderState::Open(connection) => connection,
            ReaderState::Failed => file::connect(&self.path, Synchronous::Normal)?,
            ReaderState::Closed => {
                *state = ReaderState::Closed;
                return Err(LedgerError::unavailable(Closed));
            }
        };
        let read = work(&connection, self.now())?;
        *state = ReaderState::Open(connection);
        Ok(read)
    }

    /// Reads many rows: on a connection of its own, and on a thread that delays no caller.
    pub(super) async fn search<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, LedgerTime) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (path, now) = (self.open_path()?, self.now());
        let found =
            spawn_blocking(move || work(&file::connect(&path, Synchronous::Normal)?, now)).await;
        Ok(found.map_err(LedgerError::unavailable)??)
    }

    /// The file's path, unless the ledger is closed.
    fn open_path(&self) -> Result<PathBuf, LedgerError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            ReaderState::Open(_) | ReaderState::Failed => Ok(self.path.clone()),
            ReaderState::Closed => Err(LedgerError::unavailable(Closed)),
        }
    }

    pub(super) fn close(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = ReaderState::Closed;
    }
}
