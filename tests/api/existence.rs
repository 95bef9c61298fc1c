//! `existence = "uniform"`: the same response for new and known addresses, and an e-mail to the owner.

use std::time::{Duration, Instant};

use auth0_emulator::Route;
use reqwest::StatusCode;
use reqwest::redirect::Policy;
use serde_json::{Value, json};

use crate::app::{TestApp, TestAppBuilder, TestResponse, ada, ada_with};

const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";

fn uniform() -> TestAppBuilder {
    TestApp::builder().set("existence", "uniform").set("existence_uniform.initial_floor_ms", "1")
}

async fn with_key(app: &TestApp, body: &Value) -> TestResponse {
    TestResponse::receive(app.post().header("idempotency-key", KEY).json(body)).await
}

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
        let (one, other) = (with_key(&new, &ada()).await, with_key(&known, &ada()).await);
        assert_eq!(one.status, StatusCode::ACCEPTED);
        assert_eq!(visible(&one), visible(&other));
    }
    for app in [&new, &known] {
        let other = with_key(app, &ada_with("password", "Yet-Another-Password-1")).await;
        assert_eq!(other.problem(), "idempotency_key_reused");
    }
}

#[tokio::test]
async fn a_browser_is_redirected_to_the_same_page() {
    let app = uniform().spawn().await;
    let client = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    let post = |password: &'static str| {
        let form =
            [("email", "ada@example.com"), ("password", password), ("ui_locales", "de-AT en")];
        let request = client.post(app.url("/signup")).header("accept", "text/html");
        TestResponse::receive(request.form(&form))
    };
    let (new, known) = (post("Correct-Horse-1").await, post("Another-Password-1").await);
    assert_eq!(new.status, StatusCode::SEE_OTHER);
    assert_eq!(new.header("location"), Some("/signup/success?ui_locales=de"));
    assert_eq!(visible(&new), visible(&known));
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
async fn no_response_leaves_before_the_floor() {
    const FLOOR: Duration = Duration::from_millis(400);
    let app = uniform().set("existence_uniform.initial_floor_ms", "400").spawn().await;
    app.until_ready().await;
    for password in ["Correct-Horse-1", "Another-Password-1", "Another-Password-1"] {
        let started = Instant::now();
        app.sign_up(&ada_with("password", password)).await;
        assert!(started.elapsed() >= FLOOR, "{password}: {:?}", started.elapsed());
    }
    assert_eq!(app.creates().len(), 2);
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
    let metrics = app.get_admin("/metrics").await.text;
    for outcome in ["created", "email_taken"] {
        let line = format!("signup_requests_total{{outcome=\"{outcome}\"}} 1");
        assert!(metrics.contains(&line), "{metrics}");
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
        // Each from another network, since one busy network is no pressure on the others.
        for n in 1..=60 {
            let form = ada_with("password", format!("Another-Password-{n}"));
            let from = format!("192.0.2.{n}");
            // Of 60 forms without a key, now and then two stand for one key.
            let key = format!("a-key-of-its-own-{n}");
            let post = app.post().header("x-forwarded-for", from).header("idempotency-key", key);
            TestResponse::receive(post.json(&form)).await;
        }
        assert_eq!(app.creates().len(), 61);
        let challenge = app.client.get(app.url("/signup/challenge"));
        let challenge =
            TestResponse::receive(challenge.header("x-forwarded-for", "198.51.100.1")).await;
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

#[tokio::test]
async fn the_owner_of_a_known_address_gets_one_e_mail_a_day() {
    let mut app = uniform()
        .set("existence_uniform.notify_existing", "true")
        .set("existence_uniform.mail_client_id", "the-web-application")
        .spawn()
        .await;
    app.sign_up(&ada()).await;
    for n in 0..3 {
        app.sign_up(&ada_with("password", format!("Another-Password-{n}"))).await;
    }
    // A shutdown waits for the e-mail as it waits for sign-ups.
    app.stop().await.unwrap();
    let mails = app.auth0.calls(Route::ChangePassword);
    assert_eq!(mails.len(), 1);
    let body: Value = serde_json::from_slice(&mails[0].body).unwrap();
    assert_eq!(
        body,
        json!({
            "client_id": "the-web-application",
            "email": "ada@example.com",
            "connection": "Username-Password-Authentication",
        })
    );
}
