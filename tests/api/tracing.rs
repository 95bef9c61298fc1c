//! W3C trace context: in from the caller, out to the tenant.

use auth0_emulator::{Fault, Route};
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;

use crate::app::{TestApp, TestResponse, ada, ada_with};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn a_callers_context_reaches_every_call_of_its_sign_up() {
    let app = TestApp::spawn().await;
    // The response is lost, so the user is looked up by another call.
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    let request = app.post().header(CONTENT_TYPE, "application/json").body(ada().to_string());
    let request = request.header("traceparent", PARENT).header("tracestate", "a=1, b=2");
    let response = TestResponse::receive(request).await;
    assert_eq!(response.status, StatusCode::CREATED);
    let calls: Vec<_> = [app.creates(), app.auth0.calls(Route::GetUser)].concat();
    assert!(calls.len() >= 2, "{calls:?}");
    for call in calls {
        assert_eq!(call.headers["traceparent"], PARENT);
        assert_eq!(call.headers["tracestate"], "a=1,b=2");
    }
    let token = &app.auth0.calls(Route::Token)[0];
    assert!(!token.headers.contains_key("traceparent"), "a token serves many sign-ups");
}

#[tokio::test]
async fn without_a_valid_context_none_is_sent() {
    let app = TestApp::spawn().await;
    app.sign_up(&ada()).await;
    let invalid = PARENT.replace("00-4b", "ff-4b");
    let form = ada_with("email", "other@example.com").to_string();
    let request = app.post().header(CONTENT_TYPE, "application/json").body(form);
    let request = request.header("traceparent", invalid).header("tracestate", "a=1");
    assert_eq!(TestResponse::receive(request).await.status, StatusCode::CREATED);
    assert_eq!(app.creates().len(), 2);
    for call in app.creates() {
        assert!(!call.headers.contains_key("traceparent"));
        assert!(!call.headers.contains_key("tracestate"));
    }
}
