//! Duplicate requests on two replicas with one database: the second has looked its key up and found
//! nothing when the first starts.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use auth0_emulator::{Fault, Gate, Route};

use crate::app::{KEY, TestApp, TestAppBuilder, TestResponse, ada, ada_with};
use crate::eventually::eventually;
use crate::server::{connect, database, scalar};

/// Two replicas. The second requires a captcha, which is verified between the lookup of the key and
/// the start of the attempt.
struct Replicas {
    one: TestApp,
    other: TestApp,
    captchas: TcpListener,
}

impl Replicas {
    async fn start() -> Self {
        Self::start_with(|replica| replica).await
    }

    async fn start_with(change: impl Fn(TestAppBuilder) -> TestAppBuilder) -> Self {
        let database = database().await;
        let replica = |builder: TestAppBuilder| {
            change(builder)
                .postgres(&database)
                .set("auth0.budget.max_wait_ms", "60000")
                .set("http.request_timeout_ms", "90000")
        };
        let one = replica(TestApp::builder()).spawn().await;
        let captchas = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let judge = format!("http://{}/", captchas.local_addr().unwrap());
        let other = replica(TestApp::builder())
            .set("auth0.domain", one.auth0.url())
            .captcha("turnstile")
            .set("challenge.required", "always")
            .set("challenge.captcha.timeout_ms", "10000")
            .set("challenge.captcha.verify_url", &judge);
        Self { one, other: other.spawn().await, captchas }
    }

    /// Signs up at the second replica, as far as its captcha.
    async fn start_at_the_other(&self) -> (JoinHandle<TestResponse>, TcpStream) {
        let duplicate = sign_up(&self.other);
        (duplicate, self.judge().await)
    }

    /// The connection on which a captcha is to be verified.
    async fn judge(&self) -> TcpStream {
        let (mut judge, _) = self.captchas.accept().await.unwrap();
        let mut asked = Vec::new();
        while !String::from_utf8_lossy(&asked).contains("response=token") {
            assert_ne!(judge.read_buf(&mut asked).await.unwrap(), 0);
        }
        judge
    }
}

fn sign_up(app: &TestApp) -> JoinHandle<TestResponse> {
    let form = ada_with("cf-turnstile-response", "token");
    tokio::spawn(TestResponse::receive(app.post().header("idempotency-key", KEY).json(&form)))
}

async fn pass(mut judge: TcpStream) {
    let body = json!({"success": true, "hostname": "www.example.com"}).to_string();
    let length = body.len();
    let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
    judge.write_all(response.as_bytes()).await.unwrap();
}

/// The number of attempts that the ledger was asked to start.
const STARTS: &str = r#"ledger_calls_total{operation="begin",outcome="done"}"#;

/// The number of attempts that the ledger was asked to start again.
pub(crate) const RESTARTS: &str = r#"ledger_calls_total{operation="restart",outcome="done"}"#;

#[tokio::test]
async fn a_duplicate_replays_the_first_request_that_started_before_it() {
    let replicas = Replicas::start().await;
    let (duplicate, judge) = replicas.start_at_the_other().await;
    let first = sign_up(&replicas.one).await.unwrap();
    assert_eq!((first.status, first.header("idempotency-replayed")), (StatusCode::CREATED, None));
    pass(judge).await;
    let duplicate = duplicate.await.unwrap();
    assert_eq!(duplicate.status, StatusCode::CREATED, "{duplicate:?}");
    assert_eq!(duplicate.header("idempotency-replayed"), Some("true"));
    assert_eq!(duplicate.json(), first.json());
    assert_eq!(replicas.one.creates().len(), 1);
    assert_eq!(replicas.other.metric(STARTS).await, 1);
}

#[tokio::test]
async fn a_duplicate_continues_the_attempt_once_its_first_client_has_left() {
    let replicas = Replicas::start().await;
    let Replicas { one, other, .. } = &replicas;
    let (duplicate, judge) = replicas.start_at_the_other().await;
    // The tenant asks the first replica to wait, so its sign-ups queue.
    one.auth0.fault(Route::CreateUser, Fault::answer(429).header("retry-after", "50"));
    let queued = ada_with("email", "grace@example.com");
    let queued = tokio::spawn(one.post().json(&queued).send());
    one.until_metric("auth0_budget_waiting", 1).await;
    let first = sign_up(one);
    one.until_metric("auth0_budget_waiting", 2).await;
    // The duplicate finds the attempt under way, and waits for it.
    pass(judge).await;
    other.until_metric(STARTS, 1).await;
    assert!(!duplicate.is_finished());

    // The first client disconnects before anything was sent for it.
    first.abort();
    let duplicate = duplicate.await.unwrap();
    assert_eq!(duplicate.status, StatusCode::CREATED, "{duplicate:?}");
    assert_eq!(duplicate.header("idempotency-replayed"), None);
    // What the first request paid stays with the key.
    assert_eq!((other.metric(STARTS).await, other.metric(RESTARTS).await), (1, 1));
    assert_eq!(one.creates().len(), 2, "the one that was asked to wait, and the duplicate's");
    assert_eq!(one.auth0.users().len(), 1);
    queued.abort();
    // The key belongs to the duplicate now, at the first replica too.
    let again = one.sign_up_with_key(KEY, &ada()).await;
    assert_eq!(again.json()["user"]["user_id"], duplicate.json()["user"]["user_id"], "{again:?}");
}

/// The first client's deadline passes while its captcha is verified.
#[tokio::test]
async fn a_sign_up_that_was_given_up_before_its_start_is_not_recorded() {
    let deadline = Duration::from_secs(4);
    let replicas = Replicas::start_with(|replica| replica.request_timeout(deadline)).await;
    let (first, judge) = replicas.start_at_the_other().await;
    // The second client's deadline is as much later.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut second = sign_up(&replicas.other);
    assert_eq!(first.await.unwrap().problem(), "upstream_unavailable");
    pass(judge).await;
    // It starts over, with a captcha of its own.
    let judge = tokio::select! {
        response = &mut second => panic!("{response:?}"),
        judge = replicas.judge() => judge,
    };
    pass(judge).await;
    let second = second.await.unwrap();
    assert_eq!(second.status, StatusCode::CREATED, "{second:?}");
    assert_eq!(replicas.other.metric(STARTS).await, 1);
    assert_eq!(replicas.one.creates().len(), 1);
}

/// Two replicas with an attempt that both are about to resume. Each is sent the form again.
struct Resuming {
    one: TestApp,
    _other: TestApp,
    at_one: JoinHandle<TestResponse>,
    at_the_other: JoinHandle<TestResponse>,
}

impl Resuming {
    /// Leaves an attempt unresolved, and holds both replicas where each has found it and records that
    /// it resumes it. What they call then meets this fault.
    async fn start(wait_ms: &str, fault: Fault) -> Self {
        let database = database().await;
        let replica = |builder: TestAppBuilder| {
            builder
                .postgres(&database)
                .set("auth0.pin_user_id", "false")
                .set("reconciliation.not_created_after_ms", "3000")
                .set("idempotency.wait_ms", wait_ms)
        };
        let one = replica(TestApp::builder()).spawn().await;
        let other = replica(TestApp::builder()).set("auth0.domain", one.auth0.url()).spawn().await;
        let sign_up = |app: &TestApp| {
            let request = app.post().header("idempotency-key", KEY).json(&ada());
            tokio::spawn(TestResponse::receive(request))
        };
        one.auth0.fault(Route::CreateUser, Fault::close());
        assert_eq!(sign_up(&one).await.unwrap().problem(), "outcome_unknown");
        // Each has to see for itself that the call has ended.
        for replica in [&one, &other] {
            assert_eq!(sign_up(replica).await.unwrap().problem(), "outcome_unknown");
        }
        tokio::time::sleep(Duration::from_millis(3_200)).await;
        // Both have read the attempt when the first may record that it resumes it.
        let table = connect(&database).await;
        table.batch_execute("BEGIN; LOCK TABLE attempts IN EXCLUSIVE MODE").await.unwrap();
        one.auth0.fault(Route::CreateUser, fault);
        let (at_one, at_the_other) = (sign_up(&one), sign_up(&other));
        let waiting = "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
            WHERE NOT granted AND datname = current_database()";
        eventually("both wait for the table", async || {
            let waiting: i64 = scalar(&table, waiting).await;
            (waiting >= 2).then_some(())
        })
        .await;
        table.batch_execute("COMMIT").await.unwrap();
        Self { one, _other: other, at_one, at_the_other }
    }
}

#[tokio::test]
async fn of_two_replicas_that_resume_an_attempt_one_makes_the_call() {
    // Both have looked up the address before there is a user.
    let late = Fault::delay(Duration::from_millis(500)).times(2);
    let Resuming { one, _other, at_one, at_the_other } = Resuming::start("10000", late).await;
    let (first, second) = tokio::join!(at_one, at_the_other);
    for response in [first.unwrap(), second.unwrap()] {
        assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    }
    assert_eq!(one.creates().len(), 2);
    assert_eq!(one.auth0.users().len(), 1);
}

#[tokio::test]
async fn a_replica_that_waits_too_long_for_another_to_resume_an_attempt_responds_in_progress() {
    let gate = Gate::new();
    let Resuming { one, _other, mut at_one, mut at_the_other } =
        Resuming::start("100", Fault::held(&gate)).await;
    let (late, resumed) = tokio::select! {
        late = &mut at_one => (late, at_the_other),
        late = &mut at_the_other => (late, at_one),
    };
    let late = late.unwrap();
    assert_eq!(late.problem(), "idempotency_in_progress", "{late:?}");
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.header("retry-after").is_some());
    assert_eq!(late.header("idempotency-replayed"), None);
    gate.open();
    let resumed = resumed.await.unwrap();
    assert_eq!(resumed.status, StatusCode::CREATED, "{resumed:?}");
    assert_eq!(one.creates().len(), 2);
    assert_eq!(one.auth0.users().len(), 1);
}
