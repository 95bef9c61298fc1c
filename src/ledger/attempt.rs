//! The vocabulary of a row: what begins, what ends, what is kept.

use std::fmt;
use std::time::Duration;

use uuid::{Builder, Uuid};

use super::admission_cost::AdmissionCost;
use super::digest::{Digest, DigestPair};
use crate::domain::TermsVersion;

/// One attempt to sign somebody up. A UUID v7: unique, and in order of time, so that new rows land
/// side by side and old ones are removed in one stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId(Uuid);

impl AttemptId {
    /// A new id, at this time since the Unix epoch.
    pub fn new(now: Duration) -> Self {
        Self(Self::build(now, rand::random()))
    }

    /// The least id of this time.
    pub(crate) fn floor(at: Duration) -> Uuid {
        Self::build(at, [0; 10])
    }

    fn build(at: Duration, random: [u8; 10]) -> Uuid {
        let millis = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// When it was made, since the Unix epoch, to the millisecond.
    pub(crate) fn made_at(&self) -> Option<Duration> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        Some(Duration::new(seconds, nanos))
    }

    /// As the database has it.
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

/// The `user_id` that the create call asks Auth0 for: 24 lower-case hex digits, as Auth0's own
/// are. Random and apart from the attempt's id, so that neither tells the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PinnedUserId(String);

impl PinnedUserId {
    const DIGITS: usize = 24;

    /// A new id.
    pub fn random() -> Self {
        // Twice the digits are drawn and half are used: the id needs 96 bits of 128.
        let mut text = format!("{:032x}", rand::random::<u128>());
        text.truncate(Self::DIGITS);
        Self(text)
    }

    /// An id that was kept; `None` when it is none.
    pub fn parse(text: String) -> Option<Self> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (text.len() == Self::DIGITS && digits).then_some(Self(text))
    }

    /// Without the `auth0|` that Auth0 puts before it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An attempt that is about to call the tenant.
#[derive(Debug, Clone)]
pub struct NewAttempt {
    /// Its id, made at `started_at`.
    pub id: AttemptId,
    /// The e-mail address, digested.
    pub email: Digest,
    /// The caller's idempotency key, if there is one.
    pub key: Option<NewKey>,
    /// The user id that the create call pins.
    pub user_id: PinnedUserId,
    /// The request that carried it.
    pub request_id: String,
    /// The terms that came accepted with it, and are in its create call.
    pub terms: Option<TermsVersion>,
    /// Now.
    pub started_at: Duration,
    /// Until when this process surely has ended its work on it: the attempt's whole deadline and
    /// some. Later, an attempt that is still open is an orphan, which
    /// [`claim_due`](super::Ledger::claim_due) hands out.
    pub leased_until: Duration,
    /// What it has to give before it begins.
    pub toll: AdmissionCost,
}

/// A caller's idempotency key, bound to what came with it.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The key, digested.
    pub key: DigestPair,
    /// E-mail address and password, digested together.
    pub binding: Digest,
    /// From when on the key means nothing.
    pub expires_at: Duration,
}

/// How far an attempt has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttemptState {
    /// BeginResult, and not ended as far as is written down. The user may exist.
    Open,
    /// This attempt made the user. The key replays it.
    Created,
    /// The user existed before. The key replays it.
    Exists,
    /// The create call may have been acted on. The key replays it until it is settled.
    Unknown,
    /// Surely nothing was created, whatever the reason. The key is free.
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

    /// The number that the database keeps; the migrations list them.
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

    /// Whether the truth is known, so that no settler has to look.
    pub const fn is_settled(self) -> bool {
        match self {
            Self::Open | Self::Unknown => false,
            Self::Created | Self::Exists | Self::NotCreated => true,
        }
    }
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// This attempt made the user.
    Created {
        /// The id that Auth0 answered, where it is not the pinned one: without `auth0|`, or with
        /// any other provider.
        user_id: Option<String>,
    },
    /// The user existed before.
    Exists,
    /// The create call may have been acted on. It is due for a look once its connection has ended.
    Unknown {
        /// When the connection that carried the call ended: the time from which a 404 counts. For
        /// a call that is about to be made, when it has surely ended.
        connection_ended_at: Duration,
    },
    /// Surely nothing was created; frees the key.
    NotCreated,
}

impl Resolution {
    /// The state that the attempt is in from now on.
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

/// What a verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// An answer, or a user that was found: true whatever happens meanwhile.
    Observed,
    /// That nobody was found. Void, and not written, once another call of the attempt has been
    /// written down.
    NotFound {
        /// When the attempt's calls had ended, as the row said before the look.
        connection_ended_at: Option<Duration>,
    },
}

/// The end of an attempt.
#[derive(Debug, Clone)]
pub struct FinishAttempt {
    /// Which attempt.
    pub id: AttemptId,
    /// What came of it.
    pub verdict: Resolution,
    /// The outcome's code, as the caller hears it.
    pub outcome_code: &'static str,
    /// Auth0's id of the request that decided it.
    pub auth0_request_id: Option<String>,
    /// Now.
    pub finished_at: Duration,
    /// What it rests on.
    pub basis: Basis,
}

impl FinishAttempt {
    /// What the row has to hold as `connection_ended_at`, in milliseconds; -1: nothing.
    pub(crate) fn expected_connection_ended_at(&self) -> Option<i64> {
        match self.basis {
            Basis::Observed => None,
            Basis::NotFound { connection_ended_at } => {
                Some(connection_ended_at.map_or(-1, super::attempt_row::millis))
            }
        }
    }

    /// When the settler is to look at what is not known: as soon as no call is under way.
    pub(crate) fn next_check_at(&self) -> Option<Duration> {
        let ended = self.verdict.connection_ended_at()?;
        Some(ended.max(self.finished_at))
    }
}

/// An attempt as it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// The e-mail address, digested.
    pub email: Digest,
    /// The idempotency key, while it is neither freed nor swept away.
    pub key: Option<StoredKey>,
    /// The user id that the create call pins.
    pub user_id: PinnedUserId,
    /// The id that Auth0 answered, where it is not the pinned one.
    pub auth0_user_id: Option<String>,
    /// The request that carried it.
    pub request_id: String,
    /// Auth0's id of the request that decided it.
    pub auth0_request_id: Option<String>,
    /// How far it has come.
    pub state: AttemptState,
    /// The outcome's code; none while open.
    pub outcome_code: Option<String>,
    /// When it began.
    pub started_at: Duration,
    /// When its outcome was last written; none while open.
    pub finished_at: Option<Duration>,
    /// When the connection that carried an ambiguous call ended.
    pub connection_ended_at: Option<Duration>,
    /// While unsettled: until when somebody works on it, or when the next look is due. None: never
    /// again by itself.
    pub next_check_at: Option<Duration>,
    /// Who leased it last.
    pub lease_owner: Option<Uuid>,
    /// How often a settler has looked.
    pub check_count: u32,
    /// The terms that came accepted with it, and are in its create call.
    pub terms: Option<TermsVersion>,
}

/// An idempotency key that is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// The key, digested.
    pub key: Digest,
    /// E-mail address and password, digested together.
    pub binding: Digest,
    /// From when on the key means nothing.
    pub expires_at: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_order_of_time() {
        let at = |millis| AttemptId::new(Duration::from_millis(millis));
        assert!(at(1_790_000_000_000) < at(1_790_000_000_001));
        let now = Duration::from_millis(1_790_000_000_001);
        assert!(at(1_790_000_000_000).as_uuid() < &AttemptId::floor(now));
        assert!(&AttemptId::floor(now) <= AttemptId::new(now).as_uuid());
    }

    #[test]
    fn a_pinned_id_looks_like_auth0s_own() {
        let id = PinnedUserId::random();
        assert_eq!(PinnedUserId::parse(id.as_str().to_owned()), Some(id));
        for wrong in
            ["", "6743a5b0000000000000000", "6743A5B00000000000000001", "auth0|6743a5b0000001"]
        {
            assert_eq!(PinnedUserId::parse(wrong.to_owned()), None, "{wrong}");
        }
    }

    #[test]
    fn every_state_has_a_number_of_its_own() {
        for state in AttemptState::ALL {
            assert_eq!(AttemptState::from_number(state.number().into()), Some(state));
        }
        assert_eq!(AttemptState::from_number(5), None);
    }
}
