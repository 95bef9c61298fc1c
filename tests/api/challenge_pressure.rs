//! Challenges under pressure: the attempts of an address, or of many networks, after which a proof is needed.

use std::time::Duration;

use auth0_emulator::{Fault, Route};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::app::{TestApp, ada, ada_with, person, with_member};
use crate::captcha::CaptchaService;
use crate::challenges::{builder, challenge, defaults, post_from, proof, proof_for, with_proof};
use crate::eventually::eventually;

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

/// Returns whether the service asks an office that it has not seen for a proof.
async fn is_asked_for_a_proof(app: &TestApp) -> bool {
    challenge(app, "203.0.113.9").await.json()["required"].as_bool().unwrap()
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
