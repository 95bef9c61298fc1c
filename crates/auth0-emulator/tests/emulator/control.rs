//! `/_emulator/…`, as used by tests in other languages.

use auth0_emulator::{Emulator, Plan, PolicyPreset};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{JsonResponse, PASSWORD, TestClient, user};

/// Calls the control API.
async fn control(
    client: &TestClient,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> JsonResponse {
    let mut request = client.request(method, &format!("/_emulator/{path}"));
    if let Some(body) = body {
        request = request.json(&body);
    }
    JsonResponse::read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn users_and_journal_are_returned_and_users_without_passwords() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let created = client.create(&user("a@b.co")).await;
    let users = control(&client, Method::GET, "users", None).await.body;
    assert_eq!(users, json!([created.body]));
    assert!(!users.to_string().contains(PASSWORD));
    let journal = control(&client, Method::GET, "journal", None).await.body;
    let entry = &journal[1];
    assert_eq!(
        (&entry["method"], &entry["path"], &entry["status"], &entry["version"]),
        (&json!("POST"), &json!("/api/v2/users"), &json!(201), &json!("HTTP/1.1"))
    );
    assert_eq!(entry["body"], user("a@b.co").to_string());
    let headers = entry["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["content-type", "application/json"])));
    assert_eq!(journal.as_array().unwrap().len(), 2, "control calls are not recorded");
    control(&client, Method::DELETE, "journal", None).await;
    assert!(auth0.journal().is_empty());
}

#[tokio::test]
async fn faults_can_be_added_and_cleared() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let fault = json!({"route": "create_user", "kind": "answer", "status": 503, "times": 2});
    let response = control(&client, Method::POST, "faults", Some(fault)).await;
    assert_eq!((response.status.as_u16(), response.body), (200, json!({"waiting": 1})));
    assert_eq!(client.create(&user("a@b.co")).await.status.as_u16(), 503);
    control(&client, Method::DELETE, "faults", None).await;
    assert_eq!(client.create(&user("a@b.co")).await.status.as_u16(), 201);
    let wrong = json!({"route": "create_user", "kind": "explode"});
    let response = control(&client, Method::POST, "faults", Some(wrong)).await;
    assert_eq!(response.status.as_u16(), 400);
    assert!(response.message().contains("explode"), "{}", response.message());
}

#[tokio::test]
async fn settings_can_be_changed_individually() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let change = json!({"policy": "low", "plan": {"custom": {"burst": 3, "per_second": 0.5}}});
    let response = control(&client, Method::PUT, "tenant", Some(change)).await;
    assert_eq!(response.body["policy"], "low");
    assert_eq!(response.body, control(&client, Method::GET, "tenant", None).await.body);
    auth0.tenant(|t| {
        assert_eq!(t.policy, PolicyPreset::Low);
        assert_eq!(t.plan, Plan::Custom { burst: 3, per_second: 0.5 });
        assert_eq!(t.client_id, "demo-client");
    });
    let wrong = control(&client, Method::PUT, "tenant", Some(json!({"polcy": "low"}))).await;
    assert_eq!(wrong.status.as_u16(), 400);
}

#[tokio::test]
async fn tokens_secret_and_clock_can_be_changed() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let request = client.create_request(&user("a@b.co")).await;
    let status = async || request.try_clone().unwrap().send().await.unwrap().status().as_u16();
    control(&client, Method::POST, "clock", Some(json!({"advance_ms": 86_400_000}))).await;
    assert_eq!(status().await, 401);
    control(&client, Method::POST, "clock", Some(json!({"advance_ms": -86_400_000}))).await;
    assert_eq!(status().await, 201);
    control(&client, Method::POST, "revoke-tokens", None).await;
    assert_eq!(status().await, 401);
    control(&client, Method::POST, "secret", Some(json!({"client_secret": "new"}))).await;
    assert_eq!(client.request_token(&client.grant()).await.status.as_u16(), 401);
    control(&client, Method::POST, "reset", None).await;
    assert!(auth0.users().is_empty() && auth0.journal().is_empty());
    assert_eq!(client.create(&user("a@b.co")).await.status.as_u16(), 201);
}

#[tokio::test]
async fn an_unknown_control_operation_is_a_404() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    assert_eq!(control(&client, Method::GET, "nothing", None).await.status.as_u16(), 404);
}
