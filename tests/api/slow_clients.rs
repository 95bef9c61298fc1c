//! Slow, silent and too many clients, and the normal client beside them.

use reqwest::StatusCode;
use tokio::task::JoinSet;

use auth0_emulator::{Fault, Gate, Route};

use crate::app::{TestApp, TestAppBuilder, TestResponse, ada, ada_with, person};
use crate::eventually::eventually;
use crate::idempotency::POSTS;
use crate::raw::Raw;

const HALF_A_HEAD: &str = "POST /signup HTTP/1.1\r\nHost: x\r\nContent-Ty";
const LIVEZ: &str = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
/// After its response 100, the server waits for the body.
const NO_BODY_YET: &str = "POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                           Content-Length: 100\r\nExpect: 100-continue\r\n\r\n";

/// Deadlines long enough for a busy machine, and short enough for a test.
fn builder() -> TestAppBuilder {
    TestApp::builder()
        .set("http.first_byte_timeout_ms", "300")
        .set("http.header_timeout_ms", "600")
        .set("http.idle_timeout_ms", "60000")
}

/// A builder with deadlines that no test reaches.
fn patient() -> TestAppBuilder {
    TestApp::builder()
        .patient()
        .set("http.first_byte_timeout_ms", "60000")
        .set("http.header_timeout_ms", "60000")
}

async fn slow_body(app: &TestApp) -> Raw {
    let mut raw = Raw::send(app.address, NO_BODY_YET).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 100"));
    raw
}

#[tokio::test]
async fn a_silent_connection_and_a_slow_head_are_closed_at_their_deadlines() {
    let app = builder().spawn().await;
    let mut silent = Raw::connect(app.address).await;
    let mut slow = Raw::send(app.address, HALF_A_HEAD).await;
    silent.closed().await;
    // Further bytes do not extend the deadline.
    eventually("the slow head is closed", async || (!slow.try_write("x").await).then_some(()))
        .await;
    for reason in ["silent", "slow_head"] {
        let closed = format!("http_connections_closed_total{{reason=\"{reason}\"}}");
        assert_eq!(app.metric(&closed).await, 1, "{reason}");
    }
}

/// In one write with a whole request before it.
#[tokio::test]
async fn half_a_head_that_was_sent_ahead_is_closed_at_its_deadline_and_counted() {
    let ahead = |request: &str| format!("{request}{HALF_A_HEAD}");
    let app = builder().set("http.idle_timeout_ms", "60000").spawn().await;
    let post = "POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n\
                Content-Length: 2\r\n\r\n{}";
    for request in [LIVEZ, post] {
        Raw::send(app.address, ahead(request)).await.closed().await;
    }
    app.until_metric("http_connections_closed_total{reason=\"slow_head\"}", 2).await;

    let app = patient().set("http.max_unfinished_per_address", "4").spawn().await;
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(Raw::send(app.address, ahead(LIVEZ)).await);
    }
    app.until_metric("http_connections_closed_total{reason=\"unfinished\"}", 2).await;
}

#[tokio::test]
async fn an_idle_connection_outlives_the_other_deadlines_and_serves_a_post() {
    let app = builder().spawn().await;
    let mut idle = Raw::send(app.address, LIVEZ).await;
    idle.until("\"alive\"}").await;
    // Takes twice as long as a head may take.
    for _ in 0..4 {
        Raw::connect(app.address).await.closed().await;
    }
    let body = ada().to_string();
    let length = body.len();
    idle.write(format!(
        "POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    ))
    .await;
    assert!(idle.head().await.starts_with("HTTP/1.1 201"));
}

#[tokio::test]
async fn an_idle_connection_is_closed_at_its_deadline() {
    let app = TestApp::builder().set("http.idle_timeout_ms", "200").spawn().await;
    let mut idle = Raw::send(app.address, LIVEZ).await;
    assert!(idle.rest().await.contains("alive"));
    assert_eq!(app.metric("http_connections_closed_total{reason=\"idle\"}").await, 1);
}

#[tokio::test]
async fn slow_clients_of_every_kind_do_not_stop_a_sign_up() {
    let app = patient().set("http.max_connections", "90").spawn().await;
    let mut held = Vec::new();
    for _ in 0..30 {
        held.push(slow_body(&app).await);
        held.push(Raw::connect(app.address).await);
        held.push(Raw::send(app.address, HALF_A_HEAD).await);
    }
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    assert_eq!(app.metric("http_connections_closed_total{reason=\"evicted\"}").await, 1);
    assert_eq!(app.creates().len(), 1);
}

#[tokio::test]
async fn a_new_connection_gets_503_while_all_are_active() {
    let app = patient().set("http.max_connections", "3").spawn().await;
    let mut busy = Vec::new();
    // Complete requests: the tenant holds them.
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::held(&gate).times(3));
    for nth in 0..3 {
        let body = ada_with("email", format!("held{nth}@example.com")).to_string();
        let length = body.len();
        let head = "POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
        let post = format!("{head}Content-Length: {length}\r\n\r\n{body}");
        busy.push(Raw::send(app.address, post).await);
    }
    app.until(|app| app.creates().len() == 3).await;
    let mut rejected = Raw::send(app.address, LIVEZ).await;
    let response = rejected.rest().await;
    assert!(
        response.starts_with("HTTP/1.1 503") && response.contains("retry-after: 5"),
        "{response}"
    );
    assert_eq!(app.metric("http_connections_refused_total{reason=\"full\"}").await, 1);
    gate.open();
    for raw in &mut busy {
        assert!(raw.head().await.starts_with("HTTP/1.1 201"));
    }
    drop(busy);
    app.until_served().await;
}

#[tokio::test]
async fn half_a_body_is_cut_when_its_place_is_needed() {
    let app = patient().set("http.max_connections", "3").spawn().await;
    let mut slow = Vec::new();
    for _ in 0..3 {
        slow.push(slow_body(&app).await);
    }
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    let mut responses = Vec::new();
    for mut raw in slow {
        raw.try_write("x".repeat(100)).await;
        responses.push(raw.head().await);
    }
    let cut = responses.iter().filter(|response| response.starts_with("HTTP/1.1 408")).count();
    assert_eq!(cut, 1, "{responses:?}");
}

#[tokio::test]
async fn unfinished_heads_and_bodies_of_an_address_are_bounded() {
    let app = patient()
        .set("http.max_unfinished_per_address", "4")
        .set("http.trusted_proxies", "127.0.0.9")
        .spawn()
        .await;
    let mut heads = Vec::new();
    for _ in 0..6 {
        heads.push(Raw::send(app.address, HALF_A_HEAD).await);
    }
    let closed = "http_connections_closed_total{reason=\"unfinished\"}";
    app.until_metric(closed, 2).await;
    // A body of the same address.
    let mut body = Raw::send(app.address, NO_BODY_YET).await;
    assert!(body.head().await.starts_with("HTTP/1.1 429"));
    drop(heads);
    app.until_metric(closed, 2).await;

    // Bodies count for the client that a proxy names, and for its /48.
    let app = patient()
        .set("http.max_unfinished_per_address", "1")
        .set("http.trusted_proxies", "127.0.0.1")
        .spawn()
        .await;
    let mut held = Vec::new();
    let mut statuses = Vec::new();
    for n in 0..12 {
        let from = format!("X-Forwarded-For: 2001:db8:7:{n:x}::1\r\n\r\n");
        let post = NO_BODY_YET.replace("\r\n\r\n", &format!("\r\n{from}"));
        let mut raw = Raw::send(app.address, post).await;
        statuses.push(raw.head().await.get(9..12).map(str::to_owned).unwrap());
        held.push(raw);
    }
    assert_eq!(statuses.iter().filter(|status| *status == "100").count(), 8, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| *status == "429").count(), 4, "{statuses:?}");
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED, "another client");
}

#[tokio::test]
async fn what_waits_for_its_client_is_bounded_in_memory() {
    let app = patient()
        .set("http.connection_memory_mib", "4")
        .set("http.max_unfinished_per_address", "1000")
        .spawn()
        .await;
    let mut held = Vec::new();
    let head = format!("POST /signup HTTP/1.1\r\nHost: x\r\nX: {}", "y".repeat(30_000));
    let body = format!(
        "{}{{{}",
        NO_BODY_YET.replace("100\r\nExpect: 100-continue", "65000"),
        "x".repeat(60_000)
    );
    for _ in 0..100 {
        held.push(Raw::send(app.address, &head).await);
        let mut raw = Raw::connect(app.address).await;
        raw.try_write(&body).await;
        held.push(raw);
    }
    let evicted = "http_connections_closed_total{reason=\"evicted\"}";
    app.until_metric(evicted, 120).await;
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
}

/// Duplicates of an attempt that the tenant holds. They wait, and pay for no attempt.
async fn hold_duplicates_of_a_block(from: fn(u64) -> String) {
    let app = patient()
        .set("http.connection_memory_mib", "1")
        .set("http.trusted_proxies", "127.0.0.1")
        .set("idempotency.wait_ms", "60000")
        .spawn()
        .await;
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::held(&gate));
    let mut posts = JoinSet::new();
    for n in 0..60 {
        let post = app.post().header("x-forwarded-for", from(n));
        posts.spawn(TestResponse::receive(post.json(&ada())));
        // One after the other: many heads at once would make room by closing some.
        app.until_metric(POSTS, n + 1).await;
    }
    gate.arrived(1).await;
    let honest = ada_with("email", "honest@example.com");
    let response = app.sign_up_from("198.51.100.1", &honest).await;
    assert_eq!(response.status, StatusCode::CREATED);
    // 1 MiB has room for 31 requests with their bytes. A third of them may be of one block.
    let mut rejected = 0;
    eventually("49 are rejected", async || {
        while let Some(response) = posts.try_join_next() {
            let response = response.unwrap();
            assert_eq!(response.problem(), "rate_limited");
            assert!(response.header("retry-after").is_some());
            rejected += 1;
        }
        (rejected >= 49).then_some(())
    })
    .await;
    gate.open();
    while let Some(response) = posts.join_next().await {
        let response = response.unwrap();
        assert!(response.status == StatusCode::CREATED || response.problem() == "rate_limited");
    }
    assert_eq!(app.creates().len(), 2);
}

#[tokio::test]
async fn what_a_site_has_under_way_is_bounded_in_memory() {
    hold_duplicates_of_a_block(|n| format!("2001:db8:7:{n:x}::1")).await;
}

#[tokio::test]
async fn what_a_block_has_under_way_is_bounded_in_memory() {
    hold_duplicates_of_a_block(|n| format!("2001:db8:{n:x}::1")).await;
    hold_duplicates_of_a_block(|n| format!("192.0.2.{n}")).await;
}

#[tokio::test]
async fn pages_that_nobody_reads_take_no_room_from_forms() {
    let app = patient().set("http.connection_memory_mib", "1").spawn().await;
    let pages = "GET /signup HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n".repeat(200);
    let mut held = Vec::new();
    for _ in 0..60 {
        let mut raw = Raw::connect(app.address).await;
        raw.try_write(&pages).await;
        held.push(raw);
    }
    for n in 0..10 {
        let response = app.sign_up(&person(n)).await;
        assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    }
}

#[tokio::test]
async fn the_bound_for_one_address_does_not_apply_to_a_trusted_proxy() {
    let app = patient().set("http.max_connections_per_address", "2").spawn().await;
    let held = [Raw::connect(app.address).await, Raw::connect(app.address).await];
    let response = Raw::send(app.address, LIVEZ).await.rest().await;
    assert!(response.starts_with("HTTP/1.1 503"), "{response}");
    assert_eq!(app.metric("http_connections_refused_total{reason=\"address\"}").await, 1);
    drop(held);
    app.until_served().await;

    let app = patient()
        .set("http.max_connections_per_address", "2")
        .set("http.trusted_proxies", "127.0.0.1")
        .spawn()
        .await;
    let _held = [Raw::connect(app.address).await, Raw::connect(app.address).await];
    assert!(Raw::send(app.address, LIVEZ).await.head().await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_slow_body_gets_408() {
    let app = patient().set("http.body_timeout_ms", "200").spawn().await;
    let mut raw = slow_body(&app).await;
    raw.write("{").await;
    let response = raw.rest().await;
    assert!(
        response.starts_with("HTTP/1.1 408") && response.contains("request_timeout"),
        "{response}"
    );
    assert_eq!(app.creates().len(), 0);
}

#[tokio::test]
async fn an_early_rejection_reaches_a_client_that_is_still_sending() {
    let app = patient().spawn().await;
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for (framing, part) in
        [("Content-Length: 4194304", "x".repeat(0x10000)), ("Transfer-Encoding: chunked", chunk)]
    {
        let head = "POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
        let mut raw = Raw::send(app.address, format!("{head}{framing}\r\n\r\n")).await;
        for _ in 0..63 {
            raw.write(&part).await;
        }
        raw.finish().await;
        let response = raw.rest().await;
        assert!(
            response.starts_with("HTTP/1.1 413") && response.contains("body_too_large"),
            "{response}"
        );
    }
}
