//! Faults on HTTP/1.1: their effect on the client, and whether a user exists afterwards.

use std::time::{Duration, Instant};

use auth0_emulator::{Emulator, Fault, Gate, Route};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{JsonResponse, TestClient, user};
use crate::eventually::eventually;

/// Longer than any call on loopback takes, and short enough to wait for.
const SHORT: Duration = Duration::from_millis(600);

/// Waits until a user exists.
async fn until_user(auth0: &Emulator) {
    eventually("a user is created", async || (!auth0.users().is_empty()).then_some(())).await;
}

/// Waits until a create-user call has arrived.
pub(crate) async fn until_call(auth0: &Emulator) {
    let has_arrived = || !auth0.calls(Route::CreateUser).is_empty();
    eventually("the call arrives", async || has_arrived().then_some(())).await;
}

/// Sends a create-user call with `fault` queued. Returns the result and the number of users right
/// after it.
async fn call_with_fault(fault: Fault) -> (Result<JsonResponse, reqwest::Error>, usize, Emulator) {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let request = client.create_request(&user("a@b.co")).await.timeout(Duration::from_secs(1));
    auth0.fault(Route::CreateUser, fault);
    let result = match request.send().await {
        Ok(response) => {
            let (status, headers) = (response.status(), response.headers().clone());
            response.bytes().await.map(|bytes| {
                let body = serde_json::from_slice(&bytes)
                    .unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
                JsonResponse { status, headers, body }
            })
        }
        Err(error) => Err(error),
    };
    let users = auth0.users().len();
    (result, users, auth0)
}

#[tokio::test]
async fn a_canned_response_is_sent_and_no_user_created() {
    let fault = Fault::answer(503).header("retry-after", "7").body(r#"{"x":1}"#);
    let (response, users, auth0) = call_with_fault(fault).await;
    let response = response.unwrap();
    assert_eq!((response.status.as_u16(), response.body.clone()), (503, json!({"x": 1})));
    assert_eq!(response.header("retry-after"), "7");
    assert_eq!(users, 0);
    assert_eq!(auth0.calls(Route::CreateUser)[0].status, Some(503));
}

#[tokio::test]
async fn silenced_connections_send_nothing_and_new_ones_work() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let first = client.create_request(&user("a@b.co")).await.send().await.unwrap();
    assert_eq!(first.status().as_u16(), 201);
    first.bytes().await.unwrap();
    let request = client.create_request(&user("b@b.co")).await.timeout(SHORT);
    assert!(auth0.silence_connections() >= 1);
    assert!(request.send().await.unwrap_err().is_timeout());
    let other = TestClient::new(&auth0);
    let response = other.create_request(&user("c@b.co")).await.send().await.unwrap();
    assert_eq!(response.status().as_u16(), 201);
    assert_eq!(auth0.users().len(), 2);
}

#[tokio::test]
async fn a_fault_can_be_chosen_for_each_call() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    auth0.choose_faults(|call| (call.json()["email"] == "a@b.co").then(|| Fault::answer(503)));
    let sent =
        async |email| client.create_request(&user(email)).await.send().await.unwrap().status();
    assert_eq!(sent("a@b.co").await.as_u16(), 503);
    assert_eq!(sent("c@d.co").await.as_u16(), 201);
    // A queued fault takes precedence, and clearing removes both.
    auth0.fault(Route::CreateUser, Fault::answer(502));
    assert_eq!(sent("a@b.co").await.as_u16(), 502);
    auth0.clear_faults();
    assert_eq!(sent("a@b.co").await.as_u16(), 201);
}

#[tokio::test]
async fn acting_first_creates_the_user_despite_the_error() {
    let (response, users, _auth0) = call_with_fault(Fault::answer(500).after_acting()).await;
    assert_eq!((response.unwrap().status.as_u16(), users), (500, 1));
}

#[tokio::test]
async fn an_html_fault_looks_like_the_network_in_front() {
    let (response, users, _auth0) = call_with_fault(Fault::html(520)).await;
    let response = response.unwrap();
    assert_eq!((response.status.as_u16(), users), (520, 0));
    assert!(response.header("content-type").starts_with("text/html"));
    assert!(response.body.as_str().unwrap().starts_with("<!DOCTYPE html>"));
}

#[tokio::test]
async fn a_hang_is_a_timeout_with_or_without_a_user() {
    for (fault, expected) in
        [(Fault::hang(), 0), (Fault::hang_after_acting(), 1), (Fault::black_hole(), 0)]
    {
        let (response, users, auth0) = call_with_fault(fault).await;
        assert!(response.unwrap_err().is_timeout());
        assert_eq!(users, expected);
        assert_eq!(auth0.calls(Route::CreateUser)[0].status, None);
    }
}

#[tokio::test]
async fn a_close_and_a_reset_end_the_connection_with_or_without_a_user() {
    for (fault, expected) in [
        (Fault::close(), 0),
        (Fault::close_after_acting(), 1),
        (Fault::reset(), 0),
        (Fault::reset_after_acting(), 1),
    ] {
        let (response, users, _auth0) = call_with_fault(fault.clone()).await;
        let error = response.unwrap_err();
        assert!(!error.is_timeout() && !error.is_connect(), "{fault:?}: {error:?}");
        assert_eq!(users, expected, "{fault:?}");
    }
}

#[tokio::test]
async fn a_reset_is_a_reset_and_a_close_is_not() {
    for (fault, expected) in
        [(Fault::close(), None), (Fault::reset(), Some(std::io::ErrorKind::ConnectionReset))]
    {
        let auth0 = Emulator::builder().start().await.unwrap();
        auth0.fault(Route::Any, fault);
        let address = auth0.url().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut seen = Vec::new();
        let error = stream.read_to_end(&mut seen).await.err().map(|error| error.kind());
        assert_eq!((error, seen), (expected, Vec::new()));
    }
}

#[tokio::test]
async fn a_delay_comes_before_the_operation() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let request = client.create_request(&user("a@b.co")).await;
    auth0.fault(Route::CreateUser, Fault::delay(SHORT));
    let started = Instant::now();
    let (response, ()) = tokio::join!(request.send(), async {
        tokio::time::sleep(SHORT / 2).await;
        assert!(auth0.users().is_empty());
    });
    assert_eq!(response.unwrap().status().as_u16(), 201);
    assert!(started.elapsed() >= SHORT);
}

#[tokio::test]
async fn a_late_operation_runs_after_the_client_disconnected() {
    for fault in [Fault::act_later(SHORT), Fault::act_later(SHORT).closing(), Fault::delay(SHORT)] {
        let auth0 = Emulator::builder().start().await.unwrap();
        let client = TestClient::new(&auth0);
        let request = client.create_request(&user("a@b.co")).await.timeout(SHORT / 4);
        auth0.fault(Route::CreateUser, fault);
        request.send().await.unwrap_err();
        drop(client);
        assert!(auth0.users().is_empty());
        until_user(&auth0).await;
    }
}

#[tokio::test]
async fn a_truncated_body_ends_before_its_length() {
    let (response, users, _auth0) = call_with_fault(Fault::truncated()).await;
    let error = response.unwrap_err();
    assert!(error.is_body() || error.is_decode(), "{error:?}");
    assert_eq!(users, 1);
}

#[tokio::test]
async fn a_slow_body_arrives_complete() {
    let started = Instant::now();
    let (response, _, auth0) = call_with_fault(Fault::slow(100, Duration::from_millis(40))).await;
    assert_eq!(response.unwrap().body, auth0.users()[0]);
    assert!(started.elapsed() >= Duration::from_millis(3 * 40));
}

#[tokio::test]
async fn a_call_takes_its_permit_when_it_arrives() {
    let plan = auth0_emulator::Plan::Custom { burst: 2, per_second: 0.001 };
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let first = client.create_request(&user("a@b.co")).await;
    let second = client.create_request(&user("c@d.co")).await;
    let third = client.create_request(&user("e@f.co")).await;
    auth0.tenant(|tenant| tenant.plan = plan);
    auth0.fault(Route::CreateUser, Fault::delay(SHORT));
    let others = async {
        until_call(&auth0).await;
        assert_eq!(second.send().await.unwrap().status(), 201);
        assert_eq!(third.send().await.unwrap().status(), 429, "the slow call took a permit first");
    };
    let (late, ()) = tokio::join!(first.send(), others);
    assert_eq!(late.unwrap().status(), 201);
}

#[tokio::test]
async fn a_gate_holds_calls_until_opened_and_reports_when_they_finish() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let gate = Gate::new();
    auth0.fault(Route::CreateUser, Fault::held(&gate).times(2));
    let waits = client.create_request(&user("a@b.co")).await.send();
    let gives_up = client.create_request(&user("c@d.co")).await.send();
    let opens = async {
        tokio::select! {
            response = gives_up => panic!("responded at a closed gate: {response:?}"),
            () = gate.arrived(2) => {}
        }
        assert!(auth0.users().is_empty());
        gate.open();
        gate.done(2).await;
        assert_eq!(auth0.users().len(), 2);
    };
    let (response, ()) = tokio::join!(waits, opens);
    assert_eq!(response.unwrap().status(), 201);

    // The gate stays open for later calls.
    auth0.fault(Route::CreateUser, Fault::answer(503).behind(&gate));
    assert_eq!(client.create(&user("e@f.co")).await.status.as_u16(), 503);
}
