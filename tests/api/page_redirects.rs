//! The page that a browser is redirected to after a sign-up: the built-in one, the login, or one that the form names.

use reqwest::StatusCode;
use reqwest::header::ACCEPT_LANGUAGE;
use serde_json::Value;

use crate::app::{TestApp, TestResponse, ada, browser};
use crate::pages::{post, with};

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
