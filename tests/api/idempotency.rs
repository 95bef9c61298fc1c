//! Idempotency keys: a repeated request is the same sign-up, also at the same time, after a restart
//! and later.

use std::time::Duration;

use auth0_emulator::{Fault, Gate, PolicyPreset, Route};
use auth0_signup::ledger::AttemptState;
use reqwest::StatusCode;
use tokio::time::timeout;

use crate::app::{KEY, TestApp, TestResponse, ada, ada_with, with_member};
use crate::eventually::eventually;
use crate::identity::sign_up;

/// The number of posts so far.
pub(crate) const POSTS: &str = r#"limiter_decisions_total{limit="posts",outcome="allowed"}"#;

fn is_replayed(response: &TestResponse) -> bool {
    response.header("idempotency-replayed") == Some("true")
}

#[tokio::test]
async fn a_key_replays_the_created_user() {
    let app = TestApp::spawn().await;
    let first = app.sign_up_with_key(KEY, &ada()).await;
    assert_eq!(first.status, StatusCode::CREATED);
    assert!(!is_replayed(&first));
    for key in [KEY.to_owned(), format!("\"{KEY}\"")] {
        // Other fields may differ: the key is bound to the e-mail address and the password.
        let again = app.sign_up_with_key(&*key, &ada_with("nickname", "countess")).await;
        assert_eq!(again.status, StatusCode::CREATED);
        assert!(is_replayed(&again));
        assert_eq!(again.json(), first.json());
    }
    let field = app.sign_up(&ada_with("idempotency_key", KEY)).await;
    assert!(is_replayed(&field) && field.json() == first.json());
    assert_eq!(app.creates().len(), 1);
}

#[tokio::test]
async fn a_key_replays_that_the_address_is_taken() {
    let app = TestApp::spawn().await;
    app.sign_up(&ada_with("password", "Another-Password-1")).await;
    assert_eq!(app.sign_up_with_key(KEY, &ada()).await.problem(), "email_taken");
    let again = app.sign_up_with_key(KEY, &ada()).await;
    assert_eq!(again.problem(), "email_taken");
    assert!(is_replayed(&again));
    assert_eq!(app.creates().len(), 2);
}

#[tokio::test]
async fn a_key_belongs_to_its_address_and_password() {
    let app = TestApp::spawn().await;
    app.sign_up_with_key(KEY, &ada()).await;
    for (name, value) in [("email", "other@example.com"), ("password", "Another-Password-1")] {
        let response = app.sign_up_with_key(KEY, &ada_with(name, value)).await;
        assert_eq!(response.problem(), "idempotency_key_reused");
        assert_eq!(response.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(app.creates().len(), 1);
}

#[tokio::test]
async fn a_rejection_frees_the_key() {
    let app =
        TestApp::builder().auth0(|tenant| tenant.policy = PolicyPreset::Excellent).spawn().await;
    let weak = app.sign_up_with_key(KEY, &ada_with("password", "Aaaa-1843")).await;
    assert_eq!(weak.errors(), [("/password".into(), "password.too_weak".into())]);
    app.auth0.fault(Route::CreateUser, Fault::answer(403));
    assert_eq!(app.sign_up_with_key(KEY, &ada()).await.problem(), "upstream_rejected");
    let response = app.sign_up_with_key(KEY, &ada()).await;
    assert_eq!(response.status, StatusCode::CREATED);
    assert!(!is_replayed(&response));
}

#[tokio::test]
async fn a_malformed_key_is_reported_with_the_other_errors() {
    let app = TestApp::spawn().await;
    let response = app.sign_up_with_key("short", &ada_with("email", "nobody")).await;
    let expected = [("/email", "malformed"), ("/idempotency_key", "malformed")];
    assert_eq!(response.errors(), expected.map(|(at, code)| (at.to_owned(), code.to_owned())));
    let differs = ada_with("idempotency_key", "another-key-of-16");
    let response = app.sign_up_with_key(KEY, &differs).await;
    assert_eq!(response.errors(), [("/idempotency_key".into(), "malformed".into())]);
    assert!(app.creates().is_empty());
}

#[tokio::test]
async fn a_blank_field_is_no_key() {
    let app = TestApp::spawn().await;
    for blank in ["", " ", "\u{200b}"] {
        let form = with_member(
            ada_with("email", format!("ada{}@example.com", blank.len())),
            "idempotency_key",
            blank,
        );
        assert_eq!(app.sign_up(&form).await.status, StatusCode::CREATED, "{blank:?}");
    }
    assert_eq!(app.creates().len(), 3);
}

#[tokio::test]
async fn duplicate_requests_are_one_sign_up_with_and_without_a_key() {
    for key in [Some(KEY), None] {
        let app = TestApp::spawn().await;
        app.auth0.fault(Route::CreateUser, Fault::delay(Duration::from_millis(300)));
        let form = ada();
        let requests = (0..10).map(|_| app.sign_up_with_key(key, &form));
        let responses = futures_util::future::join_all(requests).await;
        let first = responses.iter().filter(|response| !is_replayed(response)).count();
        assert_eq!(first, 1, "{key:?}");
        assert!(responses.iter().all(|response| response.status == StatusCode::CREATED), "{key:?}");
        assert!(responses.iter().all(|response| response.json() == responses[0].json()), "{key:?}");
        assert_eq!(app.creates().len(), 1, "{key:?}");
    }
}

/// Auth0 advises such databases to begin an id with the connection's name and a bar.
#[tokio::test]
async fn the_user_of_a_custom_database_is_replayed_by_its_id() {
    for key in [Some(KEY), None] {
        let accepts_duplicates = |tenant: &mut auth0_emulator::Tenant| {
            tenant.ignores_user_id = true;
            tenant.unique_email = false;
        };
        let app = TestApp::builder().auth0(accepts_duplicates).spawn().await;
        let first = sign_up(&app, key).await;
        app.until_resolved().await;
        let again = sign_up(&app, key).await;
        assert_eq!((again.status, is_replayed(&again)), (StatusCode::CREATED, true), "{again:?}");
        assert_eq!(again.json(), first.json());
        app.auth0.fault(Route::GetUser, Fault::answer(503).always());
        let unread = sign_up(&app, key).await.json();
        let id = &app.auth0.users()[0]["user_id"];
        assert_eq!((&unread["user"]["user_id"], app.creates().len()), (id, 1));
        assert_eq!(app.attempts().await[0].created_user_id().as_str(), id);
    }
}

#[tokio::test]
async fn without_a_key_the_recorded_outcome_is_replayed() {
    let app = TestApp::spawn().await;
    let first = app.sign_up(&ada()).await;
    app.until_resolved().await;
    let again = app.sign_up(&ada()).await;
    assert_eq!((again.status, is_replayed(&again)), (StatusCode::CREATED, true), "{again:?}");
    assert_eq!(again.json(), first.json());
    assert_eq!(app.auth0.calls(Route::GetUser).len(), 1, "as with a key, the user is read");

    // An attempt that created nothing may start again, and so may one that an operator deleted.
    let ledger = app.ledger();
    for change in
        ["UPDATE attempts SET state = 4, outcome_code = 'internal'", "DELETE FROM attempts"]
    {
        let before = app.creates().len();
        ledger.execute_batch(&format!("{change}; DELETE FROM attempt_keys")).unwrap();
        let retried = app.sign_up(&ada()).await;
        let seen = (retried.status, is_replayed(&retried));
        assert_eq!(seen, (StatusCode::CREATED, false), "{change}: it meets its own user");
        assert_eq!(app.creates().len(), before + 1, "{change}");
        app.until_resolved().await;
        let again = app.sign_up(&ada()).await;
        assert_eq!((again.status, is_replayed(&again)), (StatusCode::CREATED, true), "{change}");
        assert_eq!(app.creates().len(), before + 1, "{change}");
    }
}

/// An app whose only user was deleted, as by an operator at the tenant.
async fn with_deleted_user() -> TestApp {
    let app =
        TestApp::builder().scopes(&["create:users", "read:users", "delete:users"]).spawn().await;
    app.sign_up(&ada()).await;
    app.until_resolved().await;
    app.delete_the_user().await;
    app
}

#[tokio::test]
async fn without_a_key_a_deleted_user_is_created_again() {
    let app = with_deleted_user().await;
    let retried = app.sign_up(&ada()).await;
    assert_eq!(
        (retried.status, is_replayed(&retried)),
        (StatusCode::CREATED, false),
        "{retried:?}"
    );
    assert_eq!((app.creates().len(), app.auth0.users().len()), (2, 1));
}

#[tokio::test]
async fn a_user_created_again_is_no_other_persons_to_the_reconciler() {
    let app = with_deleted_user().await;
    // The tenant reports its time in whole seconds.
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    // The replay finds no user. Then every response is lost.
    app.auth0.fault(Route::GetUser, Fault::delay(Duration::ZERO));
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    app.auth0.fault(Route::GetUser, Fault::answer(503).times(2));
    app.auth0.fault(Route::CreateUser, Fault::answer(503));
    assert_eq!(app.sign_up(&ada()).await.problem(), "outcome_unknown");
    // Two attempts pinned its id, and the first had ended before it was created.
    app.until_resolved().await;
    assert_eq!(app.attempts().await[0].state, AttemptState::Created);
    let again = app.sign_up(&ada()).await;
    assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
    assert_eq!(app.auth0.users().len(), 1);
}

/// The reconciler has no password, which would show whose sign-up it is.
#[tokio::test]
async fn a_user_that_two_attempts_may_have_created_is_left_to_the_next_request() {
    let app = with_deleted_user().await;
    let ledger = app.ledger();
    // The first may have lasted until now.
    ledger.execute("UPDATE attempts SET finished_at = finished_at + 3600000", []).unwrap();
    app.auth0.fault(Route::GetUser, Fault::delay(Duration::ZERO));
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    app.auth0.fault(Route::GetUser, Fault::answer(503).times(2));
    app.auth0.fault(Route::CreateUser, Fault::answer(503));
    assert_eq!(app.sign_up(&ada()).await.problem(), "outcome_unknown");
    eventually("the reconciler leaves it", async || {
        app.attempts().await[0].next_check_at.is_none().then_some(())
    })
    .await;
    assert_eq!(app.attempts().await[0].state, AttemptState::Unknown);
}

#[tokio::test]
async fn a_deleted_user_whose_second_creation_gets_no_response_is_created() {
    let app = with_deleted_user().await;
    // The tenant reports its time in whole seconds.
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    let again = app.sign_up(&ada()).await;
    assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
    assert_eq!(app.auth0.users().len(), 1);
    // Another form at that moment is still somebody else's.
    let other = app.sign_up(&ada_with("password", "Another-Password-1")).await;
    assert_eq!(other.problem(), "email_taken");
}

#[tokio::test]
async fn duplicate_requests_share_a_rejection_that_frees_the_key() {
    let app = TestApp::spawn().await;
    app.until_ready().await;
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::answer(403).behind(&gate));
    let form = ada();
    let duplicate = async {
        gate.arrived(1).await;
        app.sign_up_with_key(KEY, &form).await
    };
    let rejection = async {
        app.until_metric(POSTS, 2).await;
        // A later request meets the entry that the duplicate waits at.
        let other = app.sign_up_with_key(KEY, &ada_with("email", "other@example.com")).await;
        assert_eq!(other.problem(), "idempotency_key_reused");
        gate.open();
    };
    let (first, duplicate, ()) =
        tokio::join!(app.sign_up_with_key(KEY, &form), duplicate, rejection);
    for response in [first, duplicate] {
        assert_eq!(response.problem(), "upstream_rejected");
    }
    assert_eq!(app.creates().len(), 1);
}

#[tokio::test]
async fn a_duplicate_that_waits_too_long_gets_in_progress() {
    let app = TestApp::builder().set("idempotency.wait_ms", "100").spawn().await;
    app.until_ready().await;
    let (form, gate) = (ada(), Gate::new());
    app.auth0.fault(Route::CreateUser, Fault::held(&gate));
    let late = async {
        gate.arrived(1).await;
        let late = timeout(Duration::from_mins(1), app.sign_up_with_key(KEY, &form)).await;
        gate.open();
        late.expect("it is still waiting")
    };
    let (first, late) = tokio::join!(app.sign_up_with_key(KEY, &form), late);
    assert_eq!(first.status, StatusCode::CREATED);
    assert_eq!(late.problem(), "idempotency_in_progress");
    assert_eq!(late.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_key_survives_a_restart() {
    let app = TestApp::spawn().await;
    let first = app.sign_up_with_key(KEY, &ada()).await;
    let app = app.restart().await;
    let again = app.sign_up_with_key(KEY, &ada()).await;
    assert!(is_replayed(&again));
    assert_eq!(again.json(), first.json());
    assert_eq!(app.creates().len(), 1);
}

#[tokio::test]
async fn without_read_users_a_replay_returns_id_and_address() {
    let app = TestApp::builder().scopes(&["create:users"]).spawn().await;
    let first = app.sign_up_with_key(KEY, &ada()).await;
    let again = app.sign_up_with_key(KEY, &ada()).await;
    assert!(is_replayed(&again));
    let user = &again.json()["user"];
    assert_eq!(user["user_id"], first.json()["user"]["user_id"]);
    assert_eq!(user["email"], "ada@example.com");
    assert_eq!(user.as_object().unwrap().len(), 2);
}
