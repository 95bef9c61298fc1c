//! A client for the tests.

use std::time::Duration;

use auth0_emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_CONNECTION, Emulator};
use reqwest::{Certificate, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

/// A password that the default policy accepts.
pub(crate) const PASSWORD: &str = "Correct7Horse!";

/// A client of one emulator.
pub(crate) struct TestClient {
    /// Sends the requests.
    pub(crate) http: reqwest::Client,
    /// The emulator's URL.
    url: String,
    /// The emulator's audience.
    audience: String,
}

/// A response, read completely.
#[derive(Debug)]
pub(crate) struct JsonResponse {
    /// The status.
    pub(crate) status: StatusCode,
    /// The headers.
    pub(crate) headers: reqwest::header::HeaderMap,
    /// The body as JSON; `null` if it is not JSON.
    pub(crate) body: Value,
}

impl JsonResponse {
    /// Reads a response.
    pub(crate) async fn read(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
        Self { status, headers, body }
    }

    /// The value of a header; empty if absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The member `message` of the body.
    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

impl TestClient {
    /// A client for `auth0`, over TLS if the emulator uses it.
    pub(crate) fn new(auth0: &Emulator) -> Self {
        let ca = auth0.ca_pem().map(|pem| Certificate::from_pem(pem.as_bytes()).unwrap());
        let builder = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .retry(reqwest::retry::never())
            .no_proxy()
            // Also without a CA, because loading the system's takes longer than most tests.
            .tls_certs_only(ca);
        Self {
            http: builder.build().unwrap(),
            url: auth0.url().to_owned(),
            audience: auth0.audience(),
        }
    }

    /// A request to a path.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// The body of a valid token request.
    pub(crate) fn grant(&self) -> Value {
        json!({
            "grant_type": "client_credentials",
            "client_id": DEFAULT_CLIENT_ID,
            "client_secret": DEFAULT_CLIENT_SECRET,
            "audience": self.audience,
        })
    }

    /// Sends a token request.
    pub(crate) async fn request_token(&self, grant: &Value) -> JsonResponse {
        let request = self.request(Method::POST, "/oauth/token").json(grant);
        JsonResponse::read(request.send().await.unwrap()).await
    }

    /// Fetches an access token.
    pub(crate) async fn token(&self) -> String {
        let response = self.request_token(&self.grant()).await;
        response.body["access_token"].as_str().unwrap().to_owned()
    }

    /// A create-user request with a valid token.
    pub(crate) async fn create_request(&self, body: &Value) -> RequestBuilder {
        let token = self.token().await;
        self.request(Method::POST, "/api/v2/users").bearer_auth(token).json(body)
    }

    /// Sends a create-user request with a valid token.
    pub(crate) async fn create(&self, body: &Value) -> JsonResponse {
        JsonResponse::read(self.create_request(body).await.send().await.unwrap()).await
    }

    /// Sends a `GET` with a valid token.
    pub(crate) async fn get(&self, path: &str) -> JsonResponse {
        let token = self.token().await;
        let request = self.request(Method::GET, path).bearer_auth(token);
        JsonResponse::read(request.send().await.unwrap()).await
    }
}

/// A valid create-user body for this e-mail.
pub(crate) fn user(email: &str) -> Value {
    json!({ "connection": DEFAULT_CONNECTION, "email": email, "password": PASSWORD })
}

/// Returns `base` with the members of `more` added.
pub(crate) fn with(mut base: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("not an object") };
    base.as_object_mut().unwrap().extend(more);
    base
}
