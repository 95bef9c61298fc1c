//! One client credentials request to `/oauth/token` (RFC 6749, 4.4) and what its answer means.

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
use super::token_quota::TokenQuota;
use super::{BuildError, Error};
use crate::clock::Clock;
use crate::config::Auth0Settings;

/// The longest life that Auth0 gives a token: 30 days. More is nothing to rely on.
const LONGEST: Duration = Duration::from_hours(30 * 24);
/// A token of a shorter life is of no use.
const SHORTEST: Duration = Duration::from_secs(1);

/// A token as it was granted.
#[derive(Debug)]
pub(super) struct Grant {
    /// `Bearer …`, marked sensitive.
    pub(super) authorization: HeaderValue,
    /// How long it is good for, from the moment of the request.
    pub(super) lifetime: Duration,
}

/// The request, made once.
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
struct Granted<'a> {
    #[serde(borrow)]
    access_token: Cow<'a, str>,
    expires_in: u64,
}

#[derive(Default, Deserialize)]
struct Denied<'a> {
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

    /// Asks for a token. The quota is what the answer tells of it, also when it is a refusal.
    ///
    /// # Errors
    /// Never about a user: [`Error::Misconfigured`], [`Error::RateLimited`] or
    /// [`Error::NotSent`], since a sign-up without a token is surely not sent.
    pub(super) async fn send(&self) -> (Result<Grant, Error>, TokenQuota) {
        match self.exchange().await {
            Ok((status, headers, body)) => {
                let quota = TokenQuota::of(&headers);
                (self.meaning(status, &headers, &body, &quota), quota)
            }
            Err(error) => (Err(not_sent(error)), TokenQuota::default()),
        }
    }

    /// The answer, read to its end.
    async fn exchange(&self) -> reqwest::Result<(u16, HeaderMap, Bytes)> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.client_id)
            .append_pair("client_secret", self.client_secret.expose_secret())
            .append_pair("audience", &self.audience)
            .finish();
        let request = self.http.post(self.url.clone());
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = request.body(form).send().await?;
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        Ok((status, headers, read_body(answer).await?))
    }

    fn meaning(
        &self,
        status: u16,
        headers: &HeaderMap,
        body: &Bytes,
        quota: &TokenQuota,
    ) -> Result<Grant, Error> {
        match status {
            200 => grant(body).ok_or_else(|| without_token(Transport::Unreadable(200))),
            429 => {
                let retry_after = retry_after(headers, quota.spent_for(), self.clock.now());
                Err(Error::RateLimited { retry_after })
            }
            400..=499 => Err(denied(status, body).into()),
            _ => Err(without_token(Transport::Status(status))),
        }
    }
}

fn grant(body: &Bytes) -> Option<Grant> {
    let granted: Granted<'_> = serde_json::from_slice(body).ok()?;
    if granted.access_token.is_empty() {
        return None;
    }
    let mut authorization =
        HeaderValue::from_str(&format!("Bearer {}", granted.access_token)).ok()?;
    authorization.set_sensitive(true);
    let lifetime = Duration::from_secs(granted.expires_in).min(LONGEST);
    (lifetime >= SHORTEST).then_some(Grant { authorization, lifetime })
}

fn denied(status: u16, body: &Bytes) -> Misconfiguration {
    let denied: Denied<'_> = serde_json::from_slice(body).unwrap_or_default();
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
