//! Form tokens: how long a form took to fill in, and the tokens that a corrected form gets.

use std::sync::Arc;
use std::time::Duration;

use auth0_signup::abuse::FormTokens;
use auth0_signup::clock::{Clock as _, SystemClock};
use auth0_signup::digest::Digests;
use reqwest::StatusCode;

use crate::app::{Ahead, TestResponse, ada, ada_with, person, with_member};
use crate::challenges::{KEY, builder, proof};

#[tokio::test]
async fn a_form_that_comes_back_too_soon_or_too_late_needs_a_proof() {
    let app = builder().set("challenge.required", "off").spawn().await;
    let tokens = FormTokens::new(
        &Digests::new(&KEY.into(), None),
        Some(Duration::from_secs(1)..=Duration::from_hours(1)),
    );
    let now = SystemClock.now();
    let issued = |ago: u64| tokens.issue(now.saturating_sub(Duration::from_secs(ago)));
    let post = async |nth: usize, token: &str| {
        let form = with_member(person(nth), "form_token", token);
        app.sign_up(&form).await
    };
    let days = 25 * 3600;
    for (nth, robot) in [tokens.issue(now + Duration::from_hours(1)), issued(days), "x".to_owned()]
        .iter()
        .enumerate()
    {
        assert_eq!(post(nth, robot).await.problem(), "challenge_required", "{nth}");
    }
    assert_eq!(app.creates().len(), 0);
    assert_eq!(post(3, &issued(60)).await.status, StatusCode::CREATED);
    let corrected = tokens.reissue(Some(&issued(60)), true, now);
    assert_eq!(post(4, &corrected).await.status, StatusCode::CREATED);
    // A form of another site has no token.
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    for reason in ["too_soon", "too_late", "forged_token"] {
        let metric = format!("challenge_required_total{{reason=\"{reason}\"}}");
        assert_eq!(app.metric(&metric).await, 1, "{reason}");
    }
}

#[tokio::test]
async fn the_form_token_can_be_required() {
    let app = builder()
        .set("challenge.form_token_required", "true")
        .set("auth0_compat.enabled", "false")
        .spawn()
        .await;
    assert_eq!(app.sign_up(&ada()).await.problem(), "challenge_required");
    let form = ada_with("altcha", proof(&app).await);
    assert_eq!(app.sign_up(&form).await.status, StatusCode::CREATED);
}

/// The value of the hidden field with the token of a page's form.
fn form_token(page: &TestResponse) -> String {
    let field = page.text.split("name=\"form_token\"").nth(1).unwrap();
    field.split('"').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn a_form_of_another_site_may_be_corrected_at_once() {
    let app = builder().set("challenge.required", "off").spawn().await;
    let post = async |form: &[(&str, &str)]| {
        let post = app.post().header("accept", "text/html").form(form);
        TestResponse::receive(post).await
    };
    let invalid = [("email", "ada@example.com"), ("password", "short")];
    let page = post(&invalid).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    let token = form_token(&page);
    let corrected = [
        ("email", "ada@example.com"),
        ("password", "Difference-Engine-1843"),
        ("form_token", &token),
    ];
    let done = TestResponse::receive(app.post().form(&corrected)).await;
    assert_eq!(done.status, StatusCode::CREATED, "{done:?}");
}

/// The page that says so would otherwise hold a token that passes.
#[tokio::test]
async fn a_form_without_a_token_gets_none_that_passes_at_once() {
    let app = builder()
        .set("challenge.required", "off")
        .set("challenge.form_token_required", "true")
        .set("challenge.min_fill_ms", "30000")
        .spawn()
        .await;
    let mut form = vec![
        ("email", "ada@example.com".to_owned()),
        ("password", "Difference-Engine-1843".to_owned()),
    ];
    for _ in 0..3 {
        let post = app.post().header("accept", "text/html").form(&form);
        let page = TestResponse::receive(post).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{page:?}");
        form.truncate(2);
        form.push(("form_token", form_token(&page)));
    }
    assert!(app.creates().is_empty());
}

/// Without JavaScript the page's own form is sent again.
#[tokio::test]
async fn a_form_of_a_clock_that_was_ahead_is_accepted_at_the_second_try() {
    let clock = Arc::new(Ahead::default());
    clock.put_forward(Duration::from_hours(2));
    let app = builder()
        .clock(Arc::<Ahead>::clone(&clock))
        .set("challenge.required", "off")
        .set("challenge.form_token_required", "true")
        .set("challenge.min_fill_ms", "1000")
        .spawn()
        .await;
    let send = async |token: &str| {
        let form = [
            ("email", "ada@example.com"),
            ("password", "Difference-Engine-1843"),
            ("form_token", token),
        ];
        TestResponse::receive(app.post().header("accept", "text/html").form(&form)).await
    };
    let first = form_token(&app.get("/signup").await);
    clock.put_forward(Duration::ZERO);
    let page = send(&first).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{page:?}");
    clock.put_forward(Duration::from_secs(2));
    let done = send(&form_token(&page)).await;
    assert_eq!((done.status, app.creates().len()), (StatusCode::OK, 1), "{done:?}");
}
