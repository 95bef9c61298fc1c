//! Attempts whose process died or was paused, and attempts that may start again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth0_emulator::{Fault, Gate, Route};
use auth0_signup::ledger::AttemptState;
use reqwest::StatusCode;
use serde_json::Value;

use crate::app::{KEY, TestApp, TestResponse, ada, ada_with, with_member};
use crate::challenges::{always, proof};
use crate::eventually::eventually;
use crate::server::{connect, database};

/// Makes every attempt look like that of a process that died before it recorded an outcome.
fn lose_worker(app: &TestApp) {
    let ledger = app.ledger();
    ledger
        .execute_batch(
            "UPDATE attempts SET state = 0, outcome_code = NULL, finished_at = NULL, \
             worker = x'00000000000000000000000000000000', next_check_at = started_at + 60000",
        )
        .unwrap();
}

#[tokio::test]
async fn the_attempt_of_a_dead_process_is_resolved_by_the_next_request() {
    for acted in [true, false] {
        let app = TestApp::spawn().await;
        if acted {
            assert_eq!(app.sign_up_with_key(KEY, &ada()).await.status, StatusCode::CREATED);
        } else {
            app.learn_whether_ids_are_kept().await;
            app.auth0.fault(Route::CreateUser, Fault::answer(500).times(2));
            app.auth0.fault(Route::GetUser, Fault::answer(500).times(2));
            assert_eq!(app.sign_up_with_key(KEY, &ada()).await.problem(), "outcome_unknown");
            app.auth0.clear_faults();
        }
        eventually("the outcome is recorded", async || {
            let attempts = app.attempts().await;
            (attempts[0].state != AttemptState::Open).then_some(())
        })
        .await;
        lose_worker(&app);
        let started = Instant::now();
        let again = app.sign_up_with_key(KEY, &ada()).await;
        assert_eq!(again.status, StatusCode::CREATED, "{acted}: {again:?}");
        assert!(started.elapsed() < Duration::from_secs(2), "{acted}: {:?}", started.elapsed());
        assert_eq!(app.auth0.users().len(), if acted { 1 } else { 2 });
        let of_ada = |call: &Value| call["email"] == "ada@example.com";
        let calls = app.creates().into_iter().map(|call| call.json()).filter(of_ada);
        let ids: Vec<_> = calls.map(|call| call["user_id"].clone()).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{acted}: {ids:?}");
    }
}

#[tokio::test]
async fn a_client_that_hung_up_in_the_queue_starts_again_without_paying() {
    let app = always()
        .set("challenge.work.tries", "4")
        .set("auth0.budget.max_wait_ms", "60000")
        .set("http.request_timeout_ms", "90000")
        .spawn()
        .await;
    app.until_ready().await;
    let form = ada_with("altcha", proof(&app).await);
    let queued = with_member(ada_with("email", "grace@example.com"), "altcha", proof(&app).await);
    // The tenant asks for a wait, so sign-ups queue.
    app.auth0.fault(Route::CreateUser, Fault::answer(429).header("retry-after", "3"));
    let app = Arc::new(app);
    let first = {
        let app = Arc::clone(&app);
        tokio::spawn(async move { app.sign_up(&queued).await })
    };
    app.until_metric("auth0_budget_waiting", 1).await;
    let request = app.post().header("idempotency-key", KEY).json(&form);
    tokio::select! {
        response = request.send() => panic!("a response before the disconnect: {response:?}"),
        () = app.until_metric("auth0_budget_waiting", 2) => {}
    }
    // The same form again, with the same proof.
    let again = app.sign_up_with_key(KEY, &form).await;
    assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
    assert_eq!(first.await.unwrap().status, StatusCode::CREATED);
    // An attempt that Auth0 answered stays paid.
    let mut other = form.clone();
    other["email"] = "eve@example.com".into();
    assert_eq!(app.sign_up(&other).await.problem(), "challenge_failed");
}

#[tokio::test]
async fn a_restartable_attempt_starts_again_three_times() {
    let app = always().set("challenge.work.tries", "4").spawn().await;
    app.until_ready().await;
    let form = ada_with("altcha", proof(&app).await);
    app.auth0.fault(Route::CreateUser, Fault::answer(429).header("retry-after", "1").always());
    for _ in 0..4 {
        let busy = app.sign_up_with_key(KEY, &form).await;
        assert_eq!(busy.problem(), "upstream_busy", "{busy:?}");
        assert!(busy.header("retry-after").is_some());
    }
    assert_eq!(app.sign_up_with_key(KEY, &form).await.problem(), "challenge_failed");
}

#[tokio::test]
async fn a_restartable_attempts_key_is_free_for_another_form() {
    let app = TestApp::spawn().await;
    app.until_ready().await;
    app.auth0.fault(Route::CreateUser, Fault::answer(429).header("retry-after", "1").times(9));
    assert_eq!(app.sign_up_with_key(KEY, &ada()).await.problem(), "upstream_busy");
    app.auth0.clear_faults();
    let other = ada_with("email", "grace@example.com");
    let created = async || {
        let response = app.sign_up_with_key(KEY, &other).await;
        (response.status == StatusCode::CREATED).then_some(())
    };
    eventually("the other form is created", created).await;
    assert_eq!(app.sign_up_with_key(KEY, &ada()).await.problem(), "idempotency_key_reused");
}

#[tokio::test]
async fn a_response_does_not_wait_until_it_is_recorded() {
    let app = TestApp::spawn().await;
    app.learn_whether_ids_are_kept().await;
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::held(&gate));
    let response = tokio::spawn(TestResponse::receive(app.post().json(&ada())));
    gate.arrived(1).await;
    let ledger = app.ledger();
    ledger.execute_batch("BEGIN IMMEDIATE").unwrap();
    gate.open();
    let response = response.await.unwrap();
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    // A duplicate joins it meanwhile.
    let again = app.sign_up(&ada()).await;
    assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
    assert_eq!(app.creates().len(), 2);
    ledger.execute_batch("ROLLBACK").unwrap();
}

/// Another process had taken the attempt over when the response came, and gives it back later.
#[tokio::test]
async fn a_result_counts_once_the_attempt_is_given_back() {
    let app = TestApp::builder()
        .auth0(|tenant| tenant.policy = auth0_emulator::PolicyPreset::Excellent)
        .set("password.policy", "low")
        .spawn()
        .await;
    app.until_ready().await;
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::held(&gate));
    let weak = ada_with("password", "abcdefgh");
    let response = tokio::spawn(TestResponse::receive(app.post().json(&weak)));
    gate.arrived(1).await;
    let ledger = app.ledger();
    let take = "CREATE TEMP TABLE before AS SELECT worker FROM attempts; \
                UPDATE attempts SET state = 3, outcome_code = 'outcome_unknown', \
                worker = x'11111111111111111111111111111111', \
                connection_ended_at = started_at + 60000, next_check_at = started_at + 60000";
    ledger.execute_batch(take).unwrap();
    gate.open();
    assert_eq!(response.await.unwrap().problem(), "invalid_fields");
    assert_eq!(app.attempts().await[0].state, AttemptState::Unknown, "the other process's to end");
    let give_back = "UPDATE attempts SET state = 0, outcome_code = NULL, connection_ended_at = NULL, \
                     worker = (SELECT worker FROM before)";
    ledger.execute_batch(give_back).unwrap();
    eventually("the result is recorded", async || {
        let attempts = app.attempts().await;
        (attempts[0].outcome_code.as_deref() == Some("password.too_weak")).then_some(())
    })
    .await;
}

/// The same while the client waits: another process has looked the user up in vain, and gives the attempt back.
#[tokio::test]
async fn a_result_is_reported_once_the_attempt_is_given_back() {
    let app = TestApp::spawn().await;
    app.learn_whether_ids_are_kept().await;
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::answer(403).behind(&gate));
    let response = tokio::spawn(TestResponse::receive(app.post().json(&ada())));
    gate.arrived(1).await;
    let ledger = app.ledger();
    let take = "CREATE TEMP TABLE before AS SELECT id, worker FROM attempts WHERE state = 0; \
                INSERT INTO processes SELECT x'11111111111111111111111111111111', seen_at + 1000 \
                FROM processes; \
                UPDATE attempts SET state = 3, outcome_code = 'outcome_unknown', \
                worker = x'11111111111111111111111111111111', \
                connection_ended_at = started_at + 60000, next_check_at = started_at + 60000 \
                WHERE state = 0";
    ledger.execute_batch(take).unwrap();
    gate.open();
    app.until_metric("ledger_calls_total{operation=\"get\",outcome=\"done\"}", 3).await;
    assert!(!response.is_finished());
    let give_back = "UPDATE attempts SET state = 0, outcome_code = NULL, connection_ended_at = NULL, \
                     worker = before.worker FROM before WHERE attempts.id = before.id";
    ledger.execute_batch(give_back).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.problem(), "upstream_rejected", "{response:?}");
    let attempts = app.attempts().await;
    assert_eq!(attempts[0].outcome_code.as_deref(), Some("upstream_rejected"), "{attempts:?}");
}

#[tokio::test]
async fn a_process_that_counted_as_dead_reads_its_attempt_before_it_sends() {
    let app = TestApp::builder()
        .set("auth0.budget.max_wait_ms", "60000")
        .set("http.request_timeout_ms", "90000")
        .spawn()
        .await;
    app.until_ready().await;
    app.auth0.fault(Route::CreateUser, Fault::answer(429).header("retry-after", "6"));
    let app = Arc::new(app);
    let queued = Arc::clone(&app);
    let queued = tokio::spawn(async move { queued.sign_up(&ada()).await });
    app.until_metric("auth0_budget_waiting", 1).await;
    // No heartbeat is recorded for longer than a lapse, and another process takes the attempt.
    let ledger = app.ledger();
    ledger.execute_batch("BEGIN IMMEDIATE").unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let take = "UPDATE attempts SET worker = x'00000000000000000000000000000000'; COMMIT";
    ledger.execute_batch(take).unwrap();
    let response = queued.await.unwrap();
    assert_eq!(response.problem(), "idempotency_in_progress", "{response:?}");
    assert!(response.header("retry-after").is_some());
    assert_eq!(app.creates().len(), 1, "the one that was asked to wait");
    let attempts = app.attempts().await;
    assert_eq!(attempts[0].state, AttemptState::Open, "not this process's to end");
}

/// Another process has taken the attempt over and created the user when a rejection arrives.
#[tokio::test]
async fn a_rejection_is_not_reported_for_an_attempt_that_another_process_has_ended() {
    for status in [403, 409] {
        let app = TestApp::spawn().await;
        app.learn_whether_ids_are_kept().await;
        let gate = Gate::new();
        app.auth0.fault(Route::CreateUser, Fault::answer(status).behind(&gate));
        let response = tokio::spawn(TestResponse::receive(
            app.post().json(&ada()).header("idempotency-key", KEY),
        ));
        gate.arrived(1).await;
        let ledger = app.ledger();
        let end = "UPDATE attempts SET state = 1, outcome_code = 'created', worker = NULL, \
                   next_check_at = NULL WHERE state = 0";
        ledger.execute_batch(end).unwrap();
        gate.open();
        let response = response.await.unwrap();
        assert_eq!(response.status, StatusCode::CREATED, "{status}: {response:?}");
        assert_eq!(app.attempts().await[0].state, AttemptState::Created, "{status}");
    }
}

/// It may only be slow, so its own call may last as long as its lease.
#[tokio::test]
async fn a_repeated_call_does_not_end_that_of_a_process_that_counted_as_dead() {
    let app = TestApp::spawn().await;
    app.learn_whether_ids_are_kept().await;
    app.auth0.fault(Route::CreateUser, Fault::close().always());
    assert_eq!(app.sign_up_with_key(KEY, &ada()).await.problem(), "outcome_unknown");
    lose_worker(&app);
    let ledger = app.ledger();
    ledger.execute("UPDATE attempts SET connection_ended_at = NULL", []).unwrap();
    let lease_ends_at = app.attempts().await[0].next_check_at;
    assert_eq!(app.sign_up_with_key(KEY, &ada()).await.problem(), "outcome_unknown");
    let attempt = &app.attempts().await[0];
    assert!(attempt.connection_ended_at > lease_ends_at, "{attempt:?}");
}

/// The time of the request ends in the queue for the tenant, after the heartbeat has lapsed.
#[tokio::test]
async fn a_process_that_counted_as_dead_does_not_claim_that_nothing_was_created() {
    let database = database().await;
    let app = TestApp::builder()
        .postgres(&database)
        .set("auth0.timeout_ms", "1500")
        .set("auth0.budget.initial_burst", "1")
        .set("auth0.budget.max_wait_ms", "2500")
        .set("http.request_timeout_ms", "4000")
        .spawn()
        .await;
    app.until_ready().await;
    app.auth0.fault(Route::CreateUser, Fault::hang().always());
    let app = Arc::new(app);
    let sign_up = |email: &'static str| {
        let app = Arc::clone(&app);
        tokio::spawn(async move { app.sign_up(&ada_with("email", email)).await })
    };
    let ledger = connect(&database).await;
    ledger.batch_execute("BEGIN; LOCK TABLE attempts, processes").await.unwrap();
    let all = ["ada@example.com", "grace@example.com", "eve@example.com"].map(sign_up);
    // Until their starts are recorded, no heartbeat is.
    tokio::time::sleep(Duration::from_millis(2_400)).await;
    ledger.batch_execute("COMMIT").await.unwrap();
    // One is sent at once, another one a second later, and the third would be after two.
    for response in all {
        let response = response.await.unwrap();
        assert_eq!(response.problem(), "outcome_unknown", "{response:?}");
    }
    assert!(app.creates().len() < 3);
}
