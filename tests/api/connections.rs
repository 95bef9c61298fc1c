//! What goes over a connection beside whole requests.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::app::{TestApp, ada};

/// Sends these bytes and reads until the end of the answer to `POST /signup`.
async fn send(app: &TestApp, bytes: &str) -> String {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(5), async {
        let mut buffer = [0; 4096];
        loop {
            let read = stream.read(&mut buffer).await.unwrap();
            answer.extend_from_slice(&buffer[..read]);
            if read == 0 || answer.ends_with(b"}}") || answer.ends_with(b"\r\n\r\n") {
                return;
            }
        }
    });
    read.await.expect("no answer in time");
    String::from_utf8(answer).unwrap()
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
async fn an_answer_is_sent_whatever_follows_the_request() {
    for after in ["", "\r\n", "GET /livez HT", "garbage"] {
        let app = TestApp::spawn().await;
        let answer = send(&app, &format!("{}{after}", signup(""))).await;
        assert!(answer.starts_with("HTTP/1.1 201"), "{after:?}: {answer}");
    }
    let app = TestApp::spawn().await;
    let answer = send(&app, &format!("{}\r\n", signup("Connection: close\r\n"))).await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

#[tokio::test]
async fn a_head_beyond_what_the_server_reads_is_431_all_the_same() {
    let app = TestApp::spawn().await;
    let fields: Vec<_> = (0..2000).map(|nth| format!("x-{nth}: 1\r\n")).collect();
    let fields = fields.concat();
    let answer = send(&app, &format!("GET /livez HTTP/1.1\r\nHost: x\r\n{fields}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn a_client_that_sent_half_a_head_does_not_hold_a_stop_up() {
    let mut app = TestApp::spawn().await;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(b"POST /signup HTTP/1.1\r\nHo").await.unwrap();
    app.get("/livez").await;
    let started = Instant::now();
    app.stop().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}
