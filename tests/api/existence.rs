//! Where callers are not told who has an account: the same words for all, and a mail for the owner.

use std::time::{Duration, Instant};

use auth0_emulator::Route;
use reqwest::StatusCode;
use reqwest::redirect::Policy;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, TestAppBuilder, ada, ada_with};

const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";

fn uniform() -> TestAppBuilder {
    TestApp::builder().set("EXISTENCE", "uniform").set("UNIFORM__INITIAL_FLOOR_MS", "1")
}

async fn with_key(app: &TestApp, body: &Value) -> Answer {
    Answer::of(app.post().header("idempotency-key", KEY).json(body)).await
}

/// All that a caller can tell two answers apart by, but ids, dates and its own count of attempts.
fn told(answer: &Answer) -> (StatusCode, Vec<(String, String)>, String) {
    let mut headers = Vec::new();
    for (name, value) in &answer.headers {
        if !["date", "x-request-id", "ratelimit"].contains(&name.as_str()) {
            headers.push((name.to_string(), value.to_str().unwrap().to_owned()));
        }
    }
    headers.sort();
    (answer.status, headers, answer.text.clone())
}

#[tokio::test]
async fn new_known_and_known_with_another_password_are_told_the_same() {
    let app = uniform().spawn().await;
    let new = app.sign_up(&ada()).await;
    assert_eq!(new.status, StatusCode::ACCEPTED);
    assert_eq!(new.text, r#"{"status":"accepted"}"#);
    let known = app.sign_up(&ada_with("password", "Another-Password-1")).await;
    assert_eq!(told(&known), told(&new));
    // The second asked Auth0 as the first did; nothing was answered from memory.
    assert_eq!(app.creates().len(), 2);
    // A double click hears what the first click heard, whatever that was.
    let again = app.sign_up(&ada()).await;
    let known_again = app.sign_up(&ada_with("password", "Another-Password-1")).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(told(&again), told(&known_again));
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
        assert_eq!(told(&one), told(&other));
    }
    for app in [&new, &known] {
        let other = with_key(app, &ada_with("password", "Yet-Another-Password-1")).await;
        assert_eq!(other.problem(), "idempotency_key_reused");
    }
}

#[tokio::test]
async fn a_browser_is_sent_to_the_same_page() {
    let app = uniform().spawn().await;
    let client = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    let post = |password: &'static str| {
        let form =
            [("email", "ada@example.com"), ("password", password), ("ui_locales", "de-AT en")];
        let request = client.post(app.url("/signup")).header("accept", "text/html");
        Answer::of(request.form(&form))
    };
    let (new, known) = (post("Correct-Horse-1").await, post("Another-Password-1").await);
    assert_eq!(new.status, StatusCode::SEE_OTHER);
    assert_eq!(new.header("location"), Some("/signup/success?ui_locales=de"));
    assert_eq!(told(&new), told(&known));
}

#[tokio::test]
async fn locks_endpoint_tells_a_known_address_what_it_tells_a_new_one() {
    let app = uniform().spawn().await;
    let post = |password: &'static str| {
        let body = json!({
            "client_id": "x", "connection": "Username-Password-Authentication",
            "email": "Ada@Example.com", "password": password, "given_name": "Ada",
        });
        Answer::of(app.client.post(app.url("/dbconnections/signup")).json(&body))
    };
    let (new, known) = (post("Correct-Horse-1").await, post("Another-Password-1").await);
    assert_eq!((new.status, known.status), (StatusCode::OK, StatusCode::OK));
    let (mut new, mut known) = (new.json(), known.json());
    let ids = [&mut new, &mut known].map(|body| body.as_object_mut().unwrap().remove("_id"));
    for id in ids.iter().flatten().map(|id| id.as_str().unwrap()) {
        assert!(id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    }
    assert_ne!(ids[0], ids[1]);
    let told = json!({ "email": "ada@example.com", "email_verified": false, "given_name": "Ada" });
    assert_eq!((&new, &known), (&told, &told));
    assert_eq!(app.creates().len(), 2);
}

#[tokio::test]
async fn a_known_address_is_not_answered_sooner_than_a_new_one() {
    const PACE: Duration = Duration::from_millis(400);
    let app = uniform().set("existence_uniform.initial_floor_ms", "400").spawn().await;
    app.until_ready().await;
    for password in ["Correct-Horse-1", "Another-Password-1", "Another-Password-1"] {
        let began = Instant::now();
        app.sign_up(&ada_with("password", password)).await;
        assert!(began.elapsed() >= PACE, "{password}: {:?}", began.elapsed());
    }
    assert_eq!(app.creates().len(), 2);
}

#[tokio::test]
async fn the_policy_says_so() {
    let policy = uniform().spawn().await.get("/signup/policy").await.json();
    assert_eq!(policy["existence"], "uniform");
}

#[tokio::test]
async fn the_log_and_the_metrics_have_the_truth() {
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
async fn known_addresses_are_no_pressure_that_a_challenge_would_tell_of() {
    for (builder, tells) in [(TestApp::builder(), true), (uniform(), false)] {
        let app = builder
            .set("http.trusted_proxies", "127.0.0.1")
            .set("challenge.adaptive.unsuccessful_percent", "75")
            .spawn()
            .await;
        app.sign_up(&ada()).await;
        // From a network each: what one of them does is no pressure on others.
        for n in 1..=60 {
            let form = ada_with("password", format!("Another-Password-{n}"));
            let from = format!("192.0.2.{n}");
            Answer::of(app.post().header("x-forwarded-for", from).json(&form)).await;
        }
        assert_eq!(app.creates().len(), 61);
        let offer = app.client.get(app.url("/signup/challenge"));
        let offer = Answer::of(offer.header("x-forwarded-for", "198.51.100.1")).await;
        assert_eq!(offer.json()["required"], tells);
    }
}

#[tokio::test]
async fn what_only_auth0_refuses_is_still_told() {
    let app = uniform()
        .auth0(|tenant| tenant.policy = auth0_emulator::PolicyPreset::Excellent)
        .set("PASSWORD__POLICY", "low")
        .spawn()
        .await;
    let answer = app.sign_up(&ada_with("password", "abcdefgh")).await;
    assert_eq!(answer.problem(), "invalid_fields");
}

#[tokio::test]
async fn the_owner_of_a_known_address_is_mailed_once_a_day() {
    let mut app = uniform()
        .set("UNIFORM__TELL_OWNER", "true")
        .set("UNIFORM__MAIL_CLIENT_ID", "the-web-application")
        .spawn()
        .await;
    app.sign_up(&ada()).await;
    for n in 0..3 {
        app.sign_up(&ada_with("password", format!("Another-Password-{n}"))).await;
    }
    // A stop waits for the mail as it waits for sign-ups.
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
