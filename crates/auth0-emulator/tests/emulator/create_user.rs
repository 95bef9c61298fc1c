//! `POST /api/v2/users`: validation and the created user.

use auth0_emulator::{Emulator, Latency, Plan, Route};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{JsonResponse, PASSWORD, TestClient, user, with};

#[tokio::test]
async fn a_user_gets_the_tenants_defaults() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let response = client.create(&user("Ada.L+x@Example.com")).await;
    assert_eq!(response.status, StatusCode::CREATED);
    assert_eq!(response.header("content-type"), "application/json; charset=utf-8");
    let id = response.body["identities"][0]["user_id"].as_str().unwrap();
    assert!(id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    let created_at = response.body["created_at"].as_str().unwrap();
    assert_eq!(
        response.body,
        json!({
            "user_id": format!("auth0|{id}"),
            "created_at": created_at,
            "updated_at": created_at,
            "email": "ada.l+x@example.com",
            "email_verified": false,
            "identities": [{"connection": "Username-Password-Authentication", "user_id": id,
                "provider": "auth0", "isSocial": false}],
            "name": "ada.l+x@example.com",
            "nickname": "ada.l+x",
            "picture": "https://s.gravatar.com/avatar/e4c32384a0468e9aaa254a81fe467ee8?s=480&r=pg&d=https%3A%2F%2Fcdn.auth0.com%2Favatars%2Fad.png",
        })
    );
    assert_eq!(auth0.users(), [response.body]);
    assert!(auth0.has_password("ada.l+x@example.com", PASSWORD));
    assert!(!auth0.has_password("ada.l+x@example.com", "other"));
}

#[tokio::test]
async fn root_attributes_are_returned_as_sent() {
    let auth0 = Emulator::builder().tenant(|t| t.requires_username = true).start().await.unwrap();
    let client = TestClient::new(&auth0);
    let sent = json!({
        "username": "ada", "given_name": "Ada", "family_name": "Lovelace", "name": "Ada L",
        "nickname": "Countess", "picture": "https://example.com/a.png", "phone_number": "+4412",
        "phone_verified": false, "blocked": false, "email_verified": true,
        "user_metadata": {},
    });
    let more = json!({"app_metadata": {}, "verify_email": false, "user_id": "chosen"});
    let response = client.create(&with(with(user("a@b.co"), sent.clone()), more)).await;
    for (name, value) in sent.as_object().unwrap() {
        assert_eq!(&response.body[name], value, "{name}");
    }
    assert_eq!(response.body["user_id"], "auth0|chosen");
    for absent in ["app_metadata", "verify_email", "password", "connection"] {
        assert_eq!(response.body.get(absent), None, "{absent}");
    }
}

#[tokio::test]
async fn schema_errors_have_the_validators_format() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    // Raw text, because the order of the members determines the order of the errors.
    let body =
        r#"{"connection":"Username-Password-Authentication","given_name":"","nickname":null}"#;
    let token = client.token().await;
    let request = client
        .request(Method::POST, "/api/v2/users")
        .bearer_auth(token)
        .header("content-type", "application/json")
        .body(body);
    let response = JsonResponse::read(request.send().await.unwrap()).await;
    assert_eq!(response.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        response.body,
        json!({
            "statusCode": 400, "error": "Bad Request", "errorCode": "invalid_body",
            "message": "Payload validation error: 'Expected type string but found type null' on \
                property nickname (The user's nickname). (also) Payload validation error: 'String \
                is too short (0 chars), minimum 1' on property given_name (The user's given \
                name(s)).",
        })
    );
}

#[tokio::test]
async fn each_connection_error_has_its_own_body() {
    let auth0 = Emulator::builder()
        .tenant(|t| {
            t.dictionary.active = true;
            t.no_personal_info = true;
            t.breached_passwords = vec!["Leaked2019!".to_owned()];
        })
        .start()
        .await
        .unwrap();
    let client = TestClient::new(&auth0);
    client.create(&with(user("taken@b.co"), json!({"user_id": "taken"}))).await;
    let bad =
        |message: &str| json!({"statusCode": 400, "error": "Bad Request", "message": message});
    let password = |password: &str| with(user("ada.l@b.co"), json!({ "password": password }));
    for (body, expected) in [
        (password("weak"), bad("PasswordStrengthError: Password is too weak")),
        (password("Password1!"), bad("PasswordDictionaryError: Password is too common")),
        (password("xAda.L99"), bad("PasswordNoUserInfoError: Password contains user information")),
        (
            password("Leaked2019!"),
            bad("PasswordBreachedError: Password is part of a known breached credential dataset"),
        ),
        (
            with(user("a@b.co"), json!({"username": "ada"})),
            bad("Cannot set username for connection without requires_username."),
        ),
        (
            with(user("a@b.co"), json!({"connection": "other"})),
            with(
                bad("The connection does not exist."),
                json!({"errorCode": "inexistent_connection"}),
            ),
        ),
        (
            json!({"connection": "Username-Password-Authentication", "password": PASSWORD}),
            with(
                bad("Payload validation error: 'Missing required property: email'."),
                json!({"errorCode": "invalid_body"}),
            ),
        ),
        (
            with(user("a@b.co"), json!({"app_metadata": {"plan": "free", "email": "x"}})),
            bad("Forbidden attribute in app_metadata: email"),
        ),
        (
            user("TAKEN@b.co"),
            json!({"statusCode": 409, "error": "Conflict", "errorCode": "auth0_idp_error",
                "message": "The user already exists."}),
        ),
        (
            with(user("new@b.co"), json!({"user_id": "taken"})),
            json!({"statusCode": 409, "error": "Conflict", "errorCode": "auth0_idp_error",
                "message": "The user already exists."}),
        ),
    ] {
        let response = client.create(&body).await;
        assert_eq!(response.body, expected, "{body}");
        assert_eq!(u64::from(response.status.as_u16()), expected["statusCode"]);
    }
    assert_eq!(auth0.users().len(), 1);
}

#[tokio::test]
async fn usernames_are_required_bounded_and_unique_if_enabled() {
    let auth0 = Emulator::builder().tenant(|t| t.requires_username = true).start().await.unwrap();
    let client = TestClient::new(&auth0);
    let create = async |email: &str, username: Value| {
        let response = client.create(&with(user(email), json!({ "username": username }))).await;
        (response.status.as_u16(), response.message().to_owned())
    };
    assert_eq!(create("a@b.co", json!("ada")).await.0, 201);
    assert_eq!(
        create("b@b.co", json!("ada")).await,
        (400, "The username provided is in use already.".to_owned())
    );
    assert_eq!(create("b@b.co", json!("a".repeat(16))).await.0, 400);
    let response = client.create(&user("b@b.co")).await;
    assert_eq!(
        response.message(),
        "Payload validation error: 'Missing required property: username'."
    );
}

#[tokio::test]
async fn the_other_409_is_about_custom_domains() {
    let domains = vec!["a.example.com".to_owned(), "b.example.com".to_owned()];
    let auth0 = Emulator::builder().tenant(|t| t.custom_domains = domains).start().await.unwrap();
    let client = TestClient::new(&auth0);
    let response = client.create(&user("a@b.co")).await;
    assert_eq!(
        (response.status.as_u16(), response.body),
        (
            409,
            json!({"statusCode": 409, "error": "Conflict", "errorCode": "custom_domain_conflict",
                "message": "The tenant has multiple verified custom domains."})
        )
    );
    let named = |domain: &'static str| {
        let client = &client;
        async move {
            let request = client.create_request(&user("a@b.co")).await;
            request.header("auth0-custom-domain", domain).send().await.unwrap().status()
        }
    };
    assert_eq!(named("c.example.com").await, StatusCode::BAD_REQUEST);
    assert_eq!(named("b.example.com").await, StatusCode::CREATED);
    auth0.tenant(|t| t.default_custom_domain = Some("a.example.com".to_owned()));
    assert_eq!(client.create(&user("c@b.co")).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn tenant_settings_can_reject_a_create() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    auth0.tenant(|t| t.connection_enabled = false);
    assert_eq!(client.create(&user("a@b.co")).await.message(), "Connection is disabled.");
    auth0.tenant(|t| t.strategy = "samlp".to_owned());
    assert_eq!(
        client.create(&user("a@b.co")).await.message(),
        "Connection does not support user creation through the API."
    );
    auth0.tenant(|t| (t.strategy, t.connection_enabled) = ("auth0".to_owned(), true));
    auth0.tenant(|t| t.plan_error = Some("feature_not_enabled".to_owned()));
    let response = client.create(&user("a@b.co")).await;
    assert_eq!(
        (response.status.as_u16(), &response.body["errorCode"]),
        (403, &json!("feature_not_enabled"))
    );
}

#[tokio::test]
async fn a_custom_database_ignores_the_requested_id_and_may_share_emails() {
    let auth0 = Emulator::builder()
        .tenant(|t| {
            t.ignores_user_id = true;
            t.unique_email = false;
        })
        .start()
        .await
        .unwrap();
    let client = TestClient::new(&auth0);
    let body = with(user("a@b.co"), json!({"user_id": "chosen"}));
    let (first, second) = (client.create(&body).await, client.create(&body).await);
    assert_eq!((first.status, second.status), (StatusCode::CREATED, StatusCode::CREATED));
    let id = first.body["identities"][0]["user_id"].as_str().unwrap();
    assert!(id.starts_with("Username-Password-Authentication|"), "{id}");
    assert_eq!(first.body["user_id"], format!("auth0|{id}"));
    let found = client.get("/api/v2/users-by-email?email=a%40b.co").await;
    assert_eq!(found.body, json!([first.body, second.body]));
}

#[tokio::test]
async fn a_form_is_accepted_like_json() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let token = client.token().await;
    let form = with(user("a@b.co"), json!({"email_verified": "true", "given_name": "Ada"}));
    let request = client.request(Method::POST, "/api/v2/users").bearer_auth(token).form(&form);
    let response = JsonResponse::read(request.send().await.unwrap()).await;
    assert_eq!(response.status, StatusCode::CREATED, "{:?}", response.body);
    assert_eq!(response.body["email_verified"], true);
}

#[tokio::test]
async fn other_media_types_invalid_json_and_large_bodies_are_rejected() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let token = client.token().await;
    let send = async |media_type: &str, body: String| {
        let request = client
            .request(Method::POST, "/api/v2/users")
            .bearer_auth(&token)
            .header("content-type", media_type)
            .body(body);
        JsonResponse::read(request.send().await.unwrap()).await
    };
    assert_eq!(send("text/plain", "x".to_owned()).await.status.as_u16(), 415);
    let broken = send("application/json", "{".to_owned()).await;
    assert_eq!(broken.message(), "Invalid request payload JSON format");
    let padded = |size: usize| {
        let body = user("a@b.co").to_string();
        " ".repeat(size - body.len()) + &body
    };
    assert_eq!(send("application/json", padded(1_048_577)).await.status.as_u16(), 413);
    assert_eq!(send("application/json", padded(1_048_576)).await.status.as_u16(), 201);
}

#[tokio::test]
async fn the_free_plan_allows_two_calls_and_reports_the_next_permit() {
    let auth0 = Emulator::builder().tenant(|t| t.plan = Plan::Free).start().await.unwrap();
    let client = TestClient::new(&auth0);
    let token = client.token().await;
    let create = async |email: &str| {
        let request =
            client.request(Method::POST, "/api/v2/users").bearer_auth(&token).json(&user(email));
        JsonResponse::read(request.send().await.unwrap()).await
    };
    let first = create("a@b.co").await;
    assert_eq!(
        (first.header("x-ratelimit-limit"), first.header("x-ratelimit-remaining")),
        ("2", "1")
    );
    create("b@b.co").await;
    auth0.tenant(|t| t.retry_after = true);
    let third = create("c@b.co").await;
    assert_eq!(
        (third.status.as_u16(), &third.body),
        (
            429,
            &json!({"statusCode": 429, "error": "Too Many Requests",
                "errorCode": "too_many_requests", "message": "Global limit has been reached"})
        )
    );
    // The next permit is half a second away; both ends are rounded to whole seconds.
    assert!(["1", "2"].contains(&third.header("retry-after")));
    let reset: i64 = third.header("x-ratelimit-reset").parse().unwrap();
    assert!(reset > 1_700_000_000);
    auth0.tenant(|t| t.rate_limit_headers = false);
    assert_eq!(create("d@b.co").await.header("x-ratelimit-limit"), "");
    assert_eq!(auth0.users().len(), 2);
}

#[tokio::test]
async fn the_journal_records_requests_and_statuses() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let request = client.create_request(&user("a@b.co")).await.header("x-correlation-id", "try-1");
    request.send().await.unwrap();
    let calls = auth0.calls(Route::CreateUser);
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].json(), user("a@b.co"));
    assert_eq!(calls[0].header("x-correlation-id"), Some("try-1"));
    assert_eq!(calls[0].status, Some(201));
    assert_eq!(calls[0].connection, auth0.calls(Route::Token)[0].connection);
    assert_eq!(auth0.journal().len(), 2);
}

#[tokio::test]
async fn a_latency_delays_the_response() {
    let auth0 =
        Emulator::builder().tenant(|t| t.latency = Latency::FixedMs(80)).start().await.unwrap();
    let started = std::time::Instant::now();
    TestClient::new(&auth0).token().await;
    assert!(started.elapsed().as_millis() >= 80);
}
