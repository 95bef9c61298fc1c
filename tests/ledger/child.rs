//! A child process with a ledger: killed during its work, out of disk space, or without power.
//!
//! The child is this test binary again, running nothing but [`work`].

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use auth0_signup::ledger::{Access, AttemptId, BeginResult, Ledger, LedgerError, OpenError};
use uuid::Uuid;

use crate::backend::{Backend, NOW};
use crate::power_loss::{fail_to_sync, lose_power, replace_log};
use crate::rows::unique;

on_both! {
    acknowledged_attempts_survive_a_kill,
}

const DATABASE: &str = "LEDGER_CHILD_DATABASE";
const WORK: &str = "LEDGER_CHILD_WORK";

/// The child's work. Does nothing when run as a test.
#[tokio::test(flavor = "multi_thread")]
async fn work() {
    let Ok(url) = std::env::var(DATABASE) else { return };
    let mut backend = Backend::from_url(&url);
    // A write waits this long for another process.
    backend.settings.timeout = Duration::from_secs(2);
    let ledger = backend.open().await;
    match std::env::var(WORK).as_deref() {
        Ok("begin") => begin_forever(&ledger).await,
        Ok("lose_power") => lose_power(&ledger).await,
        Ok("fail_to_sync") => fail_to_sync(&backend, &ledger).await,
        Ok("replace_log") => replace_log(&backend, &ledger).await,
        Ok("fill") => fill_the_disk(&backend, &ledger).await,
        work => panic!("{work:?}"),
    }
}

/// Starts attempts in 64 tasks and prints the acknowledged ones.
async fn begin_forever(ledger: &Arc<dyn Ledger>) {
    let tasks = (0..64).map(|_| {
        let ledger = Arc::clone(ledger);
        tokio::spawn(async move {
            loop {
                let attempt = unique(NOW);
                let id = attempt.id;
                assert_eq!(ledger.begin(attempt).await.unwrap(), BeginResult::Started);
                println!("\nstarted {id}");
            }
        })
    });
    futures_util::future::join_all(tasks.collect::<Vec<_>>()).await;
}

async fn fill_the_disk(backend: &Backend, ledger: &Arc<dyn Ledger>) {
    let mut ids = Vec::new();
    let mut now = NOW;
    let full = loop {
        // A ping that changes no value writes nothing.
        now += Duration::from_millis(1);
        backend.set_time(now).await;
        let attempt = unique(NOW);
        let id = attempt.id;
        match ledger.begin(attempt).await {
            Ok(_) => ids.push(id),
            // A ping writes less than a new attempt, and may find room for some time.
            Err(error) if ledger.ping(false).await.is_err() => break error,
            Err(_) => {}
        }
    };
    assert!(matches!(full, LedgerError::Unavailable(_)), "{full:?}");
    assert!(ledger.begin(unique(NOW)).await.is_err());
    let last = ids.last().copied().unwrap();
    assert!(ledger.get(last).await.unwrap().is_some(), "still readable");
    println!("\nfull");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    backend.set_time(now + Duration::from_millis(1)).await;
    ledger.ping(false).await.unwrap();
    assert_eq!(ledger.begin(unique(NOW)).await.unwrap(), BeginResult::Started);
    for id in ids {
        assert!(ledger.get(id).await.unwrap().is_some());
    }
    println!("\nrecovered");
}

/// Starts the child, after this shell prefix.
pub(crate) fn start(backend: &Backend, work: &str, prefix: &str) -> (Child, ChildStdin) {
    let program = std::env::current_exe().unwrap();
    let script = format!("{prefix} exec \"$0\" --exact child::work --nocapture");
    let mut child = Command::new("sh")
        .args(["-c", &script, program.to_str().unwrap()])
        .env(DATABASE, backend.url())
        .env(WORK, work)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take().unwrap();
    (child, stdin)
}

async fn acknowledged_attempts_survive_a_kill(backend: Backend) {
    let (mut child, _stdin) = start(&backend, "begin", "");
    let mut started = Vec::new();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines {
        // The last line may be incomplete.
        let line = line.unwrap();
        let id = line.strip_prefix("started ").and_then(|id| Uuid::parse_str(id).ok());
        started.extend(id.map(AttemptId::from));
        if started.len() == 2_000 {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(started.len() >= 2_000);
    let ledger = backend.open().await;
    for id in started {
        assert!(ledger.get(id).await.unwrap().is_some(), "{id} was acknowledged and is gone");
    }
}

#[tokio::test]
async fn a_second_process_on_a_file_is_rejected_until_the_first_has_ended() {
    let backend = Backend::sqlite();
    let (mut child, _stdin) = start(&backend, "begin", "");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("started ")));
    let rejected = backend.try_open(Access::Service).await.map(drop);
    assert!(matches!(rejected, Err(OpenError::InUse { .. })), "{rejected:?}");
    // An operator's command works beside it.
    backend.try_open(Access::Cli).await.unwrap().close().await;
    child.kill().unwrap();
    child.wait().unwrap();
    backend.open().await;
}

#[tokio::test]
async fn the_ledger_survives_a_full_disk() {
    let backend = Backend::sqlite();
    // Files of at most 400 blocks of 512 or 1024 bytes; a write beyond that fails without a signal.
    let (mut child, mut stdin) = start(&backend, "fill", "trap '' XFSZ; ulimit -S -f 400;");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "full"));
    let limit = Command::new("prlimit")
        .args(["--fsize=unlimited", "--pid", &child.id().to_string()])
        .status();
    assert!(limit.unwrap().success());
    stdin.write_all(b"go on\n").unwrap();
    assert!(lines.any(|line| line == "recovered"));
    assert!(child.wait().unwrap().success());
}
