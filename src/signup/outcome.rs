//! What can come of a sign-up that met every rule: one closed vocabulary for the answer, the log,
//! the metrics and the ledger.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use super::Rejection;
use crate::auth0::{Error, Transport, User};
use crate::domain::PasswordRule;
use crate::ledger::LedgerError;

/// What came of a sign-up.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The user exists now, and this sign-up made it.
    Created(Arc<User>),
    /// The e-mail address belongs to somebody already.
    EmailTaken,
    /// The username belongs to somebody already.
    UsernameTaken,
    /// The tenant's policy refused the password.
    PasswordRefused(PasswordRule),
    /// The tenant's rate limit is reached; nothing was created.
    Busy {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The tenant refused for a reason that is the operator's; nothing was created.
    Rejected,
    /// The tenant refused what this service's own rules passed; nothing was created.
    Internal,
    /// The tenant cannot be reached; nothing was created.
    Unreachable {
        /// How long until a call is tried again, where that is known.
        retry_after: Option<Duration>,
    },
    /// The user may or may not exist now.
    Unknown,
    /// The ledger cannot be written; nothing was sent to the tenant.
    LedgerUnavailable,
    /// The attempt may not begin.
    Refused(Rejection),
    /// Every caller went away before anything was sent to the tenant.
    Abandoned,
    /// The idempotency key belongs to another e-mail address or password.
    KeyReused,
    /// An attempt with the same key is still under way.
    InProgress,
}

impl Outcome {
    /// The outcome of an attempt that made nothing, by its code: what a twin on another replica
    /// is told, without the numbers that only the first one heard.
    pub fn not_created(code: &str) -> Self {
        const SECOND: Duration = Duration::from_secs(1);
        let password = [
            PasswordRule::TooWeak,
            PasswordRule::TooCommon,
            PasswordRule::ContainsUserInfo { fields: Vec::new() },
            PasswordRule::Breached,
            PasswordRule::UsedBefore,
        ];
        let known = [
            Self::UsernameTaken,
            Self::Busy { retry_after: SECOND },
            Self::Rejected,
            Self::Internal,
            Self::Abandoned,
        ];
        let outcomes = known.into_iter().chain(password.map(Self::PasswordRefused));
        outcomes
            .into_iter()
            .find(|outcome| outcome.code() == code)
            .unwrap_or(Self::Unreachable { retry_after: None })
    }

    /// The stable name, in the ledger.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Created(_) => "created",
            Self::EmailTaken => "email_taken",
            Self::UsernameTaken => "username_taken",
            Self::PasswordRefused(rule) => rule.code(),
            Self::Busy { .. } => "upstream_busy",
            Self::Rejected => "upstream_rejected",
            Self::Internal => "internal",
            Self::Unreachable { .. } => "upstream_unavailable",
            Self::Unknown => "outcome_unknown",
            Self::LedgerUnavailable => "unavailable",
            Self::Refused(refusal) => refusal.code(),
            Self::Abandoned => "abandoned",
            Self::KeyReused => "idempotency_key_reused",
            Self::InProgress => "idempotency_in_progress",
        }
    }
}

/// An outcome, with its cause for the log.
#[derive(Debug, Clone)]
pub struct Done {
    /// What came of it.
    pub outcome: Outcome,
    /// Whether this is the answer of an earlier request.
    pub replayed: bool,
    /// Why, where there is something to say beyond the outcome.
    pub cause: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Done {
    /// An outcome that speaks for itself.
    pub const fn new(outcome: Outcome) -> Self {
        Self { outcome, replayed: false, cause: None }
    }

    /// An outcome with its cause.
    pub fn because(outcome: Outcome, cause: impl StdError + Send + Sync + 'static) -> Self {
        Self { outcome, replayed: false, cause: Some(Arc::new(cause)) }
    }

    /// The same for a caller who asks again. What is not kept is not a replay: it is heard once,
    /// by all who waited for it.
    #[must_use]
    pub fn replay(mut self) -> Self {
        self.replayed =
            matches!(self.outcome, Outcome::Created(_) | Outcome::EmailTaken | Outcome::Unknown);
        self
    }
}

impl From<Error> for Done {
    fn from(error: Error) -> Self {
        let outcome = match &error {
            Error::UserExists => return Self::new(Outcome::EmailTaken),
            Error::UsernameExists => return Self::new(Outcome::UsernameTaken),
            Error::PasswordRefused(rule) => Outcome::PasswordRefused(rule.clone()),
            Error::RateLimited { retry_after } => Outcome::Busy { retry_after: *retry_after },
            Error::Misconfigured(_) => Outcome::Rejected,
            Error::InvalidBody => Outcome::Internal,
            Error::NotSent(cause) => Outcome::Unreachable {
                retry_after: match **cause {
                    Transport::CircuitOpen { retry_after } => Some(retry_after),
                    Transport::Http(_)
                    | Transport::Status(_)
                    | Transport::Unreadable(_)
                    | Transport::PreviousAttempt
                    | Transport::OutOfTime
                    | Transport::NoToken => None,
                },
            },
            Error::Ambiguous(_) => Outcome::Unknown,
        };
        Self::because(outcome, error)
    }
}

impl From<LedgerError> for Done {
    fn from(error: LedgerError) -> Self {
        Self::because(Outcome::LedgerUnavailable, error)
    }
}
