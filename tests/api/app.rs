//! The app under test, its tenant and a client.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::Arc;

use auth0_emulator::{
    Builder, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator, Entry, Route, Tenant,
};
use auth0_signup::app::App;
use auth0_signup::clock::SystemClock;
use auth0_signup::config;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A running app, its tenant and a client.
pub(crate) struct TestApp {
    pub(crate) auth0: Emulator,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) client: Client,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

/// What a [`TestApp`] is made of.
pub(crate) struct TestAppBuilder {
    auth0: Builder,
    settings: Vec<(OsString, OsString)>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl TestApp {
    pub(crate) async fn spawn() -> Self {
        Self::builder().spawn().await
    }

    pub(crate) fn builder() -> TestAppBuilder {
        TestAppBuilder { auth0: Emulator::builder(), settings: Vec::new() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.client.get(self.url(path))).await
    }

    pub(crate) async fn get_admin(&self, path: &str) -> Answer {
        Answer::of(self.client.get(format!("http://{}{path}", self.admin))).await
    }

    pub(crate) fn post(&self) -> RequestBuilder {
        self.client.post(self.url("/signup"))
    }

    /// Signs up with a JSON body.
    pub(crate) async fn sign_up(&self, body: &Value) -> Answer {
        self.sign_up_raw("application/json", body.to_string()).await
    }

    /// Signs up with any body.
    pub(crate) async fn sign_up_raw(&self, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
        Answer::of(self.post().header(CONTENT_TYPE, kind).body(body)).await
    }

    /// The create-user calls that the tenant got.
    pub(crate) fn creates(&self) -> Vec<Entry> {
        self.auth0.calls(Route::CreateUser)
    }

    /// The one create-user call that the tenant got, as JSON.
    pub(crate) fn the_create(&self) -> Value {
        let creates = self.creates();
        assert_eq!(creates.len(), 1, "create-user calls");
        creates[0].json()
    }

    /// How many token requests the tenant got.
    pub(crate) fn token_requests(&self) -> usize {
        self.auth0.calls(Route::Token).len()
    }

    /// Tells the app to stop; the handle ends when it has.
    pub(crate) fn stop(&mut self) -> &mut JoinHandle<()> {
        if let Some(stop) = self.stop.take() {
            stop.send(()).unwrap();
        }
        &mut self.running
    }
}

impl TestAppBuilder {
    /// Changes the tenant.
    pub(crate) fn auth0(mut self, change: impl FnOnce(&mut Tenant)) -> Self {
        self.auth0 = self.auth0.tenant(change);
        self
    }

    /// Sets a key of `config/default.toml`.
    pub(crate) fn set(mut self, key: &str, value: &str) -> Self {
        let name = format!("SIGNUP__{}", key.replace('.', "__").to_uppercase());
        self.settings.push((name.into(), value.into()));
        self
    }

    pub(crate) async fn spawn(self) -> TestApp {
        let auth0 = self.auth0.start().await.unwrap();
        let mut variables: Vec<(OsString, OsString)> = [
            ("AUTH0_DOMAIN", auth0.url()),
            ("AUTH0_CLIENT_ID", DEFAULT_CLIENT_ID),
            ("AUTH0_CLIENT_SECRET", DEFAULT_CLIENT_SECRET),
            ("PORT", "0"),
            ("SIGNUP__ADMIN__PORT", "0"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .into();
        variables.extend(self.settings);
        let settings = config::load(None, variables).unwrap();
        let app = App::start(settings, Arc::new(SystemClock)).await.unwrap();
        let (address, admin) = (app.public_address().unwrap(), app.admin_address().unwrap());
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(app.run(async {
            // A test that ends without telling the app to stop drops the sender.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        }));
        let client = Client::builder().no_proxy().build().unwrap();
        TestApp { auth0, address, admin, client, stop: Some(stop), running }
    }
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
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

    /// The problem's code, after a look at what every problem holds.
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
    let mut form = ada();
    form[name] = value.into();
    form
}
