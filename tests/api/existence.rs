//! `existence = "uniform"`: the same response for new and known addresses.

use std::time::{Duration, Instant};

use auth0_emulator::{Fault, Gate, Route};
use auth0_signup::ledger::AttemptState;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::app::{
    FORBIDDEN, KEY, TestApp, TestAppBuilder, TestResponse, ada, ada_with, browser, with_member,
};
use crate::eventually::eventually;
use crate::identity::{lose_rows, sign_up_elsewhere};
use crate::server::{connect, database};

/// Uniform responses, with a floor that is too short to matter.
fn uniform() -> TestAppBuilder {
    TestApp::builder().set("existence", "uniform").set("existence_uniform.floor_ms", "1")
}

/// The same, with a mail to the owners of known addresses.
pub(crate) fn notifying() -> TestAppBuilder {
    uniform()
        .set("existence_uniform.notify_existing", "true")
        .set("existence_uniform.mail_client_id", "the-web-application")
}

/// A second idempotency key.
pub(crate) const OTHER_KEY: &str = "5b7c1d5e-5f0c-4c36-a5b9-6d0f3e0a9a11";

/// Everything that distinguishes two responses, except ids, dates and the client's remaining
/// attempts.
fn visible(response: &TestResponse) -> (StatusCode, Vec<(String, String)>, String) {
    let mut headers = Vec::new();
    for (name, value) in &response.headers {
        if !["date", "x-request-id", "ratelimit"].contains(&name.as_str()) {
            headers.push((name.to_string(), value.to_str().unwrap().to_owned()));
        }
    }
    headers.sort();
    (response.status, headers, response.text.clone())
}

#[tokio::test]
async fn new_and_known_addresses_get_the_same_response() {
    let app = uniform().spawn().await;
    let new = app.sign_up(&ada()).await;
    assert_eq!(new.status, StatusCode::ACCEPTED);
    assert_eq!(new.text, r#"{"status":"accepted"}"#);
    let known = app.sign_up(&ada_with("password", "Another-Password-1")).await;
    assert_eq!(visible(&known), visible(&new));
    // Both called Auth0; neither response came from memory.
    assert_eq!(app.creates().len(), 2);
    // A duplicate request gets the first response again.
    let again = app.sign_up(&ada()).await;
    let known_again = app.sign_up(&ada_with("password", "Another-Password-1")).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(visible(&again), visible(&known_again));
    assert_eq!(app.creates().len(), 2);
}

#[tokio::test]
async fn keys_replay_alike() {
    let new = uniform().spawn().await;
    let known = uniform().spawn().await;
    known.sign_up(&ada_with("password", "Another-Password-1")).await;
    for _ in 0..2 {
        let (one, other) =
            (new.sign_up_with_key(KEY, &ada()).await, known.sign_up_with_key(KEY, &ada()).await);
        assert_eq!(one.status, StatusCode::ACCEPTED);
        assert_eq!(visible(&one), visible(&other));
    }
    for app in [&new, &known] {
        let other =
            app.sign_up_with_key(KEY, &ada_with("password", "Yet-Another-Password-1")).await;
        assert_eq!(other.problem(), "idempotency_key_reused");
    }
}

#[tokio::test]
async fn a_browser_is_redirected_to_the_same_page() {
    let app = uniform().spawn().await;
    let post = |password: &'static str| {
        let form =
            [("email", "ada@example.com"), ("password", password), ("ui_locales", "de-AT en")];
        TestResponse::receive(browser().post(app.url("/signup")).form(&form))
    };
    let (new, known) = (post("Correct-Horse-1").await, post("Another-Password-1").await);
    assert_eq!(new.status, StatusCode::SEE_OTHER);
    // What the next page greets with is sealed, and as long for both.
    let [new, known] = [new, known].map(|response| {
        let location = response.header("location").unwrap();
        let (page, sealed) = location.split_once("&for=").unwrap();
        (response.status, page.to_owned(), sealed.len())
    });
    assert_eq!(new.1, "/signup/success?ui_locales=de");
    assert_eq!(new, known);
}

#[tokio::test]
async fn auth0s_endpoint_responds_to_a_known_address_as_to_a_new_one() {
    let app = uniform().spawn().await;
    let post = |password: &'static str| {
        let body = json!({
            "client_id": "x", "connection": "Username-Password-Authentication",
            "email": "Ada@Example.com", "password": password, "given_name": "Ada",
        });
        TestResponse::receive(app.client.post(app.url("/dbconnections/signup")).json(&body))
    };
    let (new, known) = (post("Correct-Horse-1").await, post("Another-Password-1").await);
    assert_eq!((new.status, known.status), (StatusCode::OK, StatusCode::OK));
    let (mut new, mut known) = (new.json(), known.json());
    let ids = [&mut new, &mut known].map(|body| body.as_object_mut().unwrap().remove("_id"));
    for id in ids.iter().flatten().map(|id| id.as_str().unwrap()) {
        assert!(id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    }
    assert_ne!(ids[0], ids[1]);
    let expected =
        json!({ "email": "ada@example.com", "email_verified": false, "given_name": "Ada" });
    assert_eq!((&new, &known), (&expected, &expected));
    assert_eq!(app.creates().len(), 2);
}

#[tokio::test]
async fn no_response_about_an_address_or_a_key_leaves_before_the_floor() {
    const FLOOR: Duration = Duration::from_millis(400);
    let app = uniform()
        .set("existence_uniform.floor_ms", "400")
        .set("limits.email.burst", "2")
        .set("limits.email.per_hour", "1")
        .set("limits.email.ignore_plus_tag", "false")
        .set("idempotency.wait_ms", "1")
        .spawn()
        .await;
    app.until_ready().await;
    let padded = async |name: &str, expected: u16, request: reqwest::RequestBuilder| {
        let started = Instant::now();
        let response = TestResponse::receive(request).await;
        assert!(started.elapsed() >= FLOOR, "{name}: {:?}", started.elapsed());
        assert_eq!(response.status.as_u16(), expected, "{name}: {response:?}");
    };
    let keyed = |form: &Value| app.post().header("idempotency-key", KEY).json(form);
    let other = ada_with("password", "Another-Password-1");
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::held(&gate));
    let form = ada();
    let while_it_runs = async {
        gate.arrived(1).await;
        padded("a key reused while its attempt runs", 422, keyed(&other)).await;
        padded("in progress", 409, keyed(&form)).await;
        gate.open();
    };
    tokio::join!(padded("new", 202, keyed(&form)), while_it_runs);
    app.until_resolved().await;
    padded("a replay", 202, keyed(&form)).await;
    padded("a key reused", 422, keyed(&other)).await;
    padded("known", 202, app.post().json(&other)).await;
    padded("a replay without a key", 202, app.post().json(&other)).await;
    let lock = app.client.post(app.url("/dbconnections/signup"));
    padded(
        "limited at Auth0's endpoint",
        429,
        lock.json(&ada_with("password", "Third-Password-1")),
    )
    .await;
    let page = app.post().header("accept", "text/html");
    let fields = [("email", "ada@example.com"), ("password", "Fourth-Password-1")];
    padded("limited on the page", 429, page.form(&fields)).await;
    let proof = with_member(ada_with("email", "grace@example.com"), "altcha", "no proof");
    padded("a failed challenge", 403, app.post().json(&proof)).await;
    assert_eq!(app.creates().len(), 2);
}

#[tokio::test]
async fn no_response_waits_for_a_lookup_that_it_does_not_show() {
    let app = uniform().spawn().await;
    app.until_ready().await;
    let lookups = Gate::new();
    app.auth0.fault(Route::GetUser, Fault::held(&lookups).always());
    app.auth0.fault(Route::UsersByEmail, Fault::held(&lookups).always());
    // Of a new address the replay looks the user up, of a known one the first sign-up.
    let new = app.sign_up_with_key(KEY, &ada()).await;
    let known = app.sign_up_with_key(OTHER_KEY, &ada_with("password", "Another-Password-1")).await;
    assert_eq!(visible(&new), visible(&known));
    lookups.arrived(1).await;
    app.until_resolved().await;
    for _ in 0..2 {
        let new = app.sign_up_with_key(KEY, &ada()).await;
        let known =
            app.sign_up_with_key(OTHER_KEY, &ada_with("password", "Another-Password-1")).await;
        assert_eq!(new.header("idempotency-replayed"), Some("true"));
        assert_eq!(visible(&new), visible(&known));
    }
    lookups.arrived(2).await;
    for key in [KEY, OTHER_KEY] {
        let reused =
            app.sign_up_with_key(key, &ada_with("password", "Yet-Another-Password-1")).await;
        assert_eq!(reused.problem(), "idempotency_key_reused");
    }
    assert_eq!(app.creates().len(), 2);
    lookups.open();
}

#[tokio::test]
async fn another_replica_replays_a_known_address_before_its_lookup() {
    let database = database().await;
    let replica = || uniform().postgres(&database);
    let one = replica().spawn().await;
    let other = replica().set("auth0.domain", one.auth0.url()).spawn().await;
    one.until_ready().await;
    other.until_ready().await;
    let lookups = Gate::new();
    one.auth0.fault(Route::GetUser, Fault::held(&lookups).always());
    one.auth0.fault(Route::UsersByEmail, Fault::held(&lookups).always());
    let new = one.sign_up_with_key(KEY, &ada()).await;
    let known = one.sign_up_with_key(OTHER_KEY, &ada_with("password", "Another-Password-1")).await;
    assert_eq!(visible(&new), visible(&known));
    lookups.arrived(1).await;
    let new = other.sign_up_with_key(KEY, &ada()).await;
    let known =
        other.sign_up_with_key(OTHER_KEY, &ada_with("password", "Another-Password-1")).await;
    assert_eq!(known.header("idempotency-replayed"), Some("true"), "{known:?}");
    assert_eq!(visible(&new), visible(&known));
    for key in [KEY, OTHER_KEY] {
        let reused =
            other.sign_up_with_key(key, &ada_with("password", "Yet-Another-Password-1")).await;
        assert_eq!(reused.problem(), "idempotency_key_reused");
    }
    assert_eq!(one.creates().len(), 2);
    lookups.open();
}

#[tokio::test]
async fn a_lookup_that_fails_changes_no_later_response() {
    let app = uniform().spawn().await;
    let known = ada_with("password", "Another-Password-1");
    app.sign_up(&ada()).await;
    app.auth0.fault(Route::UsersByEmail, Fault::answer(500).always());
    app.auth0.fault(Route::GetUser, Fault::answer(500).always());
    assert_eq!(app.sign_up_with_key(KEY, &known).await.status, StatusCode::ACCEPTED);
    app.until(|app| !app.auth0.calls(Route::UsersByEmail).is_empty()).await;
    app.until_resolved().await;
    let again = app.sign_up_with_key(KEY, &known).await;
    assert_eq!(again.status, StatusCode::ACCEPTED, "{again:?}");
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(app.creates().len(), 2);
}

#[tokio::test]
async fn a_user_that_was_deleted_is_created_again_after_the_replay() {
    let app = uniform().scopes(&["create:users", "read:users", "delete:users"]).spawn().await;
    app.sign_up_with_key(KEY, &ada()).await;
    app.until_resolved().await;
    app.delete_the_user().await;
    let lookup = Gate::new();
    app.auth0.fault(Route::GetUser, Fault::held(&lookup));
    let again = app.sign_up_with_key(KEY, &ada()).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(app.creates().len(), 1);
    lookup.open();
    app.until(|app| app.auth0.users().len() == 1).await;
    app.until_resolved().await;
    assert_eq!(app.creates().len(), 2);
}

/// The lookup that shows it runs after the response.
#[tokio::test]
async fn a_conflict_with_the_sign_ups_own_user_is_recorded_as_created() {
    let app = notifying().spawn().await;
    let first = app.sign_up_with_key(KEY, &ada()).await;
    app.until_resolved().await;
    lose_rows(&app);
    let lookup = Gate::new();
    app.auth0.fault(Route::UsersByEmail, Fault::held(&lookup).always());
    let again = app.sign_up_with_key(KEY, &ada()).await;
    assert_eq!((again.status, &again.text), (StatusCode::ACCEPTED, &first.text));
    lookup.arrived(1).await;
    lookup.open();
    let created = async || {
        let attempts = app.attempts().await;
        (attempts.first()?.state == AttemptState::Created).then_some(())
    };
    eventually("the record is corrected", created).await;
    assert!(app.auth0.calls(Route::ChangePassword).is_empty());
}

#[tokio::test]
async fn the_policy_names_the_setting() {
    let policy = uniform().spawn().await.get("/signup/policy").await.json();
    assert_eq!(policy["existence"], "uniform");
}

#[tokio::test]
async fn metrics_have_the_real_outcomes() {
    let app = uniform().spawn().await;
    app.sign_up(&ada()).await;
    app.sign_up(&ada_with("password", "Another-Password-1")).await;
    for outcome in ["created", "email_taken"] {
        let requests = format!("signup_requests_total{{outcome=\"{outcome}\"}}");
        assert_eq!(app.metric(&requests).await, 1, "{outcome}");
    }
}

#[tokio::test]
async fn known_addresses_are_no_pressure_that_a_challenge_would_reveal() {
    for (builder, reveals) in [(TestApp::builder(), true), (uniform(), false)] {
        let app = builder
            .set("http.trusted_proxies", "127.0.0.1")
            .set("challenge.adaptive.unsuccessful_percent", "75")
            .spawn()
            .await;
        app.sign_up(&ada()).await;
        // Each from another /24, since one busy network is no pressure on the others.
        for n in 1..=60 {
            let form = ada_with("password", format!("Another-Password-{n}"));
            let from = format!("192.{n}.2.1");
            // Of 60 forms without a key, now and then two stand for one key.
            let key = format!("a-key-of-its-own-{n}");
            let post = app.post().header("x-forwarded-for", from).header("idempotency-key", key);
            TestResponse::receive(post.json(&form)).await;
        }
        assert_eq!(app.creates().len(), 61);
        let challenge = app.get_from("198.51.100.1", "/signup/challenge").await;
        assert_eq!(challenge.json()["required"], reveals);
    }
}

#[tokio::test]
async fn a_password_that_only_auth0_rejects_is_still_reported() {
    let app = uniform()
        .auth0(|tenant| tenant.policy = auth0_emulator::PolicyPreset::Excellent)
        .set("password.policy", "low")
        .spawn()
        .await;
    let response = app.sign_up(&ada_with("password", "abcdefgh")).await;
    assert_eq!(response.problem(), "invalid_fields");
}

/// Asserts that the response of a sign-up waits for the record of its result. Without that the next request
/// with the key would not find the user.
async fn assert_recorded_first(app: &TestApp, form: &Value) {
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::held(&gate));
    let response = tokio::spawn(TestResponse::receive(app.post().json(form)));
    gate.arrived(1).await;
    let ledger = app.ledger();
    ledger.execute_batch("BEGIN IMMEDIATE").unwrap();
    gate.open();
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!response.is_finished());
    ledger.execute_batch("ROLLBACK").unwrap();
    let response = response.await.unwrap();
    assert!(response.status.is_success(), "{response:?}");
    assert_eq!(app.attempts().await[0].state, AttemptState::Created);
}

#[tokio::test]
async fn a_result_that_cannot_be_found_again_is_recorded_before_the_response() {
    let app = uniform().scopes(&["create:users"]).spawn().await;
    assert_recorded_first(&app, &ada()).await;

    // A lookup was forbidden although the token names the scope.
    let app = TestApp::spawn().await;
    app.learn_whether_ids_are_kept().await;
    app.auth0.fault(Route::UsersByEmail, Fault::answer(403).body(FORBIDDEN));
    let taken =
        with_member(ada_with("email", "before@example.com"), "password", "Another-Password-1");
    assert_eq!(app.sign_up(&taken).await.problem(), "email_taken");
    assert_recorded_first(&app, &ada()).await;
}

/// When the tenant responds, no heartbeat has been recorded for longer than a lapse, and the result cannot be.
#[tokio::test]
async fn a_ledger_that_hangs_delays_neither_new_nor_known_addresses() {
    let url = database().await;
    let cases = [
        (uniform(), None, [StatusCode::ACCEPTED; 2]),
        (uniform().postgres(&url), Some(&url), [StatusCode::ACCEPTED; 2]),
        (TestApp::builder(), None, [StatusCode::CREATED, StatusCode::CONFLICT]),
    ];
    for (builder, url, expected) in cases {
        let app = builder.spawn().await;
        // Shows that ids are kept.
        let before = app.sign_up(&ada_with("email", "before@example.com")).await;
        assert!(before.status.is_success(), "{before:?}");
        sign_up_elsewhere(&app.auth0).await;
        let gate = Gate::new();
        app.auth0.fault(Route::CreateUser, Fault::held(&gate).times(2));
        let responses = ["grace@example.com", "ada@example.com"].map(|email| {
            let request = app.post().json(&ada_with("email", email));
            tokio::spawn(TestResponse::receive(request))
        });
        gate.arrived(2).await;
        let (file, server);
        if let Some(url) = url {
            server = connect(url).await;
            server.batch_execute("BEGIN; LOCK TABLE attempts, processes").await.unwrap();
        } else {
            file = app.ledger();
            file.execute_batch("BEGIN IMMEDIATE").unwrap();
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        gate.open();
        for (response, expected) in responses.into_iter().zip(expected) {
            // The write that a response would wait for takes longer to fail.
            let response = tokio::time::timeout(Duration::from_secs(2), response).await;
            let response = response.expect("no wait for the ledger").unwrap();
            assert_eq!(response.status, expected, "{url:?}: {response:?}");
        }
    }
}
