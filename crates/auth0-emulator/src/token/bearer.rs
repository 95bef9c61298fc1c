//! Access-token validation of the Management API.

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use super::jwt::ParsedJwt;
use super::keys;
use crate::response::TenantResponse;
use crate::state::Call;

/// Reason a call is not authorized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BearerError {
    /// There is no `Authorization` header.
    Missing,
    /// The header contains no JWT.
    Malformed,
    /// The token was not signed by the tenant.
    Signature,
    /// The token has expired.
    Expired,
    /// The token is the tenant's, but revoked or issued for another audience or issuer.
    Invalid,
    /// The token lacks this scope.
    Scope(&'static str),
}

impl BearerError {
    /// The error response.
    pub(crate) fn response(self) -> TenantResponse {
        match self {
            Self::Missing => {
                TenantResponse::error(StatusCode::UNAUTHORIZED, "Missing authentication", None)
                    .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            }
            Self::Malformed => TenantResponse::error(
                StatusCode::BAD_REQUEST,
                "Bad HTTP authentication header format",
                Some("Bearer"),
            ),
            Self::Signature => {
                unauthorized("Invalid signature received for JSON Web Token validation")
            }
            Self::Expired => unauthorized("Expired token received for JSON Web Token validation"),
            Self::Invalid => unauthorized("Invalid token"),
            Self::Scope(scope) => TenantResponse::error(
                StatusCode::FORBIDDEN,
                format!("Insufficient scope, expected any of: {scope}"),
                Some("insufficient_scope"),
            ),
        }
    }
}

/// The response to an invalid token. The message appears twice.
fn unauthorized(message: &str) -> TenantResponse {
    let body = json!({
        "statusCode": 401,
        "error": "Unauthorized",
        "message": message,
        "attributes": { "error": message },
    });
    TenantResponse::json(StatusCode::UNAUTHORIZED, &body)
        .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

/// Checks the access token of a call.
///
/// # Errors
///
/// Returns an error if the call is not authorized.
pub(crate) fn check(call: &Call<'_>, scope: &'static str) -> Result<(), BearerError> {
    let header = call.entry.headers.get(AUTHORIZATION).ok_or(BearerError::Missing)?;
    let token = header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .ok_or(BearerError::Malformed)?
        .1;
    let jwt = ParsedJwt::parse(token).ok_or(BearerError::Malformed)?;
    if !keys::verifies(jwt.signed, &jwt.signature) {
        return Err(BearerError::Signature);
    }
    if jwt.number("exp").is_none_or(|exp| exp <= call.state.clock.unix_seconds()) {
        return Err(BearerError::Expired);
    }
    let issued_here = jwt.text("iss") == Some(&format!("{}/", call.base));
    let for_this_tenant = jwt.text("aud").is_some_and(|aud| call.is_management_audience(aud));
    let current = keys::key_id(call.state.generation());
    let not_revoked = jwt.header.get("kid").and_then(|kid| kid.as_str()) == Some(current.as_str());
    if !(issued_here && for_this_tenant && not_revoked) {
        return Err(BearerError::Invalid);
    }
    let granted = jwt.text("scope").unwrap_or_default();
    if granted.split(' ').any(|one| one == scope) { Ok(()) } else { Err(BearerError::Scope(scope)) }
}
