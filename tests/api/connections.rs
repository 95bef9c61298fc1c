//! Connections with more or less than whole requests.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::app::{TestApp, ada};
use crate::raw::Raw;

/// Sends these bytes and reads to the end of the response.
async fn send(app: &TestApp, bytes: &str) -> String {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    let read = timeout(Duration::from_mins(1), async {
        let mut buffer = [0; 4096];
        loop {
            let read = stream.read(&mut buffer).await.unwrap();
            response.extend_from_slice(&buffer[..read]);
            if read == 0 || response.ends_with(b"}}") || response.ends_with(b"\r\n\r\n") {
                return;
            }
        }
    });
    read.await.expect("no response in time");
    String::from_utf8(response).unwrap()
}

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
        let response = send(&app, &format!("{}{after}", signup(""))).await;
        assert!(response.starts_with("HTTP/1.1 201"), "{after:?}: {response}");
    }
    let app = TestApp::spawn().await;
    let response = send(&app, &format!("{}\r\n", signup("Connection: close\r\n"))).await;
    assert!(response.starts_with("HTTP/1.1 201"), "{response}");
}

#[tokio::test]
async fn a_header_beyond_the_limit_gets_431() {
    let app = TestApp::spawn().await;
    let fields: Vec<_> = (0..2000).map(|nth| format!("x-{nth}: 1\r\n")).collect();
    let fields = fields.concat();
    let response = send(&app, &format!("GET /livez HTTP/1.1\r\nHost: x\r\n{fields}\r\n")).await;
    assert!(response.starts_with("HTTP/1.1 431"), "{response}");
}

#[tokio::test]
async fn a_client_with_half_a_header_does_not_delay_a_shutdown() {
    let app = TestApp::builder().set("http.header_timeout_ms", "120000");
    let mut app = app.set("http.shutdown_timeout_ms", "120000").spawn().await;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(b"POST /signup HTTP/1.1\r\nHo").await.unwrap();
    app.get("/livez").await;
    // Waiting for the client would take two minutes.
    timeout(Duration::from_secs(5), app.stop()).await.unwrap().unwrap();
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
async fn half_a_body_and_idle_connections_do_not_delay_a_shutdown() {
    let mut app = TestApp::builder()
        .set("http.shutdown_timeout_ms", "600000")
        .set("http.body_timeout_ms", "600000")
        .set("http.request_timeout_ms", "600000")
        .spawn()
        .await;
    let get = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut idle = Raw::send(app.address, get).await;
    idle.until("}").await;
    let mut silent = Raw::connect(app.address).await;
    let head = "POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                Content-Length: 100\r\n\r\n{";
    let mut half = Raw::send(app.address, head).await;
    app.until_served().await;
    timeout(Duration::from_secs(5), app.stop()).await.unwrap().unwrap();
    idle.closed().await;
    silent.closed().await;
    let response = half.until("\r\n\r\n").await;
    assert!(response.starts_with("HTTP/1.1 408"), "{response}");
}
