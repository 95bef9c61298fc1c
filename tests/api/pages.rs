//! The pages that a browser without JavaScript gets.

use auth0_emulator::{Fault, Route};
use reqwest::StatusCode;
use reqwest::header::ACCEPT;
use serde_json::Value;

use crate::app::{NAVIGATION, TestApp, TestResponse, ada, browser};
use crate::temp_dir::TempDir;

/// Posts a form as a browser does.
pub(crate) async fn post(app: &TestApp, form: &Value) -> TestResponse {
    let response = TestResponse::receive(browser().post(app.url("/signup")).form(form)).await;
    assert_eq!(response.header("set-cookie"), None);
    response
}

/// The value of a hidden field of a page.
pub(crate) fn hidden<'p>(page: &'p TestResponse, name: &str) -> &'p str {
    let after = page.text.split(&format!("name=\"{name}\"")).nth(1).expect(name);
    after.split('"').nth(1).expect("a value")
}

/// The value of the hidden `idempotency_key` field.
pub(crate) fn key(page: &TestResponse) -> &str {
    hidden(page, "idempotency_key")
}

/// Ada's form with these changes.
pub(crate) fn with(changes: &[(&str, &str)]) -> Value {
    let mut form = ada();
    for (name, value) in changes {
        form[*name] = Value::from(*value);
    }
    form
}

#[tokio::test]
async fn the_form_is_served_with_a_fresh_key_and_a_strict_policy() {
    let app = TestApp::spawn().await;
    let (first, second) = (app.get("/signup").await, app.get("/signup").await);
    assert_eq!(first.status, StatusCode::OK);
    assert_eq!(first.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(first.header("cache-control"), Some("private, no-cache"));
    assert_eq!(first.header("referrer-policy"), Some("strict-origin-when-cross-origin"));
    let policy = first.header("content-security-policy").unwrap();
    assert!(!policy.contains("unsafe") && policy.contains("default-src 'none'"), "{policy}");
    assert!(!first.text.contains(" style=") && !first.text.contains(" onclick="));
    assert!(!first.text.contains("maxlength="));
    assert_ne!(key(&first), key(&second));
    for input in [
        r#"autocomplete="given-name""#,
        r#"autocomplete="family-name""#,
        r#"autocomplete="email""#,
        r#"autocomplete="new-password""#,
    ] {
        assert!(first.text.contains(input), "{input}");
    }
    assert!(!first.text.contains("name=\"nickname\""), "optional, and not asked for");
}

#[tokio::test]
async fn errors_show_the_form_again_with_every_value_but_the_password() {
    let app = TestApp::builder().set("user_metadata.allow", "plan").spawn().await;
    let form = with(&[
        ("email", "\"><script>alert(1)</script>"),
        ("password", "canary"),
        ("nickname", "Countess"),
        ("user_metadata.plan", "gold & silver"),
        ("utm_source", "x"),
        ("idempotency_key", "a-key-of-this-form"),
    ]);
    let response = post(&app, &form).await;
    assert_eq!(response.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(response.header("cache-control"), Some("private, no-cache"));
    assert!(
        !response.text.contains("canary") && !response.text.contains("<script>"),
        "{}",
        response.text
    );
    for shown in [
        "value=\"Ada\"",
        "value=\"Countess\"",
        "value=\"gold &#38; silver\"",
        "aria-describedby=\"email-error\"",
        "aria-describedby=\"password-rules\"",
        "<li data-rule=\"password.too_short\" data-met=\"false\">",
        "Choose a password that meets every rule listed.",
        "href=\"#email\"",
        "<code>utm_source</code>",
        "role=\"alert\" data-signup-alert tabindex=\"-1\" autofocus",
    ] {
        assert!(response.text.contains(shown), "{shown} in {}", response.text);
    }
    assert_eq!(key(&response), "a-key-of-this-form");
    assert!(app.creates().is_empty());
}

#[tokio::test]
async fn a_taken_address_page_has_links_and_a_fresh_key() {
    let app = TestApp::builder()
        .set("page.login_url", "https://www.example.com/login")
        .set("page.reset_url", "https://www.example.com/reset")
        .spawn()
        .await;
    post(&app, &ada()).await;
    let used = "the-key-of-the-second-form";
    let taken = with(&[("password", "Analytical-Engine-1837"), ("idempotency_key", used)]);
    let response = post(&app, &taken).await;
    assert_eq!(response.status, StatusCode::CONFLICT);
    for url in ["https://www.example.com/login", "https://www.example.com/reset"] {
        assert!(response.text.contains(&format!("href=\"{url}\"")), "{url}");
    }
    // The used key replays that the address is taken, and belongs to it.
    assert_ne!(key(&response), used);
    let email = "ada2@example.com";
    let reused = post(&app, &with(&[("email", email), ("idempotency_key", used)])).await;
    assert_eq!(reused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_ne!(key(&reused), used);
    let corrected = with(&[("email", email), ("idempotency_key", key(&reused))]);
    assert_eq!(post(&app, &corrected).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_upstream_error_keeps_the_form_and_its_key() {
    let app = TestApp::spawn().await;
    app.until_ready().await;
    app.auth0.fault(Route::CreateUser, Fault::answer(429).header("retry-after", "86400"));
    let form = with(&[("idempotency_key", "the-key-of-this-form")]);
    let response = post(&app, &form).await;
    assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(key(&response), "the-key-of-this-form");
    assert!(response.text.contains(response.header("x-request-id").unwrap()));
    assert!(!response.text.contains(ada()["password"].as_str().unwrap()));
}

#[tokio::test]
async fn a_service_error_keeps_every_value_of_the_form() {
    let app = TestApp::builder().set("page.return_to", "https://app.example.com/").spawn().await;
    app.until_ready().await;
    let invalid =
        r#"{"statusCode":400,"errorCode":"invalid_body","message":"Payload validation error"}"#;
    for (status, fault) in [
        (StatusCode::BAD_GATEWAY, Fault::answer(403)),
        (StatusCode::INTERNAL_SERVER_ERROR, Fault::answer(400).body(invalid)),
    ] {
        app.auth0.fault(Route::CreateUser, fault);
        let form = with(&[
            ("idempotency_key", "the-key-of-this-form"),
            ("return_to", "https://app.example.com/"),
        ]);
        let response = post(&app, &form).await;
        assert_eq!(response.status, status);
        for shown in ["value=\"Ada\"", "name=\"return_to\" value=\"https://app.example.com/\""] {
            assert!(response.text.contains(shown), "{shown} in {}", response.text);
        }
        assert!(response.text.contains(response.header("x-request-id").unwrap()));
        assert_eq!(key(&response), "the-key-of-this-form");
    }
}

#[tokio::test]
async fn a_page_without_the_form_links_back_to_the_posting_page() {
    let app = TestApp::builder()
        .set("page.enabled", "false")
        .set("page.login_url", "https://www.example.com/login")
        .set("http.allowed_origins", "https://shop.example.com")
        .spawn()
        .await;
    let login = "href=\"https://www.example.com/login\"";
    for (referrer, back) in [
        ("https://shop.example.com/join?a=1", Some("https://shop.example.com/join?a=1")),
        ("https://ada:secret@shop.example.com/join", Some("https://shop.example.com/join")),
        ("https://shop.example.com.evil.example/", None),
        ("https://evil.example/https://shop.example.com", None),
        ("nonsense", None),
    ] {
        let unread = browser().post(app.url("/signup")).header("referer", referrer).body("");
        let response = TestResponse::receive(unread).await;
        assert_eq!(response.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        if let Some(back) = back {
            let link = format!("href=\"{back}\">Back to shop.example.com</a>");
            assert!(response.text.contains(&link), "{}", response.text);
        } else {
            assert!(!response.text.contains("shop.example.com"), "{referrer}: {}", response.text);
            assert!(response.text.contains(login), "{referrer}: {}", response.text);
        }
    }
}

#[tokio::test]
async fn a_captcha_widget_is_on_the_form_and_allowed_by_the_policy() {
    let captcha = |provider| {
        TestApp::builder().captcha(provider).set("challenge.captcha.site_key", "site&key")
    };
    for (provider, script, element, source) in [
        (
            "turnstile",
            "https://challenges.cloudflare.com/turnstile/v0/api.js\"",
            "class=\"captcha cf-turnstile\" data-sitekey=\"site&#38;key\"",
            "https://challenges.cloudflare.com",
        ),
        (
            "hcaptcha",
            "https://js.hcaptcha.com/1/api.js?hl=en\"",
            "class=\"captcha h-captcha\" data-sitekey=\"site&#38;key\"",
            "https://*.hcaptcha.com",
        ),
        (
            "recaptcha_v2",
            "https://www.google.com/recaptcha/api.js?hl=en\"",
            "class=\"captcha g-recaptcha\" data-sitekey=\"site&#38;key\"",
            "https://www.google.com/recaptcha/",
        ),
    ] {
        let page = captcha(provider).spawn().await.get("/signup").await;
        for shown in [&format!("<script src=\"{script}"), element] {
            assert!(page.text.contains(shown), "{provider}: {shown} in {}", page.text);
        }
        let policy = page.header("content-security-policy").unwrap();
        for directive in ["script-src 'self'", "frame-src"] {
            let allowed = policy.split("; ").find(|part| part.starts_with(directive)).unwrap();
            assert!(allowed.contains(source), "{provider}: {policy}");
        }
        assert!(!page.text.contains("canary"));
    }
    let scored = captcha("recaptcha_v3")
        .set("challenge.captcha.action", "signup")
        .set("challenge.captcha.min_score_percent", "50");
    let page = scored.spawn().await.get("/signup").await;
    let script = "https://www.google.com/recaptcha/api.js?hl=en&#38;render=site%26key";
    assert!(page.text.contains(script), "{}", page.text);
    assert!(page.text.contains("&#34;action&#34;:&#34;signup&#34;"), "{}", page.text);
}

#[tokio::test]
async fn a_noscript_hint_appears_where_a_challenge_is_always_required() {
    for (required, hint) in [("always", true), ("adaptive", false)] {
        let app = TestApp::builder()
            .set("challenge.required", required)
            .set("auth0_compat.without_challenge", "true")
            .spawn()
            .await;
        let page = app.get("/signup").await;
        assert_eq!(page.text.contains("<noscript>"), hint, "{required}");
    }
}

#[tokio::test]
async fn the_page_can_be_switched_off_and_plain_forms_still_work() {
    let app = TestApp::builder().set("page.enabled", "false").spawn().await;
    assert_eq!(app.get("/signup").await.problem(), "method_not_allowed");
    let response = post(&app, &with(&[("email", "nope")])).await;
    assert_eq!(response.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(response.text.contains("<form"));
    assert_eq!(post(&app, &ada()).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_brand_is_on_every_page() {
    let app = TestApp::builder()
        .set("page.name", "Acme <Ltd>")
        .set("page.logo", "https://cdn.example.com/logo.svg")
        .set("page.accent", "#ffdd00")
        .set("page.privacy_url", "https://www.example.com/privacy")
        .spawn()
        .await;
    for page in [app.get("/signup").await, app.get("/signup/success").await] {
        assert!(page.text.contains("Acme &#60;Ltd&#62;</title>"), "{}", page.text);
        assert!(page.text.contains("src=\"https://cdn.example.com/logo.svg\""));
        assert!(page.text.contains("--accent:#ffdd00;--on-accent:#000000"));
        assert!(page.text.contains("href=\"https://www.example.com/privacy\""));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("img-src data: https://cdn.example.com;"), "{policy}");
    }
}

/// A page of another site posts its own words for yes.
#[tokio::test]
async fn a_ticked_box_stays_ticked_beside_an_error() {
    let folder = TempDir::new();
    let news = "[user_metadata.keys.news]\ntype = \"boolean\"\n";
    let file = folder.file("settings.toml", news);
    let app = TestApp::builder().file(&file).spawn().await;
    let is_ticked = async |values: &str| {
        let body = format!("email=ada@example.com&password=short&{values}");
        let post = app.post().header(ACCEPT, NAVIGATION);
        let post = post.header("content-type", "application/x-www-form-urlencoded").body(body);
        let page = TestResponse::receive(post).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        let (_, input) = page.text.split_once("name=\"user_metadata.news\"").unwrap();
        let (input, _) = input.split_once('>').unwrap();
        input.contains(" checked")
    };
    for word in ["1", "yes", "on", "true", "TRUE"] {
        assert!(is_ticked(&format!("user_metadata[news]={word}")).await, "{word}");
        let hidden = format!("user_metadata[news]=0&user_metadata[news]={word}");
        assert!(is_ticked(&hidden).await, "{hidden}");
    }
    assert!(!is_ticked("user_metadata[news]=0").await);
    assert!(!is_ticked("user_metadata[news]=no").await);
}

#[tokio::test]
async fn the_list_of_rules_is_there_without_any_rule() {
    let none = TestApp::builder().set("password.policy", "none").set("password.min_length", "1");
    let app = none.spawn().await;
    let page = TestResponse::receive(app.client.get(app.url("/signup")).header(ACCEPT, NAVIGATION));
    let page = page.await.text;
    assert!(page.contains("aria-describedby=\"password-rules\""), "{page}");
    assert!(page.contains("id=\"password-rules\""), "{page}");
}
