//! The ledger of sign-up attempts: recorded before Auth0 is called, resolved afterwards.
//!
//! One trait, two databases: [`sqlite`] (embedded, one process) and [`postgres`] (several
//! replicas). Holds keyed digests and pseudonyms only: no name, e-mail address, password or
//! idempotency key. Knows nothing about HTTP or Auth0; `signup` interprets the rows.
//! `docs/ledger.md` describes the durability of each write.

mod access;
mod admission_cost;
mod attempt;
mod attempt_row;
mod instrumented;
mod migrations;
mod millis;
mod open;
pub mod postgres;
mod secret_key;
pub mod sqlite;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

pub use access::{Access, OpenError};
pub use admission_cost::{AdmissionCost, PermitCharge, ProofUse};
pub use attempt::{
    Attempt, AttemptId, AttemptState, Basis, FinishAttempt, NewAttempt, NewKey, PinnedUserId,
    Resolution, StoredKey,
};
pub use instrumented::{InstrumentedLedger, count_pending_regularly};
pub use migrations::Migration;
pub use open::{migrate, migrations, open};
pub use secret_key::{KeyError, digests};

use crate::digest::DigestPair;
use crate::limits::Limit;

/// The record of all attempts. All times are since the Unix epoch, kept to the millisecond.
#[async_trait]
pub trait Ledger: fmt::Debug + Send + Sync {
    /// Records a new attempt; durable when it returns.
    ///
    /// Of any number of calls with one key, at any time and on any replica, exactly one returns
    /// [`BeginResult::Started`] until the key expires or is freed. The same holds for a proof.
    ///
    /// Permits are never given back: they are also spent when another permit of the attempt is
    /// missing, or when another call takes the key at the same moment.
    ///
    /// # Errors
    /// When the write failed or its result is unknown: a connection may break after the commit.
    /// Such a row is found by [`Ledger::claim_due`].
    async fn begin(&self, attempt: NewAttempt) -> Result<BeginResult, LedgerError>;

    /// Uses a proof for an attempt that started without one. Returns `false` if the proof was used
    /// before.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn use_proof(&self, id: AttemptId, proof: ProofUse) -> Result<bool, LedgerError>;

    /// Records the resolution of an attempt and returns whether it was written; durable when it
    /// returns.
    ///
    /// A resolved attempt does not change, with one exception: [`Resolution::Created`] overrides
    /// every other, so the call itself corrects a lookup that came too early.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn finish(&self, finish: FinishAttempt) -> Result<bool, LedgerError>;

    /// Returns the attempt that holds a key, unless the key has expired.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    async fn find_key(
        &self,
        key: &DigestPair,
        now: Duration,
    ) -> Result<Option<Attempt>, LedgerError>;

    /// Returns the attempt with this id, even when its key was freed. A duplicate request that
    /// waits for another replica polls it.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    async fn get(&self, id: AttemptId) -> Result<Option<Attempt>, LedgerError>;

    /// Leases up to `limit` pending attempts that are due for a check, the longest due first.
    ///
    /// Until `now + lease` no other replica gets them. If the owner dies, its leases expire by
    /// themselves.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn claim_due(
        &self,
        owner: Uuid,
        now: Duration,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<Attempt>, LedgerError>;

    /// Returns a leased attempt that is still pending, to be checked again at `next_check_at` or
    /// never. Does nothing if another owner has the lease by now.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn release(
        &self,
        id: AttemptId,
        owner: Uuid,
        next_check_at: Option<Duration>,
    ) -> Result<(), LedgerError>;

    /// Removes at most `batch` attempts started before `now - keep`, frees at most `batch` expired
    /// keys, and deletes as many expired proofs and full buckets.
    ///
    /// Call it until [`Swept::is_done`], with a pause between the calls: a batch is short enough
    /// not to delay sign-ups.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn sweep(
        &self,
        now: Duration,
        keep: Duration,
        batch: usize,
    ) -> Result<Swept, LedgerError>;

    /// Returns the latest matching attempts, newest first. May read every row: for operators and
    /// rare lookups.
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
    async fn count_pending(&self, now: Duration) -> Result<PendingAttempts, LedgerError>;

    /// Checks that the ledger can be written, by writing.
    ///
    /// # Errors
    /// When it cannot.
    async fn ping(&self, now: Duration) -> Result<(), LedgerError>;

    /// Writes what is queued and closes the database. Later calls fail.
    async fn close(&self);
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

/// The rows that [`Ledger::sweep`] removed.
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
}

impl Swept {
    /// Returns whether nothing was left to remove.
    pub const fn is_done(self, batch: usize) -> bool {
        self.attempts < batch && self.keys < batch && self.proofs < batch && self.buckets < batch
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
    fn new(rows: i64, oldest: Option<Uuid>, now: Duration) -> Self {
        let started_at = oldest.and_then(|id| AttemptId::from(id).created_at()).unwrap_or(now);
        Self {
            attempts: usize::try_from(rows).unwrap_or(0),
            oldest: now.saturating_sub(started_at),
        }
    }
}

/// The attempts that an operator asks for.
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

/// The ledger was closed, or the task or thread that serves it has ended.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the ledger is closed")]
pub(crate) struct Closed;
