//! Probes and metrics.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use auth0_signup::clock::{Clock, SystemClock};
use reqwest::StatusCode;
use serde_json::json;
use tokio::time::timeout;

use crate::app::{TestApp, TestResponse, ada, ada_with};
use crate::raw::Raw;

#[tokio::test]
async fn both_listeners_have_the_probes() {
    let app = TestApp::spawn().await;
    app.until_ready().await;
    for path in ["/livez", "/readyz"] {
        for response in [app.get(path).await, app.get_admin(path).await] {
            assert_eq!(response.status, StatusCode::OK);
            assert_eq!(response.header("cache-control"), Some("no-store"));
        }
    }
    let expected = json!({"status": "ready", "checks": {"process": "ok", "ledger": "ok", "auth0": "ok", "clients": "ok", "settings": "ok", "clock": "ok"}});
    assert_eq!(app.get("/readyz").await.json(), expected);
}

/// The probes of a node, and whatever shares its address, are one address.
#[tokio::test]
async fn a_probe_gets_its_response_however_many_connections_its_address_has() {
    let app = TestApp::spawn().await;
    let mut open = Vec::new();
    for nth in 0..160 {
        let mut raw = Raw::connect(app.admin).await;
        // Half of them are idle after a request, the others silent.
        if nth % 2 == 0 {
            raw.write("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await;
            assert!(raw.head().await.starts_with("HTTP/1.1 200"), "{nth}");
        }
        open.push(raw);
    }
    assert_eq!(app.get_admin("/livez").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_draining_service_is_unready_and_finishes_sign_ups() {
    let mut app = TestApp::builder().set("http.shutdown_delay_ms", "60000").spawn().await;
    app.until_ready().await;
    app.stop();
    app.until_draining().await;
    let response = app.get_admin("/readyz").await;
    assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.json()["status"], "draining");
    assert_eq!(app.get("/livez").await.status, StatusCode::OK);
    let response = app.sign_up(&ada()).await;
    assert_eq!(response.status, StatusCode::CREATED, "accepted until the listener closes");
}

#[tokio::test]
async fn a_panicked_background_task_stops_the_app_as_failed() {
    let clock = Arc::new(Breakable::default());
    let mut app = TestApp::builder().clock(Arc::<Breakable>::clone(&clock)).spawn().await;
    app.until_ready().await;
    clock.0.store(true, Ordering::Relaxed);
    assert!(timeout(Duration::from_secs(30), app.has_failed()).await.unwrap());
    assert!(app.client.get(app.url("/livez")).send().await.is_err(), "the listener is closed");

    let mut other = TestApp::spawn().await;
    assert!(!other.stop().await.unwrap(), "an app that was stopped has not failed");
}

/// A clock that panics once it is broken. The heartbeat reads it twice a second.
#[derive(Debug, Default)]
struct Breakable(AtomicBool);

impl Clock for Breakable {
    fn now(&self) -> Duration {
        assert!(!self.0.load(Ordering::Relaxed), "the clock is broken");
        SystemClock.now()
    }
}

#[tokio::test]
async fn metrics_are_on_the_admin_listener_only() {
    let app = TestApp::spawn().await;
    app.sign_up(&ada()).await;
    app.sign_up(&ada_with("password", "Another-Password-1")).await;
    app.sign_up(&json!({})).await;
    assert_eq!(app.get("/metrics").await.problem(), "not_found");
    for (metric, value) in [
        ("signup_requests_total{outcome=\"created\"}", 1),
        ("signup_requests_total{outcome=\"email_taken\"}", 1),
        ("signup_requests_total{outcome=\"invalid_fields\"}", 1),
        ("auth0_requests_total{operation=\"create_user\",outcome=\"created\"}", 1),
        ("auth0_requests_total{operation=\"create_user\",outcome=\"user_exists\"}", 1),
        ("auth0_requests_total{operation=\"token\",outcome=\"granted\"}", 1),
        ("signup_requests_duration_seconds_count", 3),
    ] {
        assert_eq!(app.metric(metric).await, value, "{metric}");
    }
    let text = app.get_admin("/metrics").await.text;
    for start in ["auth0_token_expires_timestamp_seconds ", "build_info{version="] {
        assert!(text.contains(start), "{start} in {text}");
    }
}

/// Alerts compare it with the time of Prometheus.
#[tokio::test]
async fn the_start_of_the_process_is_a_metric() {
    let before = SystemClock.now().as_secs();
    let app = TestApp::spawn().await;
    let after = SystemClock.now().as_secs();
    let started = app.metric("process_start_time_seconds").await;
    assert!((before..=after).contains(&started), "{started}, not {before} to {after}");
}

/// Prometheus takes the first value of a series for no increase, so it must not be that of a failure.
#[tokio::test]
async fn every_outcome_is_counted_from_zero() {
    let app = TestApp::spawn().await;
    let text = app.get_admin("/metrics").await.text;
    let outcomes = [
        "created",
        "email_taken",
        "invalid_fields",
        "caller_gone",
        "internal",
        "upstream_rejected",
        "upstream_busy",
        "upstream_unavailable",
        "outcome_unknown",
        "unavailable",
        "challenge_unavailable",
    ];
    let sign_ups =
        outcomes.map(|outcome| format!("signup_requests_total{{outcome=\"{outcome}\"}}"));
    let calls = [
        ("create_user", "misconfigured"),
        ("create_user", "ambiguous"),
        ("get_user", "forbidden"),
        ("users_by_email", "failed"),
        ("change_password", "rejected"),
        ("token", "misconfigured"),
    ];
    let calls = calls.map(|(operation, outcome)| {
        format!("auth0_requests_total{{operation=\"{operation}\",outcome=\"{outcome}\"}}")
    });
    let others = [
        "challenge_required_total{reason=\"pressure\"}",
        "challenge_unavailable_total{reason=\"captcha\"}",
        "http_connections_refused_total{reason=\"full\"}",
        "http_forwarded_rejected_total{outcome=\"untrusted_private\"}",
        "signup_attempts_resolved_total{result=\"created\"}",
        "signup_email_rules_total{outcome=\"not_allowed\"}",
    ];
    for series in sign_ups.into_iter().chain(calls).chain(others.map(str::to_owned)) {
        assert!(text.contains(&format!("{series} 0\n")), "{series} in {text}");
    }
}

#[tokio::test]
async fn a_scraper_gets_the_text_format_that_it_prefers() {
    let app = TestApp::spawn().await;
    app.sign_up(&ada()).await;
    let scrape = async |accept: Option<&str>| {
        let mut request = app.client.get(format!("http://{}/metrics", app.admin));
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        TestResponse::receive(request).await
    };
    let text = "text/plain; version=0.0.4; charset=utf-8";
    let openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;\
                      version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    for (accept, kind) in [
        (None, text),
        (Some("*/*"), text),
        (Some("text/plain"), text),
        (Some("text/plain;version=0.0.4"), text),
        (Some(prometheus), openmetrics),
        (Some("application/openmetrics-text"), openmetrics),
    ] {
        let response = scrape(accept).await;
        assert_eq!(response.status, StatusCode::OK);
        assert_eq!(response.header("content-type"), Some(kind), "{accept:?}");
        assert_eq!(response.header("vary"), Some("accept"));
        let is_openmetrics = kind == openmetrics;
        assert_eq!(response.text.ends_with("# EOF\n"), is_openmetrics, "{accept:?}");
        let family = if is_openmetrics { "signup_requests" } else { "signup_requests_total" };
        assert!(response.text.contains(&format!("# TYPE {family} counter\n")), "{accept:?}");
        assert!(response.text.contains("signup_requests_total{outcome=\"created\"} 1\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_check_probes_the_admin_listener_of_its_settings() {
    let app = TestApp::spawn().await;
    let port = app.admin.port().to_string();
    let file = app.database().with_extension("toml");
    std::fs::write(&file, format!("[admin]\nport = {port}\n")).unwrap();
    let check = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_auth0-signup"));
        command.arg("healthcheck").args(arguments).env_clear().envs(variables.iter().copied());
        command.output().unwrap().status.code()
    };
    let set = ("SIGNUP__ADMIN__PORT", port.as_str());
    assert_eq!(check(&[], &[set]), Some(0));
    assert_eq!(check(&[], &[set, ("SIGNUP__ADMIN__HOST", "0.0.0.0")]), Some(0));
    let from_file = ["--config", file.to_str().unwrap()];
    assert_eq!(check(&from_file, &[]), Some(0));
    // A service that runs keeps its settings when the file gets an error.
    for error in ["prot = 1\n", "[http]\nport = \"x\"\nprot = 1\n", "[http\nport = 1\n", "= 1\n"] {
        std::fs::write(&file, format!("[admin]\nport = {port}\n{error}")).unwrap();
        assert_eq!(check(&from_file, &[]), Some(0), "{error}");
    }
    std::fs::write(&file, "[admin\nport = 1\n").unwrap();
    assert_eq!(check(&from_file, &[set]), Some(0), "the environment wins");
    std::fs::write(&file, "[admin]\nport = \"x\"\n").unwrap();
    assert_eq!(check(&from_file, &[]), Some(2));
    let other = ("SIGNUP__ADMIN__PORT", "1");
    assert_eq!(check(&[], &[other]), Some(1));
    assert_eq!(check(&["--address", &app.admin.to_string()], &[other]), Some(0));
    assert_eq!(check(&[], &[("SIGNUP__ADMIN__PORT", "x")]), Some(2));
    assert_eq!(check(&[], &[("SIGNUP__ADMIN__PORT", "0")]), Some(1), "port 0 cannot be probed");
}

#[tokio::test]
async fn ledger_calls_are_counted_and_timed() {
    let app = TestApp::spawn().await;
    app.sign_up(&ada()).await;
    for operation in ["begin", "finish"] {
        let calls = format!("ledger_calls_total{{operation=\"{operation}\",outcome=\"done\"}}");
        // The result is written after the response.
        app.until_metric(&calls, 1).await;
        let timed = format!("ledger_call_duration_seconds_count{{operation=\"{operation}\"}}");
        assert_eq!(app.metric(&timed).await, 1);
    }
}
