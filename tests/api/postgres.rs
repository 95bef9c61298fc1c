//! Services on PostgreSQL: their readiness, lost rows, and URLs that are rejected.

use std::process::Command;
use std::time::{Duration, Instant};

use auth0_emulator::{Fault, Gate, Route};
use reqwest::StatusCode;

use crate::app::{TestApp, TestAppBuilder, ada, ada_with};
use crate::eventually::eventually;
use crate::server::{connect, database, scalar};

fn service(database: &str) -> TestAppBuilder {
    TestApp::builder()
        .set("database.url", database)
        .set("secrets.key", "0123456789abcdef0123456789abcdef")
}

#[tokio::test]
async fn a_service_is_ready_while_sign_ups_work() {
    let database = database().await;
    let app = service(&database).spawn().await;
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
    let app = service(&database).spawn().await;
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

/// A failover loses the start of an attempt while its call is under way.
#[tokio::test]
async fn a_result_that_meets_no_row_writes_it_whole() {
    let database = database().await;
    let app = service(&database).spawn().await;
    app.until_ready().await;
    let from = app.creates().len();
    let gate = Gate::new();
    app.auth0.fault(Route::CreateUser, Fault::held(&gate));
    let sign_up = app.post().header("x-request-id", "lost").json(&ada()).send();
    let sign_up = tokio::spawn(sign_up);
    app.until(|app| app.creates().len() > from).await;
    let table = connect(&database).await;
    table.batch_execute("TRUNCATE attempts, attempt_keys").await.unwrap();
    gate.open();
    assert_eq!(sign_up.await.unwrap().unwrap().status(), StatusCode::CREATED);
    eventually("the row is written", async || {
        let rows = "SELECT count(*) FROM attempts WHERE state = 1 AND outcome_code = 'created'";
        (scalar::<i64>(&table, rows).await == 1).then_some(())
    })
    .await;
}

/// A failover loses the start of an attempt, and the connection that its result is first sent over.
#[tokio::test]
async fn a_result_that_is_recorded_late_and_meets_no_row_writes_it_whole() {
    let database = database().await;
    let app = service(&database).set("ledger.timeout_ms", "1000").spawn().await;
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
