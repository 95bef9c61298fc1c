//! The tenant's rejections: what their code, message and shape say about the form, the settings or the domain.

use auth0_emulator::{Emulator, Fault, Route};
use reqwest::StatusCode;
use serde_json::json;

use crate::app::{TestApp, TestResponse, ada, person, with_member};
use crate::process::Process;

fn bad_request(message: &str, code: Option<&str>) -> Fault {
    let mut body = json!({"statusCode": 400, "error": "Bad Request", "message": message});
    if let Some(code) = code {
        body["errorCode"] = code.into();
    }
    Fault::answer(400).body(body.to_string())
}

#[tokio::test]
async fn a_username_that_auth0_rejects_is_an_error_of_the_field() {
    let builder = TestApp::builder().set("fields.username", "required");
    let app = builder.auth0(|tenant| tenant.requires_username = true).spawn().await;
    for (nth, (message, code)) in [
        ("Username can only contain alphanumeric characters and '_', ' ', '-', or '.'.", None),
        ("Username can only contain alphanumeric characters or one of the following: @ ^ $", None),
        ("Username must be between 1 and 15 characters long.", None),
        (
            "Payload validation error: 'String does not match pattern' on property username.",
            Some("invalid_body"),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        app.auth0.fault(Route::CreateUser, bad_request(message, code));
        let form = with_member(person(nth), "username", "ada*lovelace");
        let response = app.sign_up(&form).await;
        assert_eq!(response.errors(), [("/username".into(), "malformed".into())], "{message}");
    }
    assert_eq!(app.creates().len(), 4);
    for message in [
        "Cannot set username for connection without requires_username.",
        "Payload validation error: 'Missing required property: username'.",
    ] {
        let app = TestApp::spawn().await;
        app.auth0.fault(Route::CreateUser, bad_request(message, None));
        assert_eq!(app.sign_up(&ada()).await.problem(), "upstream_rejected", "{message}");
    }
}

#[tokio::test]
async fn a_conflict_about_the_username_is_not_about_the_address() {
    for body in [
        json!({"statusCode": 409, "message": "The username already exists."}),
        json!({"statusCode": 409, "message": "The username provided is in use already.",
            "errorCode": "auth0_idp_error"}),
        json!({"statusCode": 409, "message": "The user already exists.",
            "errorCode": "auth0_idp_error", "attributes": {"error": "username in use"}}),
        json!({"statusCode": 409, "message": "The user already exists.",
            "errorCode": "auth0_idp_error", "attributes": {"username": "x"}}),
        json!({"statusCode": 409, "message": "x", "errorCode": "username_exists"}),
    ] {
        let app = TestApp::spawn().await;
        app.auth0.fault(Route::CreateUser, Fault::answer(409).body(body.to_string()));
        let response = app.sign_up(&ada()).await;
        assert_eq!(response.problem(), "username_taken", "{body}");
        assert_eq!(response.status, StatusCode::CONFLICT);
    }
    for body in [
        json!({"statusCode": 409, "message": "The email is in use.", "errorCode": "auth0_idp_error",
            "attributes": {"username": "x"}}),
        json!({"statusCode": 409, "message": "The user already exists.",
            "errorCode": "auth0_idp_error", "attributes": {"identifiers": ["email", "username"]}}),
    ] {
        let app = TestApp::spawn().await;
        app.auth0.fault(Route::CreateUser, Fault::answer(409).body(body.to_string()));
        // It may be about the address, so that is looked up. No user has it, and nothing else was sent.
        assert_eq!(app.sign_up(&ada()).await.problem(), "email_taken", "{body}");
        assert_eq!(app.auth0.calls(Route::UsersByEmail).len(), 1, "{body}");
    }
}

/// An inspecting proxy may compress what it passes on, although `identity` is asked for.
#[tokio::test]
async fn a_rejection_in_an_encoding_proves_nothing() {
    for status in [400, 403, 409] {
        let app = TestApp::spawn().await;
        let compressed: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03";
        let fault = Fault::answer(status).header("content-encoding", "gzip").body(compressed);
        app.auth0.fault(Route::CreateUser, fault.after_acting());
        let response = app.sign_up(&ada()).await;
        assert_eq!(response.status, StatusCode::CREATED, "{status}: {response:?}");
        assert_eq!((app.auth0.users().len(), app.auth0.calls(Route::GetUser).len()), (1, 1));
        for route in [Route::Token, Route::CreateUser, Route::GetUser] {
            assert_eq!(app.auth0.calls(route)[0].header("accept-encoding"), Some("identity"));
        }
    }
    // None is one, and some proxies name a charset.
    for plain in ["identity", "utf-8"] {
        let app = TestApp::spawn().await;
        let message = "PasswordStrengthError: Password is too weak";
        let fault = bad_request(message, None).header("content-encoding", plain);
        app.auth0.fault(Route::CreateUser, fault);
        assert_eq!(app.sign_up(&ada()).await.problem(), "invalid_fields", "{plain}");
    }
}

#[tokio::test]
async fn the_code_of_a_400_hides_no_reason_that_its_message_names() {
    for (message, problem) in [
        ("PasswordStrengthError: Password is too weak", "invalid_fields"),
        ("PasswordBreachedError: Password has been breached", "invalid_fields"),
        ("PasswordTooLongError: Password is too long", "invalid_fields"),
        ("The connection is disabled", "upstream_rejected"),
        ("The connection does not exist.", "upstream_rejected"),
        ("Connection does not exist.", "upstream_rejected"),
        ("The username provided is in use already.", "username_taken"),
        // A form without a username.
        (
            "Payload validation error: 'String is too short' on property username (x). (also) \
             'String is too short' on property name (x).",
            "internal",
        ),
    ] {
        for code in [None, Some("invalid_body"), Some("operation_not_supported")] {
            if problem == "internal" && code != Some("invalid_body") {
                continue;
            }
            let app = TestApp::spawn().await;
            app.auth0.fault(Route::CreateUser, bad_request(message, code));
            let response = app.sign_up(&ada()).await;
            assert_eq!(response.problem(), problem, "{message} {code:?}: {response:?}");
        }
    }
}

#[tokio::test]
async fn a_rejected_password_is_recognised_in_every_shape() {
    for (body, code) in [
        (json!({"name": "PasswordStrengthError", "code": "invalid_password"}), "password.too_weak"),
        (
            json!({"name": "PasswordDictionaryError", "message": "Password is too common"}),
            "password.too_common",
        ),
        (
            json!({"errorCode": "invalid_password", "message": "Password is too weak"}),
            "password.too_weak",
        ),
        (json!({"errorCode": 7, "message": "PasswordHistoryError: used"}), "password.used_before"),
    ] {
        let app = TestApp::spawn().await;
        // A byte order mark, as some proxies write.
        let fault = Fault::answer(400).body(format!("\u{feff}{body}"));
        app.auth0.fault(Route::CreateUser, fault);
        let response = app.sign_up(&ada()).await;
        assert_eq!(response.problem(), "invalid_fields", "{body}");
        assert_eq!(response.json()["errors"][0]["code"], code, "{body}");
    }
}

#[tokio::test]
async fn a_403_is_the_plans_only_with_a_code_of_it() {
    for (code, expected) in [
        ("feature_not_enabled", "the tenant's plan does not allow it (feature_not_enabled)"),
        ("auth0_2_error", "an undocumented response with status 403 (auth0_2_error)"),
        ("", "an undocumented response with status 403 (no code)"),
    ] {
        let auth0 = Emulator::builder().start().await.unwrap();
        let service = Process::start(&auth0, &[]).await;
        let mut body = json!({"statusCode": 403, "error": "Forbidden", "message": "x"});
        if !code.is_empty() {
            body["errorCode"] = code.into();
        }
        auth0.fault(Route::CreateUser, Fault::answer(403).body(body.to_string()));
        assert_eq!(
            TestResponse::receive(service.post(&ada())).await.problem(),
            "upstream_rejected"
        );
        let event = service.event(|event| event["outcome"] == "upstream_rejected").await;
        assert_eq!(event["error"], expected);
    }
}

#[tokio::test]
async fn a_rejection_that_is_not_auth0s_names_the_domain() {
    for (status, fault) in
        [(403, Fault::html(403)), (404, Fault::html(404)), (405, Fault::answer(405))]
    {
        let auth0 = Emulator::builder().start().await.unwrap();
        let service = Process::start(&auth0, &[]).await;
        auth0.fault(Route::CreateUser, fault);
        let response = TestResponse::receive(service.post(&ada())).await;
        assert_eq!(response.problem(), "upstream_rejected");
        let event = service.event(|event| event["outcome"] == "upstream_rejected").await;
        assert_eq!(event["level"], "ERROR");
        let error = event["error"].as_str().unwrap();
        let start = format!("a response with status {status} that is not Auth0's: is auth0.domain");
        assert!(error.starts_with(&start), "{error}");
    }
}

#[tokio::test]
async fn what_a_setting_explains_is_the_operators_and_the_log_names_the_setting() {
    let required = "fields.username = \"required\"";
    let off = "fields.username = \"off\"";
    for (requires_username, presence, setting) in
        [(true, "off", required), (true, "optional", required), (false, "required", off)]
    {
        let auth0 = Emulator::builder();
        let auth0 = auth0.tenant(|tenant| tenant.requires_username = requires_username);
        let auth0 = auth0.start().await.unwrap();
        let service = Process::start(&auth0, &[("SIGNUP__FIELDS__USERNAME", presence)]).await;
        let mut form = ada();
        if presence == "required" {
            form["username"] = "ada".into();
        }
        let response = TestResponse::receive(service.post(&form)).await;
        assert_eq!(response.problem(), "upstream_rejected", "{response:?}");
        assert!(!response.text.contains("username"), "{response:?}");
        assert_eq!(auth0.calls(Route::CreateUser).len(), 1);
        let event = service.event(|event| event["outcome"] == "upstream_rejected").await;
        assert_eq!(event["level"], "ERROR");
        let error = event["error"].as_str().unwrap();
        assert!(error.contains(setting), "{error}");
    }
    // Nothing explains this one.
    let app = TestApp::spawn().await;
    let message = "Payload validation error: 'String is too short' on property nickname (x).";
    app.auth0.fault(Route::CreateUser, bad_request(message, Some("invalid_body")));
    assert_eq!(app.sign_up(&ada()).await.problem(), "internal");
}
