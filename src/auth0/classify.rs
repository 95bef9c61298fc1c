//! What the tenant's answers to create-user mean: decided by status and `errorCode` first, then by
//! the fixed beginning of `message`. Anything unknown is opaque.
//!
//! Source: Auth0's Management API document and live answers; `docs/auth0.md` lists them.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use serde::Deserialize;

use super::error::{Error, ErrorCode, Misconfiguration, Transport};
use super::rate_headers::RateHeaders;
use crate::domain::PasswordRule;

/// The wait when a 429 tells none: the buckets of all plans refill within a second.
const DEFAULT_WAIT: Duration = Duration::from_secs(1);

/// The longest wait that is believed: a token quota of the application ends with the day at the latest.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// Auth0's error envelope. Every member may be absent, or the body may be something else.
#[derive(Debug, Default, Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "errorCode", borrow, default)]
    error_code: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
}

/// Whether an answer refuses the token, which a fresh one may mend. Nothing was done then.
pub(super) fn refuses_token(status: u16, body: &[u8]) -> bool {
    let is_bearer = || {
        let envelope: Envelope<'_> = serde_json::from_slice(body).unwrap_or_default();
        envelope.error_code.as_deref() == Some("Bearer")
    };
    status == 401 || (status == 400 && is_bearer())
}

/// Whether an answer says that there is no such user. A 404 alone does not: something in front of
/// the tenant may send one for a path that it does not know.
pub(super) fn denies_the_user(status: u16, body: &[u8]) -> bool {
    let envelope: Envelope<'_> = serde_json::from_slice(body).unwrap_or_default();
    let message = envelope.message.as_deref().unwrap_or_default();
    let denied = envelope.error_code.as_deref() == Some("inexistent_user")
        || message.starts_with("The user does not exist");
    status == 404 && denied
}

/// Whether an answer says that the application lacks the scope. A 403 alone does not: the network in
/// front of the tenant sends those as well, and they pass.
pub(super) fn lacks_scope(status: u16, body: &[u8]) -> bool {
    let envelope: Envelope<'_> = serde_json::from_slice(body).unwrap_or_default();
    status == 403 && envelope.error_code.as_deref() == Some("insufficient_scope")
}

/// The meaning of an answer to create-user that is not a success and does not refuse the token.
///
/// `now` is the wall clock, for a reset given as an absolute time.
pub(crate) fn classify(status: u16, headers: &HeaderMap, body: &[u8], now: Duration) -> Error {
    let envelope: Envelope<'_> = serde_json::from_slice(body).unwrap_or_default();
    let code = envelope.error_code.as_deref();
    let message = envelope.message.as_deref().unwrap_or_default();
    let unknown = || Misconfiguration::Unknown { status, code: ErrorCode::new(code) }.into();
    match (status, code) {
        (400, Some("invalid_body")) => Error::InvalidBody,
        (400, Some("inexistent_connection")) => {
            Misconfiguration::Connection { problem: "does not exist" }.into()
        }
        (400, _) => bad_request(message).unwrap_or_else(unknown),
        (403, Some("insufficient_scope")) => Misconfiguration::Scope.into(),
        (403, _) => Misconfiguration::Plan { code: ErrorCode::new(code) }.into(),
        (409, Some("custom_domain_conflict")) => Misconfiguration::CustomDomain.into(),
        (409, Some("auth0_idp_error")) => Error::UserExists,
        (409, None) if message.starts_with("The user already exists") => Error::UserExists,
        (429, _) => Error::RateLimited { retry_after: retry_after(headers, now) },
        // A 2xx that is no 201 may have made a user; 408: the tenant's edge gave up waiting.
        (200..=299 | 408 | 500.., _) => Error::Ambiguous(Arc::new(Transport::Status(status))),
        (_, _) => unknown(),
    }
}

fn bad_request(message: &str) -> Option<Error> {
    const PASSWORD: [(&str, PasswordRule); 5] = [
        ("PasswordStrengthError", PasswordRule::TooWeak),
        ("PasswordDictionaryError", PasswordRule::TooCommon),
        ("PasswordNoUserInfoError", PasswordRule::ContainsUserInfo { fields: Vec::new() }),
        ("PasswordBreachedError", PasswordRule::Breached),
        ("PasswordHistoryError", PasswordRule::UsedBefore),
    ];
    const CONNECTION: [(&str, &str); 2] = [
        ("The connection does not exist", "does not exist"),
        ("The connection is disabled", "is disabled"),
    ];
    let rule = PASSWORD.into_iter().find(|(prefix, _)| message.starts_with(prefix));
    if let Some((_, rule)) = rule {
        return Some(Error::PasswordRefused(rule));
    }
    if message.starts_with("The username provided is in use already") {
        return Some(Error::UsernameExists);
    }
    let problem = CONNECTION.into_iter().find(|(prefix, _)| message.starts_with(prefix));
    problem.map(|(_, problem)| Misconfiguration::Connection { problem }.into())
}

/// The wait that a 429 asks for: `Retry-After`, or the time until `x-ratelimit-reset`. Between a second
/// and a day.
///
/// The reset is a second of the tenant's clock, so it is compared with the response's own `Date`.
pub(super) fn retry_after(headers: &HeaderMap, now: Duration) -> Duration {
    let headers = RateHeaders::new(headers);
    let wait = headers.retry_after(Some(now)).or_else(|| headers.reset_in(Some(now)));
    wait.unwrap_or(DEFAULT_WAIT).clamp(DEFAULT_WAIT, LONGEST_WAIT)
}
