//! The embedded ledger: one file, one process, one thread that writes.

mod attempts;
mod backup;
mod connection;
mod file;
mod file_id;
mod guard;
mod header;
mod inspect;
mod job;
mod key_filter;
mod keys;
mod log_sync;
mod open;
mod probe;
mod reader;
mod restore;
mod rows;
mod schema;
mod service_lock;
mod streak;
mod upkeep;
mod writer;
mod writer_thread;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant as StdInstant};

use async_trait::async_trait;
use rusqlite::ffi::{SQLITE_ERROR, SQLITE_IOERR_SHORT_READ};
use rusqlite::{Connection, ErrorCode};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::secret_key::SecretFile;
use super::{
    Access, Attempt, AttemptId, AttemptState, BeginResult, ClaimDue, Find, FinishAttempt,
    KeyLookup, Lease, Ledger, LedgerError, NewAttempt, NextCheck, OpenError, PendingAttempts,
    Retention, Swept, Urgency,
};
use crate::clock::{Clock, LedgerTime};
use crate::config::Synchronous;
use crate::digest::{Digest, DigestPair};
use crate::telemetry::{BatchMetrics, chain};
pub(super) use backup::backup;
pub use backup::{BackupError, CopySummary};
use connection::SHORT_WAIT;
use guard::FileGuard;
pub(super) use inspect::inspect;
use job::Durability;
use key_filter::KeyFilter;
pub(super) use open::{migrate, migrations};
use reader::SqliteReader;
pub use restore::Restored;
pub(super) use restore::restore;
use writer::SqliteWriter;

/// The longest wait for readers that keep what `attempts forget` has deleted in the log: a backup.
const FORGET_WAIT: Duration = Duration::from_secs(30);

/// The pause between two tries. Sign-ups wait during a try.
const FORGET_PAUSE: Duration = Duration::from_millis(500);

/// The settings of an SQLite ledger.
#[derive(Debug)]
pub(super) struct SqliteOptions {
    /// The database file.
    pub(super) path: PathBuf,
    /// The file of the ledger's secret.
    pub(super) secret_file: SecretFile,
    /// The durability that a commit waits for, unless it uses a proof.
    pub(super) synchronous: Synchronous,
    /// Applies pending migrations.
    pub(super) migrate: bool,
    /// The kind of process.
    pub(super) access: Access,
    /// Creates a ledger even if the `.key` or `-wal` file of an earlier one is there.
    pub(super) may_replace: bool,
    /// The longest wait of a service for another one that has the file.
    pub(super) lock_wait: Duration,
    /// The longest duration of a call.
    pub(super) timeout: Duration,
    /// The ledger's clock: this machine's.
    pub(super) clock: Arc<dyn Clock>,
    /// Counts the batches that are written.
    pub(super) batches: BatchMetrics,
}

/// The ledger in an SQLite file.
#[derive(Debug)]
pub(super) struct Sqlite {
    writer: SqliteWriter,
    reader: SqliteReader,
    keys: KeyFilter,
    guard: Arc<FileGuard>,
    synchronous: Synchronous,
    secret: Digest,
}

/// A call took longer than `ledger.timeout_ms`: the file is locked by another process, or the disk
/// is slow.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the ledger did not respond in time")]
struct TimedOut;

/// A call has met a damaged page, which the check does not read.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("a page of the ledger is damaged")]
struct BadPage;

/// Another process reads an older state of the file, so its log cannot be emptied.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error(
    "the rows are deleted, but another process (a backup?) still reads the write-ahead log that \
     holds them; run the command again once it has ended"
)]
struct LogInUse;

impl Sqlite {
    /// The durability of a write with this lease, at least as `ledger.synchronous` says.
    const fn durability(&self, lease: Lease) -> Durability {
        match self.synchronous {
            Synchronous::Normal if !lease.synced => Durability::Soon,
            Synchronous::Normal | Synchronous::Full => Durability::Synced,
        }
    }

    /// Empties the log, so that no deleted row is left in a file.
    async fn erase_deleted_rows(&self) -> Result<(), LedgerError> {
        let started_at = Instant::now();
        while !self.writer.truncate_log(SHORT_WAIT).await? {
            if started_at.elapsed() > FORGET_WAIT {
                return Err(LedgerError::unavailable(LogInUse));
            }
            sleep(FORGET_PAUSE).await;
        }
        Ok(())
    }
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
        let durability =
            if uses_proof { Durability::Synced } else { self.durability(attempt.lease) };
        let attempt = Arc::new(attempt);
        let (now, new) = (self.reader.now(), Arc::clone(&attempt));
        let begin = move |connection: &Connection, now| attempts::begin(connection, now, &new);
        let may_join = attempt.urgency == Urgency::Unawaited && durability <= Durability::Soon;
        // Every start adds its key: of two with the same one, the second waits and meets the first.
        let register = || self.keys.add(&attempt.key, StdInstant::now()) && may_join;
        let Err(begin) = self.writer.try_run_unawaited(now, register, begin) else {
            return Ok(BeginResult::Started);
        };
        self.writer.run(durability, begin).await
    }

    async fn restart(&self, id: AttemptId, lease: Lease) -> Result<Option<u8>, LedgerError> {
        let restart = move |connection: &_, now| attempts::restart(connection, now, id, lease);
        self.writer.run(self.durability(lease), restart).await
    }

    async fn take_over(
        &self,
        id: AttemptId,
        lease: Lease,
        connection_ended_at: Option<LedgerTime>,
    ) -> Result<Option<LedgerTime>, LedgerError> {
        let take_over = move |connection: &_, now| {
            attempts::take_over(connection, now, id, lease, connection_ended_at)
        };
        self.writer.run(self.durability(lease), take_over).await
    }

    async fn give_back(
        &self,
        before: Attempt,
        taken_until: LedgerTime,
    ) -> Result<bool, LedgerError> {
        let give_back =
            move |connection: &_, _| attempts::give_back(connection, &before, taken_until);
        self.writer.run(Durability::Soon, give_back).await
    }

    async fn free_key(&self, id: AttemptId, state: AttemptState) -> Result<(), LedgerError> {
        let free = move |connection: &_, _| keys::free(connection, id, state);
        self.writer.run(Durability::Soon, free).await
    }

    async fn record_once(
        &self,
        id: AttemptId,
        mark: DigestPair,
        lasts: Duration,
    ) -> Result<bool, LedgerError> {
        let record =
            move |connection: &_, now| attempts::record_once(connection, now, &id, &mark, lasts);
        self.writer.run(Durability::Synced, record).await
    }

    async fn delete_mark(&self, id: AttemptId, mark: DigestPair) -> Result<(), LedgerError> {
        let delete = move |connection: &_, _| attempts::delete_mark(connection, &id, &mark);
        self.writer.run(Durability::Soon, delete).await
    }

    async fn finish(&self, finish: FinishAttempt) -> Result<bool, LedgerError> {
        let urgency = finish.urgency;
        let finish = move |connection: &_, now| attempts::finish(connection, now, &finish);
        match urgency {
            Urgency::Awaited => self.writer.run(Durability::Soon, finish).await,
            Urgency::Unawaited => self.writer.run_with_next(finish).await,
        }
    }

    async fn find_key(&self, key: &DigestPair) -> Result<KeyLookup, LedgerError> {
        let key = *key;
        if self.keys.is_new(&key) {
            self.reader.check()?;
            return Ok(KeyLookup { now: self.reader.now(), attempt: None });
        }
        self.writer.flush().await?;
        let find = move |connection: &_, now| {
            let attempt = keys::find_pair(connection, now, &key)?;
            Ok(KeyLookup { now, attempt })
        };
        self.reader.read(find).await
    }

    async fn get(&self, id: AttemptId) -> Result<Option<Attempt>, LedgerError> {
        self.writer.flush().await?;
        self.reader.read(move |connection, now| attempts::get(connection, now, id)).await
    }

    async fn claim_due(&self, claim: ClaimDue) -> Result<Vec<Attempt>, LedgerError> {
        let claim = move |connection: &_, now| upkeep::claim_due(connection, now, &claim);
        self.writer.run(Durability::Soon, claim).await
    }

    async fn release(
        &self,
        id: AttemptId,
        owner: Uuid,
        next_check: NextCheck,
    ) -> Result<(), LedgerError> {
        let release =
            move |connection: &_, now| upkeep::release(connection, now, id, owner, next_check);
        self.writer.run(Durability::Soon, release).await
    }

    async fn sweep(&self, retention: Retention, batch: usize) -> Result<Swept, LedgerError> {
        let sweep = move |connection: &_, now| upkeep::sweep(connection, now, retention, batch);
        let swept = self.writer.run(Durability::Soon, sweep).await?;
        // After the last batch of each sweep, which also covers the keys that were freed since.
        if swept.is_done(batch)
            && let Err(error) = self.writer.truncate_log(SHORT_WAIT).await
        {
            tracing::debug!(
                error = chain(&error),
                "the write-ahead log of the ledger was not emptied"
            );
        }
        Ok(swept)
    }

    async fn find(&self, by: Find, limit: usize) -> Result<Vec<Attempt>, LedgerError> {
        self.writer.flush().await?;
        // May read the whole file.
        self.reader.search(move |connection, now| upkeep::find(connection, now, &by, limit)).await
    }

    async fn delete_by_email(&self, email: &DigestPair) -> Result<usize, LedgerError> {
        let email = *email;
        let delete = move |connection: &_, _| upkeep::delete_by_email(connection, &email);
        let deleted = self.writer.run(Durability::Synced, delete).await?;
        self.erase_deleted_rows().await?;
        Ok(deleted)
    }

    async fn count_pending(&self) -> Result<PendingAttempts, LedgerError> {
        // Thousands of attempts take a millisecond.
        self.reader.search(upkeep::count_pending).await
    }

    async fn heartbeat(&self, process: Uuid) -> Result<LedgerTime, LedgerError> {
        // So that a service without requests opens a new log too.
        self.reader.close_if_displaced();
        let heartbeat = move |connection: &_, now| upkeep::heartbeat(connection, now, process);
        self.writer.run(Durability::Unsynced, heartbeat).await
    }

    async fn keeps_user_ids(&self, connection: &DigestPair) -> Result<Option<bool>, LedgerError> {
        let connection = *connection;
        self.reader.read(move |database, _| upkeep::keeps_user_ids(database, &connection)).await
    }

    async fn record_user_ids(
        &self,
        connection: DigestPair,
        keeps: bool,
        replaces: bool,
    ) -> Result<(), LedgerError> {
        let record =
            move |database: &_, _| upkeep::record_user_ids(database, &connection, keeps, replaces);
        self.writer.run(Durability::Soon, record).await
    }

    async fn ping(&self, _synced: bool) -> Result<(), LedgerError> {
        self.reader.close_if_displaced();
        let secret = self.secret;
        let ping = move |connection: &_, now| probe::ping(connection, now, &secret);
        let is_known = self.writer.run(Durability::Unsynced, ping).await?;
        if self.guard.has_bad_page() {
            return Err(LedgerError::corrupt(BadPage));
        }
        self.guard.report_intact();
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
            rusqlite::Error::SqliteFailure(failure, _)
            | rusqlite::Error::SqlInputError { error: failure, .. } => {
                matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
                    // A statement of this program is wrong only if a table or a column is missing.
                    || matches!(failure.extended_code, SQLITE_ERROR | SQLITE_IOERR_SHORT_READ)
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

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        LedgerError::from(error).into()
    }
}
