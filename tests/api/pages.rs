//! The pages that a browser without JavaScript gets, and its redirects.

use auth0_emulator::{Fault, Route};
use auth0_signup::ledger::AttemptState;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, ACCEPT_LANGUAGE};
use serde_json::Value;

use crate::app::{NAVIGATION, TestApp, TestResponse, ada, browser};
use crate::other_connections::link;
use crate::temp_dir::TempDir;

/// Posts a form as a browser does.
async fn post(app: &TestApp, form: &Value) -> TestResponse {
    let response = TestResponse::receive(browser().post(app.url("/signup")).form(form)).await;
    assert_eq!(response.header("set-cookie"), None);
    response
}

/// The value of a hidden field of a page.
fn hidden<'p>(page: &'p TestResponse, name: &str) -> &'p str {
    let after = page.text.split(&format!("name=\"{name}\"")).nth(1).expect(name);
    after.split('"').nth(1).expect("a value")
}

/// The value of the hidden `idempotency_key` field.
fn key(page: &TestResponse) -> &str {
    hidden(page, "idempotency_key")
}

fn with(changes: &[(&str, &str)]) -> Value {
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
async fn a_sign_up_redirects_to_the_built_in_page() {
    let app = TestApp::spawn().await;
    let response = post(&app, &ada()).await;
    assert_eq!(response.status, StatusCode::SEE_OTHER);
    let target = response.header("location").unwrap();
    assert!(target.starts_with("/signup/success?for=") && !target.contains("ada"), "{target}");
    let page = app.get(target).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("<h1>Welcome, Ada</h1>"), "{}", page.text);
    assert!(page.text.contains("account for ada@example.com has been created"));
    for other in ["/signup/success", "/signup/success?for=AAAA"] {
        assert!(app.get(other).await.text.contains("<h1>Welcome</h1>"));
    }
    assert_eq!(app.the_create()["email"], "ada@example.com");
}

#[tokio::test]
async fn the_chosen_language_is_kept_to_the_last_page() {
    let app = TestApp::spawn().await;
    let french = "/signup/success?ui_locales=fr";
    let is_french = |response: &TestResponse| {
        response.header("location").is_some_and(|target| target.starts_with(french))
    };
    // By the field, whatever the URL says.
    let response = post(&app, &with(&[("ui_locales", "tlh fr-CA")])).await;
    assert!(is_french(&response), "{response:?}");
    let page = app.client.get(app.url(french)).header(ACCEPT_LANGUAGE, "de");
    let page = TestResponse::receive(page).await;
    assert_eq!(page.header("content-language"), Some("fr"));
    // By the URL that another site's form is posted to, also for a rejected form.
    let to = |form: Value| {
        TestResponse::receive(browser().post(app.url("/signup?ui_locales=fr")).form(&form))
    };
    let rejected = to(with(&[("email", "nope")])).await;
    assert!(rejected.text.contains(r#"name="ui_locales" value="fr""#), "{}", rejected.text);
    let response = to(with(&[("email", "ada.fr@example.com")])).await;
    assert!(is_french(&response), "{response:?}");
    // An unavailable language is not chosen.
    let form = with(&[("email", "ada.tlh@example.com"), ("ui_locales", "tlh\r\nx: y")]);
    let target = post(&app, &form).await.header("location").unwrap().to_owned();
    assert!(target.starts_with("/signup/success?for="), "{target}");
    let notice = browser().get(app.url("/nowhere?ui_locales=fr"));
    let notice = TestResponse::receive(notice).await;
    assert!(notice.text.contains("href=\"/signup?ui_locales=fr\""), "{}", notice.text);
}

#[tokio::test]
async fn the_login_after_a_sign_up_knows_the_address() {
    let login = "https://app.example.com/login?from=signup&login_hint={login_hint}";
    let hash = "https://www.example.com/#/login?hint={login_hint}";
    let app =
        TestApp::builder().set("page.success_url", login).set("page.return_to", hash).spawn().await;
    let posted = post(&app, &with(&[("email", " Ada+1&x=y@Example.com ")])).await;
    assert_eq!(
        posted.header("location"),
        Some("https://app.example.com/login?from=signup&login_hint=Ada%2B1%26x%3Dy%40Example.com")
    );
    // The same characters as by the script. In a fragment a `+` would not be a blank.
    for (email, hint) in [
        ("ada.two@example.com", "ada.two%40example.com"),
        (r#""ada lovelace"@example.com"#, "%22ada%20lovelace%22%40example.com"),
        ("a-b_c.d!e~f*g'h@example.com", "a-b_c.d!e~f*g'h%40example.com"),
    ] {
        let form = with(&[("email", email), ("return_to", hash)]);
        let target = format!("https://www.example.com/#/login?hint={hint}");
        assert_eq!(post(&app, &form).await.header("location"), Some(&*target));
    }
    let page = app.get("/signup").await;
    assert!(
        page.text.contains("login_hint={login_hint}\""),
        "the script replaces it: {}",
        page.text
    );
}

#[tokio::test]
async fn only_a_listed_return_to_is_followed() {
    let (listed, usual) = ("https://app.example.com/welcome", "https://www.example.com/done");
    let app = TestApp::builder()
        .set("page.return_to", &format!("{listed}, http://localhost:3000/"))
        .set("page.success_url", usual)
        .spawn()
        .await;
    let french = post(&app, &with(&[("ui_locales", "fr")])).await;
    assert_eq!(
        french.header("location"),
        Some(usual),
        "an address of the operator's stays as it is"
    );
    for (nth, (wanted, target)) in [
        (listed, listed),
        ("http://localhost:3000/", "http://localhost:3000/"),
        ("https://app.example.com/welcome/", usual),
        ("https://app.example.com/welcome?a", usual),
        ("https://app.example.com", usual),
        ("https://evil.example/", usual),
        ("//evil.example/", usual),
        ("javascript:alert(1)", usual),
        ("", usual),
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("ada{nth}@example.com");
        let response = post(&app, &with(&[("email", &email), ("return_to", wanted)])).await;
        assert_eq!(response.status, StatusCode::SEE_OTHER, "{wanted}");
        assert_eq!(response.header("location"), Some(target), "{wanted}");
    }
    let form = app.get("/signup?return_to=https%3A%2F%2Fapp.example.com%2Fwelcome").await;
    assert!(form.text.contains(&format!("name=\"return_to\" value=\"{listed}\"")));
    // A reload after errors requests the same form.
    let again = "action=\"/signup?sent&#38;return_to=https%3A%2F%2Fapp.example.com%2Fwelcome\"";
    assert!(form.text.contains(again), "{}", form.text);
    let policy = form.header("content-security-policy").unwrap();
    let (_, targets) = policy.split_once("form-action 'self' ").unwrap();
    let targets: Vec<_> = targets.split(';').next().unwrap().split(' ').collect();
    let tenant = app.auth0.url();
    for origin in [
        "http://localhost:3000",
        "https://app.example.com",
        "https://example.com",
        "https://www.example.com",
        tenant.trim_end_matches('/'),
    ] {
        assert!(targets.contains(&origin), "{origin} in {policy}");
    }
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
async fn a_form_posted_twice_creates_one_user_and_succeeds_twice() {
    let app = TestApp::spawn().await;
    let form = with(&[("idempotency_key", key(&app.get("/signup").await))]);
    let (first, second) = tokio::join!(post(&app, &form), post(&app, &form));
    let again = post(&app, &form).await;
    for response in [&first, &second, &again] {
        assert_eq!(response.status, StatusCode::SEE_OTHER);
        assert!(response.header("location").unwrap().starts_with("/signup/success?"));
    }
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(app.creates().len(), 1);
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

/// The key and the token of a form of the page, which is old enough to be sent.
async fn tabs<const N: usize>(app: &TestApp) -> [(String, String); N] {
    let tab = async |_| {
        let page = app.client.get(app.url("/signup")).header("accept", "text/html");
        let page = TestResponse::receive(page).await;
        (key(&page).to_owned(), hidden(&page, "form_token").to_owned())
    };
    let tabs = futures_util::future::join_all((0..N).map(tab)).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    tabs.try_into().unwrap()
}

/// Sends the form of a tab, and returns the status.
async fn send(app: &TestApp, (key, token): &(String, String), password: &str) -> u16 {
    let form = [
        ("email", "ada@example.com"),
        ("password", password),
        ("idempotency_key", key),
        ("form_token", token),
    ];
    let response = browser().post(app.url("/signup")).form(&form).send().await.unwrap();
    response.status().as_u16()
}

#[tokio::test]
async fn a_user_who_sends_the_form_from_two_tabs_signs_up_once() {
    let app = TestApp::builder().set("challenge.required", "off").spawn().await;
    let [first, second, third] = tabs(&app).await;
    let password = "Difference-Engine-1843";
    assert_eq!(send(&app, &first, password).await, 303);
    assert_eq!(send(&app, &second, password).await, 303, "the same person in a second tab");
    assert_eq!(app.auth0.users().len(), 1);
    assert_eq!(send(&app, &third, "Difference-Engine-1844").await, 409, "another password");
}

#[tokio::test]
async fn a_linked_user_of_another_tab_is_dated_by_its_row() {
    let app = TestApp::builder().set("challenge.required", "off").spawn().await;
    let [first, second, third] = tabs(&app).await;
    let password = "Difference-Engine-1843";
    assert_eq!(send(&app, &first, password).await, 303);
    app.until_resolved().await;
    let attempts = app.attempts().await;
    link(&app, attempts[0].created_user_id().connection_id());
    assert_eq!(send(&app, &second, password).await, 303);
    app.until_resolved().await;
    let ledger = rusqlite::Connection::open(app.database()).unwrap();
    ledger.execute("UPDATE attempts SET started_at = started_at - 601000", []).unwrap();
    assert_eq!(send(&app, &third, password).await, 409, "ten minutes later");
}

#[tokio::test]
async fn a_tab_that_got_no_result_has_created_the_user_that_another_tab_met() {
    let app = TestApp::builder().set("challenge.required", "off").spawn().await;
    app.learn_whether_ids_are_kept().await;
    let [first, second] = tabs(&app).await;
    let password = "Difference-Engine-1843";
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    app.auth0.fault(Route::GetUser, Fault::answer(503).times(2));
    app.auth0.fault(Route::CreateUser, Fault::answer(503));
    assert_eq!(send(&app, &first, password).await, 504);
    assert_eq!(send(&app, &second, password).await, 303);
    app.until_resolved().await;
    let states: Vec<_> = app.attempts().await.iter().map(|attempt| attempt.state).collect();
    assert_eq!(states, [AttemptState::Created; 3]);
    assert_eq!(send(&app, &first, password).await, 303);
    assert_eq!(app.auth0.users().len(), 2);
}

#[tokio::test]
async fn a_new_key_is_a_new_sign_up_where_the_form_is_not_the_pages() {
    let app = TestApp::spawn().await;
    for (key, expected) in [("first-key-0123456", 201), ("second-key-0123456", 409)] {
        assert_eq!(app.sign_up_with_key(key, &ada()).await.status.as_u16(), expected);
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
