//! Wall clocks that are set while the service runs. Elapsed time comes from the monotonic clock, so
//! no outcome depends on them.

use std::sync::Arc;
use std::time::Duration;

use auth0_emulator::{Fault, Gate, Route};
use auth0_signup::ledger::AttemptState;
use reqwest::StatusCode;

use crate::app::{Ahead, KEY, TestApp, TestResponse, ada, ada_with};
use crate::eventually::eventually;
use crate::identity::{lose_rows, sign_up, sign_up_elsewhere};

/// Farther than the days of a key's lifetime, and the day after them.
const DAYS: Duration = Duration::from_hours(96);

/// Farther than any retention that the tests have.
const YEAR: Duration = Duration::from_hours(400 * 24);

#[tokio::test]
async fn a_clock_that_is_set_forward_proves_no_absence() {
    let clock = Arc::new(Ahead::default());
    let app = TestApp::builder().clock(Arc::<Ahead>::clone(&clock)).spawn().await;
    app.learn_whether_ids_are_kept().await;
    app.auth0.fault(Route::CreateUser, Fault::answer(500).times(2));
    assert_eq!(app.sign_up_with_key(KEY, &ada()).await.problem(), "outcome_unknown");
    let lookups = app.auth0.calls(Route::GetUser).len();
    clock.put_forward(Duration::from_mins(1));
    // The reconciler looks the user up, and finds none.
    app.until(|app| app.auth0.calls(Route::GetUser).len() > lookups).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let attempts = app.attempts().await;
    assert_eq!(attempts[0].state, AttemptState::Unknown, "{attempts:?}");
}

/// The reconciler takes up only what no request of its process works on.
#[tokio::test]
async fn a_clock_that_is_set_forward_takes_no_attempt_from_its_request() {
    let clock = Arc::new(Ahead::default());
    let app = TestApp::builder()
        .set("auth0.timeout_ms", "60000")
        .set("http.request_timeout_ms", "90000")
        .set("auth0.breaker.failures", "100")
        .clock(Arc::<Ahead>::clone(&clock))
        .spawn()
        .await;
    app.learn_whether_ids_are_kept().await;
    // An attempt that the reconciler will look up, and one that its request takes up again.
    let keyed = |name: &str| {
        let form = ada_with("email", format!("{name}@example.com"));
        app.post().header("idempotency-key", format!("the-idempotency-key-of-{name}")).json(&form)
    };
    app.auth0.fault(Route::CreateUser, Fault::answer(500).always());
    app.auth0.fault(Route::GetUser, Fault::answer(500).always());
    for name in ["left", "resumed"] {
        assert_eq!(TestResponse::receive(keyed(name)).await.problem(), "outcome_unknown");
    }
    app.auth0.clear_faults();
    let gate = Gate::new();
    // The repeated call of the one, and the first call of the other.
    app.auth0.fault(Route::CreateUser, Fault::held(&gate).times(2));
    let requests = [keyed("resumed"), app.post().json(&ada())];
    let requests = requests.map(|request| tokio::spawn(TestResponse::receive(request)));
    gate.arrived(2).await;
    let lookups = app.auth0.calls(Route::GetUser).len();
    clock.put_forward(Duration::from_mins(10));
    app.until(|app| app.auth0.calls(Route::GetUser).len() > lookups).await;
    let attempts = app.attempts().await;
    let under_way = attempts.iter().filter(|attempt| attempt.worker.is_some());
    assert_eq!(under_way.count(), 2, "{attempts:?}");
    gate.open();
    for response in requests {
        let response = response.await.unwrap();
        assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    }
    assert_eq!(app.auth0.users().len(), 3);
}

#[tokio::test]
async fn a_clock_that_is_set_forward_gives_nobody_another_users_profile() {
    let clock = Arc::new(Ahead::default());
    // Nothing is known about the connection's ids, so the time of creation has to decide.
    let app = TestApp::builder().clock(Arc::<Ahead>::clone(&clock)).spawn().await;
    app.until_ready().await;
    sign_up_elsewhere(&app.auth0).await;
    app.auth0.advance_clock(Duration::from_mins(10));
    app.auth0.fault(Route::CreateUser, Fault::reset());
    let gate = Gate::new();
    app.auth0.fault(Route::UsersByEmail, Fault::held(&gate));
    let response = tokio::spawn(TestResponse::receive(app.post().json(&ada())));
    gate.arrived(1).await;
    clock.put_forward(Duration::from_hours(1));
    gate.open();
    let response = response.await.unwrap();
    assert_ne!(response.status, StatusCode::CREATED, "{response:?}");
    assert!(!response.text.contains("Somebody"), "{response:?}");
}

/// An attempt that starts with the process does so before the tenant has shown its time. Only the ledger's clock dates
/// it.
#[tokio::test]
async fn a_clock_that_is_set_forward_gives_nobody_an_earlier_users_account() {
    let clock = Arc::new(Ahead::default());
    let app = TestApp::builder()
        .auth0(|tenant| tenant.ignores_user_id = true)
        .clock(Arc::<Ahead>::clone(&clock))
        .spawn()
        .await;
    app.learn_whether_ids_are_kept().await;
    // With the same attributes, elsewhere.
    let other = app.sign_up(&ada_with("password", "Another-Password-1")).await;
    assert_eq!(other.status, StatusCode::CREATED);
    app.until_resolved().await;
    lose_rows(&app);
    let gate = Gate::new();
    app.auth0.fault(Route::Token, Fault::held(&gate));
    let app = app.restart().await;
    gate.arrived(1).await;
    app.auth0.fault(Route::CreateUser, Fault::close());
    app.auth0.fault(Route::UsersByEmail, Fault::answer(503).times(2));
    let request = app.post().header("idempotency-key", KEY).json(&ada());
    let first = tokio::spawn(TestResponse::receive(request));
    eventually("the attempt is recorded", async || {
        let attempts = app.attempts().await;
        (attempts.len() == 1).then(|| assert_eq!(attempts[0].tenant_started_at, None))
    })
    .await;
    gate.open();
    assert_eq!(first.await.unwrap().problem(), "outcome_unknown");
    clock.put_forward(Duration::from_hours(1));
    let again = app.sign_up_with_key(KEY, &ada()).await;
    assert_eq!(again.problem(), "outcome_unknown", "{again:?}");
    assert!(app.auth0.has_password("ada@example.com", "Another-Password-1"));
}

#[tokio::test]
async fn a_user_of_the_same_second_is_not_given_to_another_form() {
    let app = TestApp::spawn().await;
    app.until_ready().await;
    sign_up_elsewhere(&app.auth0).await;
    // Nothing is known about the connection's ids, and the first call is lost.
    app.auth0.fault(Route::CreateUser, Fault::reset());
    let response = app.sign_up(&ada()).await;
    assert!(response.status != StatusCode::CREATED, "{response:?}");
    assert!(!response.text.contains("Somebody"), "{response:?}");
}

#[tokio::test]
async fn a_key_lives_on_while_the_clock_is_wrong() {
    let clock = Arc::new(Ahead::default());
    let app = TestApp::builder().clock(Arc::<Ahead>::clone(&clock)).spawn().await;
    let first = app.sign_up_with_key(KEY, &ada()).await;
    assert_eq!(first.status, StatusCode::CREATED);
    clock.put_forward(DAYS);
    // The key has expired by this clock, but its user is recognised.
    let ahead = app.sign_up_with_key(KEY, &ada()).await;
    assert_eq!(ahead.status, StatusCode::CREATED, "{ahead:?}");
    clock.put_forward(Duration::ZERO);
    let right = app.sign_up_with_key(KEY, &ada()).await;
    assert_eq!(right.json()["user"]["user_id"], first.json()["user"]["user_id"], "{right:?}");
    assert_eq!(app.auth0.users().len(), 1);
}

/// Nobody knows how old the outcome is.
#[tokio::test]
async fn a_taken_address_of_a_clock_that_was_ahead_is_looked_up_again() {
    for key in [Some(KEY), None] {
        let clock = Arc::new(Ahead::default());
        clock.put_forward(YEAR);
        let app = TestApp::builder()
            .scopes(&["create:users", "read:users", "delete:users"])
            .clock(Arc::<Ahead>::clone(&clock))
            .spawn()
            .await;
        sign_up_elsewhere(&app.auth0).await;
        assert_eq!(sign_up(&app, key).await.problem(), "email_taken");
        app.until_resolved().await;
        app.delete_the_user().await;
        clock.put_forward(Duration::ZERO);
        let right = sign_up(&app, key).await;
        assert_eq!(right.status, StatusCode::CREATED, "{key:?}: {right:?}");
        assert_eq!((app.creates().len(), app.auth0.users().len()), (2, 1), "{key:?}");
    }
}

#[tokio::test]
async fn an_attempt_of_a_clock_that_was_ahead_is_reconciled_once_it_is_right() {
    let clock = Arc::new(Ahead::default());
    clock.put_forward(DAYS);
    let app = TestApp::builder().clock(Arc::<Ahead>::clone(&clock)).spawn().await;
    app.learn_whether_ids_are_kept().await;
    // The user exists, and no lookup shows it.
    app.auth0.fault(Route::CreateUser, Fault::answer(500).after_acting().times(2));
    app.auth0.fault(Route::GetUser, Fault::answer(500).always());
    app.auth0.fault(Route::UsersByEmail, Fault::answer(500).always());
    assert_eq!(app.sign_up(&ada()).await.problem(), "outcome_unknown");
    clock.put_forward(Duration::ZERO);
    app.auth0.clear_faults();
    app.until_resolved().await;
    let attempts = app.attempts().await;
    assert!(attempts.iter().all(|attempt| attempt.state == AttemptState::Created), "{attempts:?}");
}

#[tokio::test]
async fn a_user_is_recognised_without_its_row_before_and_after_the_clock_is_set() {
    for (then, now) in [(Duration::ZERO, DAYS), (DAYS, Duration::ZERO)] {
        for key in [Some(KEY), None] {
            let clock = Arc::new(Ahead::default());
            clock.put_forward(then);
            let app = TestApp::builder().clock(Arc::<Ahead>::clone(&clock)).spawn().await;
            // The tenant has shown its time.
            app.learn_whether_ids_are_kept().await;
            assert_eq!(sign_up(&app, key).await.status, StatusCode::CREATED);
            app.until_resolved().await;
            lose_rows(&app);
            clock.put_forward(now);
            let again = sign_up(&app, key).await;
            assert_eq!(again.status, StatusCode::CREATED, "{then:?}, {now:?}, {key:?}: {again:?}");
            assert_eq!(app.auth0.users().len(), 2);
        }
    }
}
