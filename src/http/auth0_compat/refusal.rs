//! Refusals in the shapes of Auth0's endpoint. `code` decides which words Auth0Compat shows.

use http::StatusCode;
use serde_json::{Value, json};

use super::super::problem::{DETAIL, Problem, ProblemCode};
use super::password;
use crate::domain::{FieldError, Violation};
use crate::page::Page;
use crate::page::messages::Messages;
use crate::texts::Locale;

/// A refusal as Auth0 would word it.
pub(in super::super) struct Refused {
    /// Its status there.
    pub(in super::super) status: StatusCode,
    /// Its body there.
    pub(in super::super) body: Value,
}

/// The shape of a problem. `page` knows the rules of the password policy in force, and what fields are
/// called; without it neither is told.
pub(in super::super) fn refused(problem: &Problem, page: Option<&Page>, locale: Locale) -> Refused {
    let code = problem.code();
    let detail = || match problem.own_detail() {
        Some(own) => own.to_owned(),
        None => locale.attribute(code.name(), DETAIL).unwrap_or_default().into_owned(),
    };
    match code {
        ProblemCode::EmailTaken => bad_request("user_exists", "The user already exists."),
        ProblemCode::UsernameTaken => {
            bad_request("username_exists", "The username already exists.")
        }
        ProblemCode::InvalidFields => fields(problem.errors(), page, locale),
        ProblemCode::MalformedBody => bad_request("invalid_signup", "Invalid sign up"),
        // Auth0's own answer, an `error` without a code, makes Auth0Compat say that something went wrong.
        ProblemCode::SignupsClosed => bad_request("hook_error", &detail()),
        ProblemCode::ChallengeRequired | ProblemCode::ChallengeFailed => {
            bad_request("invalid_captcha", &detail())
        }
        ProblemCode::RateLimited | ProblemCode::UpstreamBusy => error(
            "TooManyRequestsError",
            "too_many_requests",
            &detail(),
            StatusCode::TOO_MANY_REQUESTS,
        ),
        ProblemCode::OriginNotAllowed => {
            error("ForbiddenError", "unauthorized", &detail(), code.status())
        }
        ProblemCode::NotFound
        | ProblemCode::MethodNotAllowed
        | ProblemCode::RequestTimeout
        | ProblemCode::IdempotencyInProgress
        | ProblemCode::IdempotencyKeyReused
        | ProblemCode::BodyTooLarge
        | ProblemCode::UnsupportedMediaType
        | ProblemCode::HeadersTooLarge
        | ProblemCode::Internal
        | ProblemCode::UpstreamRejected
        | ProblemCode::Unavailable
        | ProblemCode::ChallengeUnavailable
        | ProblemCode::UpstreamUnavailable
        | ProblemCode::OutcomeUnknown => error("Error", code.name(), &detail(), code.status()),
    }
}

/// Fields that break their rules. Auth0Compat words a bad password by itself and shows a `hook_error` as it
/// stands, so that a person learns all that is wrong; what only a developer can mend is neither.
fn fields(errors: &[FieldError], page: Option<&Page>, locale: Locale) -> Refused {
    let mendable = |error: &&FieldError| match &error.violation {
        Violation::UnknownField | Violation::DuplicateField | Violation::WrongType { .. } => false,
        Violation::NotAllowed => !matches!(&*error.pointer, "/client_id" | "/connection"),
        Violation::Required
        | Violation::Malformed
        | Violation::TooLong { .. }
        | Violation::TooShort { .. }
        | Violation::NotListed { .. }
        | Violation::OutOfRange { .. }
        | Violation::DomainNotAllowed
        | Violation::TermsRequired
        | Violation::ControlCharacter
        | Violation::Password(_) => true,
    };
    let unmet: Vec<_> = errors
        .iter()
        .filter_map(|error| match &error.violation {
            Violation::Password(rule) => Some(rule),
            _ => None,
        })
        .collect();
    if unmet.len() == errors.len() {
        return password::refused(&unmet, page.map(Page::password_rules).unwrap_or_default());
    }
    let told: Vec<_> = errors.iter().filter(mendable).collect();
    if told.len() == unmet.len() {
        return bad_request("invalid_signup", "Invalid sign up");
    }
    let sentences: Vec<_> = told.into_iter().map(|error| sentence(error, page, locale)).collect();
    bad_request("hook_error", &sentences.join(" "))
}

/// What is wrong with a field, after what the built-in page calls it.
fn sentence(error: &FieldError, page: Option<&Page>, locale: Locale) -> String {
    let field = error.field();
    let label =
        page.and_then(|page| page.label(&field, Messages::for_locale(locale))).unwrap_or(&field);
    format!("{label}: {}", locale.field_error(error))
}

/// A 400 that has a code.
pub(super) fn bad_request(code: &str, description: &str) -> Refused {
    error("BadRequestError", code, description, StatusCode::BAD_REQUEST)
}

fn error(name: &str, code: &str, description: &str, status: StatusCode) -> Refused {
    let body = json!({
        "name": name,
        "code": code,
        "description": description,
        "statusCode": status.as_u16(),
    });
    Refused { status, body }
}
