//! The ledger of sign-up attempts: recorded when they start, resolved after Auth0 was called.
//!
//! One trait, two databases: [`sqlite`] (embedded, one process) and [`postgres`] (several
//! replicas). Holds keyed digests and pseudonyms only: no name, e-mail address, password or
//! idempotency key. Knows nothing about HTTP or Auth0; `signup` interprets the rows.
//! `docs/ledger.md` describes the durability of each write.

mod access;
mod admission_cost;
mod attempt;
mod attempt_row;
mod files;
mod inspect;
mod instrumented;
mod migrations;
mod open;
mod postgres;
mod secret_key;
mod sqlite;
#[cfg(test)]
mod test_ledger;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use uuid::Uuid;

pub use access::{Access, OpenError};
pub use admission_cost::{AdmissionCost, PermitCharge, ProofUse};
pub use attempt::{
    Attempt, AttemptId, AttemptState, Basis, Binding, FinishAttempt, KeyRecord, NewAttempt, NewKey,
    PinnedUserId, Resolution, StoredKey, Urgency, Worker,
};
pub use files::existing_folder;
pub use inspect::{LedgerInspection, SessionInspection, inspect};
pub use instrumented::{InstrumentedLedger, count_pending_regularly};
pub use migrations::Migration;
pub use open::{backup, migrate, migrations, open, restore};
pub use postgres::PostgresError;
pub use secret_key::{KeyError, SecretLocation, digests, secret_location};
pub use sqlite::{BackupError, CopySummary, Restored};
#[cfg(test)]
pub(crate) use test_ledger::open_in;

use crate::clock::LedgerTime;
use crate::digest::DigestPair;
use crate::domain::UserId;
use crate::limits::Limit;

/// The record of all attempts. Every time in it is the ledger's own, kept to the millisecond.
#[async_trait]
pub trait Ledger: fmt::Debug + Send + Sync {
    /// The current time by the ledger's clock.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    async fn now(&self) -> Result<LedgerTime, LedgerError>;

    /// Records a new attempt.
    ///
    /// Of any number of calls with one key, at any time and on any replica, exactly one returns
    /// [`BeginResult::Started`] until the key expires or is freed. That holds for each digest of
    /// the key, so that replicas with different secrets agree. The same holds for a proof.
    ///
    /// Durable when it returns if the attempt uses a proof or the lease asks for it; otherwise as
    /// `ledger.synchronous` says. An [unawaited](NewAttempt::urgency) start may return before it is recorded.
    /// Calls about it or its key find it recorded, unless that write failed or the process was killed.
    ///
    /// An attempt that lacks one permit spends none. Permits stay spent when another call takes the key at the
    /// same moment, or the proof was used.
    ///
    /// # Errors
    /// When the write failed or its result is unknown: a connection may break after the commit.
    /// Such a row is found by [`Ledger::claim_due`].
    async fn begin(&self, attempt: NewAttempt) -> Result<BeginResult, LedgerError>;

    /// Opens a [restartable](Resolution::Restartable) attempt again that still holds its key. It pays
    /// nothing. Returns the number of its restarts; `None` when it is no longer such an attempt, or was
    /// restarted [`RESTARTS`] times.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn restart(&self, id: AttemptId, lease: Lease) -> Result<Option<u8>, LedgerError>;

    /// Records that a process resumes an unresolved attempt and may repeat its call, which
    /// certainly ends within the lease. Returns the recorded end of that call, which no other call of the
    /// attempt has. `None` when the attempt is resolved, or when another call was recorded since
    /// `connection_ended_at` was read: of two replicas that try at once, one succeeds.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn take_over(
        &self,
        id: AttemptId,
        lease: Lease,
        connection_ended_at: Option<LedgerTime>,
    ) -> Result<Option<LedgerTime>, LedgerError>;

    /// Gives back an attempt that was taken over until `taken_until`, whose calls since then have certainly
    /// ended: the row is as it was `before`, but for a lease of the reconciler. So the process that had it, and may
    /// only have been slow, can still record its result. `false` when another request has taken it over since.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn give_back(
        &self,
        before: Attempt,
        taken_until: LedgerTime,
    ) -> Result<bool, LedgerError>;

    /// Frees the key of an attempt, so that a new attempt may start with it, unless the attempt has
    /// left this state.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn free_key(&self, id: AttemptId, state: AttemptState) -> Result<(), LedgerError>;

    /// Records for this long that the attempt did what `mark` stands for, such as the notice to the owner of an
    /// address, in the table of used proofs, under both secrets. Returns `false`, and records nothing, if it is
    /// recorded under one of them and has not expired.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn record_once(
        &self,
        id: AttemptId,
        mark: DigestPair,
        lasts: Duration,
    ) -> Result<bool, LedgerError>;

    /// Deletes what [`Self::record_once`] recorded for this attempt, under both secrets: the attempt certainly did
    /// not do it. Deletes nothing that another attempt recorded.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn delete_mark(&self, id: AttemptId, mark: DigestPair) -> Result<(), LedgerError>;

    /// Records the resolution of an attempt and returns whether it was written.
    ///
    /// A resolved attempt does not change, with one exception: [`Resolution::Created`] overrides
    /// every other, so the call itself corrects a lookup that came too early. SQLite lets an
    /// [`Urgency::Unawaited`] one share the commit of another write; PostgreSQL makes no difference.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn finish(&self, finish: FinishAttempt) -> Result<bool, LedgerError>;

    /// Returns the attempt that holds a key, unless the key has expired, with the ledger's time.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    async fn find_key(&self, key: &DigestPair) -> Result<KeyLookup, LedgerError>;

    /// Returns the attempt with this id, even when its key was freed. A duplicate request that
    /// waits for another replica polls it.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    async fn get(&self, id: AttemptId) -> Result<Option<Attempt>, LedgerError>;

    /// Leases pending attempts that are due for a check, the longest due first.
    ///
    /// For the time of the lease no other replica gets them. If the owner dies, its leases expire
    /// by themselves.
    ///
    /// The attempts of a process with a heartbeat are left to it, since a clock that was set forward may
    /// have ended their leases. Those of the owner that it does not work on are leased too, since a
    /// failover may have lost the result of one, or the reply to its start.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn claim_due(&self, claim: ClaimDue) -> Result<Vec<Attempt>, LedgerError>;

    /// Gives up the lease of an attempt whose check was inconclusive. Does nothing if another owner has
    /// the lease by now.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn release(
        &self,
        id: AttemptId,
        owner: Uuid,
        next_check: NextCheck,
    ) -> Result<(), LedgerError>;

    /// Removes at most `batch` attempts that are older than their retention, frees at most `batch`
    /// expired keys, and deletes as many expired proofs and full buckets.
    ///
    /// Nobody knows when a row was written whose time is further ahead than any that is written now: the
    /// clock was ahead. The time of a key or a proof is cut to one that starts now. An attempt further ahead
    /// than its retention is removed once it has no key and no further check.
    ///
    /// Call it until [`Swept::is_done`], with a pause between the calls: a batch is short enough
    /// not to delay sign-ups.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn sweep(&self, retention: Retention, batch: usize) -> Result<Swept, LedgerError>;

    /// Returns the latest matching attempts, newest first. May read every row, except for
    /// [`Find::Email`] and [`Find::User`]: for operators and rare lookups.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    async fn find(&self, by: Find, limit: usize) -> Result<Vec<Attempt>, LedgerError>;

    /// Removes every attempt of an e-mail address and returns their number.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn delete_by_email(&self, email: &DigestPair) -> Result<usize, LedgerError>;

    /// Counts the attempts that are open or will be checked again, up to [`PendingAttempts::MOST`].
    /// Delays no sign-up.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    async fn count_pending(&self) -> Result<PendingAttempts, LedgerError>;

    /// Records that a process is alive, and returns the ledger's time. Waits for no sync. A process
    /// without a heartbeat for [`HEARTBEAT_LAPSE`] counts as dead.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn heartbeat(&self, process: Uuid) -> Result<LedgerTime, LedgerError>;

    /// Returns whether a connection keeps pinned user ids, as last recorded; `None` if nothing is.
    /// `connection` is a digest of the tenant and the connection.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    async fn keeps_user_ids(&self, connection: &DigestPair) -> Result<Option<bool>, LedgerError>;

    /// Records whether a connection keeps pinned user ids, under both secrets: after the rotation the
    /// previous one is gone. `replaces`: also where something is recorded, because this process has learned it since.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn record_user_ids(
        &self,
        connection: DigestPair,
        keeps: bool,
        replaces: bool,
    ) -> Result<(), LedgerError>;

    /// Checks that an attempt could start, by starting one and rolling it back. On PostgreSQL it also waits for the
    /// disk as that start would: `synced` is that of its [`Lease`].
    ///
    /// # Errors
    /// When none could, or the secret that the ledger was opened with is no longer recorded in it.
    async fn ping(&self, synced: bool) -> Result<(), LedgerError>;

    /// Writes what is queued and closes the database. Later calls fail.
    async fn close(&self);

    /// Uses another URL for new connections, since the password, the user or the files that it names may have
    /// changed. Tries it first, so that a wrong one does not replace one that works.
    ///
    /// # Errors
    /// When the URL is invalid, a certificate that it names cannot be read, the server rejects the user
    /// or the password, or only the URL in use works. Nothing changes then.
    async fn replace_url(&self, _url: &SecretString) -> Result<UrlChange, LedgerError> {
        Ok(UrlChange::OtherDatabase)
    }
}

/// The effect of another URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlChange {
    /// It is the one in use, and so are the files that it names.
    Unchanged,
    /// New connections use it.
    Replaced,
    /// None: it names another database, which only a start opens.
    OtherDatabase,
}

/// Time without a heartbeat after which a process counts as dead.
pub const HEARTBEAT_LAPSE: Duration = Duration::from_millis(1_500);

/// The most times that an attempt starts again without paying.
pub const RESTARTS: u8 = 3;

/// The work of a process on an attempt, on behalf of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The process. Recorded as [`Attempt::worker`]. A lease of the reconciler is another one:
    /// [`Attempt::lease_owner`].
    pub process: Uuid,
    /// The time after which it has certainly stopped: every timeout of the attempt, and a margin.
    pub lasts: Duration,
    /// True if the record has to survive a loss of power whatever `ledger.synchronous` says, because
    /// the user could not be found again without it.
    pub synced: bool,
}

/// The attempts that [`Ledger::claim_due`] leases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimDue {
    /// The process that checks them.
    pub owner: Uuid,
    /// The attempts that it works on, which are left out.
    pub under_way: Vec<AttemptId>,
    /// The time that it has for the checks.
    pub lease: Duration,
    /// The furthest ahead that a check is planned. A row whose next check is further ahead was written
    /// while the ledger's clock was ahead, and is due too.
    pub longest_wait: Duration,
    /// The most attempts.
    pub limit: usize,
}

/// The check that follows an inconclusive one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextCheck {
    /// The wait before it; `None` when no check will be conclusive.
    pub after: Option<Duration>,
    /// True if the inconclusive one counts as failed, so that the wait grows.
    pub counts_as_failed: bool,
}

/// The result of [`Ledger::find_key`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLookup {
    /// The ledger's time.
    pub now: LedgerTime,
    /// The attempt that holds the key.
    pub attempt: Option<Attempt>,
}

/// The result of [`Ledger::begin`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BeginResult {
    /// The attempt is recorded and belongs to the caller.
    Started,
    /// This attempt already holds the key; the new one was not recorded.
    Existing(Box<Attempt>),
    /// A shared limit has no permit left; the attempt was not recorded.
    RateLimited {
        /// The limit.
        limit: Limit,
        /// The time until a permit comes back.
        retry_after: Duration,
    },
    /// The proof was used before; the attempt was not recorded.
    ProofAlreadyUsed,
}

/// The longest times for which rows are kept, for [`Ledger::sweep`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// That of an attempt.
    pub attempts: Duration,
    /// That of a key.
    pub keys: Duration,
    /// That of a proof, or of another mark in the table of used proofs.
    pub proofs: Duration,
}

/// Time by which a row must be further ahead than one that is written now before it counts as written while
/// the clock was ahead. The clocks of two database servers agree within it.
const AHEAD_MARGIN: Duration = Duration::from_mins(1);

/// The rows that [`Ledger::sweep`] removed or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Attempts removed.
    pub attempts: usize,
    /// Expired keys freed.
    pub keys: usize,
    /// Used proofs deleted, since they have expired.
    pub proofs: usize,
    /// Buckets of shared limits deleted, since they are full again.
    pub buckets: usize,
    /// Keys and proofs whose time was cut, since it was too far ahead.
    pub cut: usize,
}

impl Swept {
    /// Returns whether nothing was left to remove or to change.
    pub const fn is_done(self, batch: usize) -> bool {
        self.attempts < batch
            && self.keys < batch
            && self.proofs < batch
            && self.buckets < batch
            && self.cut < batch
    }
}

/// The result of [`Ledger::count_pending`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PendingAttempts {
    /// The number of attempts; [`Self::MOST`] means that many or more.
    pub attempts: usize,
    /// The age of the oldest attempt counted; zero when there is none.
    pub oldest: Duration,
}

impl PendingAttempts {
    /// The most attempts that are counted.
    pub const MOST: usize = 10_000;

    /// From the number of rows and the smallest of their ids.
    fn new(rows: i64, oldest: Option<Uuid>, now: LedgerTime) -> Self {
        let started_at = oldest.and_then(|id| AttemptId::from(id).created_at()).unwrap_or(now);
        Self { attempts: usize::try_from(rows).unwrap_or(0), oldest: now.since(started_at) }
    }
}

/// A selection of attempts, for [`Ledger::find`].
#[derive(Debug, Clone)]
pub enum Find {
    /// All.
    All,
    /// Those in a state.
    State(AttemptState),
    /// Those of a request.
    RequestId(String),
    /// Those of an e-mail address.
    Email(DigestPair),
    /// Those of an e-mail address that pinned or created a user with this id.
    /// Their keys are included even if they have expired.
    User(DigestPair, UserId),
}

/// A failed call of the ledger.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// It cannot be reached, or is full, locked, read-only or closed. Passes by itself or after the
    /// operator's repair; later calls succeed without a restart.
    #[error("the ledger is not available")]
    Unavailable(#[source] Cause),
    /// It holds data that this program did not write.
    #[error("the ledger is damaged")]
    Corrupt(#[source] Cause),
}

/// The database's own error, shared by every command of a failed batch.
pub type Cause = Arc<dyn StdError + Send + Sync>;

impl LedgerError {
    pub(crate) fn unavailable(cause: impl StdError + Send + Sync + 'static) -> Self {
        Self::Unavailable(Arc::new(cause))
    }

    pub(crate) fn corrupt(cause: impl StdError + Send + Sync + 'static) -> Self {
        Self::Corrupt(Arc::new(cause))
    }
}

/// Whole milliseconds, as the databases keep them.
fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A number of rows, as the databases count them.
fn row_count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The ledger was closed, or the task or thread that serves it has ended.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the ledger is closed")]
pub struct Closed;
