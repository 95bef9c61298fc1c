//! Auth0's public sign-up endpoint, as Lock, auth0.js and the SDKs call it.

use auth0_emulator::{Fault, Route};
use reqwest::header::{
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{TestApp, TestResponse, ada, ada_with};
use crate::server::{connect, database, scalar};

const ROUTE: &str = "/dbconnections/signup";

/// A form of Lock, with additional fields of both storages.
fn lock_form() -> Value {
    json!({
        "client_id": "lock-client",
        "connection": "Username-Password-Authentication",
        "email": "ada@example.com",
        "password": "Difference-Engine-1843",
        "given_name": "Ada",
        "family_name": "Lovelace",
        "user_metadata": {},
    })
}

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut form = lock_form();
    form[name] = value.into();
    form
}

async fn sign_up(app: &TestApp, body: &Value) -> TestResponse {
    let request = app.client.post(app.url(ROUTE)).header(CONTENT_TYPE, "application/json");
    // The preference of a browser does not change Auth0's shapes.
    TestResponse::receive(request.header("accept", "text/html").body(body.to_string())).await
}

/// The code of an error, after checking the members that every error has.
fn code(response: &TestResponse) -> String {
    assert_eq!(response.header("content-type"), Some("application/json"), "{response:?}");
    let body = response.json();
    assert_eq!(body["statusCode"], response.status.as_u16(), "{response:?}");
    assert!(body["name"].is_string() && !body["description"].is_null(), "{response:?}");
    body["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_sign_up_of_lock_creates_the_user_and_gets_auth0s_response() {
    let app = TestApp::builder().set("user_metadata.allow", "plan").spawn().await;
    let response = sign_up(&app, &with("user_metadata", json!({"plan": "free"}))).await;
    assert_eq!(response.status, StatusCode::OK);
    let mut body = response.json();
    let id = body.as_object_mut().unwrap().remove("_id").unwrap();
    let id = id.as_str().unwrap();
    assert!(id.len() == 24 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    assert_eq!(
        body,
        json!({
            "email": "ada@example.com",
            "email_verified": false,
            "given_name": "Ada",
            "family_name": "Lovelace",
        })
    );
    assert_eq!(
        app.the_create(),
        json!({
            "connection": "Username-Password-Authentication",
            "email": "ada@example.com",
            "password": "Difference-Engine-1843",
            "given_name": "Ada",
            "family_name": "Lovelace",
            "name": "Ada Lovelace",
            "user_metadata": {"plan": "free"},
        })
    );
}

/// The ids of a custom database may have bars, and its user may come without an address.
#[tokio::test]
async fn the_id_is_whole_and_the_address_is_the_forms_where_auth0_returns_none() {
    let app = TestApp::spawn().await;
    let created = json!({"user_id": "auth0|MyConnection1|17"}).to_string();
    app.auth0.fault(Route::CreateUser, Fault::answer(201).body(created.clone()));
    let response = sign_up(&app, &lock_form()).await;
    assert_eq!(
        (&response.json()["_id"], &response.json()["email"]),
        (&json!("MyConnection1|17"), &json!("ada@example.com"))
    );
    app.auth0.fault(Route::CreateUser, Fault::answer(201).body(created));
    let response = app.sign_up(&ada_with("email", "grace@example.com")).await;
    assert_eq!(response.json()["user"]["email"], "grace@example.com");
}

#[tokio::test]
async fn a_urlencoded_form_is_accepted_without_its_login_parameters() {
    let app = TestApp::spawn().await;
    let form = [
        ("client_id", "any"),
        ("connection", "Another-Connection"),
        ("email", "ada@example.com"),
        ("password", "Difference-Engine-1843"),
        ("state", "x"),
        ("redirect_uri", "https://app.example.com"),
    ];
    let response = TestResponse::receive(app.client.post(app.url(ROUTE)).form(&form)).await;
    assert_eq!(response.status, StatusCode::OK);
    let create = app.the_create();
    assert_eq!(create["connection"], "Username-Password-Authentication");
    assert_eq!(create.as_object().unwrap().len(), 3, "{create}");
}

#[tokio::test]
async fn a_double_submit_creates_once_and_both_get_the_user() {
    let app = TestApp::spawn().await;
    let form = lock_form();
    let (first, second) = tokio::join!(sign_up(&app, &form), sign_up(&app, &form));
    assert_eq!((first.status, second.status), (StatusCode::OK, StatusCode::OK));
    assert_eq!(first.json()["_id"], second.json()["_id"]);
    assert_eq!(app.creates().len(), 1);
}

#[tokio::test]
async fn a_repeated_form_gets_the_same_response_without_lookups() {
    let builder = TestApp::builder().scopes(&["create:users"]);
    let app = builder.spawn().await;
    let first = sign_up(&app, &lock_form()).await;
    let again = sign_up(&app, &lock_form()).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"), "{again:?}");
    assert_eq!(again.json(), first.json());
    assert_eq!(app.creates().len(), 1);
}

#[tokio::test]
async fn a_repeated_form_gets_the_same_response_of_a_custom_database() {
    let app = TestApp::builder().auth0(|tenant| tenant.ignores_user_id = true).spawn().await;
    let first = sign_up(&app, &lock_form()).await;
    app.until_resolved().await;
    let again = sign_up(&app, &lock_form()).await;
    assert_eq!(again.json(), first.json());
    assert_eq!(first.json()["_id"], app.auth0.users()[0]["identities"][0]["user_id"]);
    assert_eq!(app.creates().len(), 1);
}

#[tokio::test]
async fn taken_addresses_and_usernames_have_auth0s_codes() {
    let app = TestApp::builder()
        .set("fields.username", "required")
        .auth0(|tenant| tenant.requires_username = true)
        .spawn()
        .await;
    assert_eq!(sign_up(&app, &with("username", "ada")).await.status, StatusCode::OK);
    let mut other = with("username", "charles");
    other["password"] = "Analytical-Engine-1837".into();
    let taken = sign_up(&app, &other).await;
    assert_eq!((taken.status, code(&taken).as_str()), (StatusCode::BAD_REQUEST, "user_exists"));
    assert_eq!(
        taken.json(),
        json!({
            "name": "BadRequestError",
            "code": "user_exists",
            "description": "The user already exists.",
            "statusCode": 400,
        })
    );
    other["email"] = "charles@example.com".into();
    other["username"] = "ada".into();
    assert_eq!(code(&sign_up(&app, &other).await), "username_exists");
}

#[tokio::test]
async fn a_weak_password_is_explained_rule_by_rule() {
    let app = TestApp::spawn().await;
    let response = sign_up(&app, &with("password", "short1")).await;
    assert_eq!(response.status, StatusCode::BAD_REQUEST);
    let body = response.json();
    assert_eq!(body["name"], "PasswordStrengthError");
    assert_eq!(body["code"], "invalid_password");
    assert_eq!(body["message"], "Password is too weak");
    assert_eq!(body["statusCode"], 400);
    let rules = &body["description"]["rules"];
    assert_eq!(body["description"]["verified"], false);
    assert_eq!(
        (&rules[0]["code"], &rules[0]["verified"]),
        (&json!("lengthAtLeast"), &json!(false))
    );
    assert_eq!(rules[0]["format"], json!([8]));
    assert_eq!(rules[1]["code"], "containsAtLeast");
    let items = rules[1]["items"].as_array().unwrap().iter();
    let verified: Vec<_> = items.map(|item| item["verified"].as_bool().unwrap()).collect();
    assert_eq!(verified, [true, false, true, false]);
    assert!(body["policy"].as_str().unwrap().starts_with("* At least 8 characters in length\n"));
    assert_eq!(app.creates().len(), 0);
}

#[tokio::test]
async fn a_password_that_the_tenant_rejects_keeps_the_tenants_error_name() {
    let app = TestApp::spawn().await;
    let rejection = json!({
        "statusCode": 400,
        "error": "Bad Request",
        "message": "PasswordDictionaryError: Password is too common",
    });
    app.auth0.fault(Route::CreateUser, Fault::answer(400).body(rejection.to_string()));
    let body = sign_up(&app, &lock_form()).await.json();
    assert_eq!(
        (&body["name"], &body["code"]),
        (&json!("PasswordDictionaryError"), &json!("invalid_password"),)
    );
    assert_eq!(body["description"], "Password is too common");
}

#[tokio::test]
async fn other_field_errors_have_messages_for_the_user() {
    let app = TestApp::spawn().await;
    let body = with("given_name", "x".repeat(151)).to_string();
    let request = app.client.post(app.url(ROUTE)).header(CONTENT_TYPE, "application/json");
    let response = TestResponse::receive(request.header("accept-language", "es").body(body)).await;
    assert_eq!(code(&response), "hook_error");
    assert_eq!(response.json()["description"], "Nombre: Usa como máximo 150 caracteres.");
    // An address that Lock accepts.
    let response = sign_up(&app, &with("email", "ada@example.")).await;
    assert_eq!(code(&response), "hook_error");
    assert_eq!(response.json()["description"], "Email address: Use the format name@example.com.");
    // Errors that only a developer can fix.
    assert_eq!(code(&sign_up(&app, &with("email_verified", true)).await), "invalid_signup");
    assert_eq!(code(&sign_up(&app, &json!([])).await), "invalid_signup");
    assert_eq!(app.creates().len(), 0);
}

#[tokio::test]
async fn a_bad_password_is_reported_with_other_field_errors() {
    let app = TestApp::spawn().await;
    let mut form = with("nickname", "a\u{7}da");
    form["password"] = "short".into();
    let response = sign_up(&app, &form).await;
    assert_eq!(code(&response), "hook_error");
    let description = response.json()["description"].as_str().unwrap().to_owned();
    assert!(description.contains("Nickname: Remove line breaks"), "{description}");
    assert!(description.contains("Password: Use at least 8 characters."), "{description}");
    form["nickname"] = 7.into();
    assert_eq!(code(&sign_up(&app, &form).await), "invalid_signup");
}

#[tokio::test]
async fn closed_sign_ups_have_the_operators_text() {
    for (text, expected) in [
        ("", "Sign-ups are closed right now."),
        ("Sign-ups open on Monday.", "Sign-ups open on Monday."),
    ] {
        let app = TestApp::builder()
            .set("signup.open", "false")
            .set("signup.closed_text", text)
            .spawn()
            .await;
        let response = sign_up(&app, &lock_form()).await;
        assert_eq!(
            (response.status, code(&response).as_str()),
            (StatusCode::BAD_REQUEST, "hook_error")
        );
        assert_eq!(response.json()["description"], expected);
        assert_eq!(app.creates().len(), 0);
    }
}

#[tokio::test]
async fn applications_and_connections_are_checked_if_configured() {
    let app = TestApp::builder()
        .set("auth0_compat.client_ids", "web,lock-client")
        .set("auth0_compat.connection", "Username-Password-Authentication")
        .spawn()
        .await;
    assert_eq!(code(&sign_up(&app, &with("client_id", "other")).await), "invalid_signup");
    assert_eq!(code(&sign_up(&app, &with("connection", "other")).await), "invalid_signup");
    assert_eq!(sign_up(&app, &lock_form()).await.status, StatusCode::OK);
    assert_eq!(app.creates().len(), 1);
}

#[tokio::test]
async fn only_pages_of_allowed_origins_may_call_it() {
    let app =
        TestApp::builder().set("http.allowed_origins", "https://app.example.com").spawn().await;
    let preflight = |origin| {
        let request = app.client.request(Method::OPTIONS, app.url(ROUTE)).header(ORIGIN, origin);
        let request = request.header(ACCESS_CONTROL_REQUEST_METHOD, "POST");
        TestResponse::receive(
            request.header(ACCESS_CONTROL_REQUEST_HEADERS, "auth0-client,content-type"),
        )
    };
    let allowed = preflight("https://app.example.com").await;
    assert_eq!(allowed.status, StatusCode::OK);
    let origin = allowed.header("access-control-allow-origin");
    assert_eq!(origin, Some("https://app.example.com"));
    let headers = allowed.header("access-control-allow-headers").unwrap();
    assert!(headers.contains("auth0-client") && headers.contains("content-type"), "{headers}");
    let rejected = preflight("https://evil.example.com").await;
    assert_eq!(rejected.header("access-control-allow-origin"), None);
    let request = app.client.post(app.url(ROUTE)).header(ORIGIN, "https://evil.example.com");
    let rejected = TestResponse::receive(request.form(&[("email", "ada@example.com")])).await;
    assert_eq!(code(&rejected), "unauthorized");
    assert_eq!(rejected.header("access-control-allow-origin"), Some("*"), "its page may read why");

    let request = app.client.post(app.url(ROUTE)).header(ORIGIN, "https://app.example.com");
    let request = request.header("auth0-client", "eyJuYW1lIjoibG9jayJ9");
    let response = TestResponse::receive(request.json(&lock_form())).await;
    assert_eq!(response.status, StatusCode::OK);
    assert!(response.header("access-control-allow-origin").is_some());
}

#[tokio::test]
async fn a_busy_tenant_gives_too_many_requests() {
    let app = TestApp::spawn().await;
    app.auth0.fault(Route::CreateUser, Fault::answer(429).always());
    let response = sign_up(&app, &lock_form()).await;
    assert_eq!(response.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(code(&response), "too_many_requests");
    assert!(response.header("retry-after").is_some());
}

#[tokio::test]
async fn no_captcha_is_reported_to_lock() {
    let app = TestApp::spawn().await;
    let request = app.client.post(app.url("/dbconnections/signup/challenge"));
    let response = TestResponse::receive(request.json(&json!({"state": "x"}))).await;
    assert_eq!(
        (response.status, response.text.as_str()),
        (StatusCode::OK, r#"{"required":false}"#)
    );
}

#[tokio::test]
async fn the_endpoint_can_be_disabled() {
    let app = TestApp::builder().set("auth0_compat.enabled", "false").spawn().await;
    let response = sign_up(&app, &lock_form()).await;
    assert_eq!((response.status, code(&response).as_str()), (StatusCode::NOT_FOUND, "not_found"));
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn proofs_that_lock_cannot_send_can_be_waived() {
    let app = TestApp::builder()
        .set("challenge.required", "always")
        .set("auth0_compat.without_challenge", "true")
        .spawn()
        .await;
    assert_eq!(sign_up(&app, &lock_form()).await.status, StatusCode::OK);
    let other = ada_with("email", "charles@example.com");
    assert_eq!(app.sign_up(&other).await.problem(), "challenge_required");
}

/// Of every bucket an attempt takes two permits: of this replica's, and of those that replicas share.
#[tokio::test]
async fn without_proofs_the_limits_are_halved() {
    let database = database().await;
    let limited = || {
        let builder = TestApp::builder().set("auth0_compat.without_challenge", "true");
        builder.set("limits.address.burst", "4")
    };
    for builder in [limited(), limited().postgres(&database)] {
        let app = builder.spawn().await;
        app.until_ready().await;
        for nth in 0..2 {
            let form = with("email", format!("ada{nth}@example.com"));
            assert_eq!(sign_up(&app, &form).await.status, StatusCode::OK, "{nth}");
        }
        let rejected = sign_up(&app, &with("email", "ada2@example.com")).await;
        assert_eq!(code(&rejected), "too_many_requests");
        assert!(rejected.header("retry-after").is_some());
        assert_eq!(app.creates().len(), 2);
    }
    // Half of each burst: of the address, the /24, the service and two e-mail addresses.
    let client = connect(&database).await;
    let charged = "SELECT array_agg(burst ORDER BY burst) FROM limits";
    assert_eq!(scalar::<Vec<i64>>(&client, charged).await, [2, 12_500, 50_000, 50_000, 50_000]);
}

#[tokio::test]
async fn parameters_of_the_following_login_are_removed() {
    let app = TestApp::spawn().await;
    let mut body = ada();
    for name in [
        "audience",
        "captcha",
        "client_id",
        "connection",
        "credential_type",
        "nonce",
        "organization",
        "prompt",
        "realm",
        "redirect_uri",
        "response_mode",
        "response_type",
        "scope",
        "state",
    ] {
        body[name] = "canary-of-the-login".into();
    }
    let request = app.client.post(app.url("/dbconnections/signup")).json(&body);
    assert_eq!(TestResponse::receive(request).await.status, StatusCode::OK);
    assert!(!app.the_create().to_string().contains("canary"));
}
