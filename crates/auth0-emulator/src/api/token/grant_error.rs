//! Errors of a token request, in the format of OAuth 2.0.

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
        let response = error(self.status(), self.error(), &self.description());
        match self {
            Self::Quota(draw, seconds) => {
                with_quota(response, draw).with_header(RETRY_AFTER, HeaderValue::from(*seconds))
            }
            _ => response,
        }
    }

    /// The status of the response.
    fn status(&self) -> StatusCode {
        match self {
            Self::Rate | Self::Quota(..) => StatusCode::TOO_MANY_REQUESTS,
            Self::Missing(_) => StatusCode::BAD_REQUEST,
            Self::Client | Self::Assertion(_) => StatusCode::UNAUTHORIZED,
            Self::GrantType(_)
            | Self::NoAudience
            | Self::Audience(_)
            | Self::NotAuthorized(_)
            | Self::Code(_) => StatusCode::FORBIDDEN,
            Self::NoKey => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The member `error`.
    fn error(&self) -> &'static str {
        match self {
            Self::Rate | Self::Quota(..) => "too_many_requests",
            Self::Missing(_) => "invalid_request",
            Self::Assertion(_) => "invalid_client",
            Self::GrantType(_) => "unauthorized_client",
            Self::Client | Self::NoAudience | Self::Audience(_) | Self::NotAuthorized(_) => {
                "access_denied"
            }
            Self::Code(_) => "invalid_grant",
            Self::NoKey => "server_error",
        }
    }

    /// The member `error_description`.
    fn description(&self) -> String {
        match self {
            Self::Rate => "Global limit has been reached".to_owned(),
            Self::Quota(..) => "Client quota exceeded".to_owned(),
            Self::Missing(name) => format!("Missing required parameter: {name}"),
            Self::Client => "Unauthorized".to_owned(),
            Self::Assertion(why) | Self::Code(why) => (*why).to_owned(),
            Self::GrantType(name) => {
                format!("Grant type '{name}' not allowed for the client.")
            }
            Self::NoAudience => "No audience parameter was provided, and no default audience has \
                                 been configured"
                .to_owned(),
            Self::Audience(audience) => format!("Service not enabled within domain: {audience}"),
            Self::NotAuthorized(audience) => format!(
                "Client is not authorized to access \"{audience}\". You need to create a \
                 \"client-grant\" associated to this API. See: \
                 https://auth0.com/docs/api/v2#!/Client_Grants/post_client_grants"
            ),
            Self::NoKey => "the emulator has no signing key".to_owned(),
        }
    }
}

/// Builds an error response of the Authentication API.
fn error(status: StatusCode, error: &str, description: &str) -> TenantResponse {
    TenantResponse::json(status, &json!({ "error": error, "error_description": description }))
}

/// Adds the header with the remaining quota.
pub(super) fn with_quota(response: TenantResponse, draw: &QuotaDraw) -> TenantResponse {
    match HeaderValue::try_from(draw.header.as_str()) {
        Ok(value) => response.with_header(QUOTA, value),
        Err(_) => response,
    }
}
