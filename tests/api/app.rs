//! The app under test, its tenant and its client.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auth0_emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator, JournalEntry, Route};
use auth0_signup::app::App;
use auth0_signup::clock::{Clock, SystemClock};
use auth0_signup::config;
use auth0_signup::ledger::{self, Access, Attempt, Find};
use auth0_signup::telemetry::LedgerMetrics;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) use crate::builder::TestAppBuilder;
use crate::builder::{Setup, variable};
use crate::eventually::eventually;
use crate::temp_dir::TempDir;

/// A running app, its tenant and a client.
pub(crate) struct TestApp {
    pub(crate) auth0: Emulator,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) client: Client,
    folder: TempDir,
    setup: Setup,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<bool>,
}

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct TestResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl TestApp {
    pub(crate) async fn spawn() -> Self {
        Self::builder().spawn().await
    }

    pub(crate) fn builder() -> TestAppBuilder {
        TestAppBuilder::default()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> TestResponse {
        TestResponse::receive(self.client.get(self.url(path))).await
    }

    /// The response to a client at this address behind a proxy that may be trusted.
    pub(crate) async fn get_from(&self, address: &str, path: &str) -> TestResponse {
        let request = self.client.get(self.url(path)).header("x-forwarded-for", address);
        TestResponse::receive(request).await
    }

    pub(crate) async fn get_admin(&self, path: &str) -> TestResponse {
        TestResponse::receive(self.client.get(format!("http://{}{path}", self.admin))).await
    }

    pub(crate) fn post(&self) -> RequestBuilder {
        self.client.post(self.url("/signup"))
    }

    /// Signs up with a JSON body.
    pub(crate) async fn sign_up(&self, body: &Value) -> TestResponse {
        self.sign_up_raw("application/json", body.to_string()).await
    }

    /// Signs up with a JSON body, and with an idempotency key if there is one.
    pub(crate) async fn sign_up_with_key<'k>(
        &self,
        key: impl Into<Option<&'k str>>,
        body: &Value,
    ) -> TestResponse {
        let request = match key.into() {
            Some(key) => self.post().header("idempotency-key", key),
            None => self.post(),
        };
        TestResponse::receive(request.json(body)).await
    }

    /// Signs up with a JSON body, from this address behind a proxy that may be trusted.
    pub(crate) async fn sign_up_from(&self, address: &str, body: &Value) -> TestResponse {
        let request = self.post().header("x-forwarded-for", address);
        TestResponse::receive(request.json(body)).await
    }

    /// Signs `before@example.com` up, which shows whether the connection keeps pinned ids. A lost call
    /// is repeated at once only where it does.
    pub(crate) async fn learn_whether_ids_are_kept(&self) {
        let before = ada_with("email", "before@example.com");
        assert_eq!(self.sign_up(&before).await.status, StatusCode::CREATED);
    }

    /// Signs up with any body.
    pub(crate) async fn sign_up_raw(
        &self,
        kind: &str,
        body: impl Into<reqwest::Body>,
    ) -> TestResponse {
        TestResponse::receive(self.post().header(CONTENT_TYPE, kind).body(body)).await
    }

    /// The value of a metric, named with its labels as `/metrics` writes them; 0 while nothing has
    /// these labels.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let text = self.get_admin("/metrics").await.text;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        assert!(line.is_some() || name.contains('{'), "{name} in {text}");
        line.map_or(0, |value| value.parse().unwrap())
    }

    /// Waits until a metric has at least this value.
    pub(crate) async fn until_metric(&self, name: &str, least: u64) {
        let reached = async || (self.metric(name).await >= least).then_some(());
        eventually(&format!("{name} is at least {least}"), reached).await;
    }

    /// The create-user calls that the tenant received.
    pub(crate) fn creates(&self) -> Vec<JournalEntry> {
        self.auth0.calls(Route::CreateUser)
    }

    /// The only create-user call that the tenant received, as JSON, without the pinned user id.
    pub(crate) fn the_create(&self) -> Value {
        let creates = self.creates();
        assert_eq!(creates.len(), 1, "create-user calls");
        let mut create = creates[0].json();
        let user_id = create.as_object_mut().unwrap().remove("user_id");
        let user_id = user_id.as_ref().and_then(Value::as_str).expect("a pinned user id");
        let hex = user_id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        assert!(user_id.len() == 24 && hex, "{user_id}");
        create
    }

    /// Deletes the only user, as an operator does at the tenant. It needs `delete:users`.
    pub(crate) async fn delete_the_user(&self) {
        let [user] = &self.auth0.users()[..] else { panic!("one user") };
        let id = user["user_id"].as_str().unwrap().replace('|', "%7C");
        let delete = self.client.delete(format!("{}/api/v2/users/{id}", self.auth0.url()));
        let token = self.creates()[0].header("authorization").unwrap().to_owned();
        let response = delete.header("authorization", token).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
    }

    /// The number of token requests that the tenant received.
    pub(crate) fn token_requests(&self) -> usize {
        self.auth0.calls(Route::Token).len()
    }

    /// Waits until a condition holds.
    pub(crate) async fn until(&self, holds: impl Fn(&Self) -> bool) {
        eventually("the condition holds", async || holds(self).then_some(())).await;
    }

    /// Waits until a new connection is served.
    pub(crate) async fn until_served(&self) {
        let served = async || {
            let client = Client::builder().no_proxy().build().unwrap();
            let response = client.get(self.url("/livez")).send().await.ok()?;
            (response.status() == StatusCode::OK).then_some(())
        };
        eventually("a new connection is served", served).await;
    }

    /// Waits until the app has a token.
    pub(crate) async fn until_ready(&self) {
        self.until_status("ready", "ok").await;
    }

    /// Waits until a new user can sign up; each try has the next number as its address, after
    /// `from`.
    pub(crate) async fn until_created(&self, from: usize) {
        let mut numbers = from..;
        let created = async || {
            let nth = numbers.next().unwrap();
            let form = ada_with("email", format!("retry{nth}@example.com"));
            (self.sign_up(&form).await.status == StatusCode::CREATED).then_some(())
        };
        eventually("a new user signs up", created).await;
    }

    /// Waits until the app reports that it drains.
    pub(crate) async fn until_draining(&self) {
        self.until_status("draining", "ok").await;
    }

    /// Waits until the app reports that something about Auth0 is wrong.
    pub(crate) async fn until_degraded(&self) {
        self.until_status("degraded", "failing").await;
    }

    async fn until_status(&self, status: &str, auth0: &str) {
        let reported = async || {
            let report = self.get_admin("/readyz").await.json();
            (report["status"] == status && report["checks"]["auth0"] == auth0).then_some(())
        };
        eventually(&format!("/readyz reports {status}"), reported).await;
    }

    pub(crate) async fn start(auth0: Emulator, folder: TempDir, setup: Setup) -> Self {
        let Setup { file, settings, clock, request_timeout } = &setup;
        let database = format!("sqlite://{}", folder.path().join("signup.db").display());
        let mut variables: Vec<(OsString, OsString)> = [
            ("AUTH0_DOMAIN", auth0.url()),
            ("AUTH0_CLIENT_ID", DEFAULT_CLIENT_ID),
            ("AUTH0_CLIENT_SECRET", DEFAULT_CLIENT_SECRET),
            ("DATABASE_URL", &database),
            ("PORT", "0"),
            ("SIGNUP__ADMIN__PORT", "0"),
            // All requests of a test come from one address.
            ("SIGNUP__CHALLENGE__ADAPTIVE__ADDRESS_BURST", "1000000"),
            ("SIGNUP__CHALLENGE__ADAPTIVE__ATTEMPTS_PER_MINUTE", "1000000"),
            ("SIGNUP__CHALLENGE__ADAPTIVE__UNSUCCESSFUL_PERCENT", "100"),
            ("SIGNUP__LIMITS__POSTS__BURST", "100000"),
            ("SIGNUP__LIMITS__ADDRESS__BURST", "100000"),
            ("SIGNUP__LIMITS__EMAIL__BURST", "100000"),
            ("SIGNUP__LIMITS__SERVICE__BURST", "100000"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .into();
        if settings.iter().any(|(name, _)| *name == variable("auth0.client_assertion_signing_key"))
        {
            variables.retain(|(name, _)| name != "AUTH0_CLIENT_SECRET");
        }
        variables.extend(settings.iter().cloned());
        let mut loaded = config::load(file.as_deref(), variables).unwrap();
        loaded.http.request_timeout = request_timeout.unwrap_or(loaded.http.request_timeout);
        let app = App::start(loaded, Arc::clone(clock)).await.unwrap();
        let (address, admin) = (app.public_address().unwrap(), app.admin_address().unwrap());
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(app.run(async {
            // A test that ends without stopping the app drops the sender.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        }));
        let client = Client::builder().no_proxy().build().unwrap();
        Self { auth0, address, admin, client, folder, setup, stop: Some(stop), running }
    }

    /// Stops the app and starts it again on the same ledger and tenant.
    pub(crate) async fn restart(self) -> Self {
        self.restart_with(&[]).await
    }

    /// Restarts with changed settings: keys of `config/default.toml`.
    pub(crate) async fn restart_with(mut self, settings: &[(&str, &str)]) -> Self {
        for (key, value) in settings {
            self.setup.settings.retain(|(name, _)| *name != variable(key));
            self.setup.settings.push((variable(key), value.into()));
        }
        self.stop().await.unwrap();
        Self::start(self.auth0, self.folder, self.setup).await
    }

    /// The attempts in the ledger, newest first, as the command line reads them.
    pub(crate) async fn attempts(&self) -> Vec<Attempt> {
        let url = format!("sqlite://{}", self.database().display());
        let variables = [("DATABASE_URL".into(), url.into())];
        let settings = config::load_ledger(None, variables).unwrap();
        let digests = ledger::digests(&settings).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let metrics = LedgerMetrics::default();
        let opened = ledger::open(&settings, &digests, Access::Cli, &clock, &metrics).await;
        let ledger = opened.unwrap();
        let attempts = ledger.find(Find::All, 100).await.unwrap();
        ledger.close().await;
        attempts
    }

    /// Waits until every attempt is resolved: some are recorded after the response.
    pub(crate) async fn until_resolved(&self) {
        let resolved = async || {
            let attempts = self.attempts().await;
            attempts.iter().all(|attempt| attempt.state.is_resolved()).then_some(())
        };
        eventually("every attempt is resolved", resolved).await;
    }

    /// The ledger's file.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("signup.db")
    }

    /// A connection of the test's own to the ledger's file.
    pub(crate) fn ledger(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.database()).unwrap()
    }

    /// Waits until the app has stopped by itself, and returns whether a background task panicked.
    pub(crate) async fn has_failed(&mut self) -> bool {
        (&mut self.running).await.unwrap()
    }

    /// Makes the app stop. The handle completes when it has stopped.
    pub(crate) fn stop(&mut self) -> &mut JoinHandle<bool> {
        if let Some(stop) = self.stop.take() {
            stop.send(()).unwrap();
        }
        &mut self.running
    }
}

impl TestResponse {
    pub(crate) async fn receive(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The problem's code, after checking the members that every problem has.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16());
        assert_eq!(body["request_id"], self.header("x-request-id").unwrap());
        let code = body["code"].as_str().unwrap();
        assert_eq!(body["type"], format!("urn:auth0-signup:problem:{code}"));
        code.to_owned()
    }

    /// Pointer and code of each field error.
    pub(crate) fn errors(&self) -> Vec<(String, String)> {
        assert_eq!(self.problem(), "invalid_fields");
        assert_eq!(self.status, StatusCode::UNPROCESSABLE_ENTITY);
        let body = self.json();
        let text = |error: &Value, name: &str| error[name].as_str().unwrap().to_owned();
        let errors = body["errors"].as_array().unwrap().iter();
        errors.map(|error| (text(error, "pointer"), text(error, "code"))).collect()
    }
}

/// An idempotency key.
pub(crate) const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";

/// Auth0's response body for an id that no user has.
pub(crate) const NOBODY: &str = r#"{"statusCode":404,"error":"Not Found","message":"The user does not exist.","errorCode":"inexistent_user"}"#;

/// Auth0's response body for a user that conflicts with another one.
pub(crate) const CONFLICT: &str = r#"{"statusCode":409,"error":"Conflict","message":"The user already exists.","errorCode":"auth0_idp_error"}"#;

/// Auth0's response body for a username that another user has.
pub(crate) const USERNAME_TAKEN: &str = r#"{"statusCode":400,"error":"Bad Request","message":"The username provided is in use already."}"#;

/// Auth0's response body for a lookup by an application that may not read users.
pub(crate) const FORBIDDEN: &str = r#"{"statusCode":403,"error":"Forbidden","message":"Insufficient scope, expected any of: read:users","errorCode":"insufficient_scope"}"#;

/// The `Accept` header of Chromium when it posts a form or follows a link.
pub(crate) const NAVIGATION: &str =
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

/// A client that requests pages as a browser does, without following redirects.
pub(crate) fn browser() -> Client {
    let accept = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(NAVIGATION))]);
    let client = Client::builder().no_proxy().redirect(Policy::none()).default_headers(accept);
    client.build().unwrap()
}

/// A form that meets every rule of the default settings.
pub(crate) fn ada() -> Value {
    json!({
        "email": "ada@example.com",
        "password": "Difference-Engine-1843",
        "given_name": "Ada",
        "family_name": "Lovelace",
    })
}

/// [`ada`] with a member changed.
pub(crate) fn ada_with(name: &str, value: impl Into<Value>) -> Value {
    with_member(ada(), name, value)
}

/// The form with a member changed.
pub(crate) fn with_member(mut form: Value, name: &str, value: impl Into<Value>) -> Value {
    form[name] = value.into();
    form
}

/// [`ada`] with another address for each number.
pub(crate) fn person(nth: usize) -> Value {
    ada_with("email", format!("ada{nth}@example.com"))
}

/// Sends a request and disconnects as soon as the condition holds, which no busy machine can miss.
pub(crate) async fn hang_up_once(request: RequestBuilder, holds: impl Fn() -> bool) {
    tokio::select! {
        response = request.send() => panic!("a response before the disconnect: {response:?}"),
        () = eventually("the client may disconnect", async || holds().then_some(())) => {}
    }
}

/// The machine's clock with an offset.
#[derive(Debug, Default)]
pub(crate) struct Ahead(AtomicU64);

impl Ahead {
    /// Sets the offset.
    pub(crate) fn put_forward(&self, by: Duration) {
        self.0.store(by.as_secs(), Ordering::Relaxed);
    }
}

impl Clock for Ahead {
    fn now(&self) -> Duration {
        SystemClock.now() + Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}
