//! An attempt: as it starts, as it is resolved, as it is stored.

use std::fmt;
use std::time::Duration;

use uuid::{Builder, Uuid};

use super::admission_cost::AdmissionCost;
use super::millis::millis;
use crate::digest::{Digest, DigestPair};
use crate::domain::TermsVersion;

/// The id of one attempt to sign a user up. A UUID v7: unique and ordered by time, so that new rows
/// are stored side by side and old ones are removed in one range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId(Uuid);

impl AttemptId {
    /// A new id, at this time since the Unix epoch.
    pub fn new(now: Duration) -> Self {
        Self(Self::build(now, rand::random()))
    }

    /// The smallest id of this time.
    pub(crate) fn floor(at: Duration) -> Uuid {
        Self::build(at, [0; 10])
    }

    fn build(at: Duration, random: [u8; 10]) -> Uuid {
        let millis = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// The time since the Unix epoch at which the id was created, to the millisecond.
    pub(crate) fn created_at(&self) -> Option<Duration> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        Some(Duration::new(seconds, nanos))
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
/// own. Random and independent of the attempt's id, so that neither reveals the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PinnedUserId(String);

impl PinnedUserId {
    const DIGITS: usize = 24;

    /// A new id.
    pub fn random() -> Self {
        // The id needs 96 of the 128 random bits; the remaining digits are cut off.
        let mut text = format!("{:032x}", rand::random::<u128>());
        text.truncate(Self::DIGITS);
        Self(text)
    }

    /// A stored id; `None` if the text is not one.
    pub fn parse(text: String) -> Option<Self> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (text.len() == Self::DIGITS && digits).then_some(Self(text))
    }

    /// The id without Auth0's prefix `auth0|`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An attempt to be recorded before it calls Auth0.
#[derive(Debug, Clone)]
pub struct NewAttempt {
    /// Its id, created at `started_at`.
    pub id: AttemptId,
    /// The e-mail address's digest.
    pub email: Digest,
    /// The client's idempotency key, if there is one.
    pub key: Option<NewKey>,
    /// The user id that the create call pins.
    pub user_id: PinnedUserId,
    /// The id of the request.
    pub request_id: String,
    /// The accepted terms, which are also in the create call.
    pub terms: Option<TermsVersion>,
    /// The current time.
    pub started_at: Duration,
    /// The time by which this process has certainly stopped working on it: every timeout of the
    /// attempt, and a margin. After it, [`claim_due`](super::Ledger::claim_due) treats an attempt
    /// that is still open as an orphan.
    pub leased_until: Duration,
    /// The permits and the proof that it costs.
    pub admission_cost: AdmissionCost,
}

/// A client's idempotency key, bound to the form that it came with.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The key's digest.
    pub key: DigestPair,
    /// One digest of e-mail address and password.
    pub binding: Digest,
    /// The time at which the key expires.
    pub expires_at: Duration,
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
    /// Certainly nothing was created, whatever the reason. The key is free.
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

    /// The number that the database stores; the migrations list them.
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
        /// The id in Auth0's response, if it is not the pinned one: without `auth0|`, or with
        /// another provider's prefix.
        user_id: Option<String>,
    },
    /// The user existed before.
    Exists,
    /// Auth0 may have executed the create call. Due for a check once its connection has ended.
    Unknown {
        /// The end of the call's connection, from which a 404 counts. For a call that is not sent
        /// yet, the time by which it has certainly ended.
        connection_ended_at: Duration,
    },
    /// Certainly nothing was created; frees the key.
    NotCreated,
}

impl Resolution {
    /// The state that the attempt enters.
    pub const fn state(&self) -> AttemptState {
        match self {
            Self::Created { .. } => AttemptState::Created,
            Self::Exists => AttemptState::Exists,
            Self::Unknown { .. } => AttemptState::Unknown,
            Self::NotCreated => AttemptState::NotCreated,
        }
    }

    pub(crate) fn user_id(&self) -> Option<&str> {
        match self {
            Self::Created { user_id } => user_id.as_deref(),
            Self::Exists | Self::Unknown { .. } | Self::NotCreated => None,
        }
    }

    pub(crate) const fn connection_ended_at(&self) -> Option<Duration> {
        match self {
            Self::Unknown { connection_ended_at } => Some(*connection_ended_at),
            Self::Created { .. } | Self::Exists | Self::NotCreated => None,
        }
    }
}

/// The evidence for a resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// A response, or a user that was found: true whatever happens meanwhile.
    Observed,
    /// A lookup that found no user. Void, and not written, once another call of the attempt has
    /// been recorded.
    NotFound {
        /// The end of the attempt's calls, as read from the row before the lookup.
        connection_ended_at: Option<Duration>,
    },
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
    /// The current time.
    pub finished_at: Duration,
    /// The evidence for the resolution.
    pub basis: Basis,
}

impl FinishAttempt {
    /// The value of `connection_ended_at` that the row must have, in milliseconds; -1 for NULL.
    pub(crate) fn expected_connection_ended_at(&self) -> Option<i64> {
        match self.basis {
            Basis::Observed => None,
            Basis::NotFound { connection_ended_at } => Some(connection_ended_at.map_or(-1, millis)),
        }
    }

    /// The time of the reconciler's first check of an unknown outcome: once no call is in flight.
    pub(crate) fn next_check_at(&self) -> Option<Duration> {
        let ended = self.resolution.connection_ended_at()?;
        Some(ended.max(self.finished_at))
    }
}

/// A recorded attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// The e-mail address's digest.
    pub email: Digest,
    /// The idempotency key, until it is freed or swept.
    pub key: Option<StoredKey>,
    /// The user id that the create call pins.
    pub user_id: PinnedUserId,
    /// The id in Auth0's response, if it is not the pinned one.
    pub auth0_user_id: Option<String>,
    /// The id of the request.
    pub request_id: String,
    /// Auth0's id of the request that decided the outcome.
    pub auth0_request_id: Option<String>,
    /// Its state.
    pub state: AttemptState,
    /// The outcome's code; `None` while open.
    pub outcome_code: Option<String>,
    /// The time at which it started.
    pub started_at: Duration,
    /// The time at which its outcome was last recorded; `None` while open.
    pub finished_at: Option<Duration>,
    /// The end of the connection that carried an ambiguous call.
    pub connection_ended_at: Option<Duration>,
    /// While the outcome is pending: the end of the lease, or the time of the next check. `None`:
    /// no automatic check.
    pub next_check_at: Option<Duration>,
    /// The replica that leased it; `None` once released.
    pub lease_owner: Option<Uuid>,
    /// The number of times that the reconciler leased it.
    pub check_count: u32,
    /// The accepted terms, which are also in the create call.
    pub terms: Option<TermsVersion>,
}

/// A recorded idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// The key's digest.
    pub key: Digest,
    /// One digest of e-mail address and password.
    pub binding: Digest,
    /// The time at which the key expires.
    pub expires_at: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_by_time() {
        let at = |millis| AttemptId::new(Duration::from_millis(millis));
        assert!(at(1_790_000_000_000) < at(1_790_000_000_001));
        let now = Duration::from_millis(1_790_000_000_001);
        assert!(at(1_790_000_000_000).as_uuid() < &AttemptId::floor(now));
        assert!(&AttemptId::floor(now) <= AttemptId::new(now).as_uuid());
    }

    #[test]
    fn a_pinned_id_has_the_form_of_auth0s_own() {
        let id = PinnedUserId::random();
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
