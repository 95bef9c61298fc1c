//! Proof of work and honeypot: the attempts that need a proof, and the proofs that are valid.

use std::sync::Arc;
use std::time::Duration;

use altcha::{Challenge, Solution, SolveChallengeOptions, solve_challenge};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::app::{
    Ahead, TestApp, TestAppBuilder, TestResponse, ada, ada_with, person, with_member,
};
use crate::eventually::eventually;
use crate::server::database;

/// The secret of the apps.
pub(crate) const KEY: &str = "0123456789abcdef0123456789abcdef";

/// Cheap challenges under a known secret.
pub(crate) fn builder() -> TestAppBuilder {
    TestApp::builder()
        .set("secrets.key", KEY)
        .set("challenge.work.cost", "1000")
        .set("challenge.work.tries", "2")
        .set("challenge.work.per_minute", "1000")
}

/// The same where every sign-up needs a proof.
pub(crate) fn always() -> TestAppBuilder {
    builder().set("challenge.required", "always").set("auth0_compat.enabled", "false")
}

/// The response to a request for a challenge, from an address behind a proxy that may be trusted.
pub(crate) async fn challenge(app: &TestApp, from: &str) -> TestResponse {
    // A machine that is busy with other tests may not make one in time: then the response names a wait.
    eventually("a challenge", async || {
        let response = app.get_from(from, "/signup/challenge").await;
        (response.status != StatusCode::SERVICE_UNAVAILABLE).then_some(response)
    })
    .await
}

/// A challenge for this address, and its solution.
async fn solved(app: &TestApp, from: &str) -> (Challenge, Solution) {
    let challenge = challenge(app, from).await;
    let challenge: Challenge = serde_json::from_str(&challenge.text).unwrap();
    let solution = solve_challenge(SolveChallengeOptions::new(&challenge)).unwrap().unwrap();
    (challenge, solution)
}

fn encoded(payload: &Value) -> String {
    STANDARD.encode(payload.to_string())
}

/// The proof that the widget puts into the form.
pub(crate) async fn proof(app: &TestApp) -> String {
    proof_for(app, "192.0.2.1").await
}

/// The same for a client at this address.
pub(crate) async fn proof_for(app: &TestApp, from: &str) -> String {
    let (challenge, solution) = solved(app, from).await;
    encoded(&json!({"challenge": challenge, "solution": solution}))
}

/// A form with a proof.
pub(crate) fn with_proof(nth: usize, proof: &str) -> Value {
    with_member(person(nth), "altcha", proof)
}

/// Signs up the n-th person from an address behind the trusted proxy.
pub(crate) async fn post_from(app: &TestApp, from: &str, nth: usize) -> TestResponse {
    app.sign_up_from(from, &person(nth)).await
}

/// The default settings, behind a proxy.
pub(crate) fn defaults() -> TestAppBuilder {
    builder()
        .set("http.trusted_proxies", "127.0.0.1")
        .set("challenge.adaptive.address_burst", "50")
        .set("challenge.adaptive.attempts_per_minute", "300")
        .set("challenge.adaptive.unsuccessful_percent", "75")
}

#[tokio::test]
async fn a_sign_up_needs_a_proof_and_succeeds_with_one() {
    let app = always().spawn().await;
    let response = app.sign_up(&ada()).await;
    assert_eq!(response.problem(), "challenge_required");
    assert_eq!(response.status, StatusCode::FORBIDDEN);
    assert_eq!(app.creates().len(), 0);

    let form = ada_with("altcha", proof(&app).await);
    assert_eq!(app.sign_up(&form).await.status, StatusCode::CREATED);
    let create = app.the_create().to_string();
    assert!(!create.contains("altcha"), "{create}");
    assert_eq!(app.metric("challenge_required_total{reason=\"always\"}").await, 1);
    assert_eq!(app.metric("challenge_issued_total").await, 1);
    assert_eq!(app.metric("challenge_passed_total").await, 1);
}

#[tokio::test]
async fn a_browsers_form_can_carry_a_proof() {
    let app = always().spawn().await;
    let form = [
        ("email", "ada@example.com"),
        ("password", "Difference-Engine-1843"),
        ("altcha", &proof(&app).await),
    ];
    let response = TestResponse::receive(app.post().form(&form)).await;
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
}

#[tokio::test]
async fn a_proof_is_valid_for_one_attempt() {
    let app = always().spawn().await;
    let proof = proof(&app).await;
    assert_eq!(app.sign_up(&with_proof(1, &proof)).await.status, StatusCode::CREATED);
    let response = app.sign_up(&with_proof(2, &proof)).await;
    assert_eq!(response.problem(), "challenge_failed");
    assert_eq!(response.status, StatusCode::FORBIDDEN);
    // Another spelling is the same proof.
    let bytes = STANDARD.decode(&proof).unwrap();
    let mut payload: Value = serde_json::from_slice(&bytes).unwrap();
    payload["solution"]["time"] = json!(1);
    payload["solution"]["counter"] = json!(77);
    payload["more"] = json!("x");
    let response = app.sign_up(&with_proof(3, &encoded(&payload))).await;
    assert_eq!(response.problem(), "challenge_failed");
    assert_eq!(app.creates().len(), 1);
    assert_eq!(app.metric("challenge_failed_total{reason=\"used\"}").await, 2);
}

#[tokio::test]
async fn twenty_concurrent_attempts_with_one_proof_create_one_user() {
    let app = Arc::new(always().spawn().await);
    let proof = proof(&app).await;
    let mut posts = JoinSet::new();
    for nth in 0..20 {
        let (app, form) = (Arc::clone(&app), with_proof(nth, &proof));
        posts.spawn(async move { app.sign_up(&form).await.status });
    }
    let statuses = posts.join_all().await;
    let created = statuses.iter().filter(|status| **status == StatusCode::CREATED).count();
    let rejected = statuses.iter().filter(|status| **status == StatusCode::FORBIDDEN).count();
    assert_eq!((created, rejected, app.creates().len()), (1, 19, 1));
}

#[tokio::test]
async fn replicas_accept_each_others_challenges_and_each_proof_once() {
    let database = database().await;
    let replica = || always().set("database.url", &database);
    let first = replica().spawn().await;
    let second = replica().set("auth0.domain", first.auth0.url()).spawn().await;
    let (apps, mut created) = ([&first, &second], 0);
    for round in 0..5 {
        let proof = proof(&first).await;
        let posts = apps.map(|app| {
            let form = with_proof(round * 2 + usize::from(app.address == second.address), &proof);
            async move { app.sign_up(&form).await }
        });
        let [one, other] = posts;
        let (one, other) = tokio::join!(one, other);
        for response in [one, other] {
            match response.status {
                StatusCode::CREATED => created += 1,
                _ => assert_eq!(response.problem(), "challenge_failed"),
            }
        }
    }
    assert_eq!((created, first.creates().len()), (5, 5));
}

#[tokio::test]
async fn a_proof_of_another_deployment_or_format_is_rejected() {
    let app = always().spawn().await;
    let other = builder().set("secrets.key", &KEY.repeat(2)).spawn().await;
    let (challenge, solution) = solved(&app, "192.0.2.1").await;
    let mut easier = challenge.clone();
    easier.parameters.key_prefix = "00".to_owned();
    let mut wrong = solution.clone();
    wrong.derived_key = "0".repeat(64);
    let unsigned = Challenge { signature: None, ..challenge.clone() };
    let payloads = [
        proof(&other).await,
        encoded(&json!({"challenge": easier, "solution": solution})),
        encoded(&json!({"challenge": challenge, "solution": wrong})),
        encoded(&json!({"challenge": unsigned, "solution": solution})),
        encoded(&json!({"challenge": null, "solution": null, "test": true})),
        "x".to_owned(),
        "A".repeat(8 * 1024 + 4),
        "A".repeat(60 * 1024),
    ];
    for (nth, payload) in payloads.iter().enumerate() {
        let response = app.sign_up(&with_proof(nth, payload)).await;
        assert_eq!(response.problem(), "challenge_failed", "{nth}");
        assert!(payload.len() < 9 || !response.text.contains(payload), "{nth}");
    }
    assert_eq!(app.creates().len(), 0);
    for (reason, count) in [("forged", 3), ("wrong", 1), ("malformed", 4)] {
        let metric = format!("challenge_failed_total{{reason=\"{reason}\"}}");
        assert_eq!(app.metric(&metric).await, count, "{reason}");
    }
}

#[tokio::test]
async fn a_proof_expires() {
    let clock = Arc::new(Ahead::default());
    let app = always()
        .set("challenge.work.lifetime_ms", "3600000")
        .clock(Arc::<Ahead>::clone(&clock))
        .spawn()
        .await;
    let (early, late) = (proof(&app).await, proof(&app).await);
    clock.put_forward(Duration::from_mins(30));
    assert_eq!(app.sign_up(&with_proof(1, &early)).await.status, StatusCode::CREATED);
    clock.put_forward(Duration::from_hours(1));
    assert_eq!(app.sign_up(&with_proof(2, &late)).await.problem(), "challenge_failed");
    assert_eq!(app.metric("challenge_failed_total{reason=\"expired\"}").await, 1);
}

#[tokio::test]
async fn field_errors_are_reported_before_a_proof_is_required() {
    let app = always().spawn().await;
    let proof = proof(&app).await;
    let mut form = with_proof(1, &proof);
    form["password"] = "short".into();
    let response = app.sign_up(&form).await;
    assert_eq!(response.errors()[0].0, "/password");
    // They do not use the proof up.
    assert_eq!(app.sign_up(&with_proof(1, &proof)).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_known_key_is_replayed_without_a_proof() {
    let app = always().spawn().await;
    let key = "0123456789abcdef";
    let mut form = with_proof(1, &proof(&app).await);
    form["idempotency_key"] = key.into();
    assert_eq!(app.sign_up(&form).await.status, StatusCode::CREATED);
    let app = app.restart().await;
    for proof in [None, Some("nonsense")] {
        form["altcha"] = proof.into();
        let response = app.sign_up(&form).await;
        assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
        assert_eq!(response.header("idempotency-replayed"), Some("true"));
    }
    assert_eq!(app.creates().len(), 1);
}

#[tokio::test]
async fn a_filled_honeypot_needs_a_proof_and_is_never_sent_to_auth0() {
    for required in ["adaptive", "off"] {
        let app = builder().set("challenge.required", required).spawn().await;
        for filled in [json!("https://spam.example"), json!(1), json!({"a": 1})] {
            let response = app.sign_up(&ada_with("subject", filled)).await;
            assert_eq!(response.problem(), "challenge_required", "{required}");
        }
        assert_eq!(app.creates().len(), 0);
        let form = with_member(
            ada_with("subject", "filled by a person's extension"),
            "altcha",
            proof(&app).await,
        );
        assert_eq!(app.sign_up(&form).await.status, StatusCode::CREATED);
        assert!(!app.the_create().to_string().contains("subject"));
        assert_eq!(app.metric("challenge_required_total{reason=\"honeypot\"}").await, 3);
    }
}

#[tokio::test]
async fn a_valid_proof_lifts_the_limit_of_an_address() {
    let app = builder().set("limits.address.burst", "1").spawn().await;
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    let form = person(1);
    assert_eq!(app.sign_up(&form).await.problem(), "rate_limited");
    let response = app.sign_up(&with_proof(1, &proof(&app).await)).await;
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    assert_eq!(app.sign_up(&with_proof(2, "nonsense")).await.problem(), "challenge_failed");
}

#[tokio::test]
async fn an_empty_honeypot_is_ignored_and_its_name_is_a_setting() {
    let app = builder().spawn().await;
    for (nth, empty) in [json!(""), json!(" "), Value::Null].into_iter().enumerate() {
        let form = with_member(person(nth), "subject", empty);
        assert_eq!(app.sign_up(&form).await.status, StatusCode::CREATED, "{nth}");
    }
    let app = builder().set("challenge.honeypot", "nickname2").spawn().await;
    assert_eq!(app.sign_up(&ada_with("nickname2", "x")).await.problem(), "challenge_required");
    let unknown = app.sign_up(&ada_with("subject", "")).await;
    assert_eq!(unknown.errors(), [("/subject".to_owned(), "unknown_field".to_owned())]);
}
