//! A form that a user sends twice, or from several tabs: one user is created.

use auth0_emulator::{Fault, Route};
use auth0_signup::ledger::AttemptState;
use reqwest::StatusCode;

use crate::app::{TestApp, TestResponse, ada, browser};
use crate::other_connections::link;
use crate::pages::{hidden, key, post, with};

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
