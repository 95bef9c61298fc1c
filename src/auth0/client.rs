//! The tenant's client: one create-user call a sign-up, with the cached token.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::time::Instant;
use url::Url;

use super::answer::{Refusal, classify};
use super::budget::Class;
use super::create_user::{self, User};
use super::error::{Error, Misconfiguration, Transport, transport};
use super::gate::{Gate, Pass};
use super::token::{Keeper, Token, TokenHealth, Tokens};
use super::token_request::TokenRequest;
use super::{BuildError, http_client, telemetry_header};
use crate::clock::Clock;
use crate::config::{Auth0Settings, VerifyEmail};
use crate::domain::NewUser;
use crate::lifecycle::Lifecycle;
use crate::telemetry::{Metrics, Operation};

/// The most bytes of an answer that are read. A user's profile is 10 KB at the most.
const MAX_ANSWER: usize = 256 * 1024;

const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// The client of one tenant. Cheap to share, made once.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    users: Url,
    /// The headers that are the same in every call.
    headers: HeaderMap,
    connection: String,
    verify_email: VerifyEmail,
    tokens: Arc<Tokens>,
    gate: Gate,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
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
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        lifecycle: &Lifecycle,
    ) -> Result<Self, BuildError> {
        let http = http_client::build(settings)?;
        let tokens = Tokens::new();
        let keeper = Keeper {
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
            headers,
            connection: settings.connection.clone(),
            verify_email: settings.verify_email,
            tokens,
            gate: Gate::new(&settings.budget, &settings.breaker, &metrics),
            clock,
            metrics,
        })
    }

    /// Creates the user: one call, and a second only when the first was refused for its token.
    ///
    /// `correlation_id` (at most 64 characters) shows up in the tenant's log.
    ///
    /// # Errors
    /// See [`Error`]; only [`Error::Unclear`] leaves open whether the user exists now.
    pub async fn create_user(&self, user: &NewUser, correlation_id: &str) -> Result<User, Error> {
        let body = create_user::body(&self.connection, self.verify_email, user)
            .map_err(|_| Error::InvalidBody)?;
        let token = self.tokens.get().await?;
        match self.post(&token, body.clone(), correlation_id).await {
            Err(Refusal::Token) => {}
            done => return settle(done),
        }
        self.tokens.refuse(&token);
        let token = self.tokens.get().await?;
        let done = self.post(&token, body, correlation_id).await;
        if let Err(Refusal::Token) = done {
            self.tokens.refuse(&token);
        }
        settle(done)
    }

    /// Whether sign-ups have a token now.
    pub fn token_health(&self) -> TokenHealth {
        self.tokens.health()
    }

    /// Whether calls fail fast because the last ones failed.
    pub fn is_failing_fast(&self) -> bool {
        self.gate.is_failing_fast()
    }

    async fn post(
        &self,
        token: &Token,
        body: Bytes,
        correlation_id: &str,
    ) -> Result<User, Refusal> {
        let pass = self.gate.enter(Class::Create).await.map_err(Refusal::Final)?;
        let started = Instant::now();
        let mut request = reqwest::Request::new(Method::POST, self.users.clone());
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        headers.insert(AUTHORIZATION, token.authorization.clone());
        if let Ok(id) = HeaderValue::from_str(correlation_id) {
            headers.insert(CORRELATION_ID, id);
        }
        *request.body_mut() = Some(body.into());
        let result = self.answer(request, token, pass).await;
        let label = match &result {
            Ok(_) => "created",
            Err(Refusal::Token) => "token_refused",
            Err(Refusal::Final(error)) => error.label(),
        };
        self.metrics.auth0_request(Operation::CreateUser, label, started.elapsed());
        result
    }

    async fn answer(
        &self,
        request: reqwest::Request,
        token: &Token,
        pass: Pass,
    ) -> Result<User, Refusal> {
        let sent = |error| Refusal::Final(transport(error));
        let answer = pass.with(self.http.execute(request)).await.map_err(sent)?;
        let status = answer.status().as_u16();
        if status == 201 {
            token.prove();
            let unreadable =
                || Refusal::Final(Error::Unclear(Arc::new(Transport::Unreadable(201))));
            let body = read_body(answer).await.map_err(|_| unreadable())?;
            return serde_json::from_slice(&body).map_err(|_| unreadable());
        }
        let headers = answer.headers().clone();
        // A status says enough when the body breaks off.
        let body = read_body(answer).await.unwrap_or_default();
        let refusal = classify(status, &headers, &body, self.clock.now());
        if matches!(refusal, Refusal::Final(_)) && status < 500 {
            token.prove();
        }
        Err(refusal)
    }
}

fn settle(done: Result<User, Refusal>) -> Result<User, Error> {
    done.map_err(|refusal| match refusal {
        Refusal::Token => Misconfiguration::TokenRefused.into(),
        Refusal::Final(error) => error,
    })
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
