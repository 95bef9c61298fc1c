//! One client credentials request to `/oauth/token` (RFC 6749, section 4.4) and the meaning of its
//! response.

use std::borrow::Cow;
use std::time::Duration;

use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::Request;
use serde::Deserialize;
use serde_json::Value;
use url::form_urlencoded;

use super::BuildError;
use super::credentials::{ClientIdentity, CredentialStore};
use super::error::{Api, ErrorCode, Misconfiguration, TokenError, TransportError};
use super::headers::NO_ENCODING;
use super::http_client::HttpClient;
use super::redirect;
use super::response::ApiResponse;
use super::sender::is_from_auth0;
use super::wait::RequestedWait;
use crate::clock::TenantTime;
use crate::config::{Auth0Settings, ClientCredential};

/// The longest lifetime that Auth0 grants a token: 30 days. A longer one is not relied on.
const LONGEST: Duration = Duration::from_hours(30 * 24);
/// A token with a shorter lifetime is unusable.
const SHORTEST: Duration = Duration::from_secs(1);
/// The lifetime of a token whose response names none, which it need not (RFC 6749, section 5.1).
const UNNAMED: Duration = Duration::from_hours(1);

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
    client: ClientIdentity,
    credentials: CredentialStore,
    audience: String,
}

/// The body of a grant.
#[derive(Deserialize)]
struct TokenBody<'a> {
    #[serde(borrow)]
    access_token: Cow<'a, str>,
    /// Seconds: a number, or a text with one.
    #[serde(default)]
    expires_in: Value,
    /// A value that is not a text counts as absent.
    #[serde(default)]
    scope: Value,
}

/// The body of an error response (RFC 6749, section 5.2).
#[derive(Default, Deserialize)]
struct TokenErrorBody {
    error: Option<String>,
    error_description: Option<String>,
}

impl TokenRequest {
    pub(super) fn new(http: HttpClient, settings: &Auth0Settings) -> Result<Self, BuildError> {
        Ok(Self {
            http,
            url: format!("{}/oauth/token", settings.base).parse()?,
            client: ClientIdentity {
                id: settings.client_id.clone(),
                issuer: format!("{}/", settings.base),
            },
            credentials: CredentialStore::new(settings.credentials.clone()),
            audience: settings.audience.clone(),
        })
    }

    /// The application's credentials.
    pub(super) const fn credentials(&self) -> &CredentialStore {
        &self.credentials
    }

    /// Requests a token. If Auth0 rejects a credential, tries the other one. If it rejects that too,
    /// tries the first again: the secret may have been rotated between the two requests.
    pub(super) async fn send(&self) -> Result<TokenGrant, TokenError> {
        let candidates = self.credentials.candidates();
        let result = self.send_with(candidates.first()).await;
        match candidates.second() {
            Some(second) if is_credential_rejected(&result) => {
                let result = self.send_with(second).await;
                if is_credential_rejected(&result) {
                    return self.send_with(candidates.first()).await;
                }
                if result.is_ok() {
                    self.credentials.prefer_second(&candidates);
                }
                result
            }
            _ => result,
        }
    }

    async fn send_with(&self, credential: &ClientCredential) -> Result<TokenGrant, TokenError> {
        let request = self.request(credential).ok_or(Misconfiguration::Credentials)?;
        let response = self.http.exchange(request).await.map_err(TokenError::Failed)?;
        match response.status {
            // Redirects are not followed, and their bodies do not matter.
            300..=399 => Err(redirect::misconfiguration(&response).into()),
            _ if response.is_unreadable() => Err(unreadable(&response)),
            status @ ..=299 => grant(&response).ok_or_else(|| not_auth0(status)),
            429 => {
                let requested = RequestedWait::from_rejection(Api::Token, &response);
                Err(TokenError::RateLimited { retry_after: requested.wait.unwrap_or_default() })
            }
            // From the network in front of the tenant, and temporary.
            status @ (408 | 425) => Err(TokenError::Failed(TransportError::Status(status))),
            400..=499 => Err(denied(&response)),
            status => Err(TokenError::Failed(TransportError::Status(status))),
        }
    }

    /// Builds the request; `None` for a credential that cannot be sent.
    fn request(&self, credential: &ClientCredential) -> Option<Request> {
        // An assertion expires by the tenant's clock.
        let clock = self.http.tenant_clock();
        let now = clock.now().map_or_else(|| clock.local_now(), TenantTime::since_epoch);
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        let authorization = self.client.authenticate(credential, &mut form, now).ok()?;
        form.append_pair("audience", &self.audience);
        let mut request = Request::new(Method::POST, self.url.clone());
        let content_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().extend([(CONTENT_TYPE, content_type), NO_ENCODING]);
        request.headers_mut().extend(authorization.map(|value| (AUTHORIZATION, value)));
        *request.body_mut() = Some(form.finish().into());
        Some(request)
    }
}

/// Returns whether Auth0 rejected the credential, and nothing else.
const fn is_credential_rejected(result: &Result<TokenGrant, TokenError>) -> bool {
    matches!(result, Err(TokenError::Misconfigured(Misconfiguration::Credentials)))
}

/// Reads a grant; `None` when it is not usable.
fn grant(response: &ApiResponse) -> Option<TokenGrant> {
    let body: TokenBody<'_> = response.json().ok()?;
    if body.access_token.is_empty() {
        return None;
    }
    let mut authorization = HeaderValue::from_str(&format!("Bearer {}", body.access_token)).ok()?;
    authorization.set_sensitive(true);
    let seconds = match &body.expires_in {
        Value::String(text) => text.parse().ok().filter(|seconds: &f64| !seconds.is_nan()),
        value => value.as_f64(),
    };
    let lifetime = seconds.map_or(UNNAMED, |seconds| {
        Duration::from_secs_f64(seconds.clamp(0.0, LONGEST.as_secs_f64()))
    });
    let scopes = body.scope.as_str().map(Into::into);
    (lifetime >= SHORTEST).then_some(TokenGrant { authorization, lifetime, scopes })
}

/// Classifies a 4xx.
fn denied(response: &ApiResponse) -> TokenError {
    if !is_from_auth0(Api::Token, response) {
        return not_auth0(response.status);
    }
    let body: TokenErrorBody = response.json().unwrap_or_default();
    let reason = match (response.status, body.error.as_deref()) {
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
    };
    reason.into()
}

/// The error of a response that something else sends in Auth0's place.
const fn not_auth0(status: u16) -> TokenError {
    TokenError::NotAuth0(Misconfiguration::NotAuth0 { status })
}

/// The error of a response whose body broke off.
const fn unreadable(response: &ApiResponse) -> TokenError {
    TokenError::Failed(TransportError::Unreadable(response.status))
}
