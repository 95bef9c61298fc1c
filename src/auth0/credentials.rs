//! The credentials of the application in a token request: a secret, or an assertion that is signed
//! for each request. Two are tried in turn, so that a rotation needs no exact moment.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use jsonwebtoken::{Header, encode};
use parking_lot::Mutex;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use tokio::sync::Notify;
use url::form_urlencoded::{self, Serializer};

use crate::config::{AssertionKey, ClientCredential, ClientCredentials, SecretMethod};

/// The `client_assertion_type` of a JWT (RFC 7523, section 2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The lifetime of an assertion. Auth0 accepts at most five minutes; its SDKs use two.
const ASSERTION_LIFETIME: Duration = Duration::from_mins(2);

/// The credentials in use.
#[derive(Debug)]
pub(super) struct CredentialStore {
    state: Mutex<CredentialState>,
    /// Notified when they were replaced.
    replaced: Notify,
}

#[derive(Debug)]
struct CredentialState {
    credentials: Arc<ClientCredentials>,
    /// True if Auth0 accepted the previous one last.
    prefers_previous: bool,
}

/// The credentials of one request, in the order in which they are tried.
#[derive(Debug)]
pub(super) struct Candidates {
    credentials: Arc<ClientCredentials>,
    prefers_previous: bool,
}

impl Candidates {
    /// The credential to try first.
    pub(super) fn first(&self) -> &ClientCredential {
        match &self.credentials.previous {
            Some(previous) if self.prefers_previous => previous,
            _ => &self.credentials.current,
        }
    }

    /// The credential to try when Auth0 rejects the first.
    pub(super) fn second(&self) -> Option<&ClientCredential> {
        let previous = self.credentials.previous.as_ref()?;
        Some(if self.prefers_previous { &self.credentials.current } else { previous })
    }
}

impl CredentialStore {
    /// A store that tries the current credential first.
    pub(super) fn new(credentials: ClientCredentials) -> Self {
        let credentials = Arc::new(credentials);
        let state = CredentialState { credentials, prefers_previous: false };
        Self { state: Mutex::new(state), replaced: Notify::new() }
    }

    /// Replaces the credentials. The next token is requested with them.
    pub(super) fn replace(&self, credentials: ClientCredentials) {
        let credentials = Arc::new(credentials);
        *self.state.lock() = CredentialState { credentials, prefers_previous: false };
        self.replaced.notify_one();
    }

    /// Waits until they are replaced.
    pub(super) async fn replaced(&self) {
        self.replaced.notified().await;
    }

    /// The credentials for one request.
    pub(super) fn candidates(&self) -> Candidates {
        let state = self.state.lock();
        let credentials = Arc::clone(&state.credentials);
        Candidates { credentials, prefers_previous: state.prefers_previous }
    }

    /// Records that Auth0 rejected the first candidate and accepted the second, which is tried first
    /// from now on.
    pub(super) fn prefer_second(&self, tried: &Candidates) {
        let mut state = self.state.lock();
        if !Arc::ptr_eq(&state.credentials, &tried.credentials) {
            return;
        }
        state.prefers_previous = !tried.prefers_previous;
        if state.prefers_previous {
            tracing::warn!(
                setting = "auth0.client_secret_previous",
                "Auth0 rejects the application's current credential and accepts the previous one"
            );
        } else {
            tracing::info!("Auth0 accepts the application's current credential again");
        }
    }
}

/// The claims of an assertion (RFC 7523, section 3). Without `iat` and `nbf`, which Auth0 does not
/// need, a clock that is ahead of the tenant's does no harm.
#[derive(Serialize)]
struct AssertionClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    /// The tenant's URL with its trailing slash: one text, not a list.
    aud: &'a str,
    exp: u64,
    jti: String,
}

/// The application, as a credential names it.
#[derive(Debug)]
pub(super) struct ClientIdentity {
    /// Its client id.
    pub(super) id: String,
    /// The audience of its assertions: the tenant's URL with its trailing slash.
    pub(super) issuer: String,
}

impl ClientIdentity {
    /// Adds a credential to the form of a token request. Returns the `Authorization` header that goes
    /// with it, if there is one.
    ///
    /// `now` is the time since the Unix epoch. Returns `Err` for a key that cannot sign or a secret
    /// that cannot be sent, which the settings exclude.
    pub(super) fn authenticate(
        &self,
        credential: &ClientCredential,
        form: &mut Serializer<'_, String>,
        now: Duration,
    ) -> Result<Option<HeaderValue>, UnusableCredential> {
        match credential {
            ClientCredential::Secret { secret, method: SecretMethod::Body } => {
                form.append_pair("client_id", &self.id);
                form.append_pair("client_secret", secret.expose_secret());
                Ok(None)
            }
            ClientCredential::Secret { secret, method: SecretMethod::Basic } => {
                self.basic(secret).map(Some)
            }
            ClientCredential::Key(key) => {
                form.append_pair("client_id", &self.id);
                form.append_pair("client_assertion_type", ASSERTION_TYPE);
                form.append_pair("client_assertion", &self.assertion(key, now)?);
                Ok(None)
            }
        }
    }

    /// The header of HTTP Basic: both parts are form-encoded first (RFC 6749, section 2.3.1).
    fn basic(&self, secret: &SecretString) -> Result<HeaderValue, UnusableCredential> {
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let (id, secret): (String, String) = (encoded(&self.id), encoded(secret.expose_secret()));
        let pair = BASE64_STANDARD.encode(format!("{id}:{secret}"));
        let mut header = HeaderValue::try_from(format!("Basic {pair}"))?;
        header.set_sensitive(true);
        Ok(header)
    }

    fn assertion(&self, key: &AssertionKey, now: Duration) -> Result<String, UnusableCredential> {
        let header = Header { kid: key.key_id.clone(), ..Header::new(key.algorithm) };
        let claims = AssertionClaims {
            iss: &self.id,
            sub: &self.id,
            aud: &self.issuer,
            exp: (now + ASSERTION_LIFETIME).as_secs(),
            jti: format!("{:032x}", rand::random::<u128>()),
        };
        Ok(encode(&header, &claims, &key.key)?)
    }
}

/// The error of a credential that cannot be put into a request.
#[derive(Debug, thiserror::Error)]
#[error("the credential cannot be sent")]
pub(super) enum UnusableCredential {
    /// The key does not sign.
    Key(#[from] jsonwebtoken::errors::Error),
    /// The secret does not fit into a header.
    Header(#[from] http::header::InvalidHeaderValue),
}
