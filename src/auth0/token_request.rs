//! One client credentials request to `/oauth/token` (RFC 6749, section 4.4) and the meaning of its
//! response.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue};
use reqwest::Request;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::form_urlencoded;

use super::BuildError;
use super::error::{ErrorCode, Misconfiguration, TokenError, TransportError};
use super::http_client::{ConnectionChoice, HttpClient, SendError};
use super::redirect;
use super::response::ApiResponse;
use super::wait::{Api, RejectedCall, RequestedWait};
use crate::clock::Clock;
use crate::config::Auth0Settings;

/// The longest lifetime that Auth0 grants a token: 30 days. A longer one is not relied on.
const LONGEST: Duration = Duration::from_hours(30 * 24);
/// A token with a shorter lifetime is unusable.
const SHORTEST: Duration = Duration::from_secs(1);

/// A token that Auth0 granted.
#[derive(Debug)]
pub(super) struct TokenGrant {
    /// `Bearer …`, marked sensitive.
    pub(super) authorization: HeaderValue,
    /// The time for which it is valid, from the moment of the request.
    pub(super) lifetime: Duration,
    /// Its scopes, separated by spaces; `None` when the response names none.
    pub(super) scopes: Option<Box<str>>,
}

/// The request, prepared once.
#[derive(Debug)]
pub(super) struct TokenRequest {
    http: HttpClient,
    url: url::Url,
    client_id: String,
    client_secret: SecretString,
    audience: String,
    clock: Arc<dyn Clock>,
}

/// The body of a grant.
#[derive(Deserialize)]
struct TokenBody<'a> {
    #[serde(borrow)]
    access_token: Cow<'a, str>,
    expires_in: u64,
    /// A value that is not a text counts as absent.
    #[serde(default)]
    scope: Value,
}

/// The body of an error response (RFC 6749, section 5.2).
#[derive(Default, Deserialize)]
struct TokenErrorBody<'a> {
    #[serde(borrow, default)]
    error: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    error_description: Option<Cow<'a, str>>,
}

impl TokenRequest {
    pub(super) fn new(
        http: HttpClient,
        settings: &Auth0Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BuildError> {
        Ok(Self {
            http,
            url: format!("{}/oauth/token", settings.base).parse()?,
            client_id: settings.client_id.clone(),
            client_secret: settings.client_secret.clone(),
            audience: settings.audience.clone(),
            clock,
        })
    }

    /// Requests a token.
    pub(super) async fn send(&self) -> Result<TokenGrant, TokenError> {
        let response = self.exchange().await.map_err(TokenError::Failed)?;
        match response.status {
            // Redirects are not followed, and their bodies do not matter.
            status @ 300..=399 => Err(redirect::misconfiguration(status, &response.headers).into()),
            _ if response.is_truncated() => Err(unreadable(&response)),
            200 => grant(&response).ok_or_else(|| unreadable(&response)),
            429 => {
                let (headers, body) = (&response.headers, response.body());
                let rejected = RejectedCall { api: Api::Token, headers, body };
                let requested = RequestedWait::judge(rejected, self.clock.now());
                Err(TokenError::RateLimited { retry_after: requested.wait.unwrap_or_default() })
            }
            400..=499 => Err(denied(&response).into()),
            status => Err(TokenError::Failed(TransportError::Status(status))),
        }
    }

    /// Sends the request and reads the whole response.
    async fn exchange(&self) -> Result<ApiResponse, TransportError> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.client_id)
            .append_pair("client_secret", self.client_secret.expose_secret())
            .append_pair("audience", &self.audience)
            .finish();
        let mut request = Request::new(Method::POST, self.url.clone());
        let content_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, content_type);
        *request.body_mut() = Some(form.into());
        let sent = self.http.execute(request, ConnectionChoice::Pooled).await;
        Ok(ApiResponse::read(sent.map_err(|SendError { error, .. }| error)?).await)
    }
}

/// Reads a grant; `None` when it is not usable.
fn grant(response: &ApiResponse) -> Option<TokenGrant> {
    let body: TokenBody<'_> = response.json().ok()?;
    if body.access_token.is_empty() {
        return None;
    }
    let mut authorization = HeaderValue::from_str(&format!("Bearer {}", body.access_token)).ok()?;
    authorization.set_sensitive(true);
    let lifetime = Duration::from_secs(body.expires_in).min(LONGEST);
    let scopes = body.scope.as_str().map(Into::into);
    (lifetime >= SHORTEST).then_some(TokenGrant { authorization, lifetime, scopes })
}

/// Classifies a 4xx.
fn denied(response: &ApiResponse) -> Misconfiguration {
    let body: TokenErrorBody<'_> = response.json().unwrap_or_default();
    match (response.status, body.error.as_deref()) {
        (401, _) => Misconfiguration::Credentials,
        (403, Some("unauthorized_client")) => Misconfiguration::Grant,
        (403, Some("access_denied")) => match body.error_description.as_deref() {
            Some(text) if text.starts_with("Client is not authorized") => {
                Misconfiguration::ClientGrant
            }
            Some(text) if text.starts_with("Service not enabled") => {
                Misconfiguration::UnknownAudience
            }
            _ => Misconfiguration::Audience,
        },
        (status, code) => Misconfiguration::Unknown { status, code: ErrorCode::new(code) },
    }
}

/// The error of a response without a usable body.
const fn unreadable(response: &ApiResponse) -> TokenError {
    TokenError::Failed(TransportError::Unreadable(response.status))
}
