//! The authorization code flow with PKCE, as a single-page application uses it.

use auth0_emulator::Emulator;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use form_urlencoded::Serializer;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use crate::client::{JsonResponse, PASSWORD, TestClient, user};

const CALLBACK: &str = "http://127.0.0.1:3000/callback";
const VERIFIER: &str = "a-verifier-of-at-least-43-characters-0123456789";

/// A browser that does not follow redirects.
struct Browser {
    client: Client,
    url: String,
}

impl Browser {
    fn new(auth0: &Emulator) -> Self {
        let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Self { client, url: auth0.url().to_owned() }
    }

    /// Opens `/authorize` with these changes to a valid request. An empty value removes a parameter.
    async fn authorize(&self, changes: &[(&str, &str)]) -> Response {
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
        let mut query = json!({"client_id": "demo-spa", "response_type": "code",
            "redirect_uri": CALLBACK, "scope": "openid profile email", "state": "s&t",
            "nonce": "n", "code_challenge": challenge, "code_challenge_method": "S256",
            "login_hint": "ada@b.co"});
        for (name, value) in changes {
            match *value {
                "" => drop(query.as_object_mut().unwrap().remove(*name)),
                value => query[*name] = value.into(),
            }
        }
        let query = query.as_object().unwrap().iter().map(|(name, v)| (name, v.as_str().unwrap()));
        let query = Serializer::new(String::new()).extend_pairs(query).finish();
        self.client.get(format!("{}/authorize?{query}", self.url)).send().await.unwrap()
    }

    /// Sends the login page with a password.
    async fn log_in(&self, page: &str, password: &str) -> Response {
        let form = json!({"username": "Ada@b.co", "password": password});
        self.client.post(format!("{}{page}", self.url)).form(&form).send().await.unwrap()
    }

    /// Exchanges a code.
    async fn exchange(&self, code: &str, verifier: &str) -> JsonResponse {
        let form = json!({"grant_type": "authorization_code", "client_id": "demo-spa",
            "code": code, "redirect_uri": CALLBACK, "code_verifier": verifier});
        let url = format!("{}/oauth/token", self.url);
        JsonResponse::read(self.client.post(url).form(&form).send().await.unwrap()).await
    }
}

fn location(response: &Response) -> String {
    assert_eq!(response.status(), StatusCode::FOUND);
    response.headers()["location"].to_str().unwrap().to_owned()
}

/// The claims of a token, without a check of its signature.
fn claims(token: &Value) -> Value {
    let segment = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(segment).unwrap()).unwrap()
}

#[tokio::test]
async fn a_login_ends_with_a_token_about_the_user() {
    let auth0 = Emulator::builder().start().await.unwrap();
    TestClient::new(&auth0).create(&user("ada@b.co")).await;
    let browser = Browser::new(&auth0);
    let page = location(&browser.authorize(&[]).await);
    let shown = browser.client.get(format!("{}{page}", browser.url)).send().await.unwrap();
    assert!(shown.text().await.unwrap().contains("value=\"ada@b.co\""), "the hint is filled in");
    let wrong = browser.log_in(&page, "wrong").await;
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
    let back = location(&browser.log_in(&page, PASSWORD).await);
    let code = back.strip_prefix(&format!("{CALLBACK}?code=")).unwrap();
    let (code, state) = code.split_once('&').unwrap();
    assert_eq!(state, "state=s%26t");
    let tokens = browser.exchange(code, VERIFIER).await;
    assert_eq!(tokens.status, StatusCode::OK, "{:?}", tokens.body);
    assert_eq!(tokens.header("access-control-allow-origin"), "*");
    let claims = claims(&tokens.body["id_token"]);
    assert_eq!(claims["sub"], auth0.users()[0]["user_id"]);
    assert_eq!(claims["iss"], format!("{}/", auth0.url()));
    let named = [&claims["email"], &claims["aud"], &claims["nonce"]];
    assert_eq!(named, ["ada@b.co", "demo-spa", "n"]);
    let again = browser.exchange(code, VERIFIER).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN, "a code is valid once");
    assert_eq!(again.body["error"], "invalid_grant");
}

#[tokio::test]
async fn a_stolen_code_is_worthless_without_its_verifier() {
    let auth0 = Emulator::builder().start().await.unwrap();
    TestClient::new(&auth0).create(&user("ada@b.co")).await;
    let browser = Browser::new(&auth0);
    let page = location(&browser.authorize(&[]).await);
    let back = location(&browser.log_in(&page, PASSWORD).await);
    let code = back.split(['=', '&']).nth(1).unwrap();
    let stolen = browser.exchange(code, "another").await;
    assert_eq!(stolen.body["error_description"], "Failed to verify code verifier");
}

#[tokio::test]
async fn an_error_redirects_only_to_an_allowed_callback() {
    let auth0 = Emulator::builder().tenant(|t| t.callbacks = vec![CALLBACK.into()]).start().await;
    let auth0 = auth0.unwrap();
    let browser = Browser::new(&auth0);
    for (change, status) in [
        (("redirect_uri", ""), StatusCode::BAD_REQUEST),
        (("redirect_uri", "http://127.0.0.1:3000/other"), StatusCode::FORBIDDEN),
        (("client_id", "nobody"), StatusCode::FORBIDDEN),
    ] {
        assert_eq!(browser.authorize(&[change]).await.status(), status, "{change:?}");
    }
    for (change, error) in [
        (("prompt", "none"), "login_required"),
        (("code_challenge", ""), "invalid_request"),
        (("response_type", "token"), "unsupported_response_type"),
    ] {
        let back = location(&browser.authorize(&[change]).await);
        assert_eq!(back, format!("{CALLBACK}?error={error}&state=s%26t"));
    }
}
