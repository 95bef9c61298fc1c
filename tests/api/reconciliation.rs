//! A create call whose response is lost: its outcome is resolved, and no user is created twice.

use std::time::Duration;

use auth0_emulator::{Fault, Gate, JournalEntry, Route};
use auth0_signup::clock::{Clock as _, LedgerTime, SystemClock};
use auth0_signup::ledger::AttemptState;
use reqwest::StatusCode;

use crate::app::{KEY, NOBODY, TestApp, TestResponse, ada, ada_with};
use crate::eventually::eventually;

/// The shortest time from one of these calls to the next.
pub(crate) fn between(calls: &[JournalEntry]) -> Duration {
    let times = calls.windows(2).map(|pair| pair[1].at.duration_since(pair[0].at).unwrap());
    times.min().unwrap_or(Duration::MAX)
}

/// Faults that lose the response to a call, acted on or not.
fn lost_responses() -> [Fault; 6] {
    [
        Fault::close(),
        Fault::reset(),
        Fault::close_after_acting(),
        Fault::reset_after_acting(),
        Fault::truncated(),
        Fault::answer(500).after_acting(),
    ]
}

#[tokio::test]
async fn a_lost_response_is_looked_up_and_the_call_repeated_with_the_same_id() {
    for fault in lost_responses() {
        let app = TestApp::spawn().await;
        app.learn_whether_ids_are_kept().await;
        app.auth0.fault(Route::CreateUser, fault.clone());
        let response = app.sign_up(&ada()).await;
        assert_eq!(response.status, StatusCode::CREATED, "{fault:?}: {response:?}");
        assert_eq!(app.auth0.users().len(), 2, "{fault:?}");
        assert_eq!(app.auth0.calls(Route::GetUser).len(), 1, "{fault:?}");
        let calls = &app.creates()[1..];
        let ids: Vec<_> = calls.iter().map(|call| call.json()["user_id"].clone()).collect();
        assert!(ids.len() <= 2 && ids.iter().all(|id| *id == ids[0]), "{fault:?}: {ids:?}");
    }
}

#[tokio::test]
async fn a_timeout_is_resolved_too() {
    let builder = TestApp::builder().set("auth0.timeout_ms", "300");
    let app = builder.spawn().await;
    app.auth0.fault(Route::CreateUser, Fault::hang_after_acting());
    let response = app.sign_up(&ada()).await;
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    assert_eq!(app.creates().len(), 1);
}

#[tokio::test]
async fn a_repeated_call_that_meets_its_own_user_reports_created_not_taken() {
    let app = TestApp::spawn().await;
    app.learn_whether_ids_are_kept().await;
    // The first lookup finds no user; the repeated call meets it, and the second lookup finds it.
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    app.auth0.fault(Route::GetUser, Fault::answer(404).body(NOBODY));
    let response = app.sign_up(&ada()).await;
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    assert_eq!(app.creates().len(), 3);
    assert_eq!(app.auth0.users().len(), 2);
}

#[tokio::test]
async fn an_address_of_another_user_is_taken_even_after_a_lost_response() {
    let app = TestApp::spawn().await;
    app.sign_up(&ada_with("password", "Another-Password-1")).await;
    app.auth0.fault(Route::CreateUser, Fault::close());
    assert_eq!(app.sign_up(&ada()).await.problem(), "email_taken");
    assert_eq!(app.auth0.users().len(), 1);
}

#[tokio::test]
async fn a_conflict_without_time_for_its_lookup_is_not_a_call_that_was_never_sent() {
    let app = TestApp::builder().set("auth0.timeout_ms", "1500").spawn().await;
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    // An attempt has two and a half times as long. The lookup starts before that, and does not end.
    let slow = || Fault::delay(Duration::from_millis(500));
    app.auth0.fault(Route::CreateUser, Fault::answer(401));
    app.auth0.fault(Route::Token, slow());
    app.auth0.fault(Route::CreateUser, slow());
    app.auth0.fault(Route::UsersByEmail, Fault::hang().always());
    let other = ada_with("password", "Another-Password-1");
    assert_eq!(app.sign_up(&other).await.problem(), "outcome_unknown");
    assert_eq!(app.creates().last().unwrap().status, Some(409));
    assert!(!app.auth0.calls(Route::UsersByEmail).is_empty());
    assert_eq!(app.attempts().await[0].state, AttemptState::Unknown);
    app.auth0.clear_faults();
    assert_eq!(app.sign_up(&other).await.problem(), "email_taken");
}

#[tokio::test]
async fn an_unknown_outcome_is_resolved_when_the_client_comes_back() {
    let app = TestApp::spawn().await;
    app.auth0.fault(Route::CreateUser, Fault::answer(500).after_acting());
    app.auth0.fault(Route::CreateUser, Fault::answer(500).always());
    app.auth0.fault(Route::GetUser, Fault::answer(500).always());
    app.auth0.fault(Route::UsersByEmail, Fault::answer(500).always());
    let response = app.sign_up_with_key(KEY, &ada()).await;
    assert_eq!(response.problem(), "outcome_unknown");
    assert_eq!(response.status, StatusCode::GATEWAY_TIMEOUT);
    app.auth0.clear_faults();
    let response = app.sign_up_with_key(KEY, &ada()).await;
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    assert_eq!(response.header("idempotency-replayed"), Some("true"));
    assert_eq!(app.auth0.users().len(), 1);
}

#[tokio::test]
async fn a_repeated_call_is_recorded_before_it_is_sent() {
    let app = TestApp::builder().set("auth0.timeout_ms", "1000").spawn().await;
    app.learn_whether_ids_are_kept().await;
    app.auth0.fault(Route::CreateUser, Fault::answer(500).times(2));
    app.auth0.fault(Route::GetUser, Fault::answer(500));
    assert_eq!(app.sign_up_with_key(KEY, &ada()).await.problem(), "outcome_unknown");
    app.auth0.fault(Route::CreateUser, Fault::hang());
    let repeat = tokio::spawn(app.post().header("idempotency-key", KEY).json(&ada()).send());
    app.until(|app| app.creates().len() == 4).await;
    // If the process died now, an absent user would prove nothing until the call has ended.
    let now = LedgerTime::from_epoch(SystemClock.now());
    let [attempt, _] = &app.attempts().await[..] else { panic!("two attempts") };
    assert_eq!(attempt.state, AttemptState::Unknown);
    assert!(attempt.connection_ended_at > Some(now + Duration::from_secs(1)), "{attempt:?}");
    assert_eq!(attempt.next_check_at, attempt.connection_ended_at);
    assert!(repeat.await.unwrap().unwrap().status().is_server_error());
    // The repeated call may have been acted on, so the grace period starts over with its end.
    let [attempt, _] = &app.attempts().await[..] else { panic!("two attempts") };
    assert_eq!(attempt.state, AttemptState::Unknown);
    assert!(attempt.connection_ended_at > Some(now), "{attempt:?}");
}

#[tokio::test]
async fn a_403_from_in_front_of_the_tenant_does_not_end_reconciliation() {
    let settings = TestApp::builder().set("reconciliation.not_created_after_ms", "1000");
    let app = settings.spawn().await;
    app.auth0.fault(Route::CreateUser, Fault::answer(500).times(2));
    // The lookup within the request, and the reconciler's first.
    app.auth0.fault(Route::GetUser, Fault::html(403).times(2));
    assert_eq!(app.sign_up(&ada()).await.problem(), "outcome_unknown");
    app.until(|app| app.auth0.calls(Route::GetUser).len() > 2).await;
}

#[tokio::test]
async fn an_absent_user_long_after_the_call_ended_lets_it_be_repeated() {
    let cases = [("true", true), ("false", false)].map(async |(setting, ignores)| {
        let app = TestApp::builder()
            .set("auth0.pin_user_id", setting)
            .set("reconciliation.not_created_after_ms", "2000")
            .auth0(|tenant| tenant.ignores_user_id = ignores)
            .spawn()
            .await;
        app.learn_whether_ids_are_kept().await;
        app.auth0.fault(Route::CreateUser, Fault::close());
        let unknown = app.sign_up_with_key(KEY, &ada()).await;
        assert_eq!(unknown.status, StatusCode::GATEWAY_TIMEOUT, "{unknown:?}");
        eventually("the user is created", async || {
            (app.sign_up_with_key(KEY, &ada()).await.status == StatusCode::CREATED).then_some(())
        })
        .await;
        let creates = app.creates();
        assert!(between(&creates[1..]) >= Duration::from_secs(2), "{creates:?}");
        assert_eq!((creates.len(), app.auth0.users().len()), (3, 2));
        let again = app.sign_up_with_key(KEY, &ada()).await;
        assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
        assert_eq!(app.creates().len(), 3);
    });
    futures_util::future::join_all(cases).await;
}

#[tokio::test]
async fn a_late_create_is_reported_as_created_when_the_client_comes_back() {
    let app = TestApp::builder().set("auth0.timeout_ms", "1000").spawn().await;
    app.until_ready().await;
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::held(&gate));
    // The repeated call creates the user, and the late first call meets it; or, on a busy machine,
    // the attempt runs out of time and is unknown until the client comes back.
    app.sign_up(&ada()).await;
    gate.open();
    gate.done(1).await;
    let again = app.sign_up(&ada()).await;
    assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
    assert_eq!(app.auth0.users().len(), 1);
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_stops_sign_ups_before_auth0() {
    let app = TestApp::builder().set("ledger.timeout_ms", "200").spawn().await;
    app.until_ready().await;
    let other = app.ledger();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let response = app.sign_up(&ada()).await;
    assert_eq!(response.problem(), "unavailable");
    assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
    eventually("the service is not ready", async || {
        (app.get("/readyz").await.status == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;
    assert!(app.creates().is_empty());

    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    app.until_ready().await;
}

#[tokio::test]
async fn a_client_does_not_wait_for_a_ledger_that_cannot_record_the_outcome() {
    let app = TestApp::builder().set("ledger.timeout_ms", "200").spawn().await;
    app.until_ready().await;
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::held(&gate));
    let response = tokio::spawn(TestResponse::receive(app.post().json(&ada())));
    gate.arrived(1).await;
    let ledger = app.ledger();
    ledger.execute_batch("BEGIN EXCLUSIVE").unwrap();
    gate.open();
    // Locked until the client has its response: a later try records the outcome.
    let response = response.await.unwrap();
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    ledger.execute_batch("ROLLBACK").unwrap();
    let recorded = async || {
        let attempts = app.attempts().await;
        attempts.iter().all(|attempt| attempt.state == AttemptState::Created).then_some(())
    };
    eventually("the outcome is recorded", recorded).await;
    assert!(app.auth0.calls(Route::GetUser).is_empty(), "recorded, not looked up");
}

#[tokio::test]
async fn an_open_breaker_lets_the_lookup_of_a_request_pass() {
    let app = TestApp::builder().set("auth0.breaker.failures", "1").spawn().await;
    app.until_ready().await;
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    let response = app.sign_up(&ada()).await;
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    let calls = (app.creates().len(), app.auth0.calls(Route::GetUser).len());
    assert_eq!(calls, (1, 1));
    assert_eq!(app.metric("auth0_breaker_open").await, 0, "the lookup closed it");
}

#[tokio::test]
async fn pending_attempts_show_in_the_metrics() {
    let app = TestApp::spawn().await;
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    app.sign_up(&ada_with("password", "Another-Password-1")).await;
    // Both are recorded after the response.
    app.until_metric(r#"signup_attempts_resolved_total{result="created"}"#, 1).await;
    app.until_metric(r#"signup_attempts_resolved_total{result="exists"}"#, 1).await;
    assert!(app.metric("ledger_batch_writes_count").await >= 2, "each is started and finished");
    app.auth0.fault(Route::Any, Fault::answer(500).always());
    let lost = ada_with("email", "lost@example.com");
    assert_eq!(app.sign_up(&lost).await.problem(), "outcome_unknown");
    app.until_metric("signup_attempts_pending", 1).await;
    app.until_metric("signup_attempts_oldest_pending_seconds", 1).await;
}

#[tokio::test]
async fn a_taken_address_is_recorded_when_the_client_comes_back() {
    let app = TestApp::builder().auth0(|tenant| tenant.ignores_user_id = true).spawn().await;
    let older = ada_with("password", "Another-Password-1");
    assert_eq!(app.sign_up(&older).await.status, StatusCode::CREATED);
    app.auth0.advance_clock(Duration::from_mins(20));
    // The service learns the tenant's time.
    let between = ada_with("email", "between@example.com");
    assert_eq!(app.sign_up(&between).await.status, StatusCode::CREATED);
    app.auth0.fault(Route::CreateUser, Fault::close());
    app.auth0.fault(Route::UsersByEmail, Fault::answer(500).times(2));
    assert_eq!(app.sign_up_with_key(KEY, &ada()).await.problem(), "outcome_unknown");
    assert_eq!(app.sign_up_with_key(KEY, &ada()).await.problem(), "email_taken");
    let lookups = app.auth0.calls(Route::UsersByEmail).len();
    assert_eq!(app.sign_up_with_key(KEY, &ada()).await.problem(), "email_taken");
    assert_eq!(app.auth0.calls(Route::UsersByEmail).len(), lookups, "replayed");
    assert_eq!(app.attempts().await[0].state, AttemptState::Exists);
}

#[tokio::test]
async fn a_client_that_came_back_does_not_delay_the_outcome() {
    let settings = TestApp::builder().set("reconciliation.not_created_after_ms", "1000");
    let app = settings.spawn().await;
    app.learn_whether_ids_are_kept().await;
    app.auth0.fault(Route::CreateUser, Fault::close().always());
    for _ in 0..2 {
        assert_eq!(app.sign_up_with_key(KEY, &ada()).await.problem(), "outcome_unknown");
    }
    let attempts = app.attempts().await;
    let ahead = attempts[0].connection_ended_at.unwrap().since(attempts[0].finished_at.unwrap());
    assert!(ahead <= Duration::from_millis(1), "{ahead:?}");
    eventually("the outcome is known", async || {
        let attempts = app.attempts().await;
        (attempts[0].state == AttemptState::NotCreated).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_first_call_that_failed_is_repeated_only_if_its_id_has_no_user() {
    for (lookup, status, creates) in [
        (Fault::answer(404).body(NOBODY), StatusCode::CREATED, 2),
        (Fault::answer(503), StatusCode::GATEWAY_TIMEOUT, 1),
    ] {
        let app = TestApp::spawn().await;
        app.auth0.fault(Route::CreateUser, Fault::answer(500));
        app.auth0.fault(Route::GetUser, lookup.clone());
        let response = app.sign_up(&ada()).await;
        assert_eq!(response.status, status, "{lookup:?}: {response:?}");
        assert_eq!(app.creates().len(), creates, "{lookup:?}");
    }
}
