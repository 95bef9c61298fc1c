//! An attempt: as it starts, as it is resolved, as it is stored.

use std::fmt;
use std::time::Duration;

use uuid::{Builder, Uuid};

use super::Lease;
use super::admission_cost::AdmissionCost;
use crate::clock::{LedgerTime, TenantTime};
use crate::digest::{Digest, hex};
use crate::domain::{TermsVersion, UserId};

/// The id of one attempt to sign a user up. A UUID v7: unique and ordered by time, so that new rows
/// are stored side by side and old ones are removed in one range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId(Uuid);

impl AttemptId {
    /// A new id, at this time of the ledger.
    pub fn new(now: LedgerTime) -> Self {
        Self(Self::build(now, rand::random()))
    }

    /// The smallest id of this time.
    pub(crate) fn floor(at: LedgerTime) -> Uuid {
        Self::build(at, [0; 10])
    }

    fn build(at: LedgerTime, random: [u8; 10]) -> Uuid {
        let millis = u64::try_from(at.as_millis()).unwrap_or_default();
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// The time at which the id was created.
    pub(crate) fn created_at(&self) -> Option<LedgerTime> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        Some(LedgerTime::from_epoch(Duration::new(seconds, nanos)))
    }

    /// The form that the database stores.
    pub const fn as_uuid(&self) -> &Uuid {
        &self.0
    }
}

impl From<Uuid> for AttemptId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// The `user_id` that the create call requests from Auth0: 24 lower-case hex digits, like Auth0's
/// own. Computed from the sign-up, so that every replica computes the same one after any loss of
/// rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PinnedUserId(String);

impl PinnedUserId {
    const DIGITS: usize = 24;

    /// The id that starts with the bytes of this digest.
    pub fn from_digest(digest: &Digest) -> Self {
        let mut digits = hex(digest.as_bytes());
        digits.truncate(Self::DIGITS);
        Self(digits)
    }

    /// A stored id; `None` if the text is not one.
    pub fn parse(text: String) -> Option<Self> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (text.len() == Self::DIGITS && digits).then_some(Self(text))
    }

    /// The id within the connection, without `auth0|`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id that Auth0 gives a user who keeps this one.
    pub fn to_user_id(&self) -> UserId {
        UserId::from_connection_id(&self.0)
    }
}

/// An attempt to be recorded when it starts.
#[derive(Debug, Clone)]
pub struct NewAttempt {
    /// Its id.
    pub id: AttemptId,
    /// The e-mail address's digest.
    pub email: Digest,
    /// The idempotency key.
    pub key: NewKey,
    /// The user id that the create call pins.
    pub user_id: PinnedUserId,
    /// The id of the request.
    pub request_id: String,
    /// The accepted terms, which are also in the create call.
    pub terms: Option<TermsVersion>,
    /// The tenant's time at the start, if it is known.
    pub tenant_started_at: Option<TenantTime>,
    /// The process that works on it. After the lease, [`claim_due`](super::Ledger::claim_due)
    /// treats an attempt that is still open as an orphan.
    pub lease: Lease,
    /// The permits and the proof that it costs.
    pub admission_cost: AdmissionCost,
    /// The urgency of its record. [`Urgency::Unawaited`] where its outcome can be found without it.
    pub urgency: Urgency,
}

/// An idempotency key, bound to the form that it came with.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The key under each secret. All are recorded, and meet one unique constraint.
    pub records: Vec<KeyRecord>,
    /// The time from the start of the attempt until the key expires.
    pub lifetime: Duration,
}

/// A key and the form that it is bound to, as digests under one secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRecord {
    /// The key.
    pub key: Digest,
    /// The e-mail address and password.
    pub binding: Binding,
}

/// The first 16 bits of a digest of e-mail address and password: enough to detect another form with
/// the same key, too few to verify a guessed password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding([u8; 2]);

impl Binding {
    /// From the digest of e-mail address and password.
    pub const fn from_digest(digest: &Digest) -> Self {
        let [one, two, ..] = *digest.as_bytes();
        Self([one, two])
    }

    /// A stored binding.
    pub const fn from_bytes(bytes: [u8; 2]) -> Self {
        Self(bytes)
    }

    /// The form that the database stores.
    pub const fn as_bytes(&self) -> &[u8; 2] {
        &self.0
    }
}

/// The state of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttemptState {
    /// Started, and no outcome is recorded. The user may exist.
    Open,
    /// This attempt created the user. The key replays it.
    Created,
    /// The user existed before. The key replays it.
    Exists,
    /// Auth0 may have executed the create call. The key replays this until it is resolved.
    Unknown,
    /// Certainly nothing was created, whatever the reason. The key is free; after
    /// [`Resolution::Restartable`] it is kept for its own form, which may start the attempt again.
    NotCreated,
}

impl AttemptState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Open, Self::Created, Self::Exists, Self::Unknown, Self::NotCreated];

    /// A stable name for operators.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Created => "created",
            Self::Exists => "exists",
            Self::Unknown => "unknown",
            Self::NotCreated => "not_created",
        }
    }

    /// The number that the database stores. The migrations list them, and statements contain them.
    pub(crate) const fn number(self) -> i16 {
        match self {
            Self::Open => 0,
            Self::Created => 1,
            Self::Exists => 2,
            Self::Unknown => 3,
            Self::NotCreated => 4,
        }
    }

    pub(crate) fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| i64::from(state.number()) == number)
    }

    /// Returns whether the outcome is final, so that the reconciler does not check it.
    pub const fn is_resolved(self) -> bool {
        match self {
            Self::Open | Self::Unknown => false,
            Self::Created | Self::Exists | Self::NotCreated => true,
        }
    }
}

/// The result of an attempt, as the ledger records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// This attempt created the user.
    Created {
        /// The id in Auth0's response, if it is not the pinned one.
        user_id: Option<UserId>,
    },
    /// The user existed before.
    Exists,
    /// Auth0 may have executed the create call. Its connection has just ended, and a 404 counts
    /// from now on. Due for a check at once.
    Unknown,
    /// Certainly nothing was created; frees the key.
    NotCreated,
    /// The tenant did nothing: the call was not sent, or there was no room for it. The key stays, so
    /// that the same form starts again without paying.
    Restartable,
}

impl Resolution {
    /// The state that the attempt enters.
    pub const fn state(&self) -> AttemptState {
        match self {
            Self::Created { .. } => AttemptState::Created,
            Self::Exists => AttemptState::Exists,
            Self::Unknown => AttemptState::Unknown,
            Self::NotCreated | Self::Restartable => AttemptState::NotCreated,
        }
    }

    /// Returns whether the key is free afterwards.
    pub(crate) const fn frees_key(&self) -> bool {
        matches!(self, Self::NotCreated)
    }

    pub(crate) fn user_id(&self) -> Option<&str> {
        match self {
            Self::Created { user_id } => user_id.as_ref().map(UserId::as_str),
            Self::Exists | Self::Unknown | Self::NotCreated | Self::Restartable => None,
        }
    }
}

/// The evidence for a resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// A response, or a user that was found: true whatever happens meanwhile.
    Observed,
    /// A response to a call of this process. Void, and not written, once a request has resumed the attempt or
    /// started it again, in this process or in another.
    Worked {
        /// The process.
        process: Uuid,
        /// The end of the call that the row had when the work began.
        connection_ended_at: Option<LedgerTime>,
        /// The time by which the calls of earlier work on the attempt have certainly ended, if this process took the
        /// attempt over. `connection_ended_at` is then the latest time at which its own call may end. An unknown
        /// outcome replaces that by the time at which the call did end, but by none before this one.
        earlier_calls_end: Option<LedgerTime>,
        /// The number of times that the attempt had started again.
        restarts: u8,
    },
    /// A lookup that found no user. Void, and not written, once another call of the attempt has
    /// been recorded.
    NotFound {
        /// The end of the attempt's calls, as read from the row before the lookup.
        connection_ended_at: Option<LedgerTime>,
    },
}

impl Basis {
    /// The value of `connection_ended_at` that the row must have, in milliseconds; -1 for NULL.
    pub(crate) fn expected_connection_ended_at(self) -> Option<i64> {
        match self {
            Self::Observed => None,
            Self::Worked { connection_ended_at, .. } | Self::NotFound { connection_ended_at } => {
                Some(connection_ended_at.map_or(-1, LedgerTime::as_millis))
            }
        }
    }

    /// The end of calls of other work, in milliseconds.
    pub(crate) fn earlier_calls_end(self) -> Option<i64> {
        match self {
            Self::Worked { earlier_calls_end, .. } => earlier_calls_end.map(LedgerTime::as_millis),
            Self::Observed | Self::NotFound { .. } => None,
        }
    }

    /// The number of restarts that the row must have.
    pub(crate) const fn expected_restarts(self) -> Option<u8> {
        match self {
            Self::Worked { restarts, .. } => Some(restarts),
            Self::Observed | Self::NotFound { .. } => None,
        }
    }

    /// The worker that the row must have.
    pub(crate) const fn expected_worker(self) -> Option<Uuid> {
        match self {
            Self::Worked { process, .. } => Some(process),
            Self::Observed | Self::NotFound { .. } => None,
        }
    }
}

/// The resolution of an attempt, with its details.
#[derive(Debug, Clone)]
pub struct FinishAttempt {
    /// The attempt.
    pub id: AttemptId,
    /// Its result.
    pub resolution: Resolution,
    /// The outcome's code, as in the response.
    pub outcome_code: &'static str,
    /// Auth0's id of the request that decided the outcome.
    pub auth0_request_id: Option<String>,
    /// The evidence for the resolution.
    pub basis: Basis,
    /// The urgency of its record.
    pub urgency: Urgency,
}

/// The urgency of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// At once.
    Awaited,
    /// Nobody waits for it: for a few milliseconds it may wait for another write, and share its commit.
    Unawaited,
}

/// A recorded attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// The e-mail address's digest.
    pub email: Digest,
    /// The idempotency key, until it expires or is freed.
    pub key: Option<StoredKey>,
    /// The user id that the create call pins.
    pub user_id: PinnedUserId,
    /// The id in Auth0's response, if it is not the pinned one.
    pub auth0_user_id: Option<UserId>,
    /// The id of the request.
    pub request_id: String,
    /// Auth0's id of the request that decided the outcome.
    pub auth0_request_id: Option<String>,
    /// Its state.
    pub state: AttemptState,
    /// The outcome's code; `None` while open.
    pub outcome_code: Option<String>,
    /// The time at which it started.
    pub started_at: LedgerTime,
    /// The tenant's time when it started, if it was known.
    pub tenant_started_at: Option<TenantTime>,
    /// The time at which its outcome was last recorded; `None` while open.
    pub finished_at: Option<LedgerTime>,
    /// The end of the connection that carried an ambiguous call. For a call that may still be
    /// sent, the time by which it has certainly ended.
    pub connection_ended_at: Option<LedgerTime>,
    /// While the outcome is pending: the end of the lease, or the time of the next check. `None`:
    /// no automatic check.
    pub next_check_at: Option<LedgerTime>,
    /// The replica whose reconciler leased it; `None` once released.
    pub lease_owner: Option<Uuid>,
    /// The number of failed checks.
    pub check_count: u32,
    /// The process that works on it for a request; `None` when none does.
    pub worker: Option<Worker>,
    /// The number of times that it started again after it had ended as restartable.
    pub restarts: u8,
    /// The accepted terms, which are also in the create call.
    pub terms: Option<TermsVersion>,
    /// The ledger's time when this was read.
    pub read_at: LedgerTime,
}

impl Attempt {
    /// The process that works on it for a request, and the time left of its lease. `None` once the
    /// lease has ended or the outcome is final.
    pub fn leased_worker(&self) -> Option<(Worker, Duration)> {
        let left = self.next_check_at?.since(self.read_at);
        let worker = self.worker.filter(|_| !self.state.is_resolved() && !left.is_zero())?;
        Some((worker, left))
    }

    /// The id of the user that it created, or would have.
    pub fn created_user_id(&self) -> UserId {
        self.auth0_user_id.clone().unwrap_or_else(|| self.user_id.to_user_id())
    }
}

/// The process that works on an attempt for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worker {
    /// The process.
    pub process: Uuid,
    /// True if it had a heartbeat lately, by the ledger's clock.
    pub is_alive: bool,
}

/// A recorded idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredKey {
    /// The e-mail address and password that it is bound to.
    pub binding: Binding,
    /// The time at which the key expires.
    pub expires_at: LedgerTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_by_time() {
        let time = |millis| LedgerTime::from_epoch(Duration::from_millis(millis));
        let at = |millis| AttemptId::new(time(millis));
        assert!(at(1_790_000_000_000) < at(1_790_000_000_001));
        let now = time(1_790_000_000_001);
        assert!(at(1_790_000_000_000).as_uuid() < &AttemptId::floor(now));
        assert!(&AttemptId::floor(now) <= AttemptId::new(now).as_uuid());
    }

    #[test]
    fn a_pinned_id_has_the_form_of_auth0s_own() {
        let id = PinnedUserId::from_digest(&Digest::from_bytes([0xa5; 32]));
        assert_eq!(id.as_str(), "a5a5a5a5a5a5a5a5a5a5a5a5");
        assert_eq!(PinnedUserId::parse(id.as_str().to_owned()), Some(id));
        for wrong in
            ["", "6743a5b0000000000000000", "6743A5B00000000000000001", "auth0|6743a5b0000001"]
        {
            assert_eq!(PinnedUserId::parse(wrong.to_owned()), None, "{wrong}");
        }
    }

    #[test]
    fn every_state_has_its_own_number() {
        for state in AttemptState::ALL {
            assert_eq!(AttemptState::from_number(state.number().into()), Some(state));
        }
        assert_eq!(AttemptState::from_number(5), None);
    }
}
