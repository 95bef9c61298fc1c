//! Connections with more or less than whole requests, and what a shutdown waits for.

use std::time::Duration;

use auth0_emulator::{Fault, Gate, Route};
use tokio::time::timeout;

use crate::app::{TestApp, ada, hang_up_once};
use crate::eventually::eventually;
use crate::raw::Raw;

fn signup(more: &str) -> String {
    let body = ada().to_string();
    format!(
        "POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{more}\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn a_request_gets_its_response_whatever_bytes_follow_it() {
    for after in ["", "\r\n", "GET /livez HT", "garbage"] {
        let app = TestApp::spawn().await;
        let request = format!("{}{after}", signup(""));
        let response = Raw::send(app.address, request).await.head().await;
        assert!(response.starts_with("HTTP/1.1 201"), "{after:?}: {response}");
    }
    let app = TestApp::spawn().await;
    let request = format!("{}\r\n", signup("Connection: close\r\n"));
    let response = Raw::send(app.address, request).await.head().await;
    assert!(response.starts_with("HTTP/1.1 201"), "{response}");
}

#[tokio::test]
async fn a_header_beyond_the_limit_gets_431() {
    let app = TestApp::spawn().await;
    let fields: Vec<_> = (0..2000).map(|nth| format!("x-{nth}: 1\r\n")).collect();
    let fields = fields.concat();
    let request = format!("GET /livez HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
    let response = Raw::send(app.address, request).await.head().await;
    assert!(response.starts_with("HTTP/1.1 431"), "{response}");
}

/// hyper keeps the buffer of a large head for as long as the connection is open.
#[tokio::test]
async fn a_connection_ends_after_a_large_head() {
    let app = TestApp::spawn().await;
    let get =
        |length| format!("GET /livez HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(length));
    for (length, status) in [(33_000, "431"), (17_000, "200"), (9_000, "200")] {
        let response = Raw::send(app.address, get(length)).await.rest().await;
        assert!(response.starts_with(&format!("HTTP/1.1 {status}")), "{response}");
        assert!(response.contains("connection: close"), "{response}");
    }
    let mut kept = Raw::connect(app.address).await;
    for _ in 0..4 {
        kept.write(get(4_000)).await;
        let response = kept.until("}").await;
        assert!(!response.contains("connection: close"), "{response}");
    }
}

/// The rest of its body is not read, so the connection cannot be used again (RFC 9112, 9.6).
#[tokio::test]
async fn a_response_before_the_body_was_read_ends_the_connection_and_says_so() {
    let app = TestApp::builder().set("http.body_timeout_ms", "200").spawn().await;
    let json = "Content-Type: application/json\r\n";
    let foreign = format!("{json}Origin: https://evil.example\r\n");
    for (line, fields, expected) in [
        ("POST /signup", foreign.as_str(), "403"),
        ("POST /signup", "Content-Type: text/plain\r\n", "415"),
        ("POST /signup", json, "408"),
        ("POST /nowhere", json, "404"),
        ("PUT /signup", json, "405"),
        ("GET /livez", json, "200"),
    ] {
        let head = format!("{line} HTTP/1.1\r\nHost: x\r\n{fields}");
        for framing in ["Content-Length: 4", "Transfer-Encoding: chunked"] {
            let half = format!("{head}{framing}\r\n\r\n2");
            let response = Raw::send(app.address, half).await.rest().await;
            assert!(response.starts_with(&format!("HTTP/1.1 {expected}")), "{line}: {response}");
            assert!(response.contains("connection: close"), "{line} {framing}: {response}");
        }
        // Nothing is left of a small body that arrives with its head.
        let whole = format!("{head}Content-Length: 4\r\n\r\nnull");
        let mut kept = Raw::send(app.address, whole).await;
        let response = kept.until("}").await;
        assert!(!response.contains("connection: close"), "{line}: {response}");
        kept.write("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(kept.until("}").await.starts_with("HTTP/1.1 200"), "{line}");
    }
    let large = format!("POST /signup HTTP/1.1\r\nHost: x\r\n{json}Content-Length: 65537\r\n\r\n");
    let response = Raw::send(app.address, large).await.rest().await;
    assert!(response.starts_with("HTTP/1.1 413") && response.contains("connection: close"));
}

#[tokio::test]
async fn a_kept_connection_ends_with_its_next_response_during_the_drain() {
    let mut app = TestApp::builder().set("http.shutdown_delay_ms", "60000").spawn().await;
    app.until_ready().await;
    let get = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut kept = Raw::send(app.address, get).await;
    assert!(!kept.until("}").await.contains("connection: close"));
    app.stop();
    app.until_draining().await;
    kept.write(get).await;
    let response = kept.rest().await;
    assert!(response.contains("connection: close") && response.contains("alive"), "{response}");
}

#[tokio::test]
async fn bodies_that_begin_during_a_shutdown_do_not_extend_it() {
    let mut app = TestApp::builder()
        .set("http.header_timeout_ms", "120000")
        .set("http.body_timeout_ms", "600000")
        .set("http.request_timeout_ms", "600000")
        .set("http.shutdown_timeout_ms", "600000")
        .spawn()
        .await;
    let head = "POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                Content-Length: 100\r\n";
    let mut half_heads = Vec::new();
    for _ in 0..4 {
        half_heads.push(Raw::send(app.address, head).await);
    }
    let _half_body = Raw::send(app.address, &format!("{head}\r\n{{")).await;
    app.until_served().await;
    let stopped = app.stop();
    let completed = tokio::spawn(async move {
        for half_head in &mut half_heads {
            half_head.try_write("\r\n{").await;
            tokio::time::sleep(Duration::from_millis(1_500)).await;
        }
    });
    // Each body by itself would take two seconds more.
    timeout(Duration::from_millis(4_500), stopped).await.unwrap().unwrap();
    completed.abort();
}

#[tokio::test]
async fn a_body_that_has_arrived_is_read_however_late_in_a_shutdown() {
    let mut app = TestApp::spawn().await;
    app.until_ready().await;
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::held(&gate));
    let held = tokio::spawn(app.post().json(&ada()).send());
    eventually("the sign-up is under way", async || (app.creates().len() == 1).then_some(())).await;
    let head = "POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                Content-Length: 2\r\n";
    let mut half_heads = Vec::new();
    for _ in 0..10 {
        half_heads.push(Raw::send(app.address, head).await);
    }
    app.until_served().await;
    let stopped = app.stop();
    // Two seconds after a stop no body is waited for.
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    for half_head in &mut half_heads {
        half_head.write("\r\n{}").await;
        let response = half_head.head().await;
        assert!(response.starts_with("HTTP/1.1 422"), "{response}");
    }
    gate.open();
    assert_eq!(held.await.unwrap().unwrap().status(), 201);
    stopped.await.unwrap();
}

#[tokio::test]
async fn half_requests_and_idle_connections_do_not_delay_a_shutdown() {
    let mut app = TestApp::builder()
        .set("http.shutdown_timeout_ms", "600000")
        .set("http.header_timeout_ms", "120000")
        .set("http.body_timeout_ms", "600000")
        .set("http.request_timeout_ms", "600000")
        .spawn()
        .await;
    let get = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut idle = Raw::send(app.address, get).await;
    idle.until("}").await;
    let mut silent = Raw::connect(app.address).await;
    let _half_head = Raw::send(app.address, "POST /signup HTTP/1.1\r\nHo").await;
    let head = "POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                Content-Length: 100\r\n\r\n{";
    let mut half = Raw::send(app.address, head).await;
    app.until_served().await;
    timeout(Duration::from_secs(5), app.stop()).await.unwrap().unwrap();
    let rejected = app.client.get(app.url("/livez")).send().await;
    assert!(rejected.unwrap_err().is_connect());
    idle.closed().await;
    silent.closed().await;
    let response = half.until("\r\n\r\n").await;
    assert!(response.starts_with("HTTP/1.1 408"), "{response}");
}

#[tokio::test]
async fn shutdown_waits_for_sign_ups_under_way() {
    let mut app = TestApp::spawn().await;
    app.until_ready().await;
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::held(&gate));
    hang_up_once(app.post().json(&ada()), || app.creates().len() == 1).await;
    let early = timeout(Duration::from_millis(300), app.stop()).await;
    assert!(early.is_err(), "the app ended before the sign-up");
    gate.open();
    app.stop().await.unwrap();
    assert_eq!(app.auth0.users().len(), 1, "the app ended after the sign-up, not before");
}
