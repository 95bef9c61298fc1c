//! The credentials of the application: what a token request carries, and their rotation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use auth0_emulator::{Emulator, Fault, JournalEntry, Route};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::app::{TestApp, ada, ada_with};
use crate::process::Process;

/// A key of an application, in PEM.
struct SigningKey {
    private: String,
    public: String,
}

impl SigningKey {
    fn new() -> Self {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap();
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()).unwrap();
        Self {
            private: pem("PRIVATE KEY", private.as_ref()),
            public: pem("PUBLIC KEY", public.as_ref()),
        }
    }
}

fn pem(kind: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n")
}

fn member(request: &JournalEntry, name: &str) -> Option<String> {
    request.form().into_iter().find(|(member, _)| member == name).map(|(_, value)| value)
}

/// The header and the claims of the assertion of a token request.
fn assertion(request: &JournalEntry) -> [Value; 2] {
    let assertion = member(request, "client_assertion").unwrap();
    let mut parts = assertion.split('.').map(|part| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap());
    [0, 1].map(|_| serde_json::from_slice(&parts.next().unwrap()).unwrap())
}

#[tokio::test]
async fn a_secret_in_the_header_is_form_encoded_and_not_in_the_body() {
    const SECRET: &str = "s: %+/é";
    let app = TestApp::builder()
        .auth0(|tenant| SECRET.clone_into(&mut tenant.client_secret))
        .set("auth0.client_secret", SECRET)
        .set("auth0.client_secret_in", "basic")
        .spawn()
        .await;
    app.until_ready().await;
    let request = &app.auth0.calls(Route::Token)[0];
    let header = request.header("authorization").unwrap().strip_prefix("Basic ").unwrap();
    let pair = String::from_utf8(BASE64_STANDARD.decode(header).unwrap()).unwrap();
    assert_eq!(pair, "demo-client:s%3A+%25%2B%2F%C3%A9");
    let names: Vec<_> = request.form().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["grant_type", "audience"]);
}

#[tokio::test]
async fn a_key_signs_an_assertion_of_its_own_for_each_token() {
    let cases = ["RS256", "RS384", "PS256"].map(async |algorithm| {
        let key = SigningKey::new();
        let mut app = TestApp::builder()
            .auth0(|tenant| {
                tenant.public_keys = vec![key.public];
                tenant.token_lifetime_s = 4;
            })
            .set("auth0.client_assertion_signing_key", &key.private)
            .set("auth0.client_assertion_signing_alg", algorithm)
            .set("auth0.client_assertion_key_id", "key-1")
            .spawn()
            .await;
        let granted = |request: &JournalEntry| request.status == Some(200);
        app.until(|app| {
            app.auth0.calls(Route::Token).iter().filter(|call| granted(call)).count() >= 2
        })
        .await;
        let requests = app.auth0.calls(Route::Token);
        let [header, claims] = assertion(&requests[0]);
        assert_eq!(header, json!({"typ": "JWT", "alg": algorithm, "kid": "key-1"}));
        assert_eq!(
            (&claims["iss"], &claims["sub"]),
            (&json!("demo-client"), &json!("demo-client"))
        );
        assert_eq!(claims["aud"], format!("{}/", app.auth0.url()), "one text");
        assert_ne!(claims["jti"], assertion(&requests[1])[1]["jti"]);
        assert!(requests.iter().all(|request| member(request, "client_secret").is_none()));
        assert!(requests[..2].iter().all(granted), "{requests:?}");
        app.stop().await.unwrap();
    });
    futures_util::future::join_all(cases).await;
}

/// Every order of a rotation: the service has the new secret as the current or as the previous one,
/// and the tenant revokes the tokens or not.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_under_load_fails_no_sign_up() {
    for (current, previous) in [("new-secret", "demo-secret"), ("demo-secret", "new-secret")] {
        for revokes in [false, true] {
            let app = TestApp::builder()
                .set("auth0.client_secret", current)
                .set("auth0.client_secret_previous", previous)
                .spawn()
                .await;
            app.until_created(1_000_000).await;
            let (done, created) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
            let clients: Vec<_> = (0..8)
                .map(|client| {
                    let (app, done, created) =
                        (app.post(), Arc::clone(&done), Arc::clone(&created));
                    tokio::spawn(async move {
                        for nth in 0.. {
                            if done.load(Ordering::Relaxed) {
                                return;
                            }
                            let email = format!("person{client}-{nth}@example.com");
                            let request = app.try_clone().unwrap().json(&ada_with("email", email));
                            let response = request.send().await.unwrap();
                            assert_eq!(response.status(), StatusCode::CREATED);
                            created.fetch_add(1, Ordering::Relaxed);
                        }
                    })
                })
                .collect();
            let at_least = async |more: usize| {
                let until = created.load(Ordering::Relaxed) + more;
                app.until(|_| created.load(Ordering::Relaxed) >= until).await;
            };
            at_least(50).await;
            app.auth0.rotate_secret("new-secret");
            if revokes {
                app.auth0.revoke_tokens();
            }
            at_least(100).await;
            done.store(true, Ordering::Relaxed);
            futures_util::future::join_all(clients).await.into_iter().for_each(Result::unwrap);
            let granted = app.auth0.calls(Route::Token);
            let granted = granted.iter().filter(|call| call.status == Some(200)).count();
            assert_eq!(granted, if revokes { 2 } else { 1 }, "tokens");
        }
    }
}

#[tokio::test]
async fn the_accepted_secret_is_tried_first_from_then_on() {
    let app = TestApp::builder()
        .auth0(|tenant| tenant.token_lifetime_s = 4)
        .set("auth0.client_secret", "future-secret")
        .set("auth0.client_secret_previous", "demo-secret")
        .spawn()
        .await;
    let statuses = |app: &TestApp| {
        let calls = app.auth0.calls(Route::Token);
        calls.into_iter().filter_map(|call| call.status).take(3).collect::<Vec<_>>()
    };
    app.until(|app| statuses(app).len() == 3).await;
    assert_eq!(statuses(&app), [401, 200, 200]);
}

/// The tenant rejects the new secret, is given it, and then rejects the one before.
#[tokio::test]
async fn a_secret_rotated_between_two_requests_is_tried_again() {
    let auth0 = Emulator::builder();
    let auth0 = auth0.tenant(|tenant| "new-secret".clone_into(&mut tenant.client_secret));
    let auth0 = auth0.start().await.unwrap();
    let rejected = r#"{"error":"access_denied","error_description":"Unauthorized"}"#;
    let rejected = Fault::answer(401).body(rejected).delayed(Duration::from_millis(300));
    auth0.fault(Route::Token, rejected);
    let app = TestApp::builder()
        .tenant(auth0)
        .set("auth0.client_secret", "new-secret")
        .set("auth0.client_secret_previous", "demo-secret")
        .spawn()
        .await;
    // It waits for the token. Two rejections alone would be the operator's error.
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    let requests = app.auth0.calls(Route::Token);
    let sent: Vec<_> = requests
        .iter()
        .map(|request| (member(request, "client_secret").unwrap(), request.status.unwrap()))
        .collect();
    let [new, before] = ["new-secret", "demo-secret"].map(str::to_owned);
    assert_eq!(sent, [(new.clone(), 401), (before, 401), (new, 200)]);
}

#[tokio::test]
async fn two_wrong_secrets_are_an_error_of_the_operator() {
    let app = TestApp::builder()
        .set("auth0.client_secret", "wrong")
        .set("auth0.client_secret_previous", "wrong too")
        .spawn()
        .await;
    assert_eq!(app.sign_up(&ada()).await.problem(), "upstream_rejected");
    assert!(app.creates().is_empty());
}

#[tokio::test]
async fn a_token_without_the_scope_to_create_users_degrades_the_service() {
    let app = TestApp::builder().scopes(&["read:users"]).spawn().await;
    app.until(|app| app.token_requests() >= 1).await;
    app.until_degraded().await;
    let ready = app.get("/readyz").await;
    assert_eq!(
        (ready.status, &ready.json()["checks"]["auth0"]),
        (StatusCode::OK, &json!("failing"))
    );
    assert_eq!(app.sign_up(&ada()).await.problem(), "upstream_rejected");
}

/// A token response need not name its scopes.
#[tokio::test]
async fn a_forbidden_create_degrades_the_service_until_one_is_allowed() {
    let app = TestApp::spawn().await;
    app.until_ready().await;
    let body = json!({
        "statusCode": 403,
        "error": "Forbidden",
        "message": "Insufficient scope, expected any of: create:users",
        "errorCode": "insufficient_scope",
    });
    app.auth0.fault(Route::CreateUser, Fault::answer(403).body(body.to_string()));
    assert_eq!(app.sign_up(&ada()).await.problem(), "upstream_rejected");
    let ready = app.get("/readyz").await.json();
    assert_eq!(
        (&ready["status"], &ready["checks"]["auth0"]),
        (&json!("degraded"), &json!("failing"))
    );
    let refused = json!({
        "statusCode": 400,
        "error": "Bad Request",
        "message": "PasswordStrengthError: Password is too weak",
    });
    app.auth0.fault(Route::CreateUser, Fault::answer(400).body(refused.to_string()));
    assert_eq!(app.sign_up(&ada()).await.problem(), "invalid_fields");
    assert_eq!(app.get("/readyz").await.json()["status"], "ready");
    assert_eq!((app.creates().len(), app.token_requests()), (2, 1));
}

#[tokio::test]
async fn scopes_that_are_missing_or_unused_are_logged() {
    let scopes = ["create:users", "delete:users", "read:connections", "read:custom_domains"];
    let scopes = scopes.map(str::to_owned);
    let auth0 = Emulator::builder().tenant(|tenant| tenant.scopes = scopes.into()).start().await;
    let auth0 = auth0.unwrap();
    let mut process = Process::start(&auth0, &[]).await;
    let missing = process.event(|event| event["scope"] == "read:users").await;
    assert_eq!(missing["level"], "WARN");
    let unused = process.event(|event| event["scopes"].is_string()).await;
    assert_eq!((&unused["level"], &unused["scopes"]), (&json!("WARN"), &json!("delete:users")));
    process.terminate();

    auth0.tenant(|tenant| tenant.scopes = vec!["read:users".to_owned()]);
    let process = Process::start(&auth0, &[]).await;
    let missing = process.event(|event| event["scope"] == "create:users").await;
    assert_eq!(missing["level"], "ERROR");
}
