//! Reading and deleting users, and listing connections.

use auth0_emulator::Emulator;
use reqwest::Method;
use serde_json::json;

use crate::client::{JsonResponse, TestClient, user, with};

/// A tenant whose application has every scope the emulator knows.
async fn tenant_with_all_scopes() -> Emulator {
    let scopes =
        ["create:users", "read:users", "delete:users", "read:connections", "read:custom_domains"];
    Emulator::builder()
        .tenant(|t| t.scopes = scopes.map(str::to_owned).to_vec())
        .start()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_user_is_found_by_encoded_id_and_by_lower_case_email() {
    let auth0 = tenant_with_all_scopes().await;
    let client = TestClient::new(&auth0);
    let body = with(user("Ada@b.co"), json!({"user_id": "one two".replace(' ', "-")}));
    let created = client.create(&body).await;
    assert_eq!(client.get("/api/v2/users/auth0%7Cone-two").await.body, created.body);
    let found = client.get("/api/v2/users-by-email?email=ada%40b.co").await;
    assert_eq!(found.body, json!([created.body]));
    let not_found = client.get("/api/v2/users-by-email?email=Ada%40b.co").await;
    assert_eq!((not_found.status.as_u16(), not_found.body), (200, json!([])));
}

#[tokio::test]
async fn a_missing_user_is_a_404_with_a_code() {
    let auth0 = tenant_with_all_scopes().await;
    let response = TestClient::new(&auth0).get("/api/v2/users/auth0%7Cnobody").await;
    assert_eq!(
        response.body,
        json!({"statusCode": 404, "error": "Not Found", "errorCode": "inexistent_user",
            "message": "The user does not exist."})
    );
    assert_eq!(response.status.as_u16(), 404);
    let missing = TestClient::new(&auth0).get("/api/v2/users-by-email").await;
    assert_eq!(missing.status.as_u16(), 400);
}

#[tokio::test]
async fn a_deleted_user_can_be_created_again() {
    let auth0 = tenant_with_all_scopes().await;
    let client = TestClient::new(&auth0);
    let body = with(user("a@b.co"), json!({"user_id": "a"}));
    client.create(&body).await;
    let request =
        client.request(Method::DELETE, "/api/v2/users/auth0%7Ca").bearer_auth(client.token().await);
    assert_eq!(request.send().await.unwrap().status().as_u16(), 204);
    assert!(auth0.users().is_empty());
    assert_eq!(client.create(&body).await.status.as_u16(), 201);
}

#[tokio::test]
async fn each_operation_requires_its_own_scope() {
    let auth0 = Emulator::builder().tenant(|t| t.scopes.clear()).start().await.unwrap();
    let client = TestClient::new(&auth0);
    let token = client.token().await;
    for (method, path, scope) in [
        (Method::POST, "/api/v2/users", "create:users"),
        (Method::GET, "/api/v2/users/x", "read:users"),
        (Method::DELETE, "/api/v2/users/x", "delete:users"),
        (Method::GET, "/api/v2/users-by-email?email=x", "read:users"),
        (Method::GET, "/api/v2/connections", "read:connections"),
        (Method::GET, "/api/v2/custom-domains", "read:custom_domains"),
    ] {
        let request = client.request(method, path).bearer_auth(&token);
        let response = JsonResponse::read(request.send().await.unwrap()).await;
        let expected = format!("Insufficient scope, expected any of: {scope}");
        assert_eq!((response.status.as_u16(), response.message()), (403, expected.as_str()));
        assert_ne!(response.header("x-ratelimit-remaining"), "");
    }
}

#[tokio::test]
async fn the_connection_shows_its_policy() {
    let auth0 = tenant_with_all_scopes().await;
    let client = TestClient::new(&auth0);
    auth0.tenant(|t| t.min_length = Some(12));
    let listed = client.get("/api/v2/connections?strategy=auth0").await.body;
    assert_eq!(listed[0]["name"], "Username-Password-Authentication");
    assert_eq!(listed[0]["options"]["passwordPolicy"], "good");
    assert_eq!(listed[0]["options"]["password_complexity_options"], json!({"min_length": 12}));
    assert_eq!(client.get("/api/v2/connections?name=other").await.body, json!([]));
}

#[tokio::test]
async fn the_custom_domains_show_which_one_is_the_default() {
    let auth0 = tenant_with_all_scopes().await;
    let client = TestClient::new(&auth0);
    assert_eq!(client.get("/api/v2/custom-domains").await.body, json!([]));
    auth0.tenant(|t| {
        t.custom_domains = ["login.example.com", "id.example.com"].map(str::to_owned).to_vec();
        t.default_custom_domain = Some("id.example.com".to_owned());
    });
    let listed = client.get("/api/v2/custom-domains").await.body;
    for (index, domain, is_default) in
        [(0, "login.example.com", false), (1, "id.example.com", true)]
    {
        assert_eq!(listed[index]["domain"], domain);
        assert_eq!(listed[index]["is_default"], is_default);
        assert_eq!(listed[index]["status"], "ready");
    }
}

#[tokio::test]
async fn a_user_of_another_connection_is_returned_as_it_is() {
    let auth0 = tenant_with_all_scopes().await;
    let client = TestClient::new(&auth0);
    let neighbour = json!({"user_id": "apple|1", "email": "a@b.co", "email_verified": "true",
        "identities": [{"connection": "apple", "provider": "apple", "user_id": "1"}]});
    let add = async |user| {
        let request = client.request(Method::POST, "/_emulator/users").json(&user);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(add(neighbour.clone()).await, 204);
    assert_eq!(add(json!({"email": "a@b.co"})).await, 400);
    let created = client.create(&user("a@b.co")).await;
    assert_eq!(created.status.as_u16(), 201);
    let found = client.get("/api/v2/users-by-email?email=a%40b.co").await;
    assert_eq!(found.body, json!([neighbour, created.body]));
    assert_eq!(client.get("/api/v2/users/apple%7C1").await.body, neighbour);
    assert_eq!(auth0.users(), [created.body, neighbour]);
}

#[tokio::test]
async fn only_the_requested_members_are_returned() {
    let auth0 = tenant_with_all_scopes().await;
    let client = TestClient::new(&auth0);
    let body = with(user("a@b.co"), json!({"user_id": "a", "user_metadata": {"x": "y"}}));
    let created = client.create(&body).await.body;
    let expected = json!({"user_id": "auth0|a", "identities": created["identities"]});
    let fields = "fields=user_id,identities,%20unknown";
    for path in [
        format!("/api/v2/users/auth0%7Ca?{fields}"),
        format!("/api/v2/users/auth0%7Ca?{fields}&include_fields=true"),
    ] {
        assert_eq!(client.get(&path).await.body, expected, "{path}");
    }
    let path = format!("/api/v2/users-by-email?email=a%40b.co&{fields}");
    assert_eq!(client.get(&path).await.body, json!([expected]));
    let rest = client.get(&format!("{path}&include_fields=false")).await.body;
    assert_eq!(rest[0].as_object().unwrap().len(), created.as_object().unwrap().len() - 2);
    assert_eq!(rest[0]["user_metadata"], json!({"x": "y"}));
    let all = client.get("/api/v2/users-by-email?email=a%40b.co&fields=").await.body;
    assert_eq!(all, json!([created]));
}
