//! Requests with deceptive framing: ambiguous lengths, several requests at once, odd request lines.

use crate::app::{TestApp, ada};
use crate::raw::Raw;

const HEAD: &str = "POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";

#[tokio::test]
async fn ambiguous_framing_is_rejected_and_the_connection_closed() {
    let app = TestApp::spawn().await;
    let body = ada().to_string();
    let length = body.len();
    let chunked = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
    for (framing, body) in [
        (format!("Content-Length: {length}\r\nContent-Length: 0"), body.clone()),
        (format!("Content-Length: {length}, 0"), body.clone()),
        (format!("Content-Length: +{length}"), body.clone()),
        ("Content-Length: 0x10".to_owned(), body.clone()),
        (format!("Content-Length : {length}"), body.clone()),
        (format!("X: y\r\n Content-Length: {length}"), body.clone()),
        ("Transfer-Encoding: xchunked".to_owned(), chunked.clone()),
        ("Transfer-Encoding: chunked, identity".to_owned(), chunked.clone()),
        ("Transfer-Encoding : chunked".to_owned(), chunked.clone()),
    ] {
        let smuggled = "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n";
        let bytes = format!("{HEAD}{framing}\r\n\r\n{body}{smuggled}");
        let response = Raw::send(app.address, bytes).await.rest().await;
        assert!(response.starts_with("HTTP/1.1 4"), "{framing}: {response}");
        assert_eq!(response.matches("HTTP/1.1").count(), 1, "{framing}: {response}");
    }
    assert_eq!(app.creates().len(), 0);
}

/// `Transfer-Encoding` wins (RFC 9112, 6.1), and nothing after the body is read. So a proxy that used
/// `Content-Length` cannot be tricked into another request.
#[tokio::test]
async fn a_chunked_body_with_a_length_is_the_last_on_its_connection() {
    let app = TestApp::spawn().await;
    let body = ada().to_string();
    let length = body.len();
    let smuggled = "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n";
    for framing in [
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
        "Transfer-Encoding: chunked\r\nContent-Length: 4".to_owned(),
    ] {
        let bytes = format!("{HEAD}{framing}\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n{smuggled}");
        let response = Raw::send(app.address, bytes).await.rest().await;
        assert!(response.starts_with("HTTP/1.1 201"), "{framing}: {response}");
        assert_eq!(response.matches("HTTP/1.1").count(), 1, "{framing}: {response}");
    }
    assert_eq!(app.creates().len(), 1, "two posts are one sign-up");
}

#[tokio::test]
async fn pipelined_requests_get_responses_in_order() {
    let app = TestApp::spawn().await;
    let body = ada().to_string();
    let length = body.len();
    let post = format!("{HEAD}Content-Length: {length}\r\n\r\n{body}");
    let last = "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let bytes = format!("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n{post}{last}");
    let response = Raw::send(app.address, bytes).await.rest().await;
    let statuses: Vec<_> =
        response.match_indices("HTTP/1.1 ").map(|(at, _)| &response[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["200", "201", "200"], "{response}");
    assert_eq!(app.creates().len(), 1);
}

#[tokio::test]
async fn old_and_odd_request_lines_are_served_or_rejected() {
    let app = TestApp::spawn().await;
    for (bytes, expected) in [
        ("GET /livez HTTP/1.0\r\n\r\n", "HTTP/1.0 200"),
        (
            "GET http://evil.example/livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 200",
        ),
        ("OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 4"),
        ("CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 4"),
        ("GET /livez\r\n\r\n", "HTTP/1.1 400"),
        ("GET /livez HTTP/2.0\r\n\r\n", "HTTP/1.1 400"),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}", "HTTP/1.1 400"),
    ] {
        let response = Raw::send(app.address, bytes).await.rest().await;
        assert!(response.starts_with(expected), "{bytes:?}: {response}");
    }
}

#[tokio::test]
async fn a_request_names_exactly_one_host() {
    let app = TestApp::spawn().await;
    let body = ada().to_string();
    let length = body.len();
    let rest = format!(
        "Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    for (version, hosts, expected) in [
        ("HTTP/1.1", "", "HTTP/1.1 400"),
        ("HTTP/1.1", "Host: a\r\nHost: b\r\n", "HTTP/1.1 400"),
        ("HTTP/1.1", "Host: a\r\nhost: a\r\n", "HTTP/1.1 400"),
        ("HTTP/1.0", "Host: a\r\nHost: b\r\n", "HTTP/1.0 400"),
        ("HTTP/1.1", "Host: a, b\r\n", "HTTP/1.1 400"),
        ("HTTP/1.1", "Host: user@a\r\n", "HTTP/1.1 400"),
        ("HTTP/1.1", "Host: a\r\n", "HTTP/1.1 201"),
        ("HTTP/1.0", "", "HTTP/1.0 201"),
    ] {
        let bytes = format!("POST /signup {version}\r\n{hosts}{rest}");
        let response = Raw::send(app.address, bytes).await.rest().await;
        assert!(response.starts_with(expected), "{version} {hosts:?}: {response}");
        if expected.ends_with("400") {
            assert!(response.contains("malformed_request"), "{response}");
        }
    }
    // A preflight too.
    let preflight = "OPTIONS /signup HTTP/1.1\r\nHost: a\r\nHost: b\r\nOrigin: https://a.example\r\n\
                     Access-Control-Request-Method: POST\r\nConnection: close\r\n\r\n";
    let response = Raw::send(app.address, preflight).await.rest().await;
    assert!(response.starts_with("HTTP/1.1 400"), "{response}");
    let admin = Raw::send(app.admin, "GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert!(admin.await.rest().await.starts_with("HTTP/1.1 400"));
}
