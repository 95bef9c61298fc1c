//! Headers of every response, and responses to unknown routes and methods.

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use crate::app::{NAVIGATION, TestApp, TestResponse, ada};

/// The default content type of a form that a browser posts.
const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn an_unknown_path_and_a_wrong_method_are_problems() {
    let app = TestApp::spawn().await;
    let response = app.get("/nothing").await;
    assert_eq!(response.problem(), "not_found");
    assert_eq!(response.status, StatusCode::NOT_FOUND);
    let response = TestResponse::receive(app.client.put(app.url("/signup"))).await;
    assert_eq!(response.problem(), "method_not_allowed");
    assert_eq!(response.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.header("allow"), Some("POST,GET,HEAD"));
    let response = TestResponse::receive(app.client.post(app.url("/livez"))).await;
    assert_eq!(response.problem(), "method_not_allowed");
    assert_eq!(response.header("allow"), Some("GET,HEAD"));
}

#[tokio::test]
async fn every_response_has_an_id_and_security_headers_and_no_cookie() {
    let app = TestApp::spawn().await;
    let responses = [app.get("/livez").await, app.get("/nothing").await, app.sign_up(&ada()).await];
    for response in responses {
        assert_eq!(response.header("x-request-id").unwrap().len(), 36);
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(response.header("referrer-policy"), Some("strict-origin-when-cross-origin"));
        assert!(response.header("content-security-policy").is_some());
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(response.header("set-cookie"), None);
        assert_eq!(response.header("server"), None);
    }
}

#[tokio::test]
async fn headers_that_are_too_large_are_rejected() {
    let app = TestApp::spawn().await;
    let many: HeaderMap = (0..101)
        .map(|nth| {
            let name = HeaderName::try_from(format!("x-{nth}")).unwrap();
            (name, HeaderValue::from_static("1"))
        })
        .collect();
    let response = TestResponse::receive(app.client.get(app.url("/livez")).headers(many)).await;
    assert_eq!(response.problem(), "headers_too_large");
    assert_eq!(response.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    let large = app.client.get(app.url("/livez")).header("x-large", "x".repeat(33 * 1024));
    assert_eq!(TestResponse::receive(large).await.problem(), "headers_too_large");
}

#[tokio::test]
async fn a_browser_gets_a_page_for_every_rejection() {
    let app = TestApp::spawn().await;
    let large = vec![b'a'; 70_000];
    let requests = [
        (app.client.get(app.url("/nothing")), StatusCode::NOT_FOUND),
        (app.client.put(app.url("/signup")), StatusCode::METHOD_NOT_ALLOWED),
        (app.post().body("x"), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (app.post().header(CONTENT_TYPE, FORM).body(large), StatusCode::PAYLOAD_TOO_LARGE),
        (
            app.post().header("x-long", "a".repeat(40_000)),
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        ),
    ];
    for (request, status) in requests {
        let response = TestResponse::receive(request.header(ACCEPT, NAVIGATION)).await;
        assert_eq!(response.status, status);
        assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(response.text.starts_with("<!doctype html>"), "{}", response.text);
        let id = response.header("x-request-id").unwrap();
        assert!(response.text.contains(id), "{}", response.text);
        assert!(response.text.contains("href=\"/signup?ui_locales=en\""), "{}", response.text);
    }
}

#[tokio::test]
async fn a_client_gets_a_page_only_if_it_names_html_or_text() {
    let app = TestApp::spawn().await;
    for accept in ["*/*, application/*;q=0.9", "text/plain;q=0, */*, application/*;q=0.9"] {
        let post = app.post().header(ACCEPT, accept).json(&serde_json::json!({}));
        assert_eq!(TestResponse::receive(post).await.problem(), "invalid_fields", "{accept}");
    }
}

#[tokio::test]
async fn a_page_of_the_admin_listener_links_to_no_form() {
    let app = TestApp::spawn().await;
    let request = app.client.get(format!("http://{}/nothing", app.admin));
    let response = TestResponse::receive(request.header(ACCEPT, NAVIGATION)).await;
    assert_eq!(response.status, StatusCode::NOT_FOUND);
    assert!(response.text.starts_with("<!doctype html>"), "{}", response.text);
    assert!(!response.text.contains("/signup"), "{}", response.text);
}
