//! Whether the Management API takes the token of a call.

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use super::jwt::Parts;
use super::keys;
use crate::answer::Answer;
use crate::world::Call;

/// Why a call is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// It has no `Authorization` header.
    Missing,
    /// The header holds no token at all.
    Malformed,
    /// The token is not the tenant's.
    Signature,
    /// The token's time is over.
    Expired,
    /// The token is the tenant's, but revoked or meant for something else.
    Invalid,
    /// The token does not have the scope.
    Scope(&'static str),
}

impl Denied {
    /// The answer that says so.
    pub(crate) fn answer(self) -> Answer {
        match self {
            Self::Missing => {
                Answer::problem(StatusCode::UNAUTHORIZED, "Missing authentication", None)
                    .with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            }
            Self::Malformed => Answer::problem(
                StatusCode::BAD_REQUEST,
                "Bad HTTP authentication header format",
                Some("Bearer"),
            ),
            Self::Signature => {
                unauthorized("Invalid signature received for JSON Web Token validation")
            }
            Self::Expired => unauthorized("Expired token received for JSON Web Token validation"),
            Self::Invalid => unauthorized("Invalid token"),
            Self::Scope(scope) => Answer::problem(
                StatusCode::FORBIDDEN,
                format!("Insufficient scope, expected any of: {scope}"),
                Some("insufficient_scope"),
            ),
        }
    }
}

/// The answer to a token that is refused; it says why twice.
fn unauthorized(message: &str) -> Answer {
    let body = json!({
        "statusCode": 401,
        "error": "Unauthorized",
        "message": message,
        "attributes": { "error": message },
    });
    Answer::json(StatusCode::UNAUTHORIZED, &body)
        .with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

/// Checks the token of a call.
///
/// # Errors
///
/// When the call is not let in.
pub(crate) fn check(call: &Call<'_>, scope: &'static str) -> Result<(), Denied> {
    let header = call.entry.headers.get(AUTHORIZATION).ok_or(Denied::Missing)?;
    let token = header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .ok_or(Denied::Malformed)?
        .1;
    let parts = Parts::of(token).ok_or(Denied::Malformed)?;
    if !keys::verifies(parts.signed, &parts.signature) {
        return Err(Denied::Signature);
    }
    if parts.number("exp").is_none_or(|exp| exp <= call.world.clock.unix_seconds()) {
        return Err(Denied::Expired);
    }
    let issued_here = parts.text("iss") == Some(&format!("{}/", call.base));
    let meant_for_us = parts.text("aud").is_some_and(|aud| call.is_management_audience(aud));
    let current = keys::key_id(call.world.generation());
    let in_force = parts.header.get("kid").and_then(|kid| kid.as_str()) == Some(current.as_str());
    if !(issued_here && meant_for_us && in_force) {
        return Err(Denied::Invalid);
    }
    let granted = parts.text("scope").unwrap_or_default();
    if granted.split(' ').any(|one| one == scope) { Ok(()) } else { Err(Denied::Scope(scope)) }
}
