//! `POST /oauth/token`, and the validation of its tokens.

use std::time::Duration;

use auth0_emulator::{ClientQuota, Emulator, Plan, Route};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::client::{JsonResponse, TestClient, user, with};

#[tokio::test]
async fn json_form_and_basic_auth_get_a_token() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let json = client.request_token(&client.grant()).await;
    let form = client.request(Method::POST, "/oauth/token").form(&client.grant());
    let basic = client
        .request(Method::POST, "/oauth/token")
        .basic_auth("demo-client", Some("demo-secret"))
        .form(&json!({"grant_type": "client_credentials", "audience": auth0.audience()}));
    let form = JsonResponse::read(form.send().await.unwrap()).await;
    let basic = JsonResponse::read(basic.send().await.unwrap()).await;
    for response in [&json, &form, &basic] {
        assert_eq!(response.status, StatusCode::OK, "{:?}", response.body);
        assert_eq!(response.body["token_type"], "Bearer");
        assert_eq!(response.body["expires_in"], 86_400);
        assert_eq!(response.body["scope"], "create:users read:users");
        assert!(response.header("cache-control").contains("no-store"));
    }
    assert_eq!(auth0.calls(Route::Token).len(), 3);
    let sent = auth0.calls(Route::Token)[1].form();
    assert!(sent.contains(&("client_id".to_owned(), "demo-client".to_owned())), "{sent:?}");
}

#[tokio::test]
async fn each_token_error_has_its_own_status_and_code() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let without = |name: &str| {
        let mut grant = client.grant();
        grant.as_object_mut().unwrap().remove(name);
        grant
    };
    let error_body = |status: u16, error: &str, description: &str| {
        (status, json!({"error": error, "error_description": description}))
    };
    for (grant, expected) in [
        (
            with(client.grant(), json!({"client_secret": "wrong"})),
            error_body(401, "access_denied", "Unauthorized"),
        ),
        (
            with(client.grant(), json!({"client_id": "nobody"})),
            error_body(401, "access_denied", "Unauthorized"),
        ),
        (
            with(client.grant(), json!({"audience": "https://x.example/api/v2"})),
            error_body(
                403,
                "access_denied",
                "Service not enabled within domain: https://x.example/api/v2",
            ),
        ),
        (
            with(client.grant(), json!({"grant_type": "password"})),
            error_body(
                403,
                "unauthorized_client",
                "Grant type 'password' not allowed for the client.",
            ),
        ),
        (
            without("grant_type"),
            error_body(400, "invalid_request", "Missing required parameter: grant_type"),
        ),
        (
            without("client_id"),
            error_body(400, "invalid_request", "Missing required parameter: client_id"),
        ),
    ] {
        let response = client.request_token(&grant).await;
        assert_eq!((response.status.as_u16(), response.body), expected, "{grant}");
    }
    auth0.tenant(|tenant| tenant.authorized = false);
    let response = client.request_token(&client.grant()).await;
    assert_eq!((response.status.as_u16(), &response.body["error"]), (403, &json!("access_denied")));
}

#[tokio::test]
async fn a_token_expires_on_the_emulators_clock() {
    let auth0 = Emulator::builder().tenant(|t| t.token_lifetime_s = 60).start().await.unwrap();
    let client = TestClient::new(&auth0);
    let token = client.token().await;
    let create = |email: &str| {
        client.request(Method::POST, "/api/v2/users").bearer_auth(&token).json(&user(email))
    };
    auth0.advance_clock(Duration::from_secs(55));
    assert_eq!(create("a@example.com").send().await.unwrap().status(), StatusCode::CREATED);
    auth0.advance_clock(Duration::from_secs(6));
    let response = JsonResponse::read(create("b@example.com").send().await.unwrap()).await;
    let message = "Expired token received for JSON Web Token validation";
    assert_eq!(
        (response.status.as_u16(), &response.body),
        (
            401,
            &json!({"statusCode": 401, "error": "Unauthorized", "message": message,
                "attributes": {"error": message}})
        )
    );
    assert_eq!(response.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn an_invalid_token_differs_from_a_missing_one() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let good = client.token().await;
    let (signed, _) = good.rsplit_once('.').unwrap();
    let forged = format!("Bearer {signed}.{}", "A".repeat(342));
    for (header, status, message, code) in [
        (None, 401, "Missing authentication", None),
        (Some("Bearer opaque"), 400, "Bad HTTP authentication header format", Some("Bearer")),
        (Some("Bearer "), 400, "Bad HTTP authentication header format", Some("Bearer")),
        (
            Some(forged.as_str()),
            401,
            "Invalid signature received for JSON Web Token validation",
            None,
        ),
    ] {
        let mut request = client.request(Method::POST, "/api/v2/users").json(&user("a@b.co"));
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        let response = JsonResponse::read(request.send().await.unwrap()).await;
        assert_eq!(
            (response.status.as_u16(), response.message(), response.body["errorCode"].as_str()),
            (status, message, code)
        );
    }
    assert!(auth0.users().is_empty());
}

#[tokio::test]
async fn revoked_and_unscoped_tokens_are_rejected() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let token = client.token().await;
    let create =
        || client.request(Method::POST, "/api/v2/users").bearer_auth(&token).json(&user("a@b.co"));
    auth0.revoke_tokens();
    assert_eq!(create().send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    auth0.tenant(|tenant| tenant.scopes = vec!["read:users".to_owned()]);
    let response = client.create(&user("a@b.co")).await;
    assert_eq!(
        (response.status.as_u16(), response.message(), &response.body["errorCode"]),
        (403, "Insufficient scope, expected any of: create:users", &json!("insufficient_scope"))
    );
}

#[tokio::test]
async fn a_token_is_valid_only_at_the_host_that_issued_it() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let token = client.token().await;
    let elsewhere = client
        .request(Method::POST, "/api/v2/users")
        .header("host", "login.example.com")
        .bearer_auth(token)
        .json(&user("a@b.co"));
    let response = JsonResponse::read(elsewhere.send().await.unwrap()).await;
    assert_eq!((response.status.as_u16(), response.message()), (401, "Invalid token"));
}

#[tokio::test]
async fn rotating_the_secret_keeps_issued_tokens_valid() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let token = client.token().await;
    auth0.rotate_secret("new");
    assert_eq!(client.request_token(&client.grant()).await.status, StatusCode::UNAUTHORIZED);
    let grant = with(client.grant(), json!({"client_secret": "new"}));
    assert_eq!(client.request_token(&grant).await.status, StatusCode::OK);
    let create =
        client.request(Method::POST, "/api/v2/users").bearer_auth(token).json(&user("a@b.co"));
    assert_eq!(create.send().await.unwrap().status(), StatusCode::CREATED);
}

#[tokio::test]
async fn an_exhausted_quota_is_a_429_with_retry_after() {
    let quota = ClientQuota { per_hour: Some(1), per_day: None };
    let auth0 = Emulator::builder().tenant(|t| t.token_quota = Some(quota)).start().await.unwrap();
    let client = TestClient::new(&auth0);
    let first = client.request_token(&client.grant()).await;
    assert!(first.header("auth0-client-quota-limit").starts_with("b=per_hour;q=1;r=0;t="));
    let second = client.request_token(&client.grant()).await;
    assert_eq!(second.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        second.body,
        json!({"error": "too_many_requests", "error_description": "Client quota exceeded"})
    );
    let wait: u64 = second.header("retry-after").parse().unwrap();
    assert!((1..=3600).contains(&wait));
    auth0.advance_clock(Duration::from_secs(wait));
    assert_eq!(client.request_token(&client.grant()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_authentication_api_has_its_own_rate_limit() {
    let plan = Plan::Custom { burst: 1, per_second: 0.5 };
    let auth0 = Emulator::builder().tenant(|t| t.plan = plan).start().await.unwrap();
    let client = TestClient::new(&auth0);
    let first = client.request_token(&client.grant()).await;
    assert_eq!(first.header("x-ratelimit-remaining"), "0");
    let second = client.request_token(&client.grant()).await;
    assert_eq!(second.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(second.body["error"], "too_many_requests");
    auth0.advance_clock(Duration::from_secs(2));
    assert_eq!(client.create(&user("a@b.co")).await.status, StatusCode::CREATED);
}
