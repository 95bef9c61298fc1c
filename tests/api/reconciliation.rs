//! A create call whose response is lost: its outcome is resolved, and no user is created twice.

use std::time::{Duration, Instant};

use auth0_emulator::{DEFAULT_CONNECTION, Fault, Gate, JournalEntry, Route};
use auth0_signup::clock::{Clock as _, LedgerTime, SystemClock, utc};
use auth0_signup::ledger::AttemptState;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::app::{
    CONFLICT, KEY, NOBODY, TestApp, TestResponse, USERNAME_TAKEN, ada, ada_with, with_member,
};
use crate::eventually::eventually;

/// The shortest time from one of these calls to the next.
fn between(calls: &[JournalEntry]) -> Duration {
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
async fn without_read_users_the_repeated_call_alone_resolves() {
    let app = TestApp::builder().scopes(&["create:users"]).spawn().await;
    // Nothing shows that the connection keeps pinned ids, so a repeat could create a second user.
    app.auth0.fault(Route::CreateUser, Fault::close());
    assert_eq!(app.sign_up(&ada()).await.problem(), "outcome_unknown");
    assert_eq!(app.creates().len(), 1);

    let form = |name: &str| ada_with("email", format!("{name}@example.com"));
    assert_eq!(app.sign_up(&form("before")).await.status, StatusCode::CREATED);
    app.auth0.fault(Route::CreateUser, Fault::close());
    assert_eq!(app.sign_up(&form("lost")).await.status, StatusCode::CREATED);
    // The user that the repeat meets may be the one that the lost call created.
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    assert_eq!(app.sign_up(&form("acted")).await.problem(), "outcome_unknown");
    assert_eq!(app.creates().len(), 6);
    let taken =
        with_member(ada_with("password", "Another-Password-1"), "email", "before@example.com");
    assert_eq!(app.sign_up(&taken).await.problem(), "email_taken");
}

#[tokio::test]
async fn a_user_whose_pinned_id_was_ignored_is_looked_up_by_address() {
    let app = TestApp::builder().auth0(|tenant| tenant.ignores_user_id = true).spawn().await;
    app.learn_whether_ids_are_kept().await;
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    let response = app.sign_up(&ada()).await;
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    assert_eq!(app.auth0.users().len(), 2);
    assert_eq!(app.creates().len(), 2, "not repeated: it could create a second user");
    assert_eq!(app.auth0.calls(Route::UsersByEmail).len(), 1);
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
async fn a_connection_that_starts_to_keep_ids_is_trusted_again() {
    let app = TestApp::builder().auth0(|tenant| tenant.ignores_user_id = true).spawn().await;
    let other = |name: &str| ada_with("email", format!("{name}@example.com"));
    assert_eq!(app.sign_up(&other("before")).await.status, StatusCode::CREATED);
    app.auth0.tenant(|tenant| tenant.ignores_user_id = false);

    // After a restart the last user shows that ids were ignored: a lost call is looked up by
    // address, and not repeated.
    let app = app.restart().await;
    app.until_ready().await;
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    assert_eq!(app.sign_up(&other("restarted")).await.status, StatusCode::CREATED);
    assert_eq!(app.auth0.calls(Route::UsersByEmail).len(), 1);
    assert_eq!(app.creates().len(), 2);

    // The next user that keeps its id shows that the connection keeps them now.
    assert_eq!(app.sign_up(&other("kept")).await.status, StatusCode::CREATED);
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    assert_eq!(app.sign_up_with_key(KEY, &ada()).await.status, StatusCode::CREATED);
    assert_eq!(app.auth0.calls(Route::UsersByEmail).len(), 1);
    assert_eq!(app.auth0.users().len(), 4);
}

#[tokio::test]
async fn a_user_of_another_attempt_is_never_claimed() {
    let app = TestApp::builder().auth0(|tenant| tenant.ignores_user_id = true).spawn().await;
    let first = ada_with("password", "Another-Password-1");
    assert_eq!(app.sign_up(&first).await.status, StatusCode::CREATED);
    app.auth0.fault(Route::CreateUser, Fault::close());
    let response = app.sign_up(&ada()).await;
    // The tenant reports its time in whole seconds: within one, the order is unknown.
    let honest = ["outcome_unknown", "email_taken"].contains(&response.problem().as_str());
    assert!(honest, "{response:?}");
    assert_eq!(app.auth0.calls(Route::UsersByEmail).len(), 1);
}

#[tokio::test]
async fn a_user_of_a_concurrent_attempt_is_never_claimed() {
    let ignores = |tenant: &mut auth0_emulator::Tenant| tenant.ignores_user_id = true;
    let app = TestApp::builder().auth0(ignores).spawn().await;
    app.learn_whether_ids_are_kept().await;
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::close().behind(&gate));
    let lost = tokio::spawn(TestResponse::receive(app.post().json(&ada())));
    gate.arrived(1).await;
    let other = app.sign_up(&ada_with("password", "Another-Password-1")).await;
    assert_eq!(other.status, StatusCode::CREATED, "{other:?}");
    eventually("the user is recorded", async || {
        let attempts = app.attempts().await;
        let created = attempts.iter().filter(|attempt| attempt.state == AttemptState::Created);
        (created.count() == 2).then_some(())
    })
    .await;
    gate.open();
    let lost = lost.await.unwrap();
    assert_eq!(lost.problem(), "outcome_unknown", "{lost:?}");
}

/// As for the tenant's clock, which is compared in whole seconds: not old enough for a user of somebody else.
#[tokio::test]
async fn a_user_from_just_before_the_attempt_is_not_claimed() {
    let app = TestApp::builder().auth0(|tenant| tenant.ignores_user_id = true).spawn().await;
    app.learn_whether_ids_are_kept().await;
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::close().behind(&gate));
    let response = tokio::spawn(TestResponse::receive(app.post().json(&ada())));
    gate.arrived(1).await;
    let started_at = app.attempts().await[0].tenant_started_at.unwrap();
    let created_at = started_at.before(Duration::from_millis(1)).since_epoch();
    let mut same = ada();
    same["name"] = "Ada Lovelace".into();
    same["user_id"] = "auth0|theirs".into();
    same["created_at"] = utc(created_at).into();
    same["identities"] = json!([{"connection": DEFAULT_CONNECTION, "user_id": "theirs"}]);
    app.auth0.add_user(same).unwrap();
    gate.open();
    let response = response.await.unwrap();
    assert_eq!(response.problem(), "outcome_unknown", "{response:?}");
    assert_eq!(app.auth0.calls(Route::UsersByEmail).len(), 1);
}

/// The profile that has the pinned id of the last call.
fn with_pinned_id(app: &TestApp, profile: &Value) -> Fault {
    let mut profile = profile.clone();
    let id = app.creates().last().unwrap().json()["user_id"].as_str().unwrap().to_owned();
    profile["user_id"] = format!("auth0|{id}").into();
    Fault::answer(200).body(profile.to_string())
}

#[tokio::test]
async fn a_user_with_the_pinned_id_and_another_address_is_not_returned() {
    let ada_herself = json!({"email": "ada@example.com", "given_name": "Ada"});
    let only_known = json!({"email": "ada@example.com", "given_name": null});
    for (profile, creates, expected) in [
        (json!({"email": "eve@example.com", "given_name": "Eve"}), 2, ada_herself),
        (json!({"given_name": "Eve"}), 1, only_known),
    ] {
        let app = TestApp::spawn().await;
        app.learn_whether_ids_are_kept().await;
        // Shows the id.
        app.auth0.fault(Route::CreateUser, Fault::answer(403));
        assert_eq!(app.sign_up_with_key(KEY, &ada()).await.problem(), "upstream_rejected");
        let before = app.creates().len();
        app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
        app.auth0.fault(Route::GetUser, with_pinned_id(&app, &profile));
        let response = app.sign_up_with_key(KEY, &ada()).await;
        assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
        assert_eq!(app.creates().len() - before, creates);
        let user = response.json()["user"].clone();
        for name in ["email", "given_name"] {
            assert_eq!(user[name], expected[name], "{user}");
        }
    }
}

#[tokio::test]
async fn the_reconciler_resolves_nothing_by_a_user_with_another_address() {
    let settings = TestApp::builder().set("reconciliation.not_created_after_ms", "1000");
    let app = settings.spawn().await;
    app.learn_whether_ids_are_kept().await;
    app.auth0.fault(Route::CreateUser, Fault::answer(500).times(2));
    app.auth0.fault(Route::GetUser, Fault::answer(500).always());
    assert_eq!(app.sign_up(&ada()).await.problem(), "outcome_unknown");
    let before = app.attempts().await[0].check_count;
    let other = with_pinned_id(&app, &json!({"email": "eve@example.com"}));
    app.auth0.clear_faults();
    app.auth0.fault(Route::GetUser, other.always());
    let state = eventually("the reconciler has met the user", async || {
        let is_met = app.auth0.calls(Route::GetUser).iter().any(|call| call.status == Some(200));
        let attempt = &app.attempts().await[0];
        let is_checked = attempt.state.is_resolved() || attempt.check_count > before;
        (is_met && is_checked).then_some(attempt.state)
    })
    .await;
    assert_eq!(state, AttemptState::Unknown);
}

#[tokio::test]
async fn a_user_is_read_by_the_whole_id() {
    let app = TestApp::spawn().await;
    let user = r#"{"user_id":"auth0|custom|7","email":"ada@example.com"}"#;
    app.auth0.fault(Route::CreateUser, Fault::answer(201).body(user));
    assert_eq!(app.sign_up_with_key(KEY, &ada()).await.status, StatusCode::CREATED);
    app.auth0.fault(Route::GetUser, Fault::answer(200).body(user));
    let again = app.sign_up_with_key(KEY, &ada()).await;
    assert_eq!(again.json()["user"]["user_id"], "auth0|custom|7", "{again:?}");
    assert_eq!(app.auth0.calls(Route::GetUser)[0].path, "/api/v2/users/auth0%7Ccustom%7C7");
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
async fn a_database_that_accepts_duplicates_gets_none_after_a_restart() {
    let accepts_duplicates = |tenant: &mut auth0_emulator::Tenant| {
        tenant.ignores_user_id = true;
        tenant.unique_email = false;
    };
    let app = TestApp::builder().auth0(accepts_duplicates).spawn().await;
    app.learn_whether_ids_are_kept().await;
    let app = app.restart().await;
    app.until_ready().await;
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    assert_eq!(app.auth0.users().len(), 2);
}

#[tokio::test]
async fn the_very_first_user_is_looked_up_by_address_before_a_repeat() {
    let accepts_duplicates = |tenant: &mut auth0_emulator::Tenant| {
        tenant.ignores_user_id = true;
        tenant.unique_email = false;
    };
    let app = TestApp::builder().auth0(accepts_duplicates).spawn().await;
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    assert_eq!((app.auth0.users().len(), app.creates().len()), (1, 1));
}

/// A call may be acted on after its connection has ended, on either side.
#[tokio::test]
async fn nothing_is_repeated_before_it_is_known_whether_ids_are_kept() {
    let later = Duration::from_millis(2_500);
    let lost = [
        Fault::act_later(later),
        Fault::act_later(later).closing(),
        Fault::close(),
        Fault::reset(),
        Fault::truncated(),
        Fault::answer(408),
        Fault::answer(502),
        Fault::answer(504),
    ];
    let cases = lost.map(async |fault| {
        let accepts_duplicates = |tenant: &mut auth0_emulator::Tenant| {
            tenant.ignores_user_id = true;
            tenant.unique_email = false;
        };
        let app = TestApp::builder()
            .auth0(accepts_duplicates)
            .set("auth0.timeout_ms", "500")
            .set("reconciliation.not_created_after_ms", "4000")
            .spawn()
            .await;
        app.until_ready().await;
        app.auth0.fault(Route::CreateUser, fault.clone());
        for _ in 0..2 {
            let unknown = app.sign_up_with_key(KEY, &ada()).await;
            if unknown.status != StatusCode::CREATED {
                assert_eq!(unknown.problem(), "outcome_unknown", "{fault:?}");
            }
        }
        eventually("the user is created", async || {
            (app.sign_up_with_key(KEY, &ada()).await.status == StatusCode::CREATED).then_some(())
        })
        .await;
        assert_eq!(app.auth0.users().len(), 1, "{fault:?}");
        let creates = app.creates();
        assert!(between(&creates) >= Duration::from_secs(4), "{fault:?}: {creates:?}");
    });
    futures_util::future::join_all(cases).await;
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
