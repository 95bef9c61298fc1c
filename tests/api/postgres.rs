//! Services on PostgreSQL: their readiness, lost rows, and URLs that are rejected.

use std::process::Command;
use std::time::{Duration, Instant};

use auth0_emulator::{Fault, Gate, Route};
use reqwest::StatusCode;

use tokio_postgres::Client;

use crate::app::{KEY, TestApp, TestResponse, ada, ada_with};
use crate::duplicates::RESTARTS;
use crate::eventually::eventually;
use crate::server::{connect, database, scalar};
use crate::unreliable_server::UnreliableServer;

#[tokio::test]
async fn a_service_is_ready_while_sign_ups_work() {
    let database = database().await;
    let app = TestApp::builder().postgres(&database).spawn().await;
    app.until_ready().await;
    let name = database.split(['/', '?']).nth(3).unwrap();
    let table = connect(&database).await;
    let causes: [(&str, &str); 5] = [
        ("BEGIN; LOCK TABLE attempts", "COMMIT"),
        ("BEGIN; LOCK TABLE processes", "COMMIT"),
        ("ALTER TABLE processes RENAME TO gone", "ALTER TABLE gone RENAME TO processes"),
        ("ALTER TABLE attempt_keys RENAME TO gone", "ALTER TABLE gone RENAME TO attempt_keys"),
        (
            &format!(
                "ALTER DATABASE {name} SET default_transaction_read_only = on; \
                 SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity \
                 WHERE datname = '{name}' AND pid <> pg_backend_pid()"
            ),
            &format!("ALTER DATABASE {name} RESET default_transaction_read_only"),
        ),
    ];
    for (number, (cause, repair)) in causes.into_iter().enumerate() {
        let form = |when| ada_with("email", format!("{when}{number}@example.com"));
        for statement in cause.split("; ") {
            table.batch_execute(statement).await.unwrap();
        }
        // Longer than a heartbeat may be missing.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let started = Instant::now();
        let form_during = form("during");
        let (ready, response) = tokio::join!(app.get("/readyz"), app.sign_up(&form_during));
        println!("{cause}: {:?}", started.elapsed());
        assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE, "{cause}");
        assert_eq!(ready.json()["checks"]["ledger"], "failing", "{cause}");
        assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE, "{cause}: {response:?}");
        assert!(started.elapsed() < Duration::from_millis(3_600), "{:?}", started.elapsed());
        table.batch_execute(repair).await.unwrap();
        let response = app.sign_up(&form("after")).await;
        assert_eq!(response.status, StatusCode::CREATED, "{repair}: {response:?}");
        app.until_ready().await;
    }
}

#[tokio::test]
async fn a_probe_that_hangs_up_cuts_no_connection() {
    let database = database().await;
    let app = TestApp::builder().postgres(&database).spawn().await;
    app.until_ready().await;
    let table = connect(&database).await;
    let sessions = "SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let before: String = scalar(&table, sessions).await;
    table.batch_execute("BEGIN; LOCK TABLE attempts").await.unwrap();
    let probe = app.client.get(app.url("/readyz")).timeout(Duration::from_millis(200)).send();
    probe.await.unwrap_err();
    table.batch_execute("COMMIT").await.unwrap();
    assert_eq!(app.get("/readyz").await.status, StatusCode::OK);
    let after: String = scalar(&table, sessions).await;
    for session in before.split(' ') {
        assert!(after.split(' ').any(|other| other == session), "{before}: {after}");
    }
}

/// A failover loses the start of an attempt while its call is under way. Returns the response of the sign-up, once
/// its row is written again in this state.
async fn lose_row_meanwhile(app: &TestApp, table: &Client, state: i16) -> TestResponse {
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::held(&gate));
    let sign_up = app.post().header("idempotency-key", KEY).json(&ada());
    let sign_up = tokio::spawn(TestResponse::receive(sign_up));
    gate.arrived(1).await;
    table.batch_execute("TRUNCATE attempts, attempt_keys").await.unwrap();
    gate.open();
    let response = sign_up.await.unwrap();
    eventually("the row is written", async || {
        let row = format!(
            "SELECT count(*) FROM attempts WHERE state = {state} AND outcome_code IS NOT NULL"
        );
        (scalar::<i64>(table, &row).await == 1).then_some(())
    })
    .await;
    response
}

#[tokio::test]
async fn a_result_that_meets_no_row_writes_it_whole() {
    let database = database().await;
    let app = TestApp::builder().postgres(&database).spawn().await;
    let table = connect(&database).await;
    assert_eq!(lose_row_meanwhile(&app, &table, 1).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_result_of_an_attempt_that_had_started_again_writes_its_lost_row_too() {
    let database = database().await;
    let app =
        TestApp::builder().postgres(&database).set("auth0.budget.max_wait_ms", "100").spawn().await;
    let taken = ada_with("password", "Another-Password-1");
    assert_eq!(app.sign_up(&taken).await.status, StatusCode::CREATED);
    app.auth0.fault(Route::CreateUser, Fault::answer(429).header("retry-after", "1"));
    let busy = ada_with("email", "busy@example.com");
    assert_eq!(app.sign_up(&busy).await.problem(), "upstream_busy");
    // Nothing is sent.
    assert_eq!(app.sign_up_with_key(KEY, &ada()).await.problem(), "upstream_busy");
    app.until_created(0).await;
    let table = connect(&database).await;
    assert_eq!(lose_row_meanwhile(&app, &table, 2).await.problem(), "email_taken");
    assert_eq!(app.metric(RESTARTS).await, 1);
}

/// A failover loses the start of an attempt, and the connection that its result is first sent over.
#[tokio::test]
async fn a_result_that_is_recorded_late_and_meets_no_row_writes_it_whole() {
    let database = database().await;
    let app = TestApp::builder().postgres(&database).set("ledger.timeout_ms", "1000").spawn().await;
    app.until_ready().await;
    let from = app.creates().len();
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::held(&gate));
    let sign_up = tokio::spawn(app.post().json(&ada()).send());
    app.until(|app| app.creates().len() > from).await;
    let table = connect(&database).await;
    table.batch_execute("BEGIN").await.unwrap();
    table.batch_execute("TRUNCATE attempts, attempt_keys").await.unwrap();
    gate.open();
    assert_eq!(sign_up.await.unwrap().unwrap().status(), StatusCode::CREATED);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    table.batch_execute("COMMIT").await.unwrap();
    eventually("the row is written", async || {
        let rows = "SELECT count(*) FROM attempts WHERE state = 1 AND outcome_code = 'created'";
        (scalar::<i64>(&table, rows).await == 1).then_some(())
    })
    .await;
}

/// A sign-up whose start is recorded, although the service learns only that it failed: the server falls silent
/// before it commits.
async fn lose_start(app: &TestApp, proxy: &UnreliableServer, database: &str) {
    let (blocker, table) = (connect(database).await, connect(database).await);
    blocker.batch_execute("BEGIN; LOCK TABLE attempts IN EXCLUSIVE MODE").await.unwrap();
    let sign_up = app.post().header("idempotency-key", KEY).json(&ada());
    let sign_up = tokio::spawn(TestResponse::receive(sign_up));
    eventually("the start waits for the table", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND wait_event_type = 'Lock' AND query LIKE '%start_attempt%'";
        (scalar::<i64>(&table, waiting).await == 1).then_some(())
    })
    .await;
    proxy.silence_for_good();
    blocker.batch_execute("COMMIT").await.unwrap();
    assert_eq!(sign_up.await.unwrap().problem(), "unavailable");
    assert_eq!(scalar::<i16>(&table, "SELECT state FROM attempts").await, 0);
}

#[tokio::test]
async fn an_attempt_whose_start_was_lost_is_released_unless_it_has_started_again() {
    for has_restarted in [false, true] {
        let database = database().await;
        let proxy = UnreliableServer::start();
        let through = proxy.url(database.split(['/', '?']).nth(3).unwrap());
        let app =
            TestApp::builder().postgres(&through).set("ledger.timeout_ms", "6000").spawn().await;
        app.until_ready().await;
        lose_start(&app, &proxy, &database).await;
        let table = connect(&database).await;
        if has_restarted {
            table.batch_execute("UPDATE attempts SET restarts = 1").await.unwrap();
        }
        // The server responds again.
        proxy.silence();
        if has_restarted {
            app.until_metric(r#"ledger_calls_total{operation="get",outcome="done"}"#, 1).await;
            assert_eq!(
                app.sign_up(&ada_with("email", "next@example.com")).await.status,
                StatusCode::CREATED
            );
            let open = "SELECT count(*) FROM attempts WHERE state = 0 AND restarts = 1";
            assert_eq!(scalar::<i64>(&table, open).await, 1);
            continue;
        }
        eventually("the attempt is released", async || {
            let rows =
                "SELECT count(*) FROM attempts WHERE state = 4 AND outcome_code = 'abandoned'";
            (scalar::<i64>(&table, rows).await == 1).then_some(())
        })
        .await;
        let other = TestApp::builder()
            .postgres(&database)
            .set("auth0.domain", app.auth0.url())
            .spawn()
            .await;
        let again = other.sign_up_with_key(KEY, &ada()).await;
        assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
        assert_eq!(again.header("idempotency-replayed"), None);
        assert_eq!(app.creates().len(), 1);
    }
}

#[test]
fn a_url_that_would_mean_something_else_is_rejected_by_name() {
    for (parameters, expected) in [
        ("sslmod=verify-full", "`sslmode` in place of the unknown parameter `sslmod`"),
        ("target_session_attrs=standby", "`target_session_attrs` read-write"),
        ("connect_timeout=3", "only these parameters"),
    ] {
        let url = format!("postgres://signup:canary@127.0.0.1:1/signup?{parameters}");
        let output = Command::new(env!("CARGO_BIN_EXE_auth0-signup"))
            .args(["migrate", "status"])
            .env_clear()
            .envs([("DATABASE_URL", url.as_str()), ("SIGNUP__SECRETS__KEY", &"k".repeat(32))])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(expected) && !text.contains("canary"), "{text}");
    }
}
