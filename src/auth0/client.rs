//! The tenant's client: one create-user call a sign-up and the look-ups that settle it, with the
//! cached token.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Request;
use tokio::time::Instant;
use url::Url;

use super::budget::Priority;
use super::call_guard::{CallGuard, CallPermit};
use super::classify::{classify, refuses_token};
use super::create_user::{self, Acceptance, Common, User};
use super::error::{Error, Misconfiguration, Transport, transport};
use super::lookup::{self, ByEmail, LookupError};
use super::token::{Token, TokenCache, TokenHealth, TokenRefresher};
use super::token_request::TokenRequest;
use super::{BuildError, http_client, telemetry_header};
use crate::clock::Clock;
use crate::config::{Auth0Settings, TermsMember};
use crate::domain::{NewUser, full_user_id};
use crate::lifecycle::Lifecycle;
use crate::telemetry::{Metrics, Operation};

/// The most bytes of an answer that are read. A user's profile is 10 KB at the most.
const MAX_ANSWER: usize = 256 * 1024;

const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// The client of one tenant. Cheap to share, made once.
#[derive(Debug)]
pub struct Client {
    pub(super) http: reqwest::Client,
    users: Url,
    users_by_email: Url,
    pub(super) change_password: Url,
    /// The headers that are the same in every call.
    pub(super) headers: HeaderMap,
    pub(super) common: Common,
    tokens: Arc<TokenCache>,
    gate: CallGuard,
    clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
}

impl Client {
    /// Builds the client and starts the task that keeps its token.
    ///
    /// Succeeds while the tenant is down: the token is fetched in the background.
    ///
    /// # Errors
    /// When TLS cannot be set up or a setting cannot be sent.
    pub fn start(
        settings: &Auth0Settings,
        terms: TermsMember,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        lifecycle: &Lifecycle,
    ) -> Result<Self, BuildError> {
        let http = http_client::build(settings)?;
        let tokens = TokenCache::new();
        let keeper = TokenRefresher {
            tokens: Arc::clone(&tokens),
            request: TokenRequest::new(http.clone(), settings, Arc::clone(&clock))?,
            clock: Arc::clone(&clock),
            metrics: Arc::clone(&metrics),
        };
        lifecycle.spawn_background(keeper.run());

        let json = HeaderValue::from_static("application/json");
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, json.clone()), (ACCEPT, json)]);
        if settings.telemetry {
            headers.insert(telemetry_header::NAME, telemetry_header::value()?);
        }
        if let Some(domain) = &settings.custom_domain {
            let name = HeaderName::from_static("auth0-custom-domain");
            headers.insert(name, HeaderValue::from_str(domain)?);
        }
        Ok(Self {
            http,
            users: format!("{}/api/v2/users", settings.base).parse()?,
            users_by_email: format!("{}/api/v2/users-by-email", settings.base).parse()?,
            change_password: format!("{}/dbconnections/change_password", settings.base).parse()?,
            headers,
            common: Common {
                connection: settings.connection.clone(),
                verify_email: settings.verify_email,
                terms,
            },
            tokens,
            gate: CallGuard::new(&settings.budget, &settings.breaker, &metrics),
            clock,
            metrics,
        })
    }

    /// Creates the user: one call, and a second only when the first was refused for its token.
    ///
    /// `user_id` pins the user's id, without `auth0|`; `terms` came accepted. `correlation_id` (at most 64 characters)
    /// shows up in the tenant's log. `pass` is [`Client::admit`]'s.
    ///
    /// # Errors
    /// See [`Error`]; only [`Error::Ambiguous`] leaves open whether the user exists now.
    pub async fn create_user(
        &self,
        user: &NewUser,
        user_id: Option<&str>,
        terms: Option<Acceptance<'_>>,
        correlation_id: &str,
        pass: CallPermit,
    ) -> Result<Created, Error> {
        let body = create_user::body(&self.common, user, user_id, terms)
            .map_err(|_| Error::InvalidBody)?;
        let request = || {
            let mut request = self.request(Method::POST, self.users.clone());
            if let Ok(id) = HeaderValue::from_str(correlation_id) {
                request.headers_mut().insert(CORRELATION_ID, id);
            }
            *request.body_mut() = Some(body.clone().into());
            request
        };
        let started = Instant::now();
        let answer = self.call(Priority::Create, Some(pass), request).await;
        let created = answer.and_then(|answer| self.created(&answer));
        let label = created.as_ref().map_or_else(Error::label, |_| "created");
        self.metrics.auth0_request(Operation::CreateUser, label, started.elapsed());
        created
    }

    fn created(&self, answer: &ApiResponse) -> Result<Created, Error> {
        let ApiResponse { status, headers, body } = answer;
        // A status other than 201 says enough when the body breaks off.
        let bytes = body.as_deref().unwrap_or_default();
        if *status != 201 {
            return Err(classify(*status, headers, bytes, self.clock.now()));
        }
        let user = serde_json::from_slice(bytes)
            .map_err(|_| Error::Ambiguous(Arc::new(Transport::Unreadable(201))))?;
        Ok(Created { user, auth0_request_id: request_id(headers) })
    }

    /// The user of this id, or `None` when there is none now. `priority`: whether somebody waits.
    ///
    /// An id without a provider is one of `auth0|`.
    ///
    /// # Errors
    /// When the application lacks `read:users`, or the tenant did not tell.
    pub async fn user(
        &self,
        user_id: &str,
        priority: Priority,
    ) -> Result<Option<User>, LookupError> {
        let mut url = self.users.clone();
        // The bar of `auth0|` has to be encoded, which a URL's own rules leave alone in a path.
        let id = full_user_id(user_id);
        let id = utf8_percent_encode(&id, NON_ALPHANUMERIC);
        url.set_path(&format!("{}/{id}", self.users.path()));
        let started = Instant::now();
        let answer = self.call(priority, None, || self.request(Method::GET, url.clone())).await;
        let found = answer.map_err(LookupError::from).and_then(|answer| lookup::by_id(&answer));
        let label = match &found {
            Ok(Some(_)) => "found",
            Ok(None) => "absent",
            Err(error) => error.label(),
        };
        self.metrics.auth0_request(Operation::GetUser, label, started.elapsed());
        found
    }

    /// The users of the connection with this e-mail address (in lower case), by the tenant's
    /// clock.
    ///
    /// # Errors
    /// When the application lacks `read:users`, or the tenant did not tell.
    pub async fn users_by_email(&self, email: &str) -> Result<ByEmail, LookupError> {
        let mut url = self.users_by_email.clone();
        url.query_pairs_mut().append_pair("email", email);
        let started = Instant::now();
        let answer =
            self.call(Priority::Lookup, None, || self.request(Method::GET, url.clone())).await;
        let found = answer
            .map_err(LookupError::from)
            .and_then(|answer| lookup::by_email(&answer, &self.common.connection));
        let label = match &found {
            Ok(found) if found.users.is_empty() => "absent",
            Ok(_) => "found",
            Err(error) => error.label(),
        };
        self.metrics.auth0_request(Operation::UsersByEmail, label, started.elapsed());
        found
    }

    /// Whether sign-ups have a token now.
    pub fn token_health(&self) -> TokenHealth {
        self.tokens.health()
    }

    /// Whether calls fail fast because the last ones failed.
    pub fn is_failing_fast(&self) -> bool {
        self.gate.is_failing_fast()
    }

    /// Waits until a create-user call may be made: for a token, then for the tenant's budget.
    ///
    /// Nothing is sent meanwhile. Dropping the future gives the place in the line up.
    ///
    /// # Errors
    /// When there is none soon enough; surely nothing was sent.
    pub async fn admit(&self) -> Result<CallPermit, Error> {
        self.tokens.get().await?;
        self.gate.enter(Priority::Create).await
    }

    fn request(&self, method: Method, url: Url) -> Request {
        let mut request = Request::new(method, url);
        request.headers_mut().clone_from(&self.headers);
        request
    }

    /// One call, and a second with a fresh token when the first was refused for its token.
    async fn call(
        &self,
        priority: Priority,
        mut pass: Option<CallPermit>,
        request: impl Fn() -> Request,
    ) -> Result<ApiResponse, Error> {
        for _ in 0..2 {
            let token = self.tokens.get().await?;
            let pass = match pass.take() {
                Some(pass) => pass,
                None => self.gate.enter(priority).await?,
            };
            let answer = self.send(request(), &token, pass).await?;
            let refused = refuses_token(answer.status, answer.body.as_deref().unwrap_or_default());
            if !refused {
                // A limiter may answer before anybody looks at the token.
                if matches!(answer.status, 200 | 201 | 404 | 409) {
                    token.mark_accepted();
                }
                return Ok(answer);
            }
            self.tokens.invalidate(&token);
        }
        Err(Misconfiguration::TokenRefused.into())
    }

    async fn send(
        &self,
        mut request: Request,
        token: &Token,
        pass: CallPermit,
    ) -> Result<ApiResponse, Error> {
        request.headers_mut().insert(AUTHORIZATION, token.authorization.clone());
        let response = pass.with(self.http.execute(request)).await.map_err(transport)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(ApiResponse { status, headers, body: read_body(response).await.ok() })
    }
}

/// A user that was created.
#[derive(Debug)]
pub struct Created {
    /// As the tenant answered.
    pub user: User,
    /// Auth0's id of the request.
    pub auth0_request_id: Option<String>,
}

/// An answer of the tenant.
#[derive(Debug)]
pub(super) struct ApiResponse {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// `None` when it broke off.
    pub(super) body: Option<Bytes>,
}

/// Auth0's own id of a request, for its support: short, and of harmless characters.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let names = ["ot-baggage-auth0-request-id", "x-auth0-requestid", "cf-ray"];
    let mut values = names.into_iter().filter_map(|name| headers.get(name)?.to_str().ok());
    let harmless = |id: &&str| {
        let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (1..=64).contains(&id.len()) && plain
    };
    values.find(harmless).map(str::to_owned)
}

/// The body of an answer, empty when it is larger than [`MAX_ANSWER`].
pub(super) async fn read_body(mut answer: reqwest::Response) -> Result<Bytes, reqwest::Error> {
    let Some(first) = answer.chunk().await? else { return Ok(Bytes::new()) };
    let Some(second) = answer.chunk().await? else { return Ok(first) };
    let mut body = BytesMut::from(&first[..]);
    body.extend_from_slice(&second);
    while let Some(chunk) = answer.chunk().await? {
        if body.len() > MAX_ANSWER {
            return Ok(Bytes::new());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
