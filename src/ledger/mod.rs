//! The ledger: what is known of every sign-up, written before the tenant is called and closed
//! after it.
//!
//! One trait, two databases: [`sqlite`] (embedded, one process) and [`postgres`] (several
//! replicas). Holds keyed digests and pseudonyms only: no name, e-mail address or password, and no
//! idempotency key. Knows nothing of HTTP or Auth0; what a row means for a caller is decided by
//! the use case. `docs/ledger.md` says what is durable when.

mod admission_cost;
mod attempt;
mod attempt_row;
mod digest;
mod instrumented;
mod migrations;
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

pub use admission_cost::{AdmissionCost, Limit, PermitCharge, ProofUse, Rate};
pub use attempt::{
    Attempt, AttemptId, AttemptState, Basis, FinishAttempt, NewAttempt, NewKey, PinnedUserId,
    Resolution,
};
pub use digest::{Digest, DigestPair, Digests, SubKey};
pub use instrumented::{InstrumentedLedger, count_pending_regularly};
pub use migrations::Migration;
pub use open::{Access, OpenError, migrate, migrations, open};
pub use secret_key::{KeyError, digests};

/// Where attempts are written down. All times are since the Unix epoch, kept to the millisecond.
#[async_trait]
pub trait Ledger: fmt::Debug + Send + Sync {
    /// Writes the attempt down; durable when it returns.
    ///
    /// Of any number of calls with one key, at any time and on any replica, exactly one is
    /// [`BeginResult::Started`] while the key lives; so it is with a proof.
    ///
    /// Charges are never given back: they are spent also when the attempt is refused because of
    /// another charge, or its key turns out to be taken this very moment.
    ///
    /// # Errors
    /// When it could not be written. It may have been all the same (the connection broke after
    /// the commit): such a row is found by [`Ledger::claim_due`].
    async fn begin(&self, attempt: NewAttempt) -> Result<BeginResult, LedgerError>;

    /// Takes a proof on behalf of an attempt that was begun without one, and says whether it was
    /// still there to be taken.
    ///
    /// # Errors
    /// When it could not be written.
    async fn use_proof(&self, id: AttemptId, redemption: ProofUse) -> Result<bool, LedgerError>;

    /// Writes down what came of an attempt; durable when it returns.
    ///
    /// A settled attempt stays as it is, save that [`Resolution::Created`] overrides
    /// [`Resolution::NotCreated`]: a look-up that came too early is corrected by the call itself.
    /// Whether it was written is what is returned.
    ///
    /// # Errors
    /// When it could not be written.
    async fn finish(&self, finish: FinishAttempt) -> Result<bool, LedgerError>;

    /// The attempt that holds a key, if the key is alive.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    async fn find_key(
        &self,
        key: &DigestPair,
        now: Duration,
    ) -> Result<Option<Attempt>, LedgerError>;

    /// The attempt with this id. A twin that waits for another replica asks for it repeatedly:
    /// the answer is there even when the key was freed.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    async fn get(&self, id: AttemptId) -> Result<Option<Attempt>, LedgerError>;

    /// Leases up to `limit` unsettled attempts that are due for a look, the longest due first.
    ///
    /// Nobody else gets them before `now + lease`; a lease that its owner (a replica) does not
    /// give back, because it died, ends by itself.
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

    /// Gives a leased attempt back unsettled, to be looked at again at that time or never. Does
    /// nothing when the lease has gone to another owner.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn release(
        &self,
        id: AttemptId,
        owner: Uuid,
        next_check_at: Option<Duration>,
    ) -> Result<(), LedgerError>;

    /// Removes at most `batch` attempts begun before `now - keep`, frees at most `batch` expired
    /// keys, and forgets as many proofs and buckets that mean nothing any more. To be called until [`Swept::is_done`], with a pause in between: a batch is
    /// short enough not to hold sign-ups up.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn sweep(
        &self,
        now: Duration,
        keep: Duration,
        batch: usize,
    ) -> Result<Swept, LedgerError>;

    /// The latest attempts that match, newest first. Reads every row if it must: for operators.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    async fn find(&self, by: Find, limit: usize) -> Result<Vec<Attempt>, LedgerError>;

    /// Removes every attempt of an e-mail address and says how many there were.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn delete_by_email(&self, email: &DigestPair) -> Result<usize, LedgerError>;

    /// How many attempts are open or will be looked at again; `now` since the Unix epoch. Counts no
    /// more than [`PendingAttempts::MOST`], and holds no sign-up up.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    async fn count_pending(&self, now: Duration) -> Result<PendingAttempts, LedgerError>;

    /// Whether the ledger can be written, by writing.
    ///
    /// # Errors
    /// When it cannot.
    async fn ping(&self, now: Duration) -> Result<(), LedgerError>;

    /// Writes what is queued and closes the database. Later calls fail.
    async fn close(&self);
}

/// What [`Ledger::begin`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BeginResult {
    /// The attempt is written down and its own.
    Started,
    /// A living key names this attempt already; nothing was written.
    Existing(Box<Attempt>),
    /// A limit that replicas share has no permit left; the attempt was not written.
    RateLimited {
        /// Which limit.
        limit: Limit,
        /// Until there is a permit again.
        retry_after: Duration,
    },
    /// The proof was used before; the attempt was not written.
    ProofAlreadyUsed,
}

/// What [`Ledger::sweep`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Attempts removed.
    pub attempts: usize,
    /// Expired keys freed.
    pub keys: usize,
    /// Used proofs forgotten, since they have expired.
    pub proofs: usize,
    /// Buckets of shared limits forgotten, since they are full again.
    pub buckets: usize,
}

impl Swept {
    /// Whether nothing was left to do.
    pub const fn is_done(self, batch: usize) -> bool {
        self.attempts < batch && self.keys < batch && self.proofs < batch && self.buckets < batch
    }
}

/// What [`Ledger::unsettled`] counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PendingAttempts {
    /// How many; [`Self::MOST`]: so many or more.
    pub attempts: usize,
    /// How long ago the oldest of those counted began; zero when there is none.
    pub oldest: Duration,
}

impl PendingAttempts {
    /// The most attempts that are counted.
    pub const MOST: usize = 10_000;

    /// From the number of rows and the least of their ids.
    fn new(rows: i64, oldest: Option<Uuid>, now: Duration) -> Self {
        let began = oldest.and_then(|id| AttemptId::from(id).made_at()).unwrap_or(now);
        Self { attempts: usize::try_from(rows).unwrap_or(0), oldest: now.saturating_sub(began) }
    }
}

/// Which attempts an operator asks for.
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

/// Why the ledger did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// It cannot be reached, is full, locked, read-only or closed. Passes by itself or is mended
    /// by the operator; the ledger goes on as soon as it has passed.
    #[error("the ledger is not available")]
    Unavailable(#[source] Cause),
    /// What it holds is not what this program wrote.
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

/// The ledger was closed, or what served it has ended.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the ledger is closed")]
pub(crate) struct Closed;
