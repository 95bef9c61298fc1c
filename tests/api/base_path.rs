//! A service below a path: `http.public_url` with one.

use http::StatusCode;
use http::header::{ACCEPT, ORIGIN};
use serde_json::{Value, json};

use crate::app::{TestApp, TestResponse, ada, ada_with, browser};

async fn spawn() -> TestApp {
    TestApp::builder().set("http.public_url", "https://www.example.com/join/").spawn().await
}

#[tokio::test]
async fn every_address_that_a_browser_gets_is_below_the_path() {
    let app = spawn().await;
    // A proxy passes the path on, or removes it.
    for path in ["/join/signup", "/signup"] {
        let page = app.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(page.text.contains("action=\"/join/signup?sent"), "{}", page.text);
        assert!(page.text.contains("src=\"/join/signup.js\""), "{}", page.text);
        assert!(!page.text.contains("\"/signup"), "{}", page.text);
    }
    for path in
        ["/join/signup.js", "/join/signup.css", "/join/signup/success", "/join/signup/challenge"]
    {
        assert_eq!(app.get(path).await.status, StatusCode::OK, "{path}");
    }
    for path in ["/joined/signup", "/joined", "/join/join/signup"] {
        assert_eq!(app.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/join", "/join/"] {
        let page = TestResponse::receive(browser().get(app.url(path))).await;
        assert_eq!(page.status, StatusCode::TEMPORARY_REDIRECT, "{path}");
        assert_eq!(page.header("location"), Some("/join/signup"), "{path}");
    }
    let policy = app.get("/join/signup/policy").await.json();
    assert_eq!(policy["challenge"]["endpoint"], "/join/signup/challenge");
    for name in ["script", "extras", "style"] {
        let path = policy["assets"][name]["path"].as_str().unwrap();
        assert!(path.starts_with("/join/signup-"), "{path}");
        // The proxy may remove the path.
        for path in [path, path.trim_start_matches("/join")] {
            let file = app.get(path).await;
            assert_eq!(file.status, StatusCode::OK, "{path}");
            let cache = file.header("cache-control");
            assert_eq!(cache, Some("public, max-age=31536000, immutable"), "{path}");
        }
    }
    // The digest of another release.
    let other = app.get("/join/signup-0123456789abcdef.js").await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);
    assert_eq!(other.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_form_below_the_path_signs_up_and_is_redirected_there() {
    let app = spawn().await;
    let post = |form: &Value| {
        let request = browser().post(app.url("/join/signup")).header(ACCEPT, "text/html");
        request.header(ORIGIN, "https://www.example.com").form(form)
    };
    let response = TestResponse::receive(post(&ada())).await;
    assert_eq!(response.status, StatusCode::SEE_OTHER, "{response:?}");
    let location = response.header("location").unwrap();
    assert!(location.starts_with("/join/signup/success?for="), "{location}");
    assert_eq!(
        TestResponse::receive(browser().get(app.url(location))).await.status,
        StatusCode::OK
    );
    assert_eq!(app.auth0.users().len(), 1);
    let form = TestResponse::receive(post(&json!({ "email": "x" }))).await;
    assert_eq!(form.status, StatusCode::UNPROCESSABLE_ENTITY, "{form:?}");
    assert!(form.text.contains("action=\"/join/signup?sent"), "{}", form.text);
}

#[tokio::test]
async fn the_hint_of_a_problem_is_below_the_path() {
    let builder = TestApp::builder().set("http.public_url", "https://www.example.com/join");
    let app = builder.set("limits.address.burst", "1").spawn().await;
    app.sign_up(&ada()).await;
    let response = app.sign_up(&ada_with("email", "other@example.com")).await;
    assert_eq!(response.problem(), "rate_limited");
    assert_eq!(response.json()["challenge"], "/join/signup/challenge");
}
