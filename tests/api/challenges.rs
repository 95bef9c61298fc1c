//! Honeypot, fill time and proof of work: the attempts that need a proof, and the proofs that are
//! valid.

use std::sync::Arc;
use std::time::Duration;

use altcha::{Challenge, Solution, SolveChallengeOptions, solve_challenge};
use auth0_emulator::{Fault, Route};
use auth0_signup::abuse::FormTokens;
use auth0_signup::clock::{Clock as _, SystemClock};
use auth0_signup::digest::Digests;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::app::{
    Ahead, TestApp, TestAppBuilder, TestResponse, ada, ada_with, person, with_member,
};
use crate::captcha::CaptchaService;
use crate::eventually::eventually;
use crate::server::database;

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// Cheap challenges under a known secret.
fn builder() -> TestAppBuilder {
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
async fn challenge(app: &TestApp, from: &str) -> TestResponse {
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
async fn proof_for(app: &TestApp, from: &str) -> String {
    let (challenge, solution) = solved(app, from).await;
    encoded(&json!({"challenge": challenge, "solution": solution}))
}

/// A form with a proof.
fn with_proof(nth: usize, proof: &str) -> Value {
    with_member(person(nth), "altcha", proof)
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
async fn an_exempt_network_needs_no_proof_under_pressure() {
    let app = builder()
        .set("challenge.adaptive.address_burst", "1")
        .set("challenge.adaptive.attempts_per_minute", "1")
        .set("challenge.without_proof_per_hour", "0")
        .set("limits.exempt", "127.0.0.0/8")
        .spawn()
        .await;
    for nth in 0..5 {
        let form = person(nth);
        assert_eq!(app.sign_up(&form).await.status, StatusCode::CREATED, "{nth}");
    }
    assert_eq!(app.get("/signup/challenge").await.json()["required"], false);
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

#[tokio::test]
async fn a_form_that_comes_back_too_soon_or_too_late_needs_a_proof() {
    let app = builder().set("challenge.required", "off").spawn().await;
    let tokens = FormTokens::new(
        &Digests::new(&KEY.into(), None),
        Some(Duration::from_secs(1)..=Duration::from_hours(1)),
    );
    let now = SystemClock.now();
    let issued = |ago: u64| tokens.issue(now.saturating_sub(Duration::from_secs(ago)));
    let post = async |nth: usize, token: &str| {
        let form = with_member(person(nth), "form_token", token);
        app.sign_up(&form).await
    };
    let days = 25 * 3600;
    for (nth, robot) in [tokens.issue(now + Duration::from_hours(1)), issued(days), "x".to_owned()]
        .iter()
        .enumerate()
    {
        assert_eq!(post(nth, robot).await.problem(), "challenge_required", "{nth}");
    }
    assert_eq!(app.creates().len(), 0);
    assert_eq!(post(3, &issued(60)).await.status, StatusCode::CREATED);
    let corrected = tokens.reissue(Some(&issued(60)), true, now);
    assert_eq!(post(4, &corrected).await.status, StatusCode::CREATED);
    // A form of another site has no token.
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    for reason in ["too_soon", "too_late", "forged_token"] {
        let metric = format!("challenge_required_total{{reason=\"{reason}\"}}");
        assert_eq!(app.metric(&metric).await, 1, "{reason}");
    }
}

#[tokio::test]
async fn the_form_token_can_be_required() {
    let app = builder()
        .set("challenge.form_token_required", "true")
        .set("auth0_compat.enabled", "false")
        .spawn()
        .await;
    assert_eq!(app.sign_up(&ada()).await.problem(), "challenge_required");
    let form = ada_with("altcha", proof(&app).await);
    assert_eq!(app.sign_up(&form).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn an_address_that_tries_often_needs_a_proof_after_a_few_attempts_without() {
    let app = builder()
        .set("challenge.adaptive.address_burst", "4")
        .set("challenge.adaptive.address_refill_ms", "86400000")
        .set("challenge.without_proof_per_hour", "2")
        .spawn()
        .await;
    let challenge = async || app.get("/signup/challenge").await.json();
    let post = async |nth: usize| app.sign_up(&person(nth)).await;
    for nth in 0..4 {
        assert_eq!(challenge().await["required"], false);
        assert_eq!(post(nth).await.status, StatusCode::CREATED);
    }
    assert_eq!(challenge().await["required"], true);
    for nth in 4..6 {
        assert_eq!(post(nth).await.status, StatusCode::CREATED, "without a proof");
    }
    assert_eq!(post(6).await.problem(), "challenge_required");
    let response = app.sign_up(&with_proof(7, &proof(&app).await)).await;
    assert_eq!(response.status, StatusCode::CREATED);
    assert_eq!(app.creates().len(), 7);
    assert_eq!(app.metric("challenge_skipped_total").await, 2);
    assert_eq!(app.metric("challenge_required_total{reason=\"pressure\"}").await, 1);
}

/// With the default settings an address reaches both at the same attempt.
#[tokio::test]
async fn an_address_beyond_its_limit_needs_a_proof_and_keeps_its_attempts_without() {
    let app = builder()
        .set("challenge.adaptive.address_burst", "2")
        .set("challenge.adaptive.address_refill_ms", "20000")
        .set("challenge.without_proof_per_hour", "2")
        .set("limits.address.burst", "2")
        .set("limits.address.per_hour", "600")
        .spawn()
        .await;
    for nth in 0..2 {
        assert_eq!(post_from(&app, "", nth).await.status, StatusCode::CREATED);
    }
    for nth in 2..6 {
        assert_eq!(post_from(&app, "", nth).await.problem(), "challenge_required");
    }
    assert_eq!(app.metric("challenge_skipped_total").await, 0);
    // A permit of the limit is back after six seconds, when the address still needs a proof.
    eventually("an attempt without a proof", async || {
        (post_from(&app, "", 9).await.status == StatusCode::CREATED).then_some(())
    })
    .await;
    assert_eq!(app.metric("challenge_skipped_total").await, 1);
}

#[tokio::test]
async fn a_rush_on_the_service_requires_a_proof_of_everybody() {
    let app = builder()
        .set("http.trusted_proxies", "127.0.0.1")
        .set("challenge.adaptive.attempts_per_minute", "5")
        .set("challenge.without_proof_per_hour", "0")
        .spawn()
        .await;
    let mut statuses = Vec::new();
    for nth in 0..7 {
        statuses.push(post_from(&app, &format!("192.0.{nth}.1"), nth).await.status.as_u16());
    }
    assert_eq!(statuses, [201, 201, 201, 201, 201, 201, 403]);
}

/// Signs up the n-th person from an address behind the trusted proxy.
async fn post_from(app: &TestApp, from: &str, nth: usize) -> TestResponse {
    app.sign_up_from(from, &person(nth)).await
}

/// Returns whether the service asks an office that it has not seen for a proof.
async fn is_asked_for_a_proof(app: &TestApp) -> bool {
    challenge(app, "203.0.113.9").await.json()["required"].as_bool().unwrap()
}

/// The default settings, behind a proxy.
fn defaults() -> TestAppBuilder {
    builder()
        .set("http.trusted_proxies", "127.0.0.1")
        .set("challenge.adaptive.address_burst", "50")
        .set("challenge.adaptive.attempts_per_minute", "300")
        .set("challenge.adaptive.unsuccessful_percent", "75")
}

/// Each robot sends forms that fail in one way, a few from each of many networks.
#[tokio::test]
async fn robots_in_many_networks_ask_all_others_for_a_proof() {
    type Robot = fn(&mut Value, &str);
    let robots: [(&str, Robot); 5] = [
        ("a wrong proof", |form, _| form["altcha"] = "x".into()),
        ("a used proof", |form, used| form["altcha"] = used.into()),
        ("a honeypot", |form, _| form["subject"] = "x".into()),
        ("a forged token", |form, _| form["form_token"] = "x".into()),
        ("a failed captcha", |form, _| {
            form["subject"] = "x".into();
            form["cf-turnstile-response"] = "x".into();
        }),
    ];
    let mut not_noticed = Vec::new();
    for (name, robot) in robots {
        let captchas = CaptchaService::start().await;
        captchas
            .responds(200, &json!({"success": false, "error-codes": ["invalid-input-response"]}));
        let app = defaults();
        let app = if name == "a failed captcha" {
            app.captcha("turnstile").set("challenge.captcha.verify_url", &captchas.url)
        } else {
            app
        };
        let app = app.spawn().await;
        let used = if name == "a used proof" { proof(&app).await } else { String::new() };
        let post = async |n: usize| {
            let mut form = ada_with("email", format!("robot{n}@example.com"));
            robot(&mut form, &used);
            app.sign_up_from(&format!("198.51.{}.1", n % 20), &form).await.status
        };
        if name == "a used proof" {
            assert_eq!(post(100).await, StatusCode::CREATED);
        }
        assert!(!is_asked_for_a_proof(&app).await, "{name}");
        // Three of a network count at once.
        for n in 0..60 {
            assert_eq!(post(n).await, StatusCode::FORBIDDEN, "{name}");
        }
        if !is_asked_for_a_proof(&app).await {
            not_noticed.push(name);
        }
    }
    assert!(not_noticed.is_empty(), "{not_noticed:?}");
}

#[tokio::test]
async fn nothing_that_one_network_does_asks_others_for_a_proof() {
    type Source = fn(usize) -> String;
    let sources: [Source; 4] = [
        |_| "192.0.2.1".to_owned(),
        |n| format!("192.0.2.{n}"),
        |n| format!("2001:db8:7:{n:x}::1"),
        |n| format!("2002:c000:201:{n:x}::1"),
    ];
    for (nth, source) in sources.into_iter().enumerate() {
        let app = defaults().set("limits.email.burst", "10").spawn().await;
        for n in 0..70 {
            // Taken, limited, filled in by a robot, or with a forged proof.
            let mut form = ada_with("password", format!("Difference-Engine-{n}"));
            match n % 4 {
                2 => form["subject"] = "x".into(),
                3 => form["altcha"] = "x".into(),
                _ => {}
            }
            app.sign_up_from(&source(n), &form).await;
        }
        assert!(!is_asked_for_a_proof(&app).await, "{}", source(0));
        for n in 0..6 {
            let response = post_from(&app, "203.0.113.9", nth * 10 + n).await;
            assert_eq!(response.status, StatusCode::CREATED, "{}", source(0));
        }
    }
}

#[tokio::test]
async fn unsuccessful_attempts_of_many_networks_ask_everybody_for_a_proof() {
    let app = defaults().spawn().await;
    assert_eq!(post_from(&app, "198.51.100.1", 0).await.status, StatusCode::CREATED);
    for n in 0..60 {
        let form = with_member(person(0), "password", format!("Difference-Engine-{n}"));
        app.sign_up_from(&format!("10.{n}.0.1"), &form).await;
    }
    assert!(is_asked_for_a_proof(&app).await);
}

#[tokio::test]
async fn clients_that_disconnect_hide_no_outcome() {
    let app = defaults().spawn().await;
    assert_eq!(post_from(&app, "198.51.100.1", 0).await.status, StatusCode::CREATED);
    app.auth0.fault(Route::CreateUser, Fault::delay(Duration::from_millis(20)).times(60));
    for n in 0..60 {
        let form = with_member(person(0), "password", format!("Difference-Engine-{n}"));
        let post = app.post().header("x-forwarded-for", format!("10.{n}.0.1")).json(&form);
        let client = tokio::spawn(post.send());
        app.until(|app| app.creates().len() == n + 2).await;
        client.abort();
    }
    eventually("everybody is asked", async || is_asked_for_a_proof(&app).await.then_some(())).await;
}

#[tokio::test]
async fn a_foreign_page_gets_no_challenge_for_its_visitors() {
    let allowed = "https://www.example.com";
    let app = builder()
        .set("http.allowed_origins", allowed)
        .set("challenge.work.per_minute", "1")
        .spawn()
        .await;
    let get = async |headers: &[(&str, &str)]| {
        let request = headers
            .iter()
            .fold(app.client.get(app.url("/signup/challenge")), |request, (name, value)| {
                request.header(*name, *value)
            });
        TestResponse::receive(request).await
    };
    for headers in [
        &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")][..],
        // An image or a link.
        &[("sec-fetch-site", "cross-site")],
    ] {
        assert_eq!(get(headers).await.problem(), "origin_not_allowed");
    }
    let own = get(&[("origin", allowed), ("sec-fetch-site", "cross-site")]).await;
    assert_eq!(own.status, StatusCode::OK);
    // A program that is no browser.
    assert_eq!(get(&[]).await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn attempts_that_a_limit_rejected_count_for_their_network_only() {
    let app = defaults().set("limits.email.burst", "1").spawn().await;
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    for n in 0..80 {
        let form = ada_with("password", format!("Difference-Engine-{n}"));
        let rejected = app.sign_up_from(&format!("10.{n}.0.1"), &form).await;
        assert_eq!(rejected.problem(), "rate_limited");
    }
    assert!(!is_asked_for_a_proof(&app).await);
}

#[tokio::test]
async fn a_proof_pays_what_the_address_that_sends_it_owes() {
    let app = defaults()
        .set("challenge.adaptive.address_burst", "2")
        .set("challenge.adaptive.address_refill_ms", "86400000")
        .set("challenge.without_proof_per_hour", "0")
        .spawn()
        .await;
    let post = async |from: &str, nth: usize, proof: &str| {
        app.sign_up_from(from, &with_proof(nth, proof)).await
    };
    // Four attempts are twice as many as cause no pressure.
    let pressured = "192.0.2.1";
    for nth in 0..4 {
        drop(post_from(&app, pressured, nth).await);
    }
    let calm = proof_for(&app, "198.51.100.1").await;
    let rejected = post(pressured, 10, &calm).await;
    assert_eq!(rejected.problem(), "challenge_failed");
    assert_eq!(app.metric("challenge_failed_total{reason=\"too_easy\"}").await, 1);
    assert_eq!(post("198.51.100.2", 11, &calm).await.status, StatusCode::CREATED);
    let own = proof_for(&app, pressured).await;
    assert_eq!(post(pressured, 12, &own).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_site_has_eight_times_the_challenges_and_the_attempts_without_a_proof_of_an_address() {
    let app = defaults()
        .set("challenge.work.per_minute", "2")
        .set("challenge.adaptive.address_burst", "1")
        .set("challenge.adaptive.address_refill_ms", "86400000")
        .set("challenge.without_proof_per_hour", "1")
        .spawn()
        .await;
    let (mut issued, mut without_proof) = (0, 0);
    for n in 0..60 {
        let from = format!("2001:db8:7:{n:x}::1");
        issued += usize::from(challenge(&app, &from).await.status == StatusCode::OK);
    }
    assert!((16..=20).contains(&issued), "{issued}");
    for n in 0..60 {
        let response = post_from(&app, &format!("2001:db8:8:{n:x}::1"), n).await;
        without_proof += usize::from(response.status == StatusCode::CREATED);
    }
    // Eight cause no pressure on the site, and eight more need no proof.
    assert_eq!(without_proof, 16);
    assert_eq!(post_from(&app, "2001:db8:9::1", 99).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_block_has_32_times_the_challenges_of_an_address() {
    let app = defaults().set("challenge.work.per_minute", "1").spawn().await;
    let blocks: [fn(u8) -> String; 2] =
        [|n| format!("192.0.2.{n}"), |n| format!("2001:db8:{n:x}::1")];
    for address in blocks {
        let mut issued = 0;
        for n in 0..60 {
            let response = challenge(&app, &address(n)).await;
            issued += usize::from(response.status == StatusCode::OK);
        }
        // Two seconds bring one back.
        assert!((32..=45).contains(&issued), "{issued}");
    }
    assert_eq!(challenge(&app, "198.51.100.1").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_block_has_a_part_of_the_line_for_challenges() {
    // A key takes a tenth of a second or more, so that most requests wait.
    let app = defaults().set("challenge.work.cost", "1000000").spawn().await;
    let ask = async |n| app.get_from(&format!("192.0.2.{n}"), "/signup/challenge").await;
    let mut rejected = 0;
    for response in join_all((0..120).map(ask)).await {
        match response.status {
            StatusCode::TOO_MANY_REQUESTS => rejected += 1,
            StatusCode::SERVICE_UNAVAILABLE => {
                assert_eq!(response.problem(), "challenge_unavailable");
            }
            status => assert_eq!(status, StatusCode::OK),
        }
        assert!(response.status == StatusCode::OK || response.header("retry-after").is_some());
    }
    // The exact number depends on the keys that are derived meanwhile.
    assert!(rejected > 0);
}

/// The value of the hidden field with the token of a page's form.
fn form_token(page: &TestResponse) -> String {
    let field = page.text.split("name=\"form_token\"").nth(1).unwrap();
    field.split('"').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn a_form_of_another_site_may_be_corrected_at_once() {
    let app = builder().set("challenge.required", "off").spawn().await;
    let post = async |form: &[(&str, &str)]| {
        let post = app.post().header("accept", "text/html").form(form);
        TestResponse::receive(post).await
    };
    let invalid = [("email", "ada@example.com"), ("password", "short")];
    let page = post(&invalid).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    let token = form_token(&page);
    let corrected = [
        ("email", "ada@example.com"),
        ("password", "Difference-Engine-1843"),
        ("form_token", &token),
    ];
    let done = TestResponse::receive(app.post().form(&corrected)).await;
    assert_eq!(done.status, StatusCode::CREATED, "{done:?}");
}

/// The page that says so would otherwise hold a token that passes.
#[tokio::test]
async fn a_form_without_a_token_gets_none_that_passes_at_once() {
    let app = builder()
        .set("challenge.required", "off")
        .set("challenge.form_token_required", "true")
        .set("challenge.min_fill_ms", "30000")
        .spawn()
        .await;
    let mut form = vec![
        ("email", "ada@example.com".to_owned()),
        ("password", "Difference-Engine-1843".to_owned()),
    ];
    for _ in 0..3 {
        let post = app.post().header("accept", "text/html").form(&form);
        let page = TestResponse::receive(post).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{page:?}");
        form.truncate(2);
        form.push(("form_token", form_token(&page)));
    }
    assert!(app.creates().is_empty());
}

/// Without JavaScript the page's own form is sent again.
#[tokio::test]
async fn a_form_of_a_clock_that_was_ahead_is_accepted_at_the_second_try() {
    let clock = Arc::new(Ahead::default());
    clock.put_forward(Duration::from_hours(2));
    let app = builder()
        .clock(Arc::<Ahead>::clone(&clock))
        .set("challenge.required", "off")
        .set("challenge.form_token_required", "true")
        .set("challenge.min_fill_ms", "1000")
        .spawn()
        .await;
    let send = async |token: &str| {
        let form = [
            ("email", "ada@example.com"),
            ("password", "Difference-Engine-1843"),
            ("form_token", token),
        ];
        TestResponse::receive(app.post().header("accept", "text/html").form(&form)).await
    };
    let first = form_token(&app.get("/signup").await);
    clock.put_forward(Duration::ZERO);
    let page = send(&first).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{page:?}");
    clock.put_forward(Duration::from_secs(2));
    let done = send(&form_token(&page)).await;
    assert_eq!((done.status, app.creates().len()), (StatusCode::OK, 1), "{done:?}");
}

#[tokio::test]
async fn a_challenge_has_all_that_a_widget_needs_and_is_never_stored() {
    let app = builder().spawn().await;
    let before = SystemClock.now().as_secs();
    let response = challenge(&app, "192.0.2.1").await;
    let after = SystemClock.now().as_secs();
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.header("content-type"), Some("application/json"));
    let challenge = response.json();
    assert_eq!(
        (&challenge["required"], &challenge["kind"]),
        (&json!(false), &json!("proof_of_work"))
    );
    let parameters = &challenge["parameters"];
    assert_eq!(parameters["algorithm"], "PBKDF2/SHA-256");
    assert_eq!(parameters["data"], json!({"use": "signup"}));
    let expires_at = parameters["expiresAt"].as_u64().unwrap();
    assert!((before + 600..=after + 600).contains(&expires_at), "{before} {expires_at}");
    assert_eq!(challenge["signature"].as_str().unwrap().len(), 64);
    assert!(
        challenge.get("challenge").is_none(),
        "the widget takes that member for the old format"
    );
    let options = TestResponse::receive(app.client.post(app.url("/signup/challenge"))).await;
    assert_eq!(options.problem(), "method_not_allowed");
}

#[tokio::test]
async fn the_challenges_of_an_address_are_limited() {
    let app = builder().set("challenge.work.per_minute", "1").spawn().await;
    assert_eq!(challenge(&app, "192.0.2.1").await.status, StatusCode::OK);
    let response = challenge(&app, "192.0.2.1").await;
    assert_eq!(response.problem(), "rate_limited");
    let seconds: u64 = response.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    // Sign-ups are not affected.
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
}
