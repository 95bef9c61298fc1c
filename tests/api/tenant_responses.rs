//! Waits, silences, redirects and odd successes of the tenant, its clock, and what they cost.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use auth0_emulator::{Fault, Gate, Route};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::app::{Ahead, KEY, TestApp, TestResponse, ada, person};
use crate::eventually::eventually;

/// Auth0's own body of a 429.
const ENVELOPE: &str = r#"{"statusCode":429,"error":"Too Many Requests",
    "message":"Global limit has been reached","errorCode":"too_many_requests"}"#;

fn retry_after(response: &TestResponse) -> u64 {
    let seconds = response.header("retry-after").unwrap_or_else(|| panic!("{response:?}"));
    assert_eq!(response.json()["retry_after"], seconds.parse::<u64>().unwrap());
    seconds.parse().unwrap()
}

async fn readiness(app: &TestApp) -> Value {
    app.get_admin("/readyz").await.json()
}

/// A 429 whose `Date` is this second.
fn limited(at: u64) -> Fault {
    Fault::answer(429).header("date", &http_date(at))
}

fn http_date(at: u64) -> String {
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(at))
}

const NOW: u64 = 1_795_600_800;

/// Asserts the wait that a client gets while the tenant responds to every call like this.
async fn assert_wait(fault: Fault, range: RangeInclusive<u64>) -> TestApp {
    let app = TestApp::spawn().await;
    app.until_ready().await;
    app.auth0.fault(Route::CreateUser, fault.clone().always());
    let response = app.sign_up(&ada()).await;
    assert_eq!(response.problem(), "upstream_busy");
    assert!(range.contains(&retry_after(&response)), "{fault:?}: {response:?}");
    app
}

#[tokio::test]
async fn a_page_of_a_firewall_stops_sign_ups_for_a_minute_at_most() {
    let ms = |seconds: u64| ((NOW + seconds) * 1000).to_string();
    let s = |seconds: u64| (NOW + seconds).to_string();
    let rows = [
        ("retry-after", "86400".to_owned(), 1..=60),
        ("retry-after", http_date(NOW + 86_400), 1..=60),
        ("retry-after", s(86_000), 1..=60),
        ("retry-after", ms(86_000), 1..=60),
        // Recognised: the wait is what the header means.
        ("retry-after", s(20), 18..=20),
        ("retry-after", ms(20), 18..=20),
        ("x-ratelimit-reset", ms(20), 18..=20),
        ("x-ratelimit-reset", s(20), 18..=20),
        // Nonsense: the service's own pauses.
        ("retry-after", u64::MAX.to_string(), 1..=10),
        ("retry-after", s(10 * 86_400), 1..=10),
        ("x-ratelimit-reset", ms(86_400), 1..=10),
        ("x-ratelimit-reset", u64::MAX.to_string(), 1..=10),
    ];
    // Each waits for some seconds.
    let seen = rows.map(async |(name, value, range)| {
        let page = limited(NOW).header(name, &value).body("<html>Too many requests</html>");
        let app = assert_wait(page, range).await;
        assert_eq!(readiness(&app).await["status"], "ready");
    });
    futures_util::future::join_all(seen).await;
}

#[tokio::test]
async fn the_wait_of_a_rate_limit_is_passed_on() {
    let header = |name: &str, value: &str| limited(NOW).header(name, value);
    let rows = [
        (header("x-ratelimit-reset", &(NOW + 4).to_string()), 4..=5),
        (header("retry-after", &http_date(NOW + 60)), 59..=61),
        // Nothing to go by: the service's own pauses, which grow.
        (Fault::answer(429), 1..=10),
        (header("x-ratelimit-reset", &NOW.to_string()), 1..=10),
        (header("retry-after", "18446744073709551615"), 1..=10),
        (header("retry-after", "99999999999999"), 1..=10),
        (header("retry-after", "9999999999"), 1..=10),
        (header("x-ratelimit-reset", "18446744073709551615"), 1..=10),
        (header("x-ratelimit-reset", "99999999999999"), 1..=10),
        (header("x-ratelimit-reset", "9999999999"), 1..=10),
    ];
    let seen = rows.map(async |(fault, range)| drop(assert_wait(fault, range).await));
    futures_util::future::join_all(seen).await;
}

#[tokio::test]
async fn nothing_is_sent_before_the_reported_time() {
    let rate_headers = |fault: Fault| {
        let fault = fault.header("x-ratelimit-limit", "10").header("x-ratelimit-remaining", "0");
        fault.header("x-ratelimit-reset", &(NOW + 1).to_string())
    };
    for fault in [limited(NOW).body(ENVELOPE), rate_headers(limited(NOW)).body("<html>")] {
        let app = TestApp::spawn().await;
        app.until_ready().await;
        app.auth0.fault(Route::CreateUser, fault.header("retry-after", "7200").always());
        for nth in 0..3 {
            let response = app.sign_up(&person(nth)).await;
            assert_eq!(response.problem(), "upstream_busy");
            assert!((7190..=7200).contains(&retry_after(&response)), "{response:?}");
        }
        assert_eq!(app.creates().len(), 1);
        let report = readiness(&app).await;
        assert_eq!(
            (&report["status"], &report["checks"]["auth0"]),
            (&json!("degraded"), &json!("failing"))
        );
    }
}

#[tokio::test]
async fn a_page_in_front_of_the_token_endpoint_stops_sign_ups_for_a_minute_at_most() {
    for (body, range) in [
        ("<html>", 1..=60),
        (r#"{"error":"Too Many Requests"}"#, 1..=60),
        (
            r#"{"error":"too_many_requests","error_description":"Client quota exceeded"}"#,
            7190..=7200,
        ),
    ] {
        let app = TestApp::spawn().await;
        let fault = limited(NOW).header("retry-after", "7200").body(body);
        app.auth0.fault(Route::Token, fault.always());
        let response = app.sign_up(&ada()).await;
        assert_eq!(response.problem(), "upstream_busy", "{body}");
        assert!(range.contains(&retry_after(&response)), "{body}: {response:?}");
        assert_eq!(readiness(&app).await["status"], "degraded");
    }
}

#[tokio::test]
async fn connections_that_died_in_silence_cost_no_sign_up_its_outcome() {
    let builder = TestApp::builder().set("auth0.timeout_ms", "1000");
    let app = builder.set("auth0.budget.initial_burst", "100").spawn().await;
    app.until_ready().await;
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::held(&gate).times(40));
    let mut sign_ups = JoinSet::new();
    for nth in 0..40 {
        sign_ups.spawn(TestResponse::receive(app.post().json(&person(nth))));
    }
    app.until(|app| app.creates().len() == 40).await;
    gate.open();
    while let Some(response) = sign_ups.join_next().await {
        assert_eq!(response.unwrap().status, StatusCode::CREATED);
    }
    assert!(app.auth0.silence_connections() >= 40);
    let before = app.auth0.journal().iter().map(|call| call.connection).max().unwrap();
    for nth in 40..55 {
        sign_ups.spawn(TestResponse::receive(app.post().json(&person(nth))));
    }
    while let Some(response) = sign_ups.join_next().await {
        let response = response.unwrap();
        assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    }
    // Sign-ups during the silence that come after the first timeout are not affected at all.
    assert_eq!(app.sign_up(&person(55)).await.status, StatusCode::CREATED);
    assert_eq!(app.auth0.users().len(), 56);
    let lookups = app.auth0.calls(Route::GetUser);
    assert!(lookups.iter().all(|call| call.connection > before), "{lookups:?}");
}

#[tokio::test]
async fn a_lookup_after_a_lost_response_uses_a_new_connection() {
    let app = TestApp::spawn().await;
    app.until_ready().await;
    // The first loss replaces the whole pool, the second one soon after does not.
    for from in [0, 10] {
        let gate = Gate::new();
        let creates = app.creates().len();
        app.auth0.fault(Route::CreateUser, Fault::held(&gate).times(3));
        let mut sign_ups = JoinSet::new();
        for nth in from..from + 3 {
            sign_ups.spawn(TestResponse::receive(app.post().json(&person(nth))));
        }
        app.until(|app| app.creates().len() == creates + 3).await;
        gate.open();
        while sign_ups.join_next().await.is_some() {}
        app.auth0.fault(Route::CreateUser, Fault::reset_after_acting());
        assert_eq!(app.sign_up(&person(from + 3)).await.status, StatusCode::CREATED);
        let journal = app.auth0.journal();
        let lookup = app.auth0.calls(Route::GetUser).pop().unwrap();
        let is_lookup = |route| matches!(route, Route::GetUser | Route::UsersByEmail);
        let mut used = journal.iter().filter(|call| !is_lookup(call.route()));
        assert!(used.all(|call| call.connection < lookup.connection), "{journal:?}");
    }
}

#[tokio::test]
async fn a_redirect_of_the_token_endpoint_is_an_error_of_the_operator() {
    for status in [301, 302, 303, 307, 308] {
        let app = TestApp::spawn().await;
        let fault = Fault::answer(status)
            .header("location", "https://user:canary@login.example.com/oauth/token?canary=1");
        app.auth0.fault(Route::Token, fault.always());
        let response = app.sign_up(&ada()).await;
        assert_eq!(response.problem(), "upstream_rejected", "{status}");
        assert_eq!(response.status, StatusCode::BAD_GATEWAY);
        assert!(app.creates().is_empty());
    }
}

#[tokio::test]
async fn a_success_for_another_address_or_without_an_id_created_nobody_known() {
    for body in [
        json!({"user_id": "auth0|1", "email": "other@example.com"}),
        json!({"user_id": "", "email": "ada@example.com"}),
        json!({"user_id": "auth0|", "email": "ada@example.com"}),
    ] {
        let app = TestApp::spawn().await;
        let fault = Fault::answer(201).body(body.to_string());
        app.auth0.fault(Route::CreateUser, fault.always());
        app.auth0.fault(Route::GetUser, Fault::answer(500).always());
        app.auth0.fault(Route::UsersByEmail, Fault::answer(500).always());
        let response = app.sign_up(&ada()).await;
        assert_eq!(response.problem(), "outcome_unknown", "{body}");
    }
    let app = TestApp::spawn().await;
    let body = json!({"user_id": "auth0|1", "email": "ADA@Example.com"});
    app.auth0.fault(Route::CreateUser, Fault::answer(201).body(body.to_string()));
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_page_in_place_of_the_looked_up_user_proves_nothing() {
    let other = r#"{"user_id":"auth0|6743a5b00000000000000001","email":"ada@example.com"}"#;
    for (lost, repeated) in [(Fault::close_after_acting(), Some(409)), (Fault::reset(), Some(201))]
    {
        for lookup in [Fault::truncated(), Fault::html(200), Fault::answer(200).body(other)] {
            let app = TestApp::spawn().await;
            // The connection is known to keep pinned ids.
            assert_eq!(app.sign_up(&person(1)).await.status, StatusCode::CREATED);
            app.auth0.fault(Route::CreateUser, lost.clone());
            app.auth0.fault(Route::GetUser, lookup);
            let response = app.sign_up(&ada()).await;
            assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
            let user =
                app.auth0.users().into_iter().find(|user| user["email"] == "ada@example.com");
            assert_eq!(response.json()["user"]["user_id"], user.unwrap()["user_id"]);
            assert_eq!(app.creates().last().unwrap().status, repeated);
        }
    }
}

#[tokio::test]
async fn a_skew_against_the_tenant_is_measured_and_degrades_the_service() {
    let app = TestApp::spawn().await;
    assert_eq!(app.sign_up(&person(0)).await.status, StatusCode::CREATED);
    assert!(skew(&app).await.abs() < 0.1, "within the second that Date leaves open");
    app.until_ready().await;

    app.auth0.advance_clock(Duration::from_secs(10));
    assert_eq!(app.sign_up(&person(1)).await.status, StatusCode::CREATED);
    assert!((-10.1..=-8.5).contains(&skew(&app).await), "{}", skew(&app).await);
    assert_eq!(readiness(&app).await["status"], "ready");

    app.auth0.advance_clock(Duration::from_secs(50));
    assert_eq!(app.sign_up(&person(2)).await.status, StatusCode::CREATED);
    let report = readiness(&app).await;
    assert_eq!(
        (&report["status"], &report["checks"]["clock"]),
        (&json!("degraded"), &json!("failing"))
    );

    app.auth0.fault(
        Route::CreateUser,
        Fault::answer(409).header("age", "3").header("date", &http_date(0)),
    );
    app.sign_up(&person(3)).await;
    assert!((-60.1..=-58.5).contains(&skew(&app).await), "a cached response shows no time");
}

/// Nobody signs up meanwhile.
#[tokio::test]
async fn a_repaired_clock_is_noticed_without_a_call() {
    let clock = Arc::new(Ahead::default());
    let app = TestApp::builder().clock(Arc::<Ahead>::clone(&clock)).spawn().await;
    app.auth0.advance_clock(Duration::from_mins(1));
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    assert_eq!(readiness(&app).await["checks"]["clock"], "failing");
    clock.put_forward(Duration::from_mins(1));
    let repaired = async || (readiness(&app).await["status"] == "ready").then_some(());
    eventually("the clock is right", repaired).await;
    assert!(skew(&app).await.abs() < 0.1, "{}", skew(&app).await);
}

async fn skew(app: &TestApp) -> f64 {
    let name = "clock_skew_seconds{source=\"tenant\"} ";
    let text = app.get_admin("/metrics").await.text;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
}

#[tokio::test]
async fn every_outcome_that_a_retry_may_change_names_a_wait() {
    let app = TestApp::builder().set("idempotency.wait_ms", "100").spawn().await;
    app.until_ready().await;
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::held(&gate));
    let keyed = || app.post().header("idempotency-key", KEY).json(&ada());
    let first = tokio::spawn(TestResponse::receive(keyed()));
    app.until(|app| app.creates().len() == 1).await;
    let duplicate = TestResponse::receive(keyed()).await;
    assert_eq!(duplicate.problem(), "idempotency_in_progress");
    assert_eq!(retry_after(&duplicate), 1);
    gate.open();
    first.await.unwrap();

    app.auth0.fault(Route::CreateUser, Fault::answer(500).always());
    app.auth0.fault(Route::GetUser, Fault::answer(500).always());
    let unknown = app.sign_up(&person(1)).await;
    assert_eq!(unknown.problem(), "outcome_unknown");
    assert_eq!(retry_after(&unknown), 2);
    let busy = Fault::answer(429);
    app.auth0.clear_faults();
    app.auth0.fault(Route::CreateUser, busy.always());
    let response = eventually("the tenant is busy", async || {
        let response = app.sign_up(&person(2)).await;
        (response.status == StatusCode::SERVICE_UNAVAILABLE).then_some(response)
    });
    // The third response in a row that names no wait: 4 s.
    assert!((4..=60).contains(&retry_after(&response.await)));
}
