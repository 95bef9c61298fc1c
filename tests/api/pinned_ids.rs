//! Lookups after a lost create call: by the pinned id, or by address where the connection ignores it. No user of
//! somebody else is claimed.

use std::time::Duration;

use auth0_emulator::{DEFAULT_CONNECTION, Fault, Gate, Route};
use auth0_signup::clock::utc;
use auth0_signup::ledger::AttemptState;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::app::{KEY, TestApp, TestResponse, ada, ada_with, with_member};
use crate::eventually::eventually;
use crate::reconciliation::between;

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
