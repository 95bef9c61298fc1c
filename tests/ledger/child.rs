//! Another process with the ledger: killed in the middle of its work, or out of disk.
//!
//! The other process is this test binary again, with nothing but [`work`] to run.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use auth0_signup::ledger::{Access, AttemptId, BeginResult, Ledger, LedgerError, OpenError};
use uuid::Uuid;

use crate::backend::{Backend, NOW};
use crate::rows::keyless;

const DATABASE: &str = "LEDGER_CHILD_DATABASE";
const WORK: &str = "LEDGER_CHILD_WORK";

/// What the other process does; nothing when it is not one.
#[tokio::test(flavor = "multi_thread")]
async fn work() {
    let Ok(url) = std::env::var(DATABASE) else { return };
    let ledger = Backend::named(&url).open().await;
    match std::env::var(WORK).as_deref() {
        Ok("begin") => begin_for_ever(&ledger).await,
        Ok("fill") => fill_the_disk(&ledger).await,
        work => panic!("{work:?}"),
    }
}

/// Begins 64 at a time and says which are acknowledged.
async fn begin_for_ever(ledger: &Arc<dyn Ledger>) {
    let tasks = (0..64).map(|_| {
        let ledger = Arc::clone(ledger);
        tokio::spawn(async move {
            loop {
                let attempt = keyless(NOW);
                let id = attempt.id;
                assert_eq!(ledger.begin(attempt).await.unwrap(), BeginResult::Started);
                println!("\nbegun {id}");
            }
        })
    });
    futures_util::future::join_all(tasks.collect::<Vec<_>>()).await;
}

async fn fill_the_disk(ledger: &Arc<dyn Ledger>) {
    let mut ids = Vec::new();
    let mut now = NOW;
    let full = loop {
        // A check that writes what is there already writes nothing.
        now += Duration::from_millis(1);
        let attempt = keyless(NOW);
        let id = attempt.id;
        match ledger.begin(attempt).await {
            Ok(_) => ids.push(id),
            // A check writes less than a beginning, and may find room for some time.
            Err(error) if ledger.ping(now).await.is_err() => break error,
            Err(_) => {}
        }
    };
    assert!(matches!(full, LedgerError::Unavailable(_)), "{full:?}");
    assert!(ledger.begin(keyless(NOW)).await.is_err());
    let last = ids.last().copied().unwrap();
    assert!(ledger.get(last).await.unwrap().is_some(), "readable all the same");
    println!("\nfull");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    ledger.ping(NOW).await.unwrap();
    assert_eq!(ledger.begin(keyless(NOW)).await.unwrap(), BeginResult::Started);
    for id in ids {
        assert!(ledger.get(id).await.unwrap().is_some());
    }
    println!("\nrecovered");
}

/// Starts the other process by way of this shell prefix.
fn start(backend: &Backend, work: &str, prefix: &str) -> (Child, ChildStdin) {
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

async fn killed(backend: Backend) {
    let (mut child, _stdin) = start(&backend, "begin", "");
    let mut begun = Vec::new();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines {
        // The last line may be cut off.
        let line = line.unwrap();
        let id = line.strip_prefix("begun ").and_then(|id| Uuid::parse_str(id).ok());
        begun.extend(id.map(AttemptId::from));
        if begun.len() == 2_000 {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(begun.len() >= 2_000);
    let ledger = backend.open().await;
    for id in begun {
        assert!(ledger.get(id).await.unwrap().is_some(), "{id} was acknowledged and is gone");
    }
}

#[tokio::test]
async fn what_sqlite_acknowledged_survives_a_kill() {
    killed(Backend::sqlite()).await;
}

#[tokio::test]
async fn what_postgres_acknowledged_survives_a_kill() {
    killed(Backend::postgres().await).await;
}

#[tokio::test]
async fn a_second_process_on_a_file_is_refused_until_the_first_has_ended() {
    let backend = Backend::sqlite();
    let (mut child, _stdin) = start(&backend, "begin", "");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("begun ")));
    let refused = backend.try_open(Access::Service).await.map(drop);
    assert!(matches!(refused, Err(OpenError::InUse { .. })), "{refused:?}");
    // An operator's command works beside it.
    backend.try_open(Access::Cli).await.unwrap().close().await;
    child.kill().unwrap();
    child.wait().unwrap();
    backend.open().await;
}

#[tokio::test]
async fn a_full_disk_is_survived() {
    let backend = Backend::sqlite();
    // Files of at most 400 blocks of 512 or 1024 bytes; a write beyond fails instead of killing.
    let (mut child, mut stdin) = start(&backend, "fill", "trap '' XFSZ; ulimit -S -f 400;");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "full"));
    let limit = Command::new("prlimit")
        .args(["--fsize=unlimited", "--pid", &child.id().to_string()])
        .status();
    assert!(limit.unwrap().success());
    stdin.write_all(b"go on\n").unwrap();
    assert!(lines.any(|line| line == "recovered"));
    tokio::time::timeout(Duration::from_secs(10), async { child.wait().unwrap() }).await.unwrap();
}
