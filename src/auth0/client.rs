//! The tenant's client: one create-user call per sign-up, and the lookups that resolve it, with the
//! cached token.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::Request;
use tokio::time::Instant;
use url::Url;

use super::budget::Priority;
use super::call_guard::{CallGuard, CallPermit};
use super::classify::is_token_rejected;
use super::create_user::{self, Acceptance, CreateCallDefaults};
use super::error::{CallError, CreateUserError, LookupError, Misconfiguration};
use super::http_client::{ConnectionChoice, HttpClient};
use super::lookup::{self, UserById, UsersByEmail};
use super::response::ApiResponse;
use super::tenant_clock::TenantClock;
use super::token::{Token, TokenCache, TokenRefresher, UpstreamHealth};
use super::token_request::TokenRequest;
use super::user::CreatedUser;
use super::{BuildError, headers};
use crate::clock::TenantTime;
use crate::config::{Auth0Settings, ClientCredentials, TermsMember};
use crate::context::Context;
use crate::domain::{NewUser, UserId};
use crate::telemetry::{Metrics, Operation};

/// The header whose value Auth0 writes to the tenant's log.
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// The most tokens that one call is made with. A rotation may revoke the token in use and the one
/// that was fetched a moment before. The refresher decides when there is no further one to try.
const MAX_TOKENS: usize = 3;

/// The client of one tenant. Cheap to share, built once.
#[derive(Debug)]
pub struct Client {
    pub(super) http: HttpClient,
    users: Url,
    users_by_email: Url,
    pub(super) change_password: Url,
    /// The headers that every call has in common.
    pub(super) headers: HeaderMap,
    pub(super) defaults: CreateCallDefaults,
    tokens: Arc<TokenCache>,
    token_request: Arc<TokenRequest>,
    guard: CallGuard,
    pub(super) metrics: Arc<Metrics>,
}

impl Client {
    /// Builds the client and starts the task that keeps its token fresh.
    ///
    /// Succeeds while the tenant is down: the token is fetched in the background.
    ///
    /// # Errors
    /// When TLS cannot be set up or a setting cannot be sent.
    pub fn start(
        settings: &Auth0Settings,
        terms: TermsMember,
        context: &Context,
    ) -> Result<Self, BuildError> {
        let Context { clock, lifecycle, metrics, .. } = context;
        let tenant_clock = TenantClock::new(Arc::clone(clock), Arc::clone(metrics));
        let http = HttpClient::new(settings, tenant_clock, None)?;
        let tokens = TokenCache::new(Arc::clone(metrics));
        let token_request = Arc::new(TokenRequest::new(http.clone(), settings)?);
        let refresher = TokenRefresher {
            tokens: Arc::clone(&tokens),
            request: Arc::clone(&token_request),
            clock: Arc::clone(clock),
        };
        lifecycle.spawn_background(refresher.run());
        let watched = http.clone();
        lifecycle.spawn_background(async move { watched.tenant_clock().watch().await });

        Ok(Self {
            http,
            users: format!("{}/api/v2/users", settings.base).parse()?,
            users_by_email: format!("{}/api/v2/users-by-email", settings.base).parse()?,
            change_password: format!("{}/dbconnections/change_password", settings.base).parse()?,
            headers: headers::common(settings)?,
            defaults: CreateCallDefaults {
                connection: settings.connection.clone(),
                verify_email: settings.verify_email,
                terms,
            },
            tokens,
            token_request,
            guard: CallGuard::new(&settings.budget, &settings.breaker, metrics),
            metrics: Arc::clone(metrics),
        })
    }

    /// Creates the user. Repeats the call, with a fresh token, only while the tenant rejects the
    /// token: at most [`MAX_TOKENS`] calls.
    ///
    /// `user_id` pins the user's id, without `auth0|`; `terms` were accepted with the sign-up.
    /// `correlation_id` (at most 64 characters) appears in the tenant's log. `permit` comes from
    /// [`Client::admit`]; those of the repeated calls are taken with its priority.
    ///
    /// # Errors
    /// Only [`CreateUserError::Ambiguous`] leaves open whether the user exists now.
    pub async fn create_user(
        &self,
        user: &NewUser,
        user_id: Option<&str>,
        terms: Option<Acceptance<'_>>,
        correlation_id: &str,
        permit: CallPermit,
    ) -> Result<CreatedUser, CreateUserError> {
        let body = create_user::body(&self.defaults, user, user_id, terms)
            .map_err(|_| CreateUserError::InvalidBody)?;
        let request = || {
            let mut request = self.request(Method::POST, self.users.clone());
            if let Ok(id) = HeaderValue::from_str(correlation_id) {
                request.headers_mut().insert(CORRELATION_ID, id);
            }
            *request.body_mut() = Some(body.clone().into());
            request
        };
        let started = Instant::now();
        let created = match self.call(permit.priority, Some(permit), request).await {
            Ok((response, token)) => {
                let created = create_user::created(&response, user);
                match &created {
                    Err(CreateUserError::Misconfigured(Misconfiguration::Scope)) => {
                        self.tokens.record_create(&token, false);
                    }
                    // Auth0 checks the scope before it judges the user.
                    Ok(_)
                    | Err(
                        CreateUserError::EmailTaken
                        | CreateUserError::UsernameTaken
                        | CreateUserError::UsernameRejected
                        | CreateUserError::PasswordRejected(_),
                    ) => self.tokens.record_create(&token, true),
                    Err(_) => {}
                }
                created
            }
            Err(error) => Err(error.into()),
        };
        let label = created.as_ref().map_or_else(CreateUserError::label, |_| "created");
        self.metrics.auth0_request(Operation::CreateUser, label, started.elapsed());
        created
    }

    /// Looks a user up by id; `None` if there is no such user.
    ///
    /// # Errors
    /// When the application lacks `read:users`, or there was no usable response.
    pub async fn user(
        &self,
        user_id: &UserId,
        priority: Priority,
    ) -> Result<Option<UserById>, LookupError> {
        let url = lookup::user_url(&self.users, user_id);
        let started = Instant::now();
        let found = self.look_up(priority, &url, |response| lookup::by_id(response, user_id)).await;
        let label = match &found {
            Ok(Some(_)) => "found",
            Ok(None) => "absent",
            Err(error) => error.label(),
        };
        self.metrics.auth0_request(Operation::GetUser, label, started.elapsed());
        found
    }

    /// Looks up the users of the connection with this e-mail address (in lower case).
    ///
    /// # Errors
    /// When the application lacks `read:users`, or there was no usable response.
    pub async fn users_by_email(
        &self,
        email: &str,
        priority: Priority,
    ) -> Result<UsersByEmail, LookupError> {
        let url = lookup::by_email_url(&self.users_by_email, email);
        let started = Instant::now();
        let connection = &self.defaults.connection;
        let found =
            self.look_up(priority, &url, |response| lookup::by_email(response, connection)).await;
        let label = match &found {
            Ok(found) if found.users.is_empty() => "absent",
            Ok(_) => "found",
            Err(error) => error.label(),
        };
        self.metrics.auth0_request(Operation::UsersByEmail, label, started.elapsed());
        found
    }

    /// Makes one lookup, and learns from it whether lookups are allowed. Sends nothing with a token that
    /// certainly allows none.
    async fn look_up<T>(
        &self,
        priority: Priority,
        url: &Url,
        read: impl Fn(&ApiResponse) -> Result<T, LookupError>,
    ) -> Result<T, LookupError> {
        if self.tokens.forbids_lookups() {
            return Err(LookupError::Forbidden);
        }
        let request = || self.request(Method::GET, url.clone());
        let (response, token) = self.call(priority, None, request).await?;
        let found = read(&response);
        match &found {
            Ok(_) => self.tokens.record_lookup(&token, true),
            Err(LookupError::Forbidden) => self.tokens.record_lookup(&token, false),
            Err(LookupError::Failed(_)) => {}
        }
        found
    }

    /// Returns whether lookups are allowed, as far as is known: the token was granted `read:users`.
    /// Where the tenant does not report scopes, a lookup has succeeded. `false` after a lookup was
    /// forbidden, until the next token.
    pub fn may_read_users(&self) -> bool {
        self.tokens.may_read_users()
    }

    /// The tenant's time, from the newest response and the monotonic clock. `None` before the first
    /// response. At most a second and one response's travel time behind the tenant's clock.
    pub fn tenant_now(&self) -> Option<TenantTime> {
        self.http.tenant_clock().now()
    }

    /// The same as [`Self::tenant_now`], but `None` if the newest response arrived before `since`.
    pub fn tenant_now_since(&self, since: Option<Instant>) -> Option<TenantTime> {
        self.http.tenant_clock().now_since(since)
    }

    /// Replaces the application's credentials, and requests a token with them. The token in use
    /// serves until there is another one.
    pub fn replace_credentials(&self, credentials: ClientCredentials) {
        self.token_request.credentials().replace(credentials);
    }

    /// Returns the state of the token.
    pub fn token_health(&self) -> UpstreamHealth {
        self.tokens.health()
    }

    /// Returns the state of all that calls need: the token, the circuit breaker and the waits that the
    /// tenant asked for.
    pub fn health(&self) -> UpstreamHealth {
        let Self { guard, tokens, .. } = self;
        if guard.is_failing_fast() || guard.is_waiting_long() || tokens.is_waiting_long() {
            UpstreamHealth::Failing
        } else {
            tokens.health()
        }
    }

    /// Waits until a create-user call may be made: for a token, then for the tenant's budget.
    ///
    /// Nothing is sent meanwhile. Dropping the future gives up the place in the queue.
    ///
    /// # Errors
    /// When there is no permit soon enough. Certainly nothing was sent.
    pub async fn admit(&self, priority: Priority) -> Result<CallPermit, CreateUserError> {
        self.tokens.get().await.map_err(CallError::from)?;
        Ok(self.guard.acquire(priority).await?)
    }

    /// A request with the headers that every call has in common.
    pub(super) fn request(&self, method: Method, url: Url) -> Request {
        let mut request = Request::new(method, url);
        request.headers_mut().clone_from(&self.headers);
        request
    }

    /// Makes one call, and others with fresh tokens while it is rejected for its token. Returns the
    /// token that the response belongs to.
    async fn call(
        &self,
        priority: Priority,
        mut permit: Option<CallPermit>,
        request: impl Fn() -> Request,
    ) -> Result<(ApiResponse, Arc<Token>), CallError> {
        // A lookup that resolves a response that was just lost, or that nobody waits for, does not depend
        // on the connections of the others.
        let connection = match priority {
            Priority::Lookup | Priority::Background => ConnectionChoice::New,
            Priority::Create | Priority::Repeat | Priority::Check | Priority::BestEffort => {
                ConnectionChoice::Pooled
            }
        };
        for _ in 0..MAX_TOKENS {
            let token = self.tokens.get().await?;
            let permit = match permit.take() {
                Some(permit) => permit,
                None => self.guard.acquire(priority).await?,
            };
            let mut request = request();
            request.headers_mut().insert(AUTHORIZATION, token.authorization.clone());
            let result = self.http.execute(request, connection).await;
            let response = permit.end(result, self.http.tenant_clock().local_now()).await?;
            if !is_token_rejected(&response) {
                // A limiter may respond before anything checks the token.
                if matches!(response.status, 200 | 201 | 404 | 409) {
                    token.mark_accepted();
                }
                return Ok((response, token));
            }
            self.tokens.invalidate(&token);
        }
        Err(Misconfiguration::TokenRejected.into())
    }
}
