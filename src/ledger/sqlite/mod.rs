//! The embedded ledger: one file, one process, one thread that writes.

mod file;
mod statements;
mod writer;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::migrations::{SQLITE, pending, status};
use super::{
    Access, Attempt, AttemptId, BeginResult, Closed, Find, FinishAttempt, Ledger, LedgerError,
    Migration, NewAttempt, OpenError, PendingAttempts, ProofUse, Swept,
};
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

impl Sqlite {
    /// Opens the file, which is created if missing, and starts the writer thread.
    ///
    /// # Errors
    /// When another process serves from it, it was written with another secret, or it cannot be
    /// opened.
    pub async fn open(
        options: SqliteOptions,
        secrets: DigestPair,
        now: Duration,
    ) -> Result<Self, OpenError> {
        blocking(move || Self::open_blocking(options, &secrets, now)).await
    }

    fn open_blocking(
        options: SqliteOptions,
        secrets: &DigestPair,
        now: Duration,
    ) -> Result<Self, OpenError> {
        let SqliteOptions { path, synchronous, migrate, access, batches } = options;
        file::create(&path).map_err(OpenError::unavailable)?;
        let serves = access == Access::Service;
        let lock = if serves { Some(file::lock(&path)?) } else { None };
        let mut connection = connect(&path, synchronous)?;
        if migrate {
            file::migrate(&mut connection, now).map_err(LedgerError::from)?;
        } else {
            let applied = file::applied(&connection).map_err(LedgerError::from)?;
            let pending = pending(&SQLITE, &applied).count();
            if pending > 0 {
                return Err(OpenError::Pending(pending));
            }
        }
        let known = file::recognise(&mut connection, secrets, serves, now);
        if !known.map_err(LedgerError::from)? {
            return Err(OpenError::WrongSecret);
        }
        if serves {
            statements::release_orphans(&connection, now).map_err(LedgerError::from)?;
        }
        let reader = SqliteReader::new(path.clone(), connect(&path, synchronous)?);
        let writer = SqliteWriter::start(connection, path, synchronous, lock, batches);
        let writer = writer.map_err(OpenError::unavailable)?;
        Ok(Self { writer, reader, secret: secrets.current })
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
impl Ledger for Sqlite {
    async fn begin(&self, attempt: NewAttempt) -> Result<BeginResult, LedgerError> {
        self.writer
            .run(Durability::PowerLoss, move |connection| statements::begin(connection, &attempt))
            .await
    }

    async fn finish(&self, finish: FinishAttempt) -> Result<bool, LedgerError> {
        self.writer
            .run(Durability::ProcessCrash, move |connection| {
                statements::finish(connection, &finish)
            })
            .await
    }

    async fn find_key(
        &self,
        key: &DigestPair,
        now: Duration,
    ) -> Result<Option<Attempt>, LedgerError> {
        self.reader.read(|connection| statements::find_key(connection, key, now))
    }

    async fn use_proof(&self, id: AttemptId, proof: ProofUse) -> Result<bool, LedgerError> {
        let use_proof = move |connection: &_| statements::use_proof(connection, &id, &proof);
        self.writer.run(Durability::ProcessCrash, use_proof).await
    }

    async fn get(&self, id: AttemptId) -> Result<Option<Attempt>, LedgerError> {
        self.reader.read(|connection| statements::get(connection, id))
    }

    async fn claim_due(
        &self,
        owner: Uuid,
        now: Duration,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<Attempt>, LedgerError> {
        let claim =
            move |connection: &_| statements::claim_due(connection, owner, now, lease, limit);
        self.writer.run(Durability::ProcessCrash, claim).await
    }

    async fn release(
        &self,
        id: AttemptId,
        owner: Uuid,
        next_check_at: Option<Duration>,
    ) -> Result<(), LedgerError> {
        let release =
            move |connection: &_| statements::release(connection, id, owner, next_check_at);
        self.writer.run(Durability::ProcessCrash, release).await
    }

    async fn sweep(
        &self,
        now: Duration,
        keep: Duration,
        batch: usize,
    ) -> Result<Swept, LedgerError> {
        self.writer
            .run(Durability::ProcessCrash, move |connection| {
                statements::sweep(connection, now, keep, batch)
            })
            .await
    }

    async fn find(&self, by: Find, limit: usize) -> Result<Vec<Attempt>, LedgerError> {
        // May read the whole file: on its own connection, and on a thread that delays no caller.
        let path = self.reader.path()?;
        let found = spawn_blocking(move || {
            let connection = file::connect(&path, Synchronous::Normal)?;
            statements::find(&connection, &by, limit)
        });
        Ok(found.await.map_err(LedgerError::unavailable)??)
    }

    async fn delete_by_email(&self, email: &DigestPair) -> Result<usize, LedgerError> {
        // Searched outside the transaction, which would delay every sign-up.
        let attempts = self.find(Find::Email(*email), usize::MAX).await?;
        let ids: Vec<_> = attempts.into_iter().map(|attempt| attempt.id).collect();
        self.writer
            .run(Durability::PowerLoss, move |connection| statements::delete(connection, &ids))
            .await
    }

    async fn count_pending(&self, now: Duration) -> Result<PendingAttempts, LedgerError> {
        // Thousands of attempts take a millisecond: on a thread that delays no caller.
        let path = self.reader.path()?;
        let counted = spawn_blocking(move || {
            statements::count_pending(&file::connect(&path, Synchronous::Normal)?, now)
        });
        Ok(counted.await.map_err(LedgerError::unavailable)??)
    }

    async fn ping(&self, now: Duration) -> Result<(), LedgerError> {
        let secret = self.secret;
        let known = self.writer.run(Durability::ProcessCrash, move |connection| {
            statements::ping(connection, &secret, now)
        });
        if known.await? { Ok(()) } else { Err(LedgerError::unavailable(OpenError::WrongSecret)) }
    }

    async fn close(&self) {
        self.reader.close();
        self.writer.close().await;
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
