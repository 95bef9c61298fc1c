//! Single calls for `auth0-signup doctor`: with the service's own HTTP client, token request and
//! classification, but without its cache, budget and repeats, so that each error is seen as it is. Only a
//! 429 is waited for.

use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderValue};
use http::{HeaderMap, Method};
use reqwest::Request;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::sleep;
use url::Url;

use super::certificates::{ObservedChain, ObservedHandshake};
use super::classify::{
    classify, is_missing_scope, is_missing_user, is_token_rejected, wait_after_429,
};
use super::connection::{self, ConnectionRecord, CustomDomain};
use super::create_user::{self, CreateCallDefaults};
use super::error::{
    CallError, CreateUserError, LookupError, Misconfiguration, TokenError, TransportError,
};
use super::http_client::HttpClient;
use super::lookup::{self, UsersByEmail};
use super::response::ApiResponse;
use super::tenant_clock::TenantClock;
use super::token_request::TokenRequest;
use super::user::{CreatedUser, User};
use super::{BuildError, headers};
use crate::clock::{Clock, TenantTime};
use crate::config::{Auth0Settings, TermsMember, VerifyEmail};
use crate::domain::{NewUser, UserId};
use crate::telemetry::Metrics;

/// The most tries of a call that the tenant's rate limit rejects.
const RATE_LIMITED_TRIES: u32 = 4;

/// The longest wait between two of them.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// Makes single calls to one tenant.
#[derive(Debug)]
pub struct Inspector {
    http: HttpClient,
    base: Url,
    token: TokenRequest,
    headers: HeaderMap,
    defaults: CreateCallDefaults,
    chain: ObservedChain,
}

/// A token that was granted to the inspector.
#[derive(Debug)]
pub struct InspectedToken {
    authorization: HeaderValue,
    /// Its lifetime.
    pub lifetime: Duration,
    /// Its scopes; `None` when the tenant names none.
    pub scopes: Option<Vec<String>>,
}

/// The response of a host to a request for the public metadata of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discovery {
    /// The metadata of a tenant.
    Tenant,
    /// A 429 or 5xx: the tenant fails or limits requests, or a proxy responds in its place.
    Failing(u16),
    /// The response of another program.
    Other,
}

impl InspectedToken {
    /// Returns whether it has this scope, as far as is known.
    pub fn may_have(&self, scope: &str) -> bool {
        self.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|granted| granted == scope))
    }
}

impl Inspector {
    /// Builds the inspector. It sends nothing yet.
    ///
    /// # Errors
    /// When TLS cannot be set up or a setting cannot be sent.
    pub fn new(
        settings: &Auth0Settings,
        terms: TermsMember,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BuildError> {
        let chain = ObservedChain::default();
        let tenant_clock = TenantClock::new(clock, Arc::new(Metrics::new()));
        let http = HttpClient::new(settings, tenant_clock, Some(&chain))?;
        Ok(Self {
            token: TokenRequest::new(http.clone(), settings)?,
            http,
            base: settings.base.parse()?,
            headers: headers::common(settings)?,
            defaults: CreateCallDefaults {
                connection: settings.connection.clone(),
                verify_email: VerifyEmail::Off,
                terms,
            },
            chain,
        })
    }

    /// Reads the tenant's public metadata.
    ///
    /// # Errors
    /// When there is no response.
    pub async fn discover(&self) -> Result<Discovery, TransportError> {
        let url = self.url("/.well-known/openid-configuration");
        let response = self.http.exchange(Request::new(Method::GET, url)).await?;
        let body = response.json::<Value>().unwrap_or_default();
        let has_issuer = body.get("issuer").is_some_and(Value::is_string);
        Ok(match response.status {
            200 if has_issuer => Discovery::Tenant,
            status @ (429 | 500..) => Discovery::Failing(status),
            _ => Discovery::Other,
        })
    }

    /// The last handshake, with the tenant or with a proxy on https.
    pub fn last_handshake(&self) -> Option<ObservedHandshake> {
        self.chain.last()
    }

    /// The tenant's time, from the newest response.
    pub fn tenant_now(&self) -> Option<TenantTime> {
        self.http.tenant_clock().now()
    }

    /// Requests a token.
    ///
    /// # Errors
    /// When none is granted.
    pub async fn request_token(&self) -> Result<InspectedToken, TokenError> {
        let grant = self.token.send().await?;
        let scopes = grant.scopes.as_deref();
        let scopes = scopes.map(|all| all.split_whitespace().map(str::to_owned).collect());
        Ok(InspectedToken { authorization: grant.authorization, lifetime: grant.lifetime, scopes })
    }

    /// Looks a user up by id. `None` if there is none.
    ///
    /// # Errors
    /// When the application lacks `read:users`, or there was no usable response.
    pub async fn user(
        &self,
        token: &InspectedToken,
        user_id: &UserId,
    ) -> Result<Option<User>, LookupError> {
        let url = lookup::user_url(&self.url("/api/v2/users"), user_id);
        let response = self.call(token, Request::new(Method::GET, url)).await?;
        if response.status == 200 || is_missing_user(&response) {
            let found = lookup::by_id(&response, user_id)?;
            return Ok(found.map(|found| found.user));
        }
        Err(rejection(&response))
    }

    /// Looks up the users of the connection with this e-mail address.
    ///
    /// # Errors
    /// When the application lacks `read:users`, or there was no usable response.
    pub async fn users_by_email(
        &self,
        token: &InspectedToken,
        email: &str,
    ) -> Result<UsersByEmail, LookupError> {
        let url = lookup::by_email_url(&self.url("/api/v2/users-by-email"), email);
        let response = self.call(token, Request::new(Method::GET, url)).await?;
        if response.status == 200 {
            return lookup::by_email(&response, &self.defaults.connection);
        }
        Err(rejection(&response))
    }

    /// Reads the connection of the settings. `None` if there is none with its name.
    ///
    /// # Errors
    /// When the application lacks `read:connections`, or there was no usable response.
    pub async fn connection(
        &self,
        token: &InspectedToken,
    ) -> Result<Option<ConnectionRecord>, LookupError> {
        let mut url = self.url("/api/v2/connections");
        url.query_pairs_mut().append_pair("name", &self.defaults.connection);
        let found: Vec<ConnectionRecord> = self.read(token, url).await?;
        Ok(found.into_iter().find(|found| found.name == self.defaults.connection))
    }

    /// Reads the custom domains of the tenant.
    ///
    /// # Errors
    /// When the application lacks `read:custom_domains`, or there was no usable response.
    pub async fn custom_domains(
        &self,
        token: &InspectedToken,
    ) -> Result<Vec<CustomDomain>, LookupError> {
        self.read(token, self.url("/api/v2/custom-domains")).await
    }

    /// Creates a user who gets no verification mail.
    ///
    /// # Errors
    /// Only [`CreateUserError::Ambiguous`] leaves open whether the user exists now.
    pub async fn create_user(
        &self,
        token: &InspectedToken,
        user: &NewUser,
        user_id: Option<&str>,
    ) -> Result<CreatedUser, CreateUserError> {
        let body = create_user::body(&self.defaults, user, user_id, None)
            .map_err(|_| CreateUserError::InvalidBody)?;
        let mut request = Request::new(Method::POST, self.url("/api/v2/users"));
        *request.body_mut() = Some(body.into());
        let response = self.call(token, request).await.map_err(CallError::from)?;
        if is_token_rejected(&response) {
            return Err(Misconfiguration::TokenRejected.into());
        }
        create_user::created(&response, user)
    }

    /// Deletes a user. Succeeds if there is none.
    ///
    /// # Errors
    /// When the application lacks `delete:users`, or there was no usable response.
    pub async fn delete_user(
        &self,
        token: &InspectedToken,
        user_id: &UserId,
    ) -> Result<(), LookupError> {
        let url = lookup::user_url(&self.url("/api/v2/users"), user_id);
        let response = self.call(token, Request::new(Method::DELETE, url)).await?;
        match response.status {
            200 | 204 => Ok(()),
            _ if is_missing_user(&response) => Ok(()),
            _ => Err(rejection(&response)),
        }
    }

    async fn read<T: DeserializeOwned>(
        &self,
        token: &InspectedToken,
        url: Url,
    ) -> Result<T, LookupError> {
        let response = self.call(token, Request::new(Method::GET, url)).await?;
        if response.status == 200 {
            return Ok(connection::read(&response)?);
        }
        Err(rejection(&response))
    }

    /// Makes one call with the token. Repeats it after a 429, which says that nothing was done: the
    /// smallest plan accepts two calls a second, and a test user must not stay for that.
    async fn call(
        &self,
        token: &InspectedToken,
        mut request: Request,
    ) -> Result<ApiResponse, TransportError> {
        request.headers_mut().clone_from(&self.headers);
        request.headers_mut().insert(AUTHORIZATION, token.authorization.clone());
        for _ in 1..RATE_LIMITED_TRIES {
            let Some(copy) = request.try_clone() else { break };
            let response = self.http.exchange(copy).await?;
            if response.status != 429 {
                return Ok(response);
            }
            sleep(wait_after_429(&response).min(LONGEST_WAIT)).await;
        }
        self.http.exchange(request).await
    }

    /// The error of a response without a result.
    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(path);
        url
    }
}

/// The error of a response without a result.
fn rejection(response: &ApiResponse) -> LookupError {
    if is_token_rejected(response) {
        return CallError::from(Misconfiguration::TokenRejected).into();
    }
    if is_missing_scope(response) {
        return LookupError::Forbidden;
    }
    let error = match classify(response) {
        CreateUserError::Misconfigured(reason) => reason.into(),
        CreateUserError::RateLimited { api, retry_after } => {
            CallError::RateLimited { api, retry_after }
        }
        _ => CallError::Transport(TransportError::Status(response.status)),
    };
    error.into()
}
