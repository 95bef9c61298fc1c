//! The headers of a proxy in front, and the report about one that is not trusted.

use reqwest::StatusCode;
use serde_json::json;

use crate::app::{TestApp, TestResponse};

async fn livez(app: &TestApp, header: &str, value: &str) -> TestResponse {
    TestResponse::receive(app.client.get(app.url("/livez")).header(header, value)).await
}

#[tokio::test]
async fn a_request_id_is_accepted_from_a_trusted_proxy_only() {
    let app = TestApp::builder().set("http.trusted_proxies", "127.0.0.0/8").spawn().await;
    let response = livez(&app, "x-request-id", "from-the.proxy_1").await;
    assert_eq!(response.header("x-request-id"), Some("from-the.proxy_1"));
    let response = livez(&app, "x-request-id", "not/for/an/id").await;
    assert_eq!(response.header("x-request-id").unwrap().len(), 36, "a new UUID");
    let problem =
        TestResponse::receive(app.client.get(app.url("/none")).header("x-request-id", "ABCD1234"));
    let problem = problem.await;
    assert_eq!(problem.problem(), "not_found");
    assert_eq!(problem.json()["request_id"], "ABCD1234");

    let app = TestApp::spawn().await;
    let response = livez(&app, "x-request-id", "from-a-client").await;
    assert_eq!(response.header("x-request-id").unwrap().len(), 36, "a new UUID");
}

#[tokio::test]
async fn an_untrusted_private_proxy_degrades_readiness() {
    let app = TestApp::spawn().await;
    app.until_ready().await;
    let scrape = app.client.get(format!("http://{}/readyz", app.admin));
    let scrape = TestResponse::receive(scrape.header("x-forwarded-for", "192.0.2.7")).await;
    assert_eq!(scrape.json()["status"], "ready", "the admin listener ignores forwarded headers");
    for header in ["x-forwarded-for", "forwarded"] {
        livez(&app, header, "192.0.2.7").await;
    }
    let response = app.get_admin("/readyz").await;
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.json()["status"], "degraded");
    assert_eq!(response.json()["checks"]["clients"], "failing");
    let rejected = "http_forwarded_rejected_total{outcome=\"untrusted_private\"}";
    assert_eq!(app.metric(rejected).await, 2);
}

#[tokio::test]
async fn a_trusted_proxy_that_names_its_clients_never_degrades_readiness() {
    let app = TestApp::builder().set("http.trusted_proxies", "::1, 127.0.0.1").spawn().await;
    app.until_ready().await;
    let long = "192.0.2.7,".repeat(2_000);
    for value in ["192.0.2.7", "", ",,,", "unknown", "\"", &long] {
        assert_eq!(livez(&app, "x-forwarded-for", value).await.status, StatusCode::OK, "{value}");
    }
    assert_eq!(app.get_admin("/readyz").await.json()["checks"]["clients"], "ok");
    livez(&app, "forwarded", "for=192.0.2.7").await;
    let checks = app.get_admin("/readyz").await.json();
    assert_eq!(checks["checks"]["clients"], "failing", "the proxy sets the other header");
}

/// As nginx does by `proxy_pass` alone, or with `X-Real-IP`.
#[tokio::test]
async fn a_trusted_proxy_that_names_no_client_degrades_readiness() {
    let app = TestApp::builder().set("http.trusted_proxies", "127.0.0.1").spawn().await;
    app.until_ready().await;
    livez(&app, "x-real-ip", "192.0.2.7").await;
    app.get("/signup").await;
    app.sign_up_from("192.0.2.7", &json!({})).await;
    let clients = async || app.get_admin("/readyz").await.json()["checks"]["clients"].clone();
    assert_eq!(clients().await, "ok", "a balancer probes without the header");

    app.sign_up(&json!({})).await;
    assert_eq!(clients().await, "failing");
    let compat = app.client.post(app.url("/dbconnections/signup")).json(&json!({}));
    TestResponse::receive(compat).await;
    assert_eq!(app.metric("http_forwarded_rejected_total{outcome=\"missing\"}").await, 2);
    let ready = app.get_admin("/readyz").await;
    assert_eq!((ready.status, &ready.json()["status"]), (StatusCode::OK, &json!("degraded")));
}

/// Fifty visitors of a site whose server posts for them, as a Next.js action does.
#[tokio::test]
async fn a_server_with_a_token_names_its_visitors() {
    let token = "0123456789abcdef0123456789abcdef";
    let builder = TestApp::builder().set("http.server_clients", token);
    let builder = builder.set("http.require_origin", "true");
    let app =
        builder.set("limits.posts.burst", "2").set("limits.posts.per_hour", "1").spawn().await;
    let post = async |token: Option<&str>, visitor: &str| {
        let mut request = app.post().header("content-type", "application/json").body("{}");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        TestResponse::receive(request.header("signup-client-address", visitor)).await.problem()
    };
    for visitor in 0..10 {
        let visitor = format!("192.0.2.{visitor}");
        assert_eq!(post(Some(token), &visitor).await, "invalid_fields", "{visitor}");
    }
    post(Some(token), "192.0.2.1").await;
    assert_eq!(post(Some(token), "192.0.2.1").await, "rate_limited", "a visitor has a limit too");
    assert_eq!(post(Some(token), "192.0.2.11").await, "invalid_fields");
    // A server may pass on what its own proxy sent.
    let forwarded = app.post().bearer_auth(token).header("signup-client-address", "192.0.2.12");
    let forwarded = forwarded.header("x-forwarded-for", "192.0.2.12").json(&json!({}));
    assert_eq!(TestResponse::receive(forwarded).await.problem(), "invalid_fields");

    // Without the token the header is not read, and the server's own address counts.
    assert_eq!(post(None, "192.0.2.20").await, "origin_not_allowed");
    let wrong = "ffffffffffffffffffffffffffffffff";
    assert_eq!(post(Some(wrong), "192.0.2.21").await, "origin_not_allowed");
    assert_eq!(post(Some(wrong), "192.0.2.22").await, "rate_limited");
    let forged = "http_forwarded_rejected_total{outcome=\"untrusted_server\"}";
    assert_eq!(app.metric(forged).await, 3);
    assert_eq!(app.get_admin("/readyz").await.json()["checks"]["clients"], "ok");
}
