//! Problems in the shapes of Auth0's endpoint.

use http::StatusCode;

use super::error_response::ErrorResponse;
use super::password;
use crate::domain::{FieldError, Violation};
use crate::http::problem::{DETAIL, Problem, ProblemCode};
use crate::page::Page;
use crate::page::messages::Messages;
use crate::texts::Locale;

/// The error response of a problem. `page` has the password rules and the labels of fields; without
/// it, the rules are left out and fields have their names in code.
pub(in crate::http) fn error(
    problem: &Problem,
    page: Option<&Page>,
    locale: Locale,
) -> ErrorResponse {
    let code = problem.code;
    let detail = || match problem.detail.as_deref() {
        Some(own) => own.to_owned(),
        None => locale.attribute(code.name(), DETAIL).unwrap_or_default().into_owned(),
    };
    match code {
        ProblemCode::EmailTaken => {
            ErrorResponse::bad_request("user_exists", "The user already exists.")
        }
        ProblemCode::UsernameTaken => {
            ErrorResponse::bad_request("username_exists", "The username already exists.")
        }
        ProblemCode::InvalidFields => invalid_fields(&problem.errors, page, locale),
        ProblemCode::MalformedBody => invalid_signup(),
        // Auth0's own response, an `error` without a code, makes Lock say that something went
        // wrong.
        ProblemCode::SignupsClosed => ErrorResponse::bad_request("hook_error", &detail()),
        ProblemCode::ChallengeRequired | ProblemCode::ChallengeFailed => {
            ErrorResponse::bad_request("invalid_captcha", &detail())
        }
        ProblemCode::RateLimited | ProblemCode::UpstreamBusy => ErrorResponse::new(
            "TooManyRequestsError",
            "too_many_requests",
            &detail(),
            StatusCode::TOO_MANY_REQUESTS,
        ),
        ProblemCode::OriginNotAllowed => {
            ErrorResponse::new("ForbiddenError", "unauthorized", &detail(), code.status())
        }
        ProblemCode::NotFound
        | ProblemCode::MethodNotAllowed
        | ProblemCode::MalformedRequest
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
        | ProblemCode::OutcomeUnknown => {
            ErrorResponse::new("Error", code.name(), &detail(), code.status())
        }
    }
}

fn invalid_signup() -> ErrorResponse {
    ErrorResponse::bad_request("invalid_signup", "Invalid sign up")
}

/// The response to fields that violate their rules.
///
/// Lock has its own text for a bad password, and shows the description of a `hook_error` unchanged.
/// So a `hook_error` lists every error that a user can correct. If a developer must correct all
/// errors but the password's, the response is `invalid_signup`.
fn invalid_fields(errors: &[FieldError], page: Option<&Page>, locale: Locale) -> ErrorResponse {
    let is_correctable = |error: &&FieldError| match &error.violation {
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
        | Violation::TermsChanged
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
        return password::error(&unmet, page.map(Page::password_rules).unwrap_or_default());
    }
    let correctable: Vec<_> = errors.iter().filter(is_correctable).collect();
    if correctable.len() == unmet.len() {
        return invalid_signup();
    }
    let sentences: Vec<_> =
        correctable.into_iter().map(|error| sentence(error, page, locale)).collect();
    ErrorResponse::bad_request("hook_error", &sentences.join(" "))
}

/// The message about a field, after its label on the built-in page.
fn sentence(error: &FieldError, page: Option<&Page>, locale: Locale) -> String {
    let field = error.field();
    let messages = Messages::for_locale(locale);
    let label = page.and_then(|page| page.label(&field, messages)).unwrap_or(&field);
    messages.labelled(label, &locale.field_error(error))
}
