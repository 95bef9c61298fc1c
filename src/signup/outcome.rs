//! The result of a sign-up: one closed vocabulary for the response, the log, the metrics and the
//! ledger.
//!
//! A [`CreateUserError`] becomes a [`SignupResult`], which alone determines what the ledger stores:
//! a [`Resolution`] and the outcome's code.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use super::rejection::Rejection;
use crate::auth0::{CreateUserError, CreatedUser, TransportError, User};
use crate::domain::PasswordRule;
use crate::ledger::{LedgerError, PinnedUserId, Resolution};

/// Outcome of a sign-up that passed every validation rule.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// This sign-up created the user.
    Created(Arc<User>),
    /// Another user has the e-mail address.
    EmailTaken,
    /// Another user has the username.
    UsernameTaken,
    /// Auth0 rejected the username, for its characters or its length.
    UsernameRejected,
    /// The tenant's policy rejected the password.
    PasswordRejected(PasswordRule),
    /// The tenant's rate limit is reached; nothing was created.
    Busy {
        /// The wait that the client is asked for.
        retry_after: Duration,
    },
    /// The tenant rejected the call until the operator changes something; nothing was created.
    UpstreamRejected,
    /// The tenant rejected what this service's own rules passed; nothing was created.
    Internal,
    /// Nothing reached the tenant, so nothing was created.
    Unreachable {
        /// The wait until a call is tried again, if it is known.
        retry_after: Option<Duration>,
    },
    /// The user may or may not exist now.
    Unknown,
    /// The ledger cannot be written; nothing was sent to the tenant.
    LedgerUnavailable,
    /// A new attempt may not start.
    Rejected(Rejection),
    /// Every client disconnected before anything was sent to the tenant.
    Abandoned,
    /// The idempotency key belongs to another e-mail address or password.
    KeyReused,
    /// An attempt with the same key is still under way.
    InProgress,
}

impl Outcome {
    /// The outcome of a recorded attempt that created nothing, from its code. Numbers that only the
    /// first response carried are lost.
    pub(super) fn not_created(code: &str) -> Self {
        const SECOND: Duration = Duration::from_secs(1);
        let rules = [
            PasswordRule::TooWeak,
            PasswordRule::TooCommon,
            PasswordRule::ContainsUserInfo { fields: Vec::new() },
            PasswordRule::Breached,
            PasswordRule::UsedBefore,
        ];
        let others = [
            Self::UsernameTaken,
            Self::UsernameRejected,
            Self::Busy { retry_after: SECOND },
            Self::UpstreamRejected,
            Self::Internal,
            Self::Abandoned,
        ];
        let mut outcomes = others.into_iter().chain(rules.map(Self::PasswordRejected));
        outcomes
            .find(|outcome| outcome.code() == code)
            .unwrap_or(Self::Unreachable { retry_after: None })
    }

    /// The stable code, in the ledger and the log.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Created(_) => "created",
            Self::EmailTaken => "email_taken",
            Self::UsernameTaken => "username_taken",
            Self::UsernameRejected => "username_rejected",
            Self::PasswordRejected(rule) => rule.code(),
            Self::Busy { .. } => "upstream_busy",
            Self::UpstreamRejected => "upstream_rejected",
            Self::Internal => "internal",
            Self::Unreachable { .. } => "upstream_unavailable",
            Self::Unknown => "outcome_unknown",
            Self::LedgerUnavailable => "unavailable",
            Self::Rejected(rejection) => rejection.code(),
            Self::Abandoned => "abandoned",
            Self::KeyReused => "idempotency_key_reused",
            Self::InProgress => "idempotency_in_progress",
        }
    }

    /// Returns whether a repeated request gets this outcome again.
    pub(super) const fn is_replayable(&self) -> bool {
        matches!(self, Self::Created(_) | Self::EmailTaken | Self::Unknown)
    }
}

/// Result of a sign-up request.
#[derive(Debug, Clone)]
pub struct SignupResult {
    /// The outcome, which the client, the log and the ledger get.
    pub outcome: Outcome,
    /// True if an earlier request produced it.
    pub replayed: bool,
    /// The cause, for the log, if the outcome alone does not show it.
    pub cause: Option<Arc<dyn StdError + Send + Sync>>,
    /// Auth0's id of the request that decided it, for the ledger.
    pub(super) auth0_request_id: Option<String>,
    /// True if the tenant did nothing, because the call was not sent or there was no room for it: the
    /// attempt may start again without paying.
    pub(super) may_restart: bool,
    /// True if a lookup has yet to show whose user has the address.
    pub(super) is_unchecked: bool,
}

impl SignupResult {
    /// A result that needs no cause.
    pub const fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            replayed: false,
            cause: None,
            auth0_request_id: None,
            may_restart: false,
            is_unchecked: false,
        }
    }

    /// A result with its cause.
    pub fn because(outcome: Outcome, cause: impl StdError + Send + Sync + 'static) -> Self {
        Self { cause: Some(Arc::new(cause)), ..Self::new(outcome) }
    }

    /// The result of an attempt that ran out of time; `maybe_sent`: its call may still be acted on.
    pub(super) fn out_of_time(maybe_sent: bool) -> Self {
        let outcome =
            if maybe_sent { Outcome::Unknown } else { Outcome::Unreachable { retry_after: None } };
        Self { may_restart: !maybe_sent, ..Self::because(outcome, Interruption::OutOfTime) }
    }

    /// The result of an attempt that an earlier request left unresolved.
    pub(super) fn left_unresolved() -> Self {
        Self::because(Outcome::Unknown, Interruption::LeftUnresolved)
    }

    /// The result of an attempt that another process has taken over.
    pub(super) fn taken_over() -> Self {
        Self::because(Outcome::InProgress, Interruption::TakenOver)
    }

    /// The same result of an attempt for which the tenant did nothing.
    #[must_use]
    pub(super) fn restartable(self) -> Self {
        Self { may_restart: true, ..self }
    }

    /// The same result, which a lookup has yet to confirm.
    #[must_use]
    pub(super) fn unchecked(self) -> Self {
        Self { is_unchecked: true, ..self }
    }

    /// The resolution that the ledger stores for an attempt that pinned this id and got this
    /// result; `None` if another process works on the attempt by now.
    pub(super) fn resolution(&self, pinned: &PinnedUserId) -> Option<Resolution> {
        Some(match &self.outcome {
            Outcome::InProgress => return None,
            _ if self.may_restart => Resolution::Restartable,
            Outcome::Created(user) => {
                let is_pinned = user.user_id == pinned.to_user_id();
                Resolution::Created { user_id: (!is_pinned).then(|| user.user_id.clone()) }
            }
            Outcome::EmailTaken => Resolution::Exists,
            Outcome::UsernameTaken
            | Outcome::UsernameRejected
            | Outcome::PasswordRejected(_)
            | Outcome::Busy { .. }
            | Outcome::UpstreamRejected
            | Outcome::Internal
            | Outcome::Unreachable { .. }
            | Outcome::Abandoned => Resolution::NotCreated,
            Outcome::Unknown
            // No recorded attempt ends with one of these.
            | Outcome::LedgerUnavailable
            | Outcome::Rejected(_)
            | Outcome::KeyReused => Resolution::Unknown,
        })
    }

    /// Returns whether it claims that the attempt created no user, although another process that has taken the attempt
    /// over may create one. Most rejections of the password are final: the key is bound to the password, so every call
    /// of the attempt gets the same one, unless it depends on other fields.
    pub(super) const fn rules_out_user(&self) -> bool {
        match &self.outcome {
            Outcome::PasswordRejected(rule) => {
                matches!(rule, PasswordRule::ContainsUserInfo { .. })
            }
            Outcome::EmailTaken
            | Outcome::UsernameTaken
            | Outcome::UsernameRejected
            | Outcome::Busy { .. }
            | Outcome::UpstreamRejected
            | Outcome::Internal
            | Outcome::Unreachable { .. }
            | Outcome::Abandoned => true,
            Outcome::Created(_)
            | Outcome::Unknown
            // Only says that this request sent nothing.
            | Outcome::LedgerUnavailable
            | Outcome::Rejected(_)
            | Outcome::KeyReused
            | Outcome::InProgress => false,
        }
    }

    /// The same result for a duplicate request. Only an outcome that later requests get too counts
    /// as replayed; the requests that waited for any other share it.
    #[must_use]
    pub fn replay(mut self) -> Self {
        self.replayed = self.outcome.is_replayable();
        self
    }
}

impl From<User> for SignupResult {
    fn from(user: User) -> Self {
        Self::new(Outcome::Created(Arc::new(user)))
    }
}

impl From<CreatedUser> for SignupResult {
    fn from(CreatedUser { user, auth0_request_id }: CreatedUser) -> Self {
        Self { auth0_request_id, ..user.into() }
    }
}

impl From<CreateUserError> for SignupResult {
    fn from(error: CreateUserError) -> Self {
        // A 429 says that the tenant did nothing, whether it or the budget rejected the call.
        let may_restart =
            matches!(error, CreateUserError::NotSent(_) | CreateUserError::RateLimited { .. });
        let outcome = match &error {
            CreateUserError::EmailTaken => return Self::new(Outcome::EmailTaken),
            CreateUserError::UsernameTaken => return Self::new(Outcome::UsernameTaken),
            CreateUserError::UsernameRejected => return Self::new(Outcome::UsernameRejected),
            CreateUserError::PasswordRejected(rule) => Outcome::PasswordRejected(rule.clone()),
            CreateUserError::RateLimited { retry_after, .. } => {
                Outcome::Busy { retry_after: *retry_after }
            }
            CreateUserError::Misconfigured(_) => Outcome::UpstreamRejected,
            CreateUserError::InvalidBody => Outcome::Internal,
            CreateUserError::NotSent(TransportError::CircuitOpen { retry_after }) => {
                Outcome::Unreachable { retry_after: Some(*retry_after) }
            }
            CreateUserError::NotSent(_) => Outcome::Unreachable { retry_after: None },
            CreateUserError::Ambiguous(_) => Outcome::Unknown,
        };
        Self { may_restart, ..Self::because(outcome, error) }
    }
}

impl From<Rejection> for SignupResult {
    fn from(rejection: Rejection) -> Self {
        Self::new(Outcome::Rejected(rejection))
    }
}

impl From<LedgerError> for SignupResult {
    fn from(error: LedgerError) -> Self {
        Self::because(Outcome::LedgerUnavailable, error)
    }
}

/// Cause of an outcome that no response and no error of the tenant decided.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum Interruption {
    /// The time for the request or the attempt is over.
    #[error("the attempt ran out of time")]
    OutOfTime,
    /// An earlier request, or a process that has ended, left it unresolved.
    #[error("an earlier request left the attempt unresolved")]
    LeftUnresolved,
    /// Another process has taken it over.
    #[error("another process has taken the sign-up over")]
    TakenOver,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    #[test]
    fn an_attempt_of_another_process_gets_no_resolution_from_this_one() {
        let pinned = PinnedUserId::from_digest(&Digest::from_bytes([7; 32]));
        assert_eq!(SignupResult::taken_over().resolution(&pinned), None);
        let restartable = SignupResult::new(Outcome::Abandoned).restartable();
        assert_eq!(restartable.resolution(&pinned), Some(Resolution::Restartable));
    }
}
