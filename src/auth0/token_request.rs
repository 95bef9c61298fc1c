//! One client credentials request to `/oauth/token` (RFC 6749, section 4.4) and the meaning of its
//! response.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::form_urlencoded;

use super::classify::retry_after;
use super::client::read_body;
use super::error::{ErrorCode, Misconfiguration, Transport, transport};
use super::{BuildError, Error};
use crate::clock::Clock;
use crate::config::Auth0Settings;

/// The longest lifetime that Auth0 grants a token: 30 days. A longer one is not relied on.
const LONGEST: Duration = Duration::from_hours(30 * 24);
/// A token with a shorter lifetime is unusable.
const SHORTEST: Duration = Duration::from_secs(1);

/// A body token.
#[derive(Debug)]
pub(super) struct TokenGrant {
    /// `Bearer …`, marked sensitive.
    pub(super) authorization: HeaderValue,
    /// The time for which it is valid, from the moment of the request.
    pub(super) lifetime: Duration,
}

/// The request, prepared once.
#[derive(Debug)]
pub(super) struct TokenRequest {
    http: reqwest::Client,
    url: url::Url,
    client_id: String,
    client_secret: SecretString,
    audience: String,
    clock: Arc<dyn Clock>,
}

#[derive(Deserialize)]
struct TokenBody<'a> {
    #[serde(borrow)]
    access_token: Cow<'a, str>,
    expires_in: u64,
}

#[derive(Default, Deserialize)]
struct TokenErrorBody<'a> {
    #[serde(borrow, default)]
    error: Option<Cow<'a, str>>,
}

impl TokenRequest {
    pub(super) fn new(
        http: reqwest::Client,
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
    ///
    /// # Errors
    /// Never about a user: [`Error::Misconfigured`], [`Error::RateLimited`] or [`Error::NotSent`], since a
    /// sign-up without a token was certainly not sent.
    pub(super) async fn send(&self) -> Result<TokenGrant, Error> {
        let (status, headers, body) = self.exchange().await.map_err(not_sent)?;
        self.classify(status, &headers, &body)
    }

    /// Sends the request and reads the whole response.
    async fn exchange(&self) -> reqwest::Result<(u16, HeaderMap, Bytes)> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.client_id)
            .append_pair("client_secret", self.client_secret.expose_secret())
            .append_pair("audience", &self.audience)
            .finish();
        let request = self.http.post(self.url.clone());
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let response = request.body(form).send().await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        Ok((status, headers, read_body(response).await?))
    }

    fn classify(
        &self,
        status: u16,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<TokenGrant, Error> {
        match status {
            200 => grant(body).ok_or_else(|| without_token(Transport::Unreadable(200))),
            429 => Err(Error::RateLimited { retry_after: retry_after(headers, self.clock.now()) }),
            400..=499 => Err(denied(status, body).into()),
            _ => Err(without_token(Transport::Status(status))),
        }
    }
}

fn grant(body: &Bytes) -> Option<TokenGrant> {
    let body: TokenBody<'_> = serde_json::from_slice(body).ok()?;
    if body.access_token.is_empty() {
        return None;
    }
    let mut authorization = HeaderValue::from_str(&format!("Bearer {}", body.access_token)).ok()?;
    authorization.set_sensitive(true);
    let lifetime = Duration::from_secs(body.expires_in).min(LONGEST);
    (lifetime >= SHORTEST).then_some(TokenGrant { authorization, lifetime })
}

fn denied(status: u16, body: &Bytes) -> Misconfiguration {
    let denied: TokenErrorBody<'_> = serde_json::from_slice(body).unwrap_or_default();
    match (status, denied.error.as_deref()) {
        (401, _) => Misconfiguration::Credentials,
        (403, Some("unauthorized_client")) => Misconfiguration::Grant,
        (403, Some("access_denied")) => Misconfiguration::Audience,
        (_, code) => Misconfiguration::Unknown { status, code: ErrorCode::new(code) },
    }
}

fn not_sent(error: reqwest::Error) -> Error {
    match transport(error) {
        Error::Ambiguous(source) => Error::NotSent(source),
        other => other,
    }
}

fn without_token(reason: Transport) -> Error {
    Error::NotSent(Arc::new(reason))
}
