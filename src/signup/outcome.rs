//! What can come of a sign-up that met every rule: one closed vocabulary for the answer, the log
//! and the metrics.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use crate::auth0::{Error, User};
use crate::domain::PasswordRule;

/// What came of a sign-up.
#[derive(Debug)]
pub enum Outcome {
    /// The user exists now, and this sign-up made it.
    Created(Box<User>),
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
    Unavailable,
    /// The user may or may not exist now.
    Unknown,
}

/// An outcome, with its cause for the log.
#[derive(Debug)]
pub struct Done {
    /// What came of it.
    pub outcome: Outcome,
    /// Why, where there is something to say beyond the outcome.
    pub cause: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Done {
    /// An outcome that speaks for itself.
    pub const fn new(outcome: Outcome) -> Self {
        Self { outcome, cause: None }
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
            Error::NotSent(_) => Outcome::Unavailable,
            Error::Unclear(_) => Outcome::Unknown,
        };
        Self { outcome, cause: Some(Arc::new(error)) }
    }
}
