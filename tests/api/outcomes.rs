//! Auth0's responses, and what the client gets for each.

use std::time::Duration;

use auth0_emulator::{Emulator, Fault, Gate, PolicyPreset, Route};
use auth0_signup::ledger::AttemptState;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::app::{KEY, TestApp, TestResponse, ada, ada_with, hang_up_once, person, with_member};

#[tokio::test]
async fn a_created_user_is_returned_as_auth0_returned_it() {
    let app = TestApp::spawn().await;
    let response = app.sign_up(&ada_with("picture", "https://example.com/a.png")).await;
    assert_eq!(response.status, StatusCode::CREATED);
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let kept = &app.auth0.users()[0];
    let expected = json!({"status": "created", "user": {
        "user_id": kept["user_id"],
        "email": "ada@example.com",
        "email_verified": false,
        "name": "Ada Lovelace",
        "given_name": "Ada",
        "family_name": "Lovelace",
        "nickname": "ada",
        "picture": "https://example.com/a.png",
    }});
    assert_eq!(response.json(), expected);
    assert!(app.auth0.has_password("ada@example.com", "Difference-Engine-1843"));
}

#[tokio::test]
async fn a_known_address_is_taken() {
    let app = TestApp::spawn().await;
    app.sign_up(&ada()).await;
    let response = app.sign_up(&ada_with("password", "Another-Password-1")).await;
    assert_eq!(response.problem(), "email_taken");
    assert_eq!(response.status, StatusCode::CONFLICT);
    assert_eq!(app.auth0.users().len(), 1);
}

#[tokio::test]
async fn a_known_username_is_taken() {
    let builder = TestApp::builder().set("fields.username", "required");
    let app = builder.auth0(|tenant| tenant.requires_username = true).spawn().await;
    app.sign_up(&ada_with("username", "ada")).await;
    let second = with_member(ada_with("username", "ada"), "email", "other@example.com");
    let response = app.sign_up(&second).await;
    assert_eq!(response.problem(), "username_taken");
    assert_eq!(response.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_password_that_the_tenant_rejects_is_reported_by_rule() {
    let tenant = |tenant: &mut auth0_emulator::Tenant| {
        tenant.policy = PolicyPreset::Excellent;
        tenant.no_personal_info = true;
        tenant.dictionary.active = true;
        tenant.dictionary.custom = vec!["Engine-1843".to_owned()];
        tenant.breached_passwords = vec!["Breached-Engine-1".to_owned()];
    };
    let app = TestApp::builder().auth0(tenant).spawn().await;
    for (password, code) in [
        ("Aaaa-Engine-1", "password.too_weak"),
        ("Engine-1843", "password.too_common"),
        ("ada-Engine-1", "password.contains_user_info"),
        ("Breached-Engine-1", "password.breached"),
    ] {
        let response = app.sign_up(&ada_with("password", password)).await;
        assert_eq!(response.errors(), [("/password".into(), code.into())], "{password}");
    }
    assert_eq!(app.creates().len(), 4);
    assert!(app.auth0.users().is_empty());
}

/// Status and body of a response to create-user, with the status and code that the client gets.
fn create_user_responses() -> Vec<(u16, Value, StatusCode, &'static str)> {
    let body = |status: u16, code: Option<&str>, message: &str| {
        let mut body = json!({"statusCode": status, "error": "x", "message": message});
        if let Some(code) = code {
            body["errorCode"] = code.into();
        }
        body
    };
    let rejected = (StatusCode::BAD_GATEWAY, "upstream_rejected");
    let unknown = (StatusCode::GATEWAY_TIMEOUT, "outcome_unknown");
    let taken = (StatusCode::CONFLICT, "email_taken");
    let exists = "The user already exists.";
    [
        // No user has the address, and nothing else that was sent can be taken.
        (409, body(409, Some("auth0_idp_error"), exists), taken),
        (409, body(409, None, exists), taken),
        (409, body(409, Some("custom_domain_conflict"), "The tenant has…"), rejected),
        (409, body(409, Some("something_else"), exists), rejected),
        (409, json!("text"), rejected),
        (
            400,
            body(400, None, "The username provided is in use already."),
            (StatusCode::CONFLICT, "username_taken"),
        ),
        (400, body(400, Some("Bearer"), "Bad HTTP authentication header format"), rejected),
        (400, body(400, Some("inexistent_connection"), "The connection does not exist."), rejected),
        (400, body(400, None, "The connection is disabled"), rejected),
        (400, body(400, None, "Something new"), rejected),
        (
            400,
            body(400, Some("invalid_body"), "Payload validation error: 'x' on property email."),
            (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        ),
        (401, body(401, None, "Invalid token"), rejected),
        (402, json!({}), rejected),
        (403, body(403, Some("insufficient_scope"), "Insufficient scope"), rejected),
        (403, body(403, Some("feature_not_enabled"), "…"), rejected),
        (404, json!({}), rejected),
        (400, body(400, None, "Sandbox error."), rejected),
        (409, body(409, Some("auth0_idp_error"), "Sandbox error: no free seats"), rejected),
        // A script of a custom database may have stored the user before it failed.
        (500, body(500, None, "Sandbox error."), unknown),
        (
            429,
            body(429, None, "Sandbox error."),
            (StatusCode::SERVICE_UNAVAILABLE, "upstream_busy"),
        ),
        (418, json!({"errorCode": "canary <script>", "message": 5}), rejected),
        (429, json!({}), (StatusCode::SERVICE_UNAVAILABLE, "upstream_busy")),
        (500, json!({}), unknown),
        (503, json!({}), unknown),
        (524, json!({}), unknown),
        (201, json!({}), unknown),
        (200, json!({"user_id": "auth0|1"}), unknown),
        (204, json!({}), unknown),
        (302, json!({}), rejected),
    ]
    .into_iter()
    .map(|(status, body, (expected, code))| (status, body, expected, code))
    .collect()
}

#[tokio::test]
async fn each_response_of_auth0_has_its_outcome() {
    for (status, body, expected, code) in create_user_responses() {
        // A tenant for each: what one reports about its limits and tokens lasts.
        let app = TestApp::spawn().await;
        let fault = Fault::answer(status).body(body.to_string());
        app.auth0.fault(Route::CreateUser, fault.always());
        let response = app.sign_up(&ada()).await;
        assert_eq!(response.problem(), code, "{status} {body}");
        assert_eq!(response.status, expected, "{status} {body}");
        assert!(!response.text.contains("canary"), "{}", response.text);
        assert!(app.auth0.users().is_empty());
    }
}

#[tokio::test]
async fn an_error_page_instead_of_json_is_opaque() {
    let app = TestApp::spawn().await;
    for (nth, (status, code)) in
        [(400, "upstream_rejected"), (502, "outcome_unknown"), (201, "outcome_unknown")]
            .into_iter()
            .enumerate()
    {
        app.auth0.fault(Route::CreateUser, Fault::html(status).always());
        let person = person(nth);
        assert_eq!(app.sign_up(&person).await.problem(), code, "{status}");
        app.auth0.clear_faults();
    }
}

#[tokio::test]
async fn a_client_that_disconnects_does_not_cancel_the_sign_up() {
    let app = TestApp::spawn().await;
    app.until_ready().await;
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::held(&gate));
    hang_up_once(app.post().json(&ada()), || app.creates().len() == 1).await;
    gate.open();
    // The tenant finishes a call in any case: only the record shows that the sign-up went on.
    app.until_resolved().await;
    assert_eq!(app.attempts().await[0].state, AttemptState::Created);
    assert!(app.auth0.calls(Route::GetUser).is_empty(), "nothing had to be looked up");
}

#[tokio::test]
async fn the_whole_request_has_a_deadline() {
    let builder = TestApp::builder().request_timeout(Duration::from_secs(2));
    let app = builder.spawn().await;
    // A first sign-up takes longer than later ones, on a busy machine longer than the deadline.
    app.until_created(0).await;
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::held(&gate));
    let response = app.sign_up(&ada()).await;
    assert_eq!(response.problem(), "outcome_unknown");
    assert!(!app.auth0.has_password("ada@example.com", "Difference-Engine-1843"));
    gate.open();
    app.until_resolved().await;
    assert_eq!(app.attempts().await[0].state, AttemptState::Created);
}

#[tokio::test]
async fn a_deadline_before_anything_was_sent_is_reported_and_nothing_is_sent_later() {
    let tenant = Emulator::builder().start().await.unwrap();
    let gate = Gate::new();
    tenant.fault(Route::Token, Fault::held(&gate));
    let builder = TestApp::builder().tenant(tenant).request_timeout(Duration::from_secs(2));
    let app = builder.spawn().await;
    for key in [None, Some(KEY)] {
        let response = app.sign_up_with_key(key, &ada()).await;
        assert_eq!(response.problem(), "upstream_unavailable", "{key:?}");
    }
    // The token arrives when no request waits for it any more.
    gate.open();
    app.until_ready().await;
    let metric = "ledger_calls_total{operation=\"finish\",outcome=\"done\"}";
    app.until_metric(metric, 2).await;
    assert_eq!(app.metric(metric).await, 2);
    assert!(app.creates().is_empty());
    // The key is free.
    let again = app.sign_up_with_key(KEY, &ada()).await;
    assert_eq!(again.status, StatusCode::CREATED);
    assert_eq!(again.header("idempotency-replayed"), None);
}

/// The client whose deadline passed got the response that nothing was sent. Another one waits for the same sign-up.
#[tokio::test]
async fn a_sign_up_that_was_given_up_starts_over_for_a_client_that_waits() {
    let tenant = Emulator::builder().start().await.unwrap();
    let gate = Gate::new();
    tenant.fault(Route::Token, Fault::held(&gate));
    // The rest of the 4 s that a sign-up waits for a token is left for what follows.
    let builder = TestApp::builder().tenant(tenant).request_timeout(Duration::from_millis(2_200));
    let app = builder.spawn().await;
    let sign_up = || tokio::spawn(TestResponse::receive(app.post().json(&ada())));
    let first = sign_up();
    // The second client's deadline is as much later.
    tokio::time::sleep(Duration::from_millis(1_800)).await;
    let second = sign_up();
    assert_eq!(first.await.unwrap().problem(), "upstream_unavailable");
    gate.open();
    let second = second.await.unwrap();
    assert_eq!(second.status, StatusCode::CREATED, "{second:?}");
    assert_eq!(second.header("idempotency-replayed"), None, "its own sign-up, not the first one");
    assert_eq!(app.creates().len(), 1);
}

#[tokio::test]
async fn settings_add_their_members_to_the_call_and_nothing_else() {
    let app = TestApp::spawn().await;
    app.sign_up(&ada()).await;
    let create = &app.creates()[0];
    assert_eq!(create.json().get("verify_email"), None);
    assert_eq!(create.header("content-type"), Some("application/json"));
    assert!(create.header("authorization").unwrap().starts_with("Bearer "));
    assert!(create.header("auth0-client").is_some());
    assert_eq!(create.header("auth0-custom-domain"), None);

    let builder = TestApp::builder().set("auth0.verify_email", "off");
    let builder = builder.set("auth0.custom_domain", "login.example.com");
    let builder = builder.set("auth0.telemetry", "false");
    let builder = builder.auth0(|tenant| {
        tenant.custom_domains = vec!["login.example.com".into(), "id.example.com".into()];
    });
    let app = builder.spawn().await;
    let response = app.sign_up(&ada()).await;
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    let create = &app.creates()[0];
    assert_eq!(create.json()["verify_email"], false);
    assert_eq!(create.header("auth0-custom-domain"), Some("login.example.com"));
    assert_eq!(create.header("auth0-client"), None);
}

#[tokio::test]
async fn the_request_id_is_the_correlation_id_in_the_tenants_log() {
    let app = TestApp::spawn().await;
    let response = app.sign_up(&ada()).await;
    let id = response.header("x-request-id").unwrap();
    assert_eq!(app.creates()[0].header("x-correlation-id"), Some(id));
    let other = TestResponse::receive(app.client.get(app.url("/livez"))).await;
    assert_ne!(other.header("x-request-id").unwrap(), id);
}
