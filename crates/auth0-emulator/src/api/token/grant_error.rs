//! Errors of a token request, in the format of OAuth 2.0.

use std::borrow::Cow;

use http::header::{HeaderName, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use crate::response::TenantResponse;
use crate::token::QuotaDraw;

/// The header with the remaining token quota.
const QUOTA: HeaderName = HeaderName::from_static("auth0-client-quota-limit");

/// Reason no token is issued.
#[derive(Debug)]
pub(super) enum GrantError {
    /// The Authentication API's rate limit is exceeded.
    Rate,
    /// The application's quota is used up for this many seconds.
    Quota(QuotaDraw, i64),
    /// A required parameter is missing.
    Missing(&'static str),
    /// The client id or secret is wrong. The tenant does not use `invalid_client` for this.
    Client,
    /// The assertion is invalid, with the reason.
    Assertion(&'static str),
    /// The application may not use this grant type.
    GrantType(String),
    /// No audience is given, and there is no default.
    NoAudience,
    /// The tenant has no such audience.
    Audience(String),
    /// The application has no grant for the API.
    NotAuthorized(String),
    /// The code, its callback or its verifier is wrong, with the reason.
    Code(&'static str),
    /// The signing key could not be generated.
    NoKey,
}

impl GrantError {
    /// The error response.
    pub(super) fn response(&self) -> TenantResponse {
        let (status, error, description) = self.parts();
        let body = json!({ "error": error, "error_description": description });
        let response = TenantResponse::json(status, &body);
        match self {
            Self::Quota(draw, seconds) => {
                with_quota(response, draw).with_header(RETRY_AFTER, HeaderValue::from(*seconds))
            }
            _ => response,
        }
    }

    /// The status, and the members `error` and `error_description`.
    fn parts(&self) -> (StatusCode, &'static str, Cow<'static, str>) {
        match self {
            Self::Rate => (
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_requests",
                "Global limit has been reached".into(),
            ),
            Self::Quota(..) => {
                (StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Client quota exceeded".into())
            }
            Self::Missing(name) => (
                StatusCode::BAD_REQUEST,
                "invalid_request",
                format!("Missing required parameter: {name}").into(),
            ),
            Self::Client => (StatusCode::UNAUTHORIZED, "access_denied", "Unauthorized".into()),
            Self::Assertion(why) => (StatusCode::UNAUTHORIZED, "invalid_client", (*why).into()),
            Self::GrantType(name) => (
                StatusCode::FORBIDDEN,
                "unauthorized_client",
                format!("Grant type '{name}' not allowed for the client.").into(),
            ),
            Self::NoAudience => (
                StatusCode::FORBIDDEN,
                "access_denied",
                "No audience parameter was provided, and no default audience has been configured"
                    .into(),
            ),
            Self::Audience(audience) => (
                StatusCode::FORBIDDEN,
                "access_denied",
                format!("Service not enabled within domain: {audience}").into(),
            ),
            Self::NotAuthorized(audience) => (
                StatusCode::FORBIDDEN,
                "access_denied",
                format!(
                    "Client is not authorized to access \"{audience}\". You need to create a \
                     \"client-grant\" associated to this API. See: \
                     https://auth0.com/docs/api/v2#!/Client_Grants/post_client_grants"
                )
                .into(),
            ),
            Self::Code(why) => (StatusCode::FORBIDDEN, "invalid_grant", (*why).into()),
            Self::NoKey => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "server_error",
                "the emulator has no signing key".into(),
            ),
        }
    }
}

/// Adds the header with the remaining quota.
pub(super) fn with_quota(response: TenantResponse, draw: &QuotaDraw) -> TenantResponse {
    match HeaderValue::try_from(draw.header.as_str()) {
        Ok(value) => response.with_header(QUOTA, value),
        Err(_) => response,
    }
}
