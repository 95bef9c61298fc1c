//! The result of a sign-up for its client: a user, or a problem for every other outcome.

use std::sync::Arc;

use axum::response::Response;
use http::HeaderValue;

use super::extensions::OutcomeCode;
use super::problem::{IDEMPOTENCY_REPLAYED, Problem, ProblemCode};
use crate::auth0::User;
use crate::domain::{FieldError, Violation};
use crate::signup::{Outcome, SignupResult};

/// A sign-up that succeeded, or that must appear to have succeeded.
#[derive(Debug)]
pub(super) struct SignedUp {
    /// The user that the tenant returned; `None` where new and known addresses get one response.
    pub(super) user: Option<Arc<User>>,
    /// The outcome's code, for the log and the metrics.
    outcome: &'static str,
    /// True if this is the response of an earlier request.
    replayed: bool,
}

impl SignedUp {
    /// A success that does not reveal whether the address is new.
    pub(super) fn hidden(result: &SignupResult) -> Self {
        Self { user: None, outcome: result.outcome.code(), replayed: result.replayed }
    }

    /// The user, or the problem of any other outcome.
    pub(super) fn from_result(result: SignupResult) -> Result<Self, Problem> {
        let code = result.outcome.code();
        let SignupResult { outcome, replayed, cause, .. } = result;
        let problem = match outcome {
            Outcome::Created(user) => {
                return Ok(Self { user: Some(user), outcome: code, replayed });
            }
            Outcome::PasswordRejected(rule) => {
                let error = FieldError::at("/password", Violation::Password(rule));
                Problem::invalid_fields(vec![error])
            }
            Outcome::UsernameRejected => {
                Problem::invalid_fields(vec![FieldError::at("/username", Violation::Malformed)])
            }
            Outcome::Busy { retry_after } => {
                Problem::new(ProblemCode::UpstreamBusy).retry_after(retry_after)
            }
            Outcome::Rejected(rejection) => rejection.into(),
            Outcome::EmailTaken => Problem::new(ProblemCode::EmailTaken),
            Outcome::UsernameTaken => Problem::new(ProblemCode::UsernameTaken),
            Outcome::UpstreamRejected => Problem::new(ProblemCode::UpstreamRejected),
            Outcome::Internal => Problem::new(ProblemCode::Internal),
            Outcome::Unreachable { retry_after } => {
                let problem = Problem::new(ProblemCode::UpstreamUnavailable);
                match retry_after {
                    Some(wait) => problem.retry_after(wait),
                    None => problem,
                }
            }
            Outcome::Unknown => Problem::new(ProblemCode::OutcomeUnknown),
            Outcome::LedgerUnavailable | Outcome::Abandoned => {
                Problem::new(ProblemCode::Unavailable)
            }
            Outcome::KeyReused => Problem::new(ProblemCode::IdempotencyKeyReused),
            Outcome::InProgress => Problem::new(ProblemCode::IdempotencyInProgress),
        };
        Err(Problem { replayed, cause, ..problem })
    }

    /// Adds the headers and extensions that every successful response has.
    pub(super) fn mark(&self, response: &mut Response) {
        if self.replayed {
            response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        }
        response.extensions_mut().insert(OutcomeCode(self.outcome));
    }
}
