//! The embedded ledger: one file, one process, one thread that writes.

mod file;
mod writer;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::migrations::{SQLITE, pending, status};
use super::{
    Access, Attempt, AttemptId, BeginResult, Closed, Find, FinishAttempt, KeyLookup, Lease, Ledger,
    LedgerError, Migration, NewAttempt, OpenError, PendingAttempts, ProofUse, Swept,
};
use crate::clock::{Clock, LedgerTime};
use crate::config::Synchronous;
use crate::digest::{Digest, DigestPair};
use crate::telemetry::BatchMetrics;
use writer::{Durability, SqliteWriter};

/// The settings of an SQLite ledger.
#[derive(Debug)]
pub struct SqliteOptions {
    /// The database file.
    pub path: PathBuf,
    /// The durability that a commit waits for.
    pub synchronous: Synchronous,
    /// Applies pending migrations.
    pub migrate: bool,
    /// The kind of process.
    pub access: Access,
    /// The ledger's clock: this machine's.
    pub clock: Arc<dyn Clock>,
    /// Counts the batches that are written.
    pub batches: BatchMetrics,
}

/// The ledger in an SQLite file.
#[derive(Debug)]
pub struct Sqlite {
    writer: SqliteWriter,
    reader: SqliteReader,
    secret: Digest,
}

#[expect(clippy::todo, unused_variables, reason = "under construction")]
impl Sqlite {
    pub async fn open(options: SqliteOptions, secrets: DigestPair) -> Result<Self, OpenError> {
        todo!()
    }
}

/// Returns every migration of this file with its status.
///
/// # Errors
/// When it cannot be read.
pub async fn migrations(path: PathBuf) -> Result<Vec<Migration>, OpenError> {
    blocking(move || {
        if !path.exists() {
            return Ok(status(&SQLITE, &[]));
        }
        let connection = connect(&path, Synchronous::Full)?;
        let applied = file::applied(&connection).map_err(LedgerError::from)?;
        Ok(status(&SQLITE, &applied))
    })
    .await
}

/// Applies the pending migrations, all or none, and returns their number.
///
/// # Errors
/// When the file cannot be created or written, or a migration fails.
pub async fn migrate(path: PathBuf, now: Duration) -> Result<usize, OpenError> {
    blocking(move || {
        file::create(&path).map_err(OpenError::unavailable)?;
        let mut connection = connect(&path, Synchronous::Full)?;
        Ok(file::migrate(&mut connection, now).map_err(LedgerError::from)?)
    })
    .await
}

fn connect(path: &std::path::Path, synchronous: Synchronous) -> Result<Connection, OpenError> {
    Ok(file::connect(path, synchronous).map_err(LedgerError::from)?)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    spawn_blocking(work).await.map_err(OpenError::unavailable)?
}

#[async_trait]
#[expect(clippy::todo, unused_variables, reason = "under construction")]
impl Ledger for Sqlite {
    async fn now(&self) -> Result<LedgerTime, LedgerError> {
        todo!()
    }
    async fn begin(&self, attempt: NewAttempt) -> Result<BeginResult, LedgerError> {
        todo!()
    }
    async fn restart(&self, id: AttemptId, lease: Lease) -> Result<bool, LedgerError> {
        todo!()
    }
    async fn take_over(
        &self,
        id: AttemptId,
        lease: Lease,
        connection_ended_at: Option<LedgerTime>,
    ) -> Result<bool, LedgerError> {
        todo!()
    }
    async fn free_key(&self, id: AttemptId) -> Result<(), LedgerError> {
        todo!()
    }
    async fn use_proof(&self, id: AttemptId, proof: ProofUse) -> Result<bool, LedgerError> {
        todo!()
    }
    async fn finish(&self, finish: FinishAttempt) -> Result<bool, LedgerError> {
        todo!()
    }
    async fn find_key(&self, key: &DigestPair) -> Result<KeyLookup, LedgerError> {
        todo!()
    }
    async fn get(&self, id: AttemptId) -> Result<Option<Attempt>, LedgerError> {
        todo!()
    }
    async fn claim_due(
        &self,
        owner: Uuid,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<Attempt>, LedgerError> {
        todo!()
    }
    async fn release(
        &self,
        id: AttemptId,
        owner: Uuid,
        next_check_in: Option<Duration>,
        failed: bool,
    ) -> Result<(), LedgerError> {
        todo!()
    }
    async fn sweep(&self, keep: Duration, batch: usize) -> Result<Swept, LedgerError> {
        todo!()
    }
    async fn find(&self, by: Find, limit: usize) -> Result<Vec<Attempt>, LedgerError> {
        todo!()
    }
    async fn delete_by_email(&self, email: &DigestPair) -> Result<usize, LedgerError> {
        todo!()
    }
    async fn count_pending(&self) -> Result<PendingAttempts, LedgerError> {
        todo!()
    }
    async fn heartbeat(&self, process: Uuid) -> Result<LedgerTime, LedgerError> {
        todo!()
    }
    async fn keeps_user_ids(&self, connection: &DigestPair) -> Result<Option<bool>, LedgerError> {
        todo!()
    }
    async fn record_user_ids(&self, connection: &Digest, keeps: bool) -> Result<(), LedgerError> {
        todo!()
    }
    async fn ping(&self) -> Result<(), LedgerError> {
        todo!()
    }
    async fn close(&self) {
        todo!()
    }
}

/// Looks up single rows on the caller's thread. The few pages are in memory as a rule, so this
/// takes a fifth of the time of a read on another thread.
#[derive(Debug)]
struct SqliteReader {
    path: PathBuf,
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
    const fn new(path: PathBuf, connection: Connection) -> Self {
        Self { path, state: Mutex::new(ReaderState::Open(connection)) }
    }

    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
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
        let read = work(&connection)?;
        *state = ReaderState::Open(connection);
        Ok(read)
    }

    /// The file's path, unless the ledger is closed.
    fn path(&self) -> Result<PathBuf, LedgerError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            ReaderState::Open(_) | ReaderState::Failed => Ok(self.path.clone()),
            ReaderState::Closed => Err(LedgerError::unavailable(Closed)),
        }
    }

    fn close(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = ReaderState::Closed;
    }
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        let damaged = match &error {
            rusqlite::Error::SqliteFailure(failure, _) => {
                matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            }
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..)
            | rusqlite::Error::InvalidColumnType(..) => true,
            _ => false,
        };
        if damaged { Self::corrupt(error) } else { Self::unavailable(error) }
    }
}
