//! The public operations, which need no token.

use auth0_emulator::{Emulator, PolicyPreset};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{JsonResponse, PASSWORD, TestClient, user, with};

/// Sends a public sign-up.
async fn sign_up(client: &TestClient, body: &Value) -> JsonResponse {
    let request = client.request(Method::POST, "/dbconnections/signup").json(body);
    JsonResponse::read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_signup_returns_200_with_a_bare_id() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let more = json!({"client_id": "demo-client", "given_name": "Ada", "user_metadata": {},
        "phone_number": "+15550100123", "app_metadata": {"admin": true}, "email_verified": true});
    let response = sign_up(&client, &with(user("Ada@b.co"), more)).await;
    let id = auth0.users()[0]["user_id"].as_str().unwrap().to_owned();
    assert_eq!(response.status.as_u16(), 200);
    assert_eq!(
        response.body,
        json!({"_id": id.strip_prefix("auth0|").unwrap(), "email": "ada@b.co",
            "email_verified": false, "given_name": "Ada", "phone_number": "+15550100123",
            "phone_verified": false, "user_metadata": {}})
    );
    assert!(!response.header("x-auth0-requestid").is_empty());
    assert_eq!(response.header("access-control-allow-origin"), "*");
    assert!(response.header("cache-control").contains("no-store"));
    assert_eq!(auth0.users()[0].get("app_metadata"), None, "a public sign-up must not set it");
}

#[tokio::test]
async fn a_duplicate_is_hidden_unless_configured() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    sign_up(&client, &user("a@b.co")).await;
    let error = |code: &str, description: &str| {
        json!({"name": "BadRequestError", "code": code, "description": description,
            "statusCode": 400})
    };
    let malformed = sign_up(&client, &user("a@b")).await;
    assert_eq!(malformed.body, error("invalid_signup", "Invalid sign up"));
    let hidden = sign_up(&client, &user("a@b.co")).await;
    assert_eq!(hidden.body, error("invalid_signup", "Invalid sign up"));
    auth0.tenant(|t| t.user_exists_error = true);
    let revealed = sign_up(&client, &user("a@b.co")).await;
    assert_eq!(
        (revealed.status.as_u16(), revealed.body),
        (400, error("user_exists", "The user already exists."))
    );
}

#[tokio::test]
async fn a_weak_password_is_explained_and_a_common_one_is_not() {
    let auth0 = Emulator::builder()
        .tenant(|t| {
            t.policy = PolicyPreset::Low;
            t.dictionary.active = true;
        })
        .start()
        .await
        .unwrap();
    let client = TestClient::new(&auth0);
    let weak = sign_up(&client, &with(user("a@b.co"), json!({"password": "abc"}))).await;
    assert_eq!(
        weak.body,
        json!({
            "name": "PasswordStrengthError", "message": "Password is too weak",
            "code": "invalid_password", "statusCode": 400,
            "description": {
                "rules": [{"message": "At least %d characters in length", "format": [6],
                    "code": "lengthAtLeast", "verified": false}],
                "verified": false,
            },
            "policy": "* At least 6 characters in length",
        })
    );
    let common = sign_up(&client, &with(user("a@b.co"), json!({"password": "password"}))).await;
    assert_eq!(common.body["name"], "PasswordDictionaryError");
    assert_eq!(common.body["code"], "invalid_password");
    assert_eq!(common.body["description"], "Password is too common");
}

#[tokio::test]
async fn the_text_only_format_has_just_an_error() {
    let auth0 = Emulator::builder().tenant(|t| t.requires_username = true).start().await.unwrap();
    let client = TestClient::new(&auth0);
    assert_eq!(
        sign_up(&client, &user("a@b.co")).await.body,
        json!({"error": "missing username for Username-Password-Authentication connection with \
            requires_username enabled"})
    );
    auth0.tenant(|t| t.public_signup = false);
    let closed = sign_up(&client, &user("a@b.co")).await;
    assert_eq!(closed.body, json!({"error": "public signup is disabled"}));
    let managed = with(user("a@b.co"), json!({"username": "ada"}));
    assert_eq!(client.create(&managed).await.status.as_u16(), 201, "the Management API stays open");
}

#[tokio::test]
async fn a_preflight_is_allowed_only_for_public_operations() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let preflight = async |path: &str| {
        let request = client
            .request(Method::OPTIONS, path)
            .header("origin", "https://app.example.com")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "auth0-client,content-type");
        JsonResponse::read(request.send().await.unwrap()).await
    };
    let open = preflight("/dbconnections/signup").await;
    assert_eq!(open.header("access-control-allow-origin"), "*");
    assert_eq!(open.header("access-control-allow-headers"), "auth0-client,content-type");
    assert_eq!(preflight("/api/v2/users").await.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn a_password_change_responds_the_same_for_every_email() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let body = json!({"client_id": "demo-client", "email": "nobody@b.co",
        "connection": "Username-Password-Authentication"});
    let request = client.request(Method::POST, "/dbconnections/change_password").json(&body);
    let response = request.send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let text = response.text().await.unwrap();
    assert_eq!(text, "We've just sent you an email to reset your password.");
}

#[tokio::test]
async fn lock_finds_its_connection_in_the_client_script() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let get = async |id: &str| {
        client.request(Method::GET, &format!("/client/{id}.js?t1")).send().await.unwrap()
    };
    for id in ["demo-client", "demo-spa"] {
        let script = get(id).await;
        assert!(script.headers()["content-type"].to_str().unwrap().contains("javascript"));
        let text = script.text().await.unwrap();
        let json = text.strip_prefix("Auth0.setClient(").unwrap().strip_suffix(");").unwrap();
        let set: Value = serde_json::from_str(json).unwrap();
        assert_eq!(set["id"], id);
        assert_eq!(set["strategies"][0]["connections"][0]["passwordPolicy"], "good");
    }
    assert_eq!(get("other").await.status().as_u16(), 404);
}

#[tokio::test]
async fn discovery_leads_to_the_keys_a_token_is_signed_with() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let get = async |url: &str| -> Value {
        let response = client.http.get(url).send().await.unwrap();
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
    };
    let discovery = get(&format!("{}/.well-known/openid-configuration", auth0.url())).await;
    assert_eq!(discovery["issuer"], format!("{}/", auth0.url()));
    let keys = get(discovery["jwks_uri"].as_str().unwrap()).await;
    let token = client.token().await;
    verify(&token, &keys["keys"][0], &auth0);
    assert!(!auth0.has_password("a@b.co", PASSWORD));
}

/// Verifies a token with the published key, as an API would.
fn verify(token: &str, key: &Value, auth0: &Emulator) {
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    let bytes = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
    let part = |name: &str| bytes(key[name].as_str().unwrap());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    RsaPublicKeyComponents { n: part("n"), e: part("e") }
        .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &bytes(signature))
        .unwrap();
    let header: Value = serde_json::from_slice(&bytes(header)).unwrap();
    assert_eq!((&header["alg"], &header["kid"]), (&json!("RS256"), &key["kid"]));
    let claims: Value = serde_json::from_slice(&bytes(claims)).unwrap();
    assert_eq!(claims["iss"], format!("{}/", auth0.url()));
    assert_eq!(claims["aud"], auth0.audience());
    assert_eq!(claims["sub"], "demo-client@clients");
    assert_eq!(
        (&claims["azp"], &claims["gty"]),
        (&json!("demo-client"), &json!("client-credentials"))
    );
    let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(life, 86_400);
}
