//! The SQLite file beneath a running service: removed, replaced, locked, or wanted by a second one.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use auth0_emulator::{Emulator, Fault, Gate, Route};
use reqwest::StatusCode;
use rusqlite::Connection;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::app::ada_with;
use crate::eventually::eventually;
use crate::process::Process;
use crate::temp_dir::TempDir;

/// A tenant, and a folder for the ledger of one or more services.
struct Deployment {
    auth0: Emulator,
    folder: Arc<TempDir>,
}

impl Deployment {
    async fn new() -> Self {
        let auth0 = Emulator::builder().start().await.unwrap();
        Self { auth0, folder: Arc::new(TempDir::new()) }
    }

    fn spawn(&self, arguments: &[&str], more: &[(&str, &str)]) -> Process {
        Process::spawn(&self.auth0, &self.folder, arguments, more)
    }

    async fn serve(&self) -> Process {
        let mut service = self.spawn(&[], &[]);
        service.serving().await;
        service
    }

    /// A file beside the ledger, whose name ends in this way.
    fn file(&self, end: &str) -> PathBuf {
        self.folder.path().join("data").join(format!("signup.db{end}"))
    }

    async fn sign_up(&self, service: &Process, email: &str) -> StatusCode {
        service.post(&ada_with("email", email)).send().await.unwrap().status()
    }

    async fn readyz(&self, service: &Process) -> StatusCode {
        let url = format!("http://{}/readyz", service.admin);
        service.client.get(url).send().await.unwrap().status()
    }

    async fn becomes_ready(&self, service: &Process, status: StatusCode) {
        let probe = async || (self.readyz(service).await == status).then_some(());
        eventually(&format!("readyz is {status}"), probe).await;
    }
}

fn errors(service: &Process) -> usize {
    service.log().lines().filter(|line| line.contains(r#""level":"ERROR""#)).count()
}

/// A start in another folder uses another ledger and another key, so that it must not go unnoticed.
#[tokio::test]
async fn a_start_names_its_ledger_and_a_new_one() {
    let deployment = Deployment::new().await;
    let path = deployment.file("").display().to_string();
    let is_new = |line: &str| line.contains("created a new ledger");
    for expected in [1, 0] {
        let mut service = deployment.serve().await;
        let started = service.event(|event| event["public"].is_string()).await;
        assert_eq!(started["ledger"], path);
        let log = service.log();
        let new: Vec<_> = log.lines().filter(|line| is_new(line)).collect();
        assert_eq!(new.len(), expected, "{log}");
        assert!(new.iter().all(|line| line.contains(&path)), "{log}");
        service.terminate();
    }
}

#[tokio::test]
async fn a_file_that_is_gone_rejects_sign_ups_until_it_is_back() {
    let deployment = Deployment::new().await;
    let mut service = deployment.serve().await;
    assert_eq!(deployment.sign_up(&service, "one@example.com").await, StatusCode::CREATED);

    fs::rename(deployment.file(""), deployment.file(".moved")).unwrap();
    for email in ["two@example.com", "three@example.com"] {
        let status = deployment.sign_up(&service, email).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "no 201 into a file that is gone");
    }
    assert_eq!(deployment.auth0.calls(Route::CreateUser).len(), 1);
    deployment.becomes_ready(&service, StatusCode::SERVICE_UNAVAILABLE).await;
    sleep(Duration::from_secs(1)).await;
    service.event(|event| event["level"] == "ERROR").await;
    assert_eq!(errors(&service), 1, "{}", service.log());

    fs::rename(deployment.file(".moved"), deployment.file("")).unwrap();
    deployment.becomes_ready(&service, StatusCode::OK).await;
    assert_eq!(deployment.sign_up(&service, "four@example.com").await, StatusCode::CREATED);
    service.terminate();
}

#[tokio::test]
async fn a_removed_log_is_opened_again_although_nothing_asks_readyz() {
    for end in ["-wal", "-shm"] {
        let deployment = Deployment::new().await;
        let mut service = deployment.serve().await;
        assert_eq!(deployment.sign_up(&service, "one@example.com").await, StatusCode::CREATED);
        fs::remove_file(deployment.file(end)).unwrap();
        service.event(|event| event["level"] == "ERROR").await;
        // New keys only, each of them once.
        let mut emails = (0..).map(|number| format!("new-{number}@example.com"));
        let sign_up = async || {
            let status = deployment.sign_up(&service, &emails.next().unwrap()).await;
            (status == StatusCode::CREATED).then_some(())
        };
        eventually(&format!("sign-ups work without the old {end}"), sign_up).await;
        service.terminate();
    }
}

#[tokio::test]
async fn a_backup_renamed_over_the_file_is_served_after_a_restart() {
    let deployment = Deployment::new().await;
    let mut service = deployment.serve().await;
    assert_eq!(deployment.sign_up(&service, "one@example.com").await, StatusCode::CREATED);
    let copy = deployment.file(".copy");
    let sql = format!("VACUUM INTO '{}'", copy.display());
    Connection::open(deployment.file("")).unwrap().execute(&sql, []).unwrap();
    assert_eq!(deployment.sign_up(&service, "two@example.com").await, StatusCode::CREATED);

    fs::rename(&copy, deployment.file("")).unwrap();
    let status = deployment.sign_up(&service, "three@example.com").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    deployment.becomes_ready(&service, StatusCode::SERVICE_UNAVAILABLE).await;
    service.terminate();

    let mut service = deployment.serve().await;
    assert_eq!(deployment.sign_up(&service, "four@example.com").await, StatusCode::CREATED);
    deployment.becomes_ready(&service, StatusCode::OK).await;
    service.terminate();
    let ledger = Connection::open(deployment.file("")).unwrap();
    let read = |sql| ledger.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(read("PRAGMA integrity_check"), "ok");
    assert_eq!(read("SELECT count(*) || '' FROM attempts"), "2");
}

#[tokio::test]
async fn a_dropped_table_is_an_error_and_makes_the_service_unready() {
    let deployment = Deployment::new().await;
    let service = deployment.serve().await;
    deployment.becomes_ready(&service, StatusCode::OK).await;
    Connection::open(deployment.file("")).unwrap().execute("DROP TABLE attempts", []).unwrap();
    deployment.becomes_ready(&service, StatusCode::SERVICE_UNAVAILABLE).await;
    let damaged = service.event(|event| event["level"] == "ERROR").await;
    assert!(damaged["message"].as_str().unwrap().starts_with("the ledger is damaged"));
}

#[tokio::test]
async fn a_locked_file_is_a_503_within_the_timeout() {
    let deployment = Deployment::new().await;
    let mut service = deployment.spawn(&[], &[("SIGNUP__LEDGER__TIMEOUT_MS", "1000")]);
    service.serving().await;
    assert_eq!(deployment.sign_up(&service, "one@example.com").await, StatusCode::CREATED);
    let other = Connection::open(deployment.file("")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let emails: Vec<_> = (0..20).map(|number| format!("locked{number}@example.com")).collect();
    let started_at = Instant::now();
    let statuses = emails.iter().map(|email| deployment.sign_up(&service, email));
    let statuses = futures_util::future::join_all(statuses).await;
    let elapsed = started_at.elapsed();
    assert!(statuses.iter().all(|status| *status == StatusCode::SERVICE_UNAVAILABLE));
    let bounds = Duration::from_millis(900)..Duration::from_millis(2_500);
    assert!(bounds.contains(&elapsed), "{elapsed:?}");
    other.execute_batch("ROLLBACK").unwrap();
    deployment.becomes_ready(&service, StatusCode::OK).await;
    assert_eq!(deployment.sign_up(&service, "two@example.com").await, StatusCode::CREATED);
    service.terminate();
}

#[tokio::test]
async fn a_ledger_that_hangs_does_not_keep_the_process_from_stopping() {
    let deployment = Deployment::new().await;
    let settings =
        [("SIGNUP__LEDGER__TIMEOUT_MS", "60000"), ("SIGNUP__HTTP__SHUTDOWN_TIMEOUT_MS", "1000")];
    let mut service = deployment.spawn(&[], &settings);
    service.serving().await;
    // The thread that writes waits for this lock, far longer than a stop may take.
    let other = Connection::open(deployment.file("")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    deployment.becomes_ready(&service, StatusCode::SERVICE_UNAVAILABLE).await;
    service.signal("TERM");
    assert_eq!(service.exit_status().await, Some(0), "{}", service.log());
    let is_reported = |line: &str| line.contains("the ledger did not close in time");
    assert!(service.log().lines().any(is_reported), "{}", service.log());
}

#[tokio::test]
async fn a_result_is_recorded_at_a_stop_as_soon_as_the_file_is_free() {
    let deployment = Deployment::new().await;
    let settings =
        [("SIGNUP__LEDGER__TIMEOUT_MS", "500"), ("SIGNUP__HTTP__SHUTDOWN_TIMEOUT_MS", "300000")];
    let mut service = deployment.spawn(&[], &settings);
    service.serving().await;
    let gate = Gate::new();
    deployment.auth0.fault(Route::CreateUser, Fault::held(&gate));
    let other = Connection::open(deployment.file("")).unwrap();
    let stop = async {
        gate.arrived(1).await;
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        service.signal("TERM");
        service.event(|event| event["message"] == "stopping: unready from now on").await;
        gate.open();
    };
    let (status, ()) = tokio::join!(deployment.sign_up(&service, "one@example.com"), stop);
    assert_eq!(status, StatusCode::CREATED);
    // Longer than a heartbeat's lapse.
    sleep(Duration::from_secs(3)).await;
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(service.exit_status().await, Some(0), "{}", service.log());
    let state: i64 = other.query_row("SELECT state FROM attempts", [], |row| row.get(0)).unwrap();
    assert_eq!(state, 1, "the attempt is recorded as created: {}", service.log());
}

/// Under load a start is not waited for. Those that a failure meets before it is known are sent, and recorded
/// later; all others are rejected and not sent.
#[tokio::test(flavor = "multi_thread")]
async fn every_sign_up_under_load_is_recorded_although_the_file_was_locked_meanwhile() {
    const MANY: &str = "1000000";
    let deployment = Deployment::new().await;
    let settings = [
        ("SIGNUP__LEDGER__TIMEOUT_MS", "500"),
        ("SIGNUP__LIMITS__POSTS__BURST", MANY),
        ("SIGNUP__LIMITS__ADDRESS__BURST", MANY),
        ("SIGNUP__LIMITS__SERVICE__BURST", MANY),
        ("SIGNUP__CHALLENGE__ADAPTIVE__ADDRESS_BURST", MANY),
        ("SIGNUP__CHALLENGE__ADAPTIVE__ATTEMPTS_PER_MINUTE", MANY),
        ("SIGNUP__CHALLENGE__ADAPTIVE__UNSUCCESSFUL_PERCENT", "100"),
    ];
    let mut service = deployment.spawn(&[], &settings);
    service.serving().await;
    let other = Connection::open(deployment.file("")).unwrap();
    let count = |state: &str| {
        let sql = format!("SELECT count(*) FROM attempts WHERE state {state}");
        let rows: i64 = other.query_row(&sql, [], |row| row.get(0)).unwrap();
        usize::try_from(rows).unwrap()
    };
    let is_over = AtomicBool::new(false);
    let sign_up_until_it_is_over = async |client: usize| {
        let mut statuses = Vec::new();
        while !is_over.load(Ordering::Relaxed) {
            let email = format!("load{client}-{}@example.com", statuses.len());
            statuses.push(deployment.sign_up(&service, &email).await);
        }
        statuses
    };
    let lock_the_file = async {
        // On a fast machine, starts are not waited for under this load.
        eventually("there is a load", async || (count("= 1") > 400).then_some(())).await;
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        sleep(Duration::from_secs(1)).await;
        other.execute_batch("ROLLBACK").unwrap();
        deployment.becomes_ready(&service, StatusCode::OK).await;
        is_over.store(true, Ordering::Relaxed);
    };
    let clients = futures_util::future::join_all((0..8).map(sign_up_until_it_is_over));
    let (statuses, ()) = tokio::join!(clients, lock_the_file);
    let statuses = statuses.concat();
    let with = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    let (created, rejected) = (with(StatusCode::CREATED), with(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(created + rejected, statuses.len(), "{statuses:?}");
    assert!(rejected >= 8, "{rejected} rejected");
    assert_eq!(deployment.auth0.calls(Route::CreateUser).len(), created);
    eventually("every user has a row", async || (count("= 1") == created).then_some(())).await;
    eventually("no row is open", async || (count("IN (0, 3)") == 0).then_some(())).await;
    service.terminate();
}

#[tokio::test]
async fn an_unready_ledger_is_logged_once_with_its_cause() {
    let deployment = Deployment::new().await;
    let mut service = deployment.spawn(&[], &[("SIGNUP__LEDGER__TIMEOUT_MS", "500")]);
    service.serving().await;
    deployment.becomes_ready(&service, StatusCode::OK).await;
    let other = Connection::open(deployment.file("")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    deployment.becomes_ready(&service, StatusCode::SERVICE_UNAVAILABLE).await;
    // The next check fails too, and so do some heartbeats.
    sleep(Duration::from_millis(1_200)).await;
    assert_eq!(deployment.readyz(&service).await, StatusCode::SERVICE_UNAVAILABLE);
    other.execute_batch("ROLLBACK").unwrap();
    deployment.becomes_ready(&service, StatusCode::OK).await;
    let message = |text: &str| {
        let text = text.to_owned();
        move |event: &Value| event["message"] == text
    };
    service.event(message("the ledger can be written again: ready")).await;
    let unready = service.event(message("the ledger cannot be written: not ready")).await;
    let error = unready["error"].as_str().unwrap();
    assert!(error.starts_with("the ledger is not available: "), "{error}");
    let lines = |text: &str| service.log().lines().filter(|line| line.contains(text)).count();
    assert_eq!((lines("not ready"), lines("batch")), (1, 0), "{}", service.log());
}

#[tokio::test]
async fn a_second_service_waits_for_the_first() {
    let deployment = Deployment::new().await;
    let mut first = deployment.serve().await;
    let mut second = deployment.spawn(&[], &[]);
    let waits = |event: &Value| {
        event["message"].as_str().is_some_and(|message| message.starts_with("waiting for another"))
    };
    let event = second.event(waits).await;
    assert_eq!((&event["level"], &event["wait_ms"]), (&"WARN".into(), &30_000.into()));
    assert_eq!(deployment.sign_up(&first, "one@example.com").await, StatusCode::CREATED);

    let third =
        deployment.spawn(&[], &[("SIGNUP__LEDGER__LOCK_WAIT_MS", "300")]).exit_status().await;
    assert_eq!(third, Some(2), "another still serves");
    let mut fourth = deployment.spawn(&[], &[]);
    fourth.event(waits).await;
    fourth.terminate();

    first.terminate();
    second.serving().await;
    assert_eq!(deployment.sign_up(&second, "two@example.com").await, StatusCode::CREATED);
    second.terminate();
}

#[tokio::test]
async fn a_removed_lock_file_lets_no_second_service_in() {
    let deployment = Deployment::new().await;
    let first = deployment.serve().await;
    let wait = [("SIGNUP__LEDGER__LOCK_WAIT_MS", "300")];
    fs::remove_file(deployment.file(".lock")).unwrap();
    assert_eq!(deployment.spawn(&[], &wait).exit_status().await, Some(2));
    // Also beside another file, once the first service has created its lock file again.
    fs::remove_file(deployment.file(".lock")).unwrap();
    let exists = async || deployment.file(".lock").exists().then_some(());
    eventually("the lock file is created again", exists).await;
    sleep(Duration::from_millis(100)).await;
    fs::rename(deployment.file(""), deployment.file(".moved")).unwrap();
    assert_eq!(deployment.spawn(&["--new-ledger"], &wait).exit_status().await, Some(2));
    let is_reported = |event: &Value| {
        event["message"].as_str().is_some_and(|text| text.contains("was deleted or moved"))
    };
    first.event(is_reported).await;
    assert_eq!(errors(&first), 1);
}

#[tokio::test]
async fn a_lost_ledger_is_replaced_by_a_new_one_only_on_request() {
    let deployment = Deployment::new().await;
    deployment.serve().await.terminate();
    for loss in ["removed", "emptied"] {
        for end in ["", "-wal", "-shm"] {
            match (loss, end) {
                ("emptied", "") => fs::write(deployment.file(""), "").unwrap(),
                _ => drop(fs::remove_file(deployment.file(end))),
            }
        }
        let mut rejected = deployment.spawn(&[], &[]);
        assert_eq!(rejected.exit_status().await, Some(2), "{loss}");
        let log = rejected.log();
        assert!(log.contains("auth0-signup restore") && log.contains("--new-ledger"), "{log}");
        let mut service = deployment.spawn(&["--new-ledger"], &[]);
        service.serving().await;
        deployment.becomes_ready(&service, StatusCode::OK).await;
        service.terminate();
        deployment.serve().await.terminate();
    }
}

#[tokio::test]
async fn a_lack_of_file_descriptors_is_logged_once_with_its_cause() {
    const LACK: &str = "Too many open files";
    let deployment = Deployment::new().await;
    let service = deployment.serve().await;
    service.limit_open_files("3");
    let _queued = TcpStream::connect(&service.address).unwrap();
    let is = |start: &'static str| {
        move |event: &Value| {
            let message = event["message"].as_str().unwrap();
            message.starts_with(start) && message.contains(LACK)
        }
    };
    service.event(is("cannot accept connections: ")).await;
    service.event(is("the ledger is unavailable: ")).await;
    // Time for the accept loop and the checks of the file to fail again and again.
    sleep(Duration::from_secs(3)).await;
    service.limit_open_files("1024");
    deployment.becomes_ready(&service, StatusCode::OK).await;
    let log = service.log();
    for message in ["cannot accept connections: ", "the ledger is unavailable: "] {
        assert_eq!(log.matches(&format!(r#""message":"{message}"#)).count(), 1, "{log}");
    }
}
