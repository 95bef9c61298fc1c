//! Rejections and conflicts that a repeated create call gets: when they are also the outcome of the lost call.

use std::time::{Duration, Instant};

use auth0_emulator::{Fault, Gate, Route};
use auth0_signup::ledger::AttemptState;
use reqwest::StatusCode;
use serde_json::Value;

use crate::app::{CONFLICT, KEY, NOBODY, TestApp, USERNAME_TAKEN, ada, ada_with, with_member};
use crate::eventually::eventually;

/// A sign-up whose response is lost, with every lookup, although the user was created.
async fn lose_everything(app: &TestApp, form: &Value) {
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    app.auth0.fault(Route::GetUser, Fault::answer(503).times(2));
    app.auth0.fault(Route::CreateUser, Fault::answer(503));
    assert_eq!(app.sign_up_with_key(KEY, form).await.problem(), "outcome_unknown");
}

#[tokio::test]
async fn a_rejection_of_other_fields_says_nothing_about_an_earlier_call() {
    let app = TestApp::builder().auth0(|tenant| tenant.no_personal_info = true).spawn().await;
    app.learn_whether_ids_are_kept().await;
    let form = |nickname| with_member(ada_with("nickname", nickname), "password", "Lovelace9!Zx");
    lose_everything(&app, &form("ada")).await;
    let other = app.sign_up_with_key(KEY, &form("lovelace9!zx")).await;
    assert_eq!(other.problem(), "outcome_unknown", "{other:?}");
    assert_eq!(app.creates().len(), 4, "the tenant has rejected the last call");
    let again = app.sign_up_with_key(KEY, &form("ada")).await;
    assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
}

/// The client comes back until the grace period is over. Each repeated call is rejected.
#[tokio::test]
async fn a_rejected_repeat_resolves_an_attempt_only_if_no_user_was_found_before() {
    let rows = [
        ("true", Fault::answer(404).body(NOBODY), Duration::from_mins(1)),
        ("true", Fault::answer(503), Duration::from_secs(4)),
        ("false", Fault::answer(200).body("[]"), Duration::from_mins(1)),
    ];
    let cases = rows.map(async |(pins, lookup, longest)| {
        let app = TestApp::builder()
            .set("auth0.pin_user_id", pins)
            .set("auth0.breaker.failures", "1000")
            .set("fields.username", "required")
            .set("reconciliation.not_created_after_ms", "1000")
            .auth0(|tenant| tenant.requires_username = true)
            .spawn()
            .await;
        let before = with_member(ada_with("username", "before"), "email", "before@example.com");
        assert_eq!(app.sign_up(&before).await.status, StatusCode::CREATED);
        app.auth0.fault(Route::CreateUser, Fault::answer(503).times(2));
        app.auth0.fault(Route::GetUser, Fault::answer(503));
        app.auth0.fault(Route::UsersByEmail, Fault::answer(503).times(2));
        let form = ada_with("username", "ada");
        assert_eq!(app.sign_up_with_key(KEY, &form).await.problem(), "outcome_unknown", "{pins}");
        let (route, rejection) = match pins {
            "true" => (Route::GetUser, Fault::answer(400).body(USERNAME_TAKEN)),
            _ => (Route::UsersByEmail, Fault::answer(403)),
        };
        app.auth0.clear_faults();
        app.auth0.fault(route, lookup.always());
        app.auth0.fault(Route::CreateUser, rejection.always());
        let started = Instant::now();
        loop {
            let problem = app.sign_up_with_key(KEY, &form).await.problem();
            if problem != "outcome_unknown" || started.elapsed() > longest {
                return problem;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let problems = futures_util::future::join_all(cases).await;
    assert_eq!(problems, ["username_taken", "outcome_unknown", "upstream_rejected"]);
}

#[tokio::test]
async fn a_client_that_keeps_coming_back_learns_of_a_rejection() {
    let settings = TestApp::builder().set("reconciliation.not_created_after_ms", "1000");
    let app = settings.auth0(|tenant| tenant.no_personal_info = true).spawn().await;
    app.learn_whether_ids_are_kept().await;
    let form = with_member(ada_with("nickname", "lovelace9!zx"), "password", "Lovelace9!Zx");
    // A response that is lost for a reason of its own, with every lookup.
    app.auth0.fault(Route::CreateUser, Fault::answer(503).times(2));
    app.auth0.fault(Route::GetUser, Fault::answer(503).times(2));
    assert_eq!(app.sign_up_with_key(KEY, &form).await.problem(), "outcome_unknown");
    eventually("the rejection is believed", async || {
        let response = app.sign_up_with_key(KEY, &form).await;
        (response.problem() == "invalid_fields").then_some(())
    })
    .await;
    assert_eq!(app.attempts().await[0].state, AttemptState::NotCreated);
}

#[tokio::test]
async fn a_taken_username_says_nothing_about_a_call_with_another_one() {
    let app = TestApp::builder()
        .auth0(|tenant| tenant.requires_username = true)
        .set("fields.username", "required")
        .spawn()
        .await;
    let bob = with_member(ada_with("username", "bob"), "email", "bob@example.com");
    assert_eq!(app.sign_up(&bob).await.status, StatusCode::CREATED);
    lose_everything(&app, &ada_with("username", "ada")).await;
    // The tenant is slow: its user is not there yet.
    app.auth0.fault(Route::UsersByEmail, Fault::answer(200).body("[]"));
    let other = app.sign_up_with_key(KEY, &ada_with("username", "bob")).await;
    assert_eq!(other.problem(), "outcome_unknown", "{other:?}");
    assert_eq!(app.creates().len(), 4);
    let again = app.sign_up_with_key(KEY, &ada_with("username", "ada")).await;
    assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
}

/// What the repeated call of a lost one gets from a custom database that has stored the user by then, or from any
/// tenant about somebody else's user: the outcome code, and the response.
fn conflicts() -> [(&'static str, Fault); 2] {
    [
        ("email_taken", Fault::answer(409).body(CONFLICT)),
        ("username_taken", Fault::answer(400).body(USERNAME_TAKEN)),
    ]
}

#[tokio::test]
async fn a_conflict_with_a_call_that_still_runs_is_not_taken() {
    let cases = conflicts().map(async |(code, conflict)| {
        let app = TestApp::builder().set("auth0.timeout_ms", "1000").spawn().await;
        app.learn_whether_ids_are_kept().await;
        let gate = Gate::new();
        app.auth0.fault(Route::CreateUser, Fault::held(&gate));
        app.auth0.fault(Route::CreateUser, conflict);
        let first = app.sign_up_with_key(KEY, &ada()).await;
        assert_eq!(first.problem(), "outcome_unknown", "{code}: {first:?}");
        assert_eq!(app.creates().last().unwrap().status.map(|status| status / 100), Some(4));
        assert_eq!(app.attempts().await[0].state, AttemptState::Unknown, "{code}");
        gate.open();
        gate.done(1).await;
        let again = app.sign_up_with_key(KEY, &ada()).await;
        assert_eq!(again.status, StatusCode::CREATED, "{code}: {again:?}");
    });
    futures_util::future::join_all(cases).await;
}

#[tokio::test]
async fn a_conflict_without_a_user_is_believed_once_the_lost_call_has_certainly_ended() {
    let cases = [false, true].into_iter().flat_map(|ignores_user_id| {
        conflicts().map(move |(code, conflict)| async move {
            let app = TestApp::builder()
                .auth0(move |tenant| tenant.ignores_user_id = ignores_user_id)
                .set("reconciliation.not_created_after_ms", "2000")
                .set("fields.username", "optional")
                .spawn()
                .await;
            app.learn_whether_ids_are_kept().await;
            app.auth0.fault(Route::CreateUser, Fault::close());
            app.auth0.fault(Route::CreateUser, conflict.always());
            // A username alone, or nothing but the address.
            let form = if code == "email_taken" { ada() } else { ada_with("username", "ada") };
            let first = app.sign_up_with_key(KEY, &form).await;
            assert_eq!(first.problem(), "outcome_unknown", "{code}: {first:?}");
            eventually("the conflict is believed", async || {
                (app.sign_up_with_key(KEY, &form).await.problem() == code).then_some(())
            })
            .await;
        })
    });
    futures_util::future::join_all(cases).await;
}
