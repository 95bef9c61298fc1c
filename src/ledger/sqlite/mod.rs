//! The embedded ledger: one file, one process, one thread that writes.

mod attempts;
mod file;
mod keys;
mod log_sync;
mod reader;
mod rows;
mod upkeep;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::migrations::{SQLITE, pending, status};
use super::{
    Access, Attempt, AttemptId, AttemptState, BeginResult, Find, FinishAttempt, KeyLookup, Lease,
    Ledger, LedgerError, Migration, NewAttempt, OpenError, PendingAttempts, ProofUse, Swept,
};
use crate::clock::{Clock, LedgerTime};
use crate::config::Synchronous;
use crate::digest::{Digest, DigestPair};
use crate::telemetry::BatchMetrics;
use reader::SqliteReader;
use writer::{Durability, SqliteWriter};

/// The settings of an SQLite ledger.
#[derive(Debug)]
pub struct SqliteOptions {
    /// The database file.
    pub path: PathBuf,
    /// The durability that a commit waits for, unless it uses a proof.
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

impl Sqlite {
    /// Opens the file, which is created if missing, and starts the writer thread.
    ///
    /// # Errors
    /// When another process serves from it, it was written with another secret, or it cannot be
    /// opened.
    pub async fn open(options: SqliteOptions, secrets: DigestPair) -> Result<Self, OpenError> {
        blocking(move || Self::open_blocking(options, &secrets)).await
    }

    fn open_blocking(options: SqliteOptions, secrets: &DigestPair) -> Result<Self, OpenError> {
        let SqliteOptions { path, synchronous, migrate, access, clock, batches } = options;
        file::create(&path).map_err(OpenError::unavailable)?;
        let serves = access == Access::Service;
        let lock = if serves { Some(file::lock(&path)?) } else { None };
        let mut connection = connect(&path, synchronous)?;
        let now = clock.now();
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
            let now = LedgerTime::from_epoch(now);
            upkeep::take_over_file(&connection, now).map_err(LedgerError::from)?;
        }
        let reader =
            SqliteReader::new(path.clone(), Arc::clone(&clock), connect(&path, synchronous)?);
        let writer = SqliteWriter::start(connection, path, synchronous, lock, clock, batches);
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

fn connect(path: &Path, synchronous: Synchronous) -> Result<Connection, OpenError> {
    Ok(file::connect(path, synchronous).map_err(LedgerError::from)?)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    spawn_blocking(work).await.map_err(OpenError::unavailable)?
}

#[async_trait]
impl Ledger for Sqlite {
    async fn now(&self) -> Result<LedgerTime, LedgerError> {
        Ok(self.reader.now())
    }

    async fn begin(&self, attempt: NewAttempt) -> Result<BeginResult, LedgerError> {
        // A used proof may not be lost even where the identity of the attempt may: it would pass a
        // second time.
        let uses_proof = attempt.admission_cost.proof.is_some();
        let durability = if uses_proof { Durability::Synced } else { durability(attempt.lease) };
        let begin = move |connection: &_, now| attempts::begin(connection, now, &attempt);
        self.writer.run(durability, begin).await
    }

    async fn restart(&self, id: AttemptId, lease: Lease) -> Result<bool, LedgerError> {
        let restart = move |connection: &_, now| attempts::restart(connection, now, id, lease);
        self.writer.run(durability(lease), restart).await
    }

    async fn take_over(
        &self,
        id: AttemptId,
        lease: Lease,
        connection_ended_at: Option<LedgerTime>,
    ) -> Result<bool, LedgerError> {
        let take_over = move |connection: &_, now| {
            attempts::take_over(connection, now, id, lease, connection_ended_at)
        };
        self.writer.run(durability(lease), take_over).await
    }

    async fn free_key(&self, id: AttemptId, state: AttemptState) -> Result<(), LedgerError> {
        let free = move |connection: &_, _| keys::free_in_state(connection, id, state);
        self.writer.run(Durability::Soon, free).await
    }

    async fn use_proof(&self, id: AttemptId, proof: ProofUse) -> Result<bool, LedgerError> {
        let use_proof =
            move |connection: &_, now| attempts::use_proof(connection, now, &id, &proof);
        self.writer.run(Durability::Synced, use_proof).await
    }

    async fn finish(&self, finish: FinishAttempt) -> Result<bool, LedgerError> {
        let finish = move |connection: &_, now| attempts::finish(connection, now, &finish);
        self.writer.run(Durability::Soon, finish).await
    }

    async fn find_key(&self, key: &DigestPair) -> Result<KeyLookup, LedgerError> {
        self.reader.read(|connection, now| {
            let attempt = keys::find_pair(connection, now, key)?;
            Ok(KeyLookup { now, attempt })
        })
    }

    async fn get(&self, id: AttemptId) -> Result<Option<Attempt>, LedgerError> {
        self.reader.read(|connection, now| attempts::get(connection, now, id))
    }

    async fn claim_due(
        &self,
        owner: Uuid,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<Attempt>, LedgerError> {
        let claim =
            move |connection: &_, now| upkeep::claim_due(connection, now, owner, lease, limit);
        self.writer.run(Durability::Soon, claim).await
    }

    async fn release(
        &self,
        id: AttemptId,
        owner: Uuid,
        next_check_in: Option<Duration>,
        failed: bool,
    ) -> Result<(), LedgerError> {
        let release = move |connection: &_, now| {
            upkeep::release(connection, now, id, owner, next_check_in, failed)
        };
        self.writer.run(Durability::Soon, release).await
    }

    async fn sweep(&self, keep: Duration, batch: usize) -> Result<Swept, LedgerError> {
        let sweep = move |connection: &_, now| upkeep::sweep(connection, now, keep, batch);
        self.writer.run(Durability::Soon, sweep).await
    }

    async fn find(&self, by: Find, limit: usize) -> Result<Vec<Attempt>, LedgerError> {
        // May read the whole file.
        self.reader.search(move |connection, now| upkeep::find(connection, now, &by, limit)).await
    }

    async fn delete_by_email(&self, email: &DigestPair) -> Result<usize, LedgerError> {
        let email = *email;
        let delete = move |connection: &_, _| upkeep::delete_by_email(connection, &email);
        self.writer.run(Durability::Synced, delete).await
    }

    async fn count_pending(&self) -> Result<PendingAttempts, LedgerError> {
        // Thousands of attempts take a millisecond.
        self.reader.search(upkeep::count_pending).await
    }

    async fn heartbeat(&self, process: Uuid) -> Result<LedgerTime, LedgerError> {
        let heartbeat = move |connection: &_, now| upkeep::heartbeat(connection, now, process);
        self.writer.run(Durability::Unsynced, heartbeat).await
    }

    async fn keeps_user_ids(&self, connection: &DigestPair) -> Result<Option<bool>, LedgerError> {
        self.reader.read(|database, _| upkeep::keeps_user_ids(database, connection))
    }

    async fn record_user_ids(&self, connection: &Digest, keeps: bool) -> Result<(), LedgerError> {
        let connection = *connection;
        let record = move |database: &_, _| upkeep::record_user_ids(database, &connection, keeps);
        self.writer.run(Durability::Soon, record).await
    }

    async fn ping(&self) -> Result<(), LedgerError> {
        let secret = self.secret;
        let ping = move |connection: &_, now| upkeep::ping(connection, now, &secret);
        let is_known = self.writer.run(Durability::Unsynced, ping).await?;
        if is_known { Ok(()) } else { Err(LedgerError::unavailable(OpenError::WrongSecret)) }
    }

    async fn close(&self) {
        self.reader.close();
        self.writer.close().await;
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

/// The durability that a lease asks for.
const fn durability(lease: Lease) -> Durability {
    if lease.synced { Durability::Synced } else { Durability::AsSet }
}
