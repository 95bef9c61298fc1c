//! The log of a running service.

use auth0_emulator::{Emulator, Fault, Gate, Route};
use reqwest::Method;
use serde_json::Value;

use crate::app::{ada, ada_with, hang_up_once, with_member};
use crate::eventually::eventually;
use crate::process::{CAPTCHA, Process};
use crate::raw::Raw;

async fn running() -> (Emulator, Process) {
    let auth0 = Emulator::builder().start().await.unwrap();
    let process = Process::start(&auth0, &[]).await;
    (auth0, process)
}

fn closing_event(outcome: &str) -> impl Fn(&Value) -> bool {
    move |event| event["outcome"] == outcome && event["http.route"] == "/signup"
}

#[tokio::test]
async fn a_request_is_one_event_with_the_documented_fields() {
    let (_auth0, process) = running().await;
    let response = process.post(&ada()).send().await.unwrap();
    let event = process.event(closing_event("created")).await;
    assert_eq!(event["level"], "INFO");
    assert_eq!(event["message"], "POST /signup returned 201 created");
    assert_eq!(event["http.request.method"], "POST");
    assert_eq!(event["http.response.status_code"], 201);
    assert_eq!(event["request_id"], response.headers()["x-request-id"].to_str().unwrap());
    assert!(event["duration_ms"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn an_error_is_logged_with_its_causes() {
    let (auth0, process) = running().await;
    process.post(&ada()).send().await.unwrap();
    auth0.stop().await;
    let other = ada_with("email", "other@example.com");
    process.post(&other).send().await.unwrap();
    let event = process.event(closing_event("upstream_unavailable")).await;
    assert_eq!(event["level"], "WARN");
    let error = event["error"].as_str().unwrap();
    let expected = "the create-user call was not sent: no connection to the tenant: ";
    assert!(error.starts_with(expected) && error.contains("Connection refused"), "{error}");
}

#[tokio::test]
async fn a_client_that_disconnects_is_logged_and_so_is_the_outcome() {
    let (auth0, process) = running().await;
    let gate = Gate::new();
    auth0.fault(Route::CreateUser, Fault::held(&gate));
    let request = process.post(&ada());
    hang_up_once(request, || !auth0.calls(Route::CreateUser).is_empty()).await;
    let gone = process.event(closing_event("caller_gone")).await;
    assert_eq!(gone["http.response.status_code"], 499);
    gate.open();
    let late = process.event(|event| event["outcome"] == "created").await;
    assert_eq!(late["request_id"], gone["request_id"]);
    let metrics = process.metrics().await;
    assert!(metrics.contains("signup_requests_total{outcome=\"caller_gone\"} 1\n"), "{metrics}");
}

#[tokio::test]
async fn whatever_a_client_sends_its_event_is_short() {
    let (_auth0, process) = running().await;
    let long = "A".repeat(30_000);
    for request in [
        format!("{long} /signup HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("POST /signup?{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("POST /signup HTTP/1.1\r\nHost: x\r\nX-Request-Id: {long}\r\n\r\n"),
        format!("POST /signup HTTP/1.1\r\nHost: {long}\r\n\r\n"),
        format!("POST /signup HTTP/1.1\r\nHost: x\r\nOrigin: https://{long}\r\n\r\n"),
        format!("POST /signup HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {long}\r\n\r\n"),
        format!("POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: {long}\r\n\r\n"),
    ] {
        Raw::send(process.address.parse().unwrap(), request).await.head().await;
    }
    process.post(&ada()).send().await.unwrap();
    let other = process.event(|event| event["http.request.method"] == "_OTHER").await;
    assert_eq!(other["message"], "_OTHER /signup returned 405 method_not_allowed");
    process.event(closing_event("created")).await;
    let longest = process.log().lines().map(str::len).max().unwrap();
    assert!(longest < 1_000, "{longest}");
}

#[tokio::test]
async fn a_flood_of_one_address_neither_fills_the_log_nor_hides_sign_ups() {
    let (_auth0, process) = running().await;
    let address = process.address.parse().unwrap();
    let request = "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
    for _ in 0..20 {
        let mut raw = Raw::send(address, &request).await;
        for _ in 0..100 {
            raw.head().await;
            raw.until("}").await;
        }
    }
    process.post(&ada()).send().await.unwrap();
    process.event(closing_event("created")).await;
    let lines = process.log().lines().filter(|line| line.contains("not_found")).count();
    assert!((200..500).contains(&lines), "{lines} of 2,000");
    let unlogged = process.event(|event| event["events"].is_u64()).await;
    assert_eq!(unlogged["level"], "WARN");
    assert!(unlogged["events"].as_u64().unwrap() > 0, "{unlogged}");
}

#[tokio::test]
async fn a_block_has_32_times_the_events_of_an_address() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let variables = [
        ("SIGNUP__HTTP__TRUSTED_PROXIES", "127.0.0.1"),
        ("SIGNUP__LIMITS__EVENTS__BURST", "1"),
        ("SIGNUP__LIMITS__EVENTS__PER_HOUR", "1"),
    ];
    let process = Process::start(&auth0, &variables).await;
    for n in 0..60 {
        let request = process.client.get(format!("http://{}/nothing", process.address));
        request.header("x-forwarded-for", format!("2001:db8:{n:x}::1")).send().await.unwrap();
    }
    process.post(&ada()).send().await.unwrap();
    process.event(closing_event("created")).await;
    let lines = process.log().lines().filter(|line| line.contains("not_found")).count();
    assert_eq!(lines, 32);
}

#[tokio::test]
async fn an_unknown_own_origin_and_an_unreadable_hop_are_warned_about() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let token = "a-token-of-more-than-thirty-two-characters";
    let variables =
        [("SIGNUP__HTTP__TRUSTED_PROXIES", "127.0.0.1"), ("SIGNUP__HTTP__SERVER_CLIENTS", token)];
    let process = Process::start(&auth0, &variables).await;
    let warned = process.event(|event| event["setting"] == "http.public_url").await;
    assert_eq!(warned["level"], "WARN");
    for _ in 0..5 {
        let request = process.client.get(format!("http://{}/livez", process.address));
        request.header("x-forwarded-for", "canary-hop").send().await.unwrap();
    }
    let unreadable = process.event(|event| event["reason"] == "unreadable").await;
    assert_eq!(unreadable["level"], "WARN");
    assert_eq!(unreadable["proxy"], "127.0.0.1");
    let log = process.log();
    assert_eq!(log.lines().filter(|line| line.contains("\"unreadable\"")).count(), 1);

    // A server with its token, whose visitor is no address. No proxy is to blame.
    let request =
        process.client.get(format!("http://{}/livez", process.address)).bearer_auth(token);
    request.header("signup-client-address", "canary-hop:80").send().await.unwrap();
    let visitor = process.event(|event| event["setting"] == "http.server_clients").await;
    assert_eq!(visitor["level"], "WARN");
    assert!(visitor["message"].as_str().unwrap().contains("Signup-Client-Address"), "{visitor}");
    assert_eq!(visitor["proxy"], Value::Null);
    assert!(!process.log().contains("canary-hop"));
}

#[tokio::test]
async fn lines_that_the_output_rejects_are_counted_and_reported_later() {
    let (_auth0, process) = running().await;
    let get = async |path: &str| {
        process.client.get(format!("http://{}{path}", process.address)).send().await.unwrap();
    };
    process.limit_files("1");
    get("/lost").await;
    let dropped = async || {
        let metrics = process.metrics().await;
        let count = metrics.lines().find_map(|line| line.strip_prefix("log_lines_dropped_total "));
        (count.unwrap() != "0").then_some(())
    };
    eventually("lines are dropped", dropped).await;
    process.limit_files("unlimited");
    get("/kept").await;
    let event = process.event(|event| event["dropped"].is_u64()).await;
    assert_eq!(event["level"], "WARN");
    assert_eq!(event["message"], format!("dropped {} lines", event["dropped"]));
}

#[tokio::test]
async fn an_outage_of_the_captcha_service_is_one_line() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let settings = [
        // Nothing listens there.
        ("SIGNUP__CHALLENGE__CAPTCHA__VERIFY_URL", "http://127.0.0.1:9/"),
        ("SIGNUP__CHALLENGE__CAPTCHA__ON_UNAVAILABLE", "allow"),
    ];
    let process = Process::start(&auth0, &[&CAPTCHA[..], &settings].concat()).await;
    for nth in 0..4 {
        let form = with_member(
            ada_with("email", format!("ada{nth}@example.com")),
            "cf-turnstile-response",
            "token",
        );
        let post = process.post(&form);
        assert_eq!(post.send().await.unwrap().status(), 201);
    }
    process.event(|event| event["outcome"] == "created").await;
    assert_eq!(process.log().matches("the captcha service is unavailable").count(), 1);
}

#[tokio::test]
async fn the_clients_address_is_logged_as_the_setting_says() {
    let auth0 = Emulator::builder().start().await.unwrap();
    for (detail, expected) in
        [("", None), ("full", Some("192.0.2.7")), ("network", Some("192.0.2.0/24"))]
    {
        let variables = [
            ("SIGNUP__HTTP__TRUSTED_PROXIES", "127.0.0.1"),
            ("SIGNUP__LOG__CLIENT_ADDRESS", detail),
        ];
        let process = Process::start(&auth0, &variables).await;
        let request = process.post(&ada());
        request.header("x-forwarded-for", "192.0.2.7").send().await.unwrap();
        let event = process.event(|event| event["http.route"] == "/signup").await;
        assert_eq!(event["client.address"].as_str(), expected, "{detail}");
        assert_eq!(process.log().contains("192.0.2."), expected.is_some());
    }
}

#[tokio::test]
async fn a_rejected_origin_is_logged_once_a_minute() {
    let (_auth0, process) = running().await;
    let url = format!("http://{}/signup", process.address);
    for origin in ["https://app.example", "https://app.example", "https://ada@canary.example"] {
        // A page that posts JSON is rejected at its preflight, and sends nothing else.
        let preflight = process.client.request(Method::OPTIONS, &url).header("origin", origin);
        preflight.header("access-control-request-method", "POST").send().await.unwrap();
        process.post(&ada()).header("origin", origin).send().await.unwrap();
    }
    process.event(|event| event["origin"] == "something that is no origin").await;
    let rejected = process.event(|event| event["origin"] == "https://app.example").await;
    assert_eq!(rejected["level"], "WARN");
    let message = "rejected a post from https://app.example: is it in http.allowed_origins?";
    assert_eq!(rejected["message"], message);
    let log = process.log();
    assert_eq!(log.lines().filter(|line| line.contains("\"origin\":\"https://app")).count(), 1);
    assert!(!log.contains("canary"));
}

#[tokio::test]
async fn events_of_a_request_have_the_ids_of_its_trace() {
    let (auth0, process) = running().await;
    let url = format!("http://{}/signup", process.address);
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let gate = Gate::new();
    auth0.fault(Route::CreateUser, Fault::held(&gate));
    let request = process.post(&ada()).header("traceparent", parent);
    hang_up_once(request, || !auth0.calls(Route::CreateUser).is_empty()).await;
    let of_request = process.event(closing_event("caller_gone")).await;
    gate.open();
    let of_task = process.event(|event| event["outcome"] == "created").await;
    for event in [of_request, of_task] {
        assert_eq!(event["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736", "{event}");
        assert_eq!(event["span_id"], "00f067aa0ba902b7");
    }
    process.client.get(&url).send().await.unwrap();
    let other = process.event(|event| event["http.request.method"] == "GET").await;
    assert!(other.get("trace_id").is_none(), "{other}");
}
