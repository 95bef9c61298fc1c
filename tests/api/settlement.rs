//! A create call whose answer does not arrive: what came of it is found out, and never created
//! twice.

use std::sync::Arc;
use std::time::Duration;

use auth0_emulator::{Fault, Gate, Route};
use auth0_signup::clock::{Clock as _, SystemClock};
use reqwest::StatusCode;

use crate::app::{Ahead, Answer, TestApp, ada};

const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";

/// What Auth0 answers for an id that nobody has.
const NOBODY: &str = r#"{"statusCode":404,"error":"Not Found","message":"The user does not exist.","errorCode":"inexistent_user"}"#;

fn lost() -> [Fault; 6] {
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
async fn a_lost_answer_is_looked_up_and_the_call_repeated_with_the_same_id() {
    for fault in lost() {
        let app = TestApp::spawn().await;
        app.auth0.fault(Route::CreateUser, fault.clone());
        let answer = app.sign_up(&ada()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{fault:?}: {answer:?}");
        assert_eq!(app.auth0.users().len(), 1, "{fault:?}");
        assert_eq!(app.auth0.calls(Route::GetUser).len(), 1, "{fault:?}");
        let ids: Vec<_> = app.creates().iter().map(|call| call.json()["user_id"].clone()).collect();
        assert!(ids.len() <= 2 && ids.iter().all(|id| *id == ids[0]), "{fault:?}: {ids:?}");
    }
}

#[tokio::test]
async fn a_time_out_is_settled_too() {
    let builder = TestApp::builder().set("auth0.timeout_ms", "300");
    let app = builder.spawn().await;
    app.auth0.fault(Route::CreateUser, Fault::hang_after_acting());
    let answer = app.sign_up(&ada()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    assert_eq!(app.creates().len(), 1);
}

#[tokio::test]
async fn a_repeat_that_meets_its_own_user_is_created_and_not_taken() {
    let app = TestApp::spawn().await;
    // From here on it is known that ids are kept.
    let before = crate::app::ada_with("email", "before@example.com");
    assert_eq!(app.sign_up(&before).await.status, StatusCode::CREATED);
    // Nobody is there at the first look; the repeat meets the user, which the second look finds.
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    app.auth0.fault(Route::GetUser, Fault::answer(404).body(NOBODY));
    let answer = app.sign_up(&ada()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    assert_eq!(app.creates().len(), 3);
    assert_eq!(app.auth0.users().len(), 2);
}

#[tokio::test]
async fn an_address_that_somebody_else_has_is_taken_even_after_a_lost_answer() {
    let app = TestApp::spawn().await;
    app.sign_up(&crate::app::ada_with("password", "Another-Password-1")).await;
    app.auth0.fault(Route::CreateUser, Fault::close());
    assert_eq!(app.sign_up(&ada()).await.problem(), "email_taken");
    assert_eq!(app.auth0.users().len(), 1);
}

#[tokio::test]
async fn an_unknown_outcome_is_settled_when_the_caller_comes_back() {
    let app = TestApp::spawn().await;
    app.auth0.fault(Route::CreateUser, Fault::answer(500).after_acting());
    app.auth0.fault(Route::CreateUser, Fault::answer(500).always());
    app.auth0.fault(Route::GetUser, Fault::answer(500).always());
    let keyed = || app.post().header("idempotency-key", KEY).json(&ada());
    let answer = Answer::of(keyed()).await;
    assert_eq!(answer.problem(), "outcome_unknown");
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    app.auth0.clear_faults();
    let answer = Answer::of(keyed()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    assert_eq!(answer.header("idempotency-replayed"), Some("true"));
    assert_eq!(app.auth0.users().len(), 1);
}

#[tokio::test]
async fn a_repeat_is_written_down_before_it_is_sent() {
    let app = TestApp::builder().set("auth0.timeout_ms", "1000").spawn().await;
    app.auth0.fault(Route::CreateUser, Fault::answer(500).times(2));
    app.auth0.fault(Route::GetUser, Fault::answer(500));
    let keyed = || app.post().header("idempotency-key", KEY).json(&ada());
    assert_eq!(Answer::of(keyed()).await.problem(), "outcome_unknown");
    app.auth0.fault(Route::CreateUser, Fault::hang());
    let repeat = tokio::spawn(keyed().send());
    app.until(|app| app.creates().len() == 3).await;
    // Should the process die now, finding nobody proves nothing until the call has ended.
    let ledger = rusqlite::Connection::open(app.database()).unwrap();
    let (state, ended, due): (i64, i64, i64) = ledger
        .query_row("SELECT state, connection_ended_at, next_check_at FROM attempts", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    let now = i64::try_from(SystemClock.now().as_millis()).unwrap();
    assert!(state == 3 && ended > now + 1_000 && due == ended, "{state} {now} {ended} {due}");
    assert!(repeat.await.unwrap().unwrap().status().is_server_error());
}

#[tokio::test]
async fn a_403_that_passes_does_not_end_settlement() {
    let settings = TestApp::builder().set("reconciliation.not_created_after_ms", "1000");
    let app = settings.spawn().await;
    app.auth0.fault(Route::CreateUser, Fault::answer(500).times(2));
    // The look within the request, and the settler's first.
    app.auth0.fault(Route::GetUser, Fault::html(403).times(2));
    assert_eq!(app.sign_up(&ada()).await.problem(), "outcome_unknown");
    app.until(|app| app.auth0.calls(Route::GetUser).len() > 2).await;
}

#[tokio::test]
async fn without_read_users_the_repeat_alone_settles() {
    let scopes = |tenant: &mut auth0_emulator::Tenant| tenant.scopes = vec!["create:users".into()];
    let app = TestApp::builder().auth0(scopes).spawn().await;
    app.auth0.fault(Route::CreateUser, Fault::close());
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);

    let app = TestApp::builder().auth0(scopes).spawn().await;
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    assert_eq!(app.sign_up(&ada()).await.problem(), "outcome_unknown", "a 409 proves nothing");
}

#[tokio::test]
async fn a_custom_database_that_ignores_the_pin_is_looked_up_by_address() {
    let ignores = |tenant: &mut auth0_emulator::Tenant| tenant.ignores_user_id = true;
    let app = TestApp::builder().auth0(ignores).spawn().await;
    let before = crate::app::ada_with("email", "before@example.com");
    assert_eq!(app.sign_up(&before).await.status, StatusCode::CREATED);
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    let answer = app.sign_up(&ada()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    assert_eq!(app.auth0.users().len(), 2);
    assert_eq!(app.creates().len(), 2, "not repeated: it could make a second user");
    assert_eq!(app.auth0.calls(Route::UsersByEmail).len(), 1);
}

#[tokio::test]
async fn nobody_by_address_long_after_the_call_ended_lets_it_be_sent_again() {
    for (setting, ignores) in [("true", true), ("false", false)] {
        let clock = Arc::new(Ahead::default());
        let app = TestApp::builder()
            .set("auth0.pin_user_id", setting)
            .auth0(|tenant| tenant.ignores_user_id = ignores)
            .clock(Arc::<Ahead>::clone(&clock))
            .spawn()
            .await;
        let before = crate::app::ada_with("email", "before@example.com");
        assert_eq!(app.sign_up(&before).await.status, StatusCode::CREATED);
        let keyed = || app.post().header("idempotency-key", KEY).json(&ada());
        app.auth0.fault(Route::CreateUser, Fault::close());
        assert_eq!(Answer::of(keyed()).await.problem(), "outcome_unknown");
        clock.put_forward(Duration::from_secs(29));
        assert_eq!(Answer::of(keyed()).await.problem(), "outcome_unknown", "it may still act");
        assert_eq!(app.creates().len(), 2, "nothing was repeated");
        clock.put_forward(Duration::from_secs(31));
        let answer = Answer::of(keyed()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        assert_eq!(app.creates().len(), 3);
        assert_eq!(app.auth0.users().len(), 2);
        let again = Answer::of(keyed()).await;
        assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
        assert_eq!(app.creates().len(), 3);
    }
}

#[tokio::test]
async fn a_create_that_acts_after_the_caller_has_gone_is_closed_with_the_truth() {
    let app = TestApp::builder().set("auth0.timeout_ms", "1000").spawn().await;
    app.until_ready().await;
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::held(&gate));
    // The repeat with the same id makes the user, and the late first call meets it; or, on a busy
    // machine, the attempt runs out of time and is unknown until the caller comes back.
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
    let other = rusqlite::Connection::open(app.database()).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let answer = app.sign_up(&ada()).await;
    assert_eq!(answer.problem(), "unavailable");
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(app.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(app.creates().is_empty());

    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    app.until_ready().await;
}

#[tokio::test]
async fn a_caller_does_not_wait_for_a_ledger_that_does_not_take_the_outcome() {
    let app = TestApp::builder().set("ledger.timeout_ms", "200").spawn().await;
    app.until_ready().await;
    app.auth0.fault(Route::CreateUser, Fault::delay(Duration::from_millis(500)));
    let answer = tokio::spawn(Answer::of(app.post().json(&ada())));
    app.until(|app| app.creates().len() == 1).await;
    let ledger = rusqlite::Connection::open(app.database()).unwrap();
    ledger.execute_batch("BEGIN EXCLUSIVE").unwrap();
    // Held until the caller has heard it: the outcome is written by a later try.
    let answer = answer.await.unwrap();
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    ledger.execute_batch("ROLLBACK").unwrap();
    let state = || ledger.query_row("SELECT state FROM attempts", [], |row| row.get::<_, i64>(0));
    app.until(|_| state().unwrap() == 1).await;
    assert!(app.auth0.calls(Route::GetUser).is_empty(), "and not found out by a look");
}

#[tokio::test]
async fn a_connection_that_was_mended_is_trusted_again() {
    let ignores = |tenant: &mut auth0_emulator::Tenant| tenant.ignores_user_id = true;
    let app = TestApp::builder().auth0(ignores).spawn().await;
    let other = |name: &str| crate::app::ada_with("email", format!("{name}@example.com"));
    assert_eq!(app.sign_up(&other("before")).await.status, StatusCode::CREATED);
    app.auth0.tenant(|tenant| tenant.ignores_user_id = false);

    // After a restart the last user tells that ids were ignored: a lost call is looked up by
    // address, and not sent again.
    let app = app.restart().await;
    app.until_ready().await;
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    assert_eq!(app.sign_up(&other("restarted")).await.status, StatusCode::CREATED);
    assert_eq!(app.auth0.calls(Route::UsersByEmail).len(), 1);
    assert_eq!(app.creates().len(), 2);

    // The next user that keeps its id says that the connection was mended.
    assert_eq!(app.sign_up(&other("mended")).await.status, StatusCode::CREATED);
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    assert_eq!(app.auth0.calls(Route::UsersByEmail).len(), 1);
    assert_eq!(app.auth0.users().len(), 4);
}

#[tokio::test]
async fn the_user_of_another_attempt_is_never_claimed() {
    let ignores = |tenant: &mut auth0_emulator::Tenant| tenant.ignores_user_id = true;
    let app = TestApp::builder().auth0(ignores).spawn().await;
    let first = crate::app::ada_with("password", "Another-Password-1");
    assert_eq!(app.sign_up(&first).await.status, StatusCode::CREATED);
    app.auth0.fault(Route::CreateUser, Fault::close());
    let answer = app.sign_up(&ada()).await;
    // The tenant tells its time to the second: within that, who was first is in doubt.
    let honest = ["outcome_unknown", "email_taken"].contains(&answer.problem().as_str());
    assert!(honest, "{answer:?}");
    assert_eq!(app.auth0.calls(Route::UsersByEmail).len(), 1);
}

#[tokio::test]
async fn a_user_of_another_provider_is_read_by_its_own_id() {
    let app = TestApp::spawn().await;
    let user = r#"{"user_id":"custom|7","email":"ada@example.com"}"#;
    app.auth0.fault(Route::CreateUser, Fault::answer(201).body(user));
    let keyed = || app.post().header("idempotency-key", KEY).json(&ada());
    assert_eq!(Answer::of(keyed()).await.status, StatusCode::CREATED);
    let again = Answer::of(keyed()).await;
    assert_eq!(again.json()["user"]["user_id"], "custom|7", "{again:?}");
    assert_eq!(app.auth0.calls(Route::GetUser)[0].path, "/api/v2/users/custom%7C7");
}

#[tokio::test]
async fn an_open_breaker_lets_the_look_of_a_caller_pass() {
    let app = TestApp::builder().set("auth0.breaker.failures", "1").spawn().await;
    app.until_ready().await;
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    let answer = app.sign_up(&ada()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let calls = (app.creates().len(), app.auth0.calls(Route::GetUser).len());
    assert_eq!(calls, (1, 1));
    assert_eq!(app.metric("auth0_breaker_open").await, 0, "the look closed it");
}

#[tokio::test]
async fn what_is_unsettled_is_seen_by_whoever_watches() {
    let app = TestApp::spawn().await;
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    app.sign_up(&crate::app::ada_with("password", "Another-Password-1")).await;
    assert_eq!(app.metric(r#"signup_attempts_resolved_total{result="created"}"#).await, 1);
    assert_eq!(app.metric(r#"signup_attempts_resolved_total{result="exists"}"#).await, 1);
    assert!(app.metric("ledger_batch_writes_count").await >= 4, "each begins and ends");
    app.auth0.fault(Route::Any, Fault::answer(500).always());
    let lost = crate::app::ada_with("email", "lost@example.com");
    assert_eq!(app.sign_up(&lost).await.problem(), "outcome_unknown");
    app.until_metric("signup_attempts_pending", 1).await;
    app.until_metric("signup_attempts_oldest_pending_seconds", 1).await;
}

#[tokio::test]
async fn a_database_that_takes_doubles_gets_none_after_a_restart() {
    let takes_all = |tenant: &mut auth0_emulator::Tenant| {
        tenant.ignores_user_id = true;
        tenant.unique_email = false;
    };
    let app = TestApp::builder().auth0(takes_all).spawn().await;
    let before = crate::app::ada_with("email", "before@example.com");
    assert_eq!(app.sign_up(&before).await.status, StatusCode::CREATED);
    let app = app.restart().await;
    app.until_ready().await;
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    assert_eq!(app.auth0.users().len(), 2);
}

#[tokio::test]
async fn the_first_of_all_users_is_looked_for_by_address_before_it_is_made_again() {
    let takes_all = |tenant: &mut auth0_emulator::Tenant| {
        tenant.ignores_user_id = true;
        tenant.unique_email = false;
    };
    let app = TestApp::builder().auth0(takes_all).spawn().await;
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    assert_eq!((app.auth0.users().len(), app.creates().len()), (1, 1));
}
