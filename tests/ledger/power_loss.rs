//! A simulated loss of power, with `ledger.synchronous = normal`.
//!
//! The ledger runs in a child process, whose calls of `fsync` and `fdatasync` go through
//! `synced_files.c`. It keeps a copy of each file as of its last sync. Together the copies are what
//! the worst disk has after a loss of power. The child freezes them at a few moments, and this
//! process opens them as a ledger. So the test proves which syncs have ended at each moment, and
//! that SQLite recovers from exactly these files. It does not prove that a disk keeps what it
//! acknowledged.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use auth0_signup::config::Database;
use auth0_signup::ledger::{AttemptId, AttemptState, BeginResult, Ledger, NewAttempt, ProofUse};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::backend::{Backend, NOW};
use crate::child::start;
use crate::rows::{DAY, begin, created, digest, get, key, proof_only, unique};

/// The folder of the copies, in the child's environment.
const DISK: &str = "LEDGER_CHILD_DISK";

/// Time after which a write is on the disk, with a margin for a busy machine.
const SECOND: Duration = Duration::from_millis(1_200);

/// The rounds under load: enough for the log to be moved to the database a few times.
const ROUNDS: u32 = 3;

/// The child's work.
pub(crate) async fn lose_power(ledger: &Arc<dyn Ledger>) {
    let disk = PathBuf::from(std::env::var(DISK).unwrap());
    sleep(SECOND).await;
    // The start of the ledger is on the disk, and the log is idle.
    let (number, unsynced) = plain_write(ledger, &disk).await;
    println!("\nfrozen missing-{number} {unsynced}");
    sleep(SECOND).await;
    freeze(&disk, "second");
    println!("\nfrozen second {unsynced}");

    let load: Vec<_> = (0..8).map(|_| tokio::spawn(write_forever(Arc::clone(ledger)))).collect();
    for round in 0..ROUNDS {
        let old = unique(NOW);
        begin(ledger, &old).await;
        assert!(ledger.finish(created(old.id)).await.unwrap());
        sleep(SECOND).await;
        freeze(&disk, &format!("old-{round}"));
        println!("\nfrozen old-{round} {}", old.id);

        let paying = paying(2 * round);
        assert_eq!(begin(ledger, &paying).await, BeginResult::Started);
        freeze(&disk, &format!("begin-{round}"));
        println!("\nfrozen begin-{round} {}", paying.id);

        assert!(ledger.record_once(old.id, key(2 * round + 1), DAY).await.unwrap());
        freeze(&disk, &format!("use-{round}"));
        println!("\nfrozen use-{round} {}", old.id);
    }
    for task in load {
        task.abort();
    }
    let last = unique(NOW);
    begin(ledger, &last).await;
    ledger.close().await;
    freeze(&disk, "closed");
    println!("\nfrozen closed {}", last.id);
}

/// The child's work: a sync fails, once of a commit that waits for it and once of the thread that syncs later.
pub(crate) async fn fail_to_sync(backend: &Backend, ledger: &Arc<dyn Ledger>) {
    let disk = PathBuf::from(std::env::var(DISK).unwrap());
    let fail = || File::create(disk.join("fail")).unwrap();
    sleep(SECOND).await;

    fail();
    ledger.begin(paying(0)).await.unwrap_err();
    assert!(!disk.join("fail").exists(), "no sync failed");
    // Nor can the file be opened at first.
    let Database::Sqlite(path) = &backend.settings.database else { panic!("a file") };
    let away = path.with_extension("away");
    std::fs::rename(path, &away).unwrap();
    ledger.begin(unique(NOW)).await.unwrap_err();
    std::fs::rename(&away, path).unwrap();
    let attempt = paying(1);
    begin(ledger, &attempt).await;
    freeze(&disk, "commit");
    println!("\nfrozen commit {}", attempt.id);

    sleep(SECOND).await;
    fail();
    begin(ledger, &unique(NOW)).await;
    sleep(SECOND).await;
    assert!(!disk.join("fail").exists(), "no sync failed");
    let attempt = paying(2);
    begin(ledger, &attempt).await;
    freeze(&disk, "later");
    println!("\nfrozen later {}", attempt.id);
}

/// The child's work: the log is deleted by the last connection that closes, and the next write
/// creates another.
pub(crate) async fn replace_log(backend: &Backend, ledger: &Arc<dyn Ledger>) {
    let disk = PathBuf::from(std::env::var(DISK).unwrap());
    let Database::Sqlite(path) = &backend.settings.database else { panic!("a file") };
    let log = path.with_extension("db-wal");
    let damaged = unique(NOW);
    begin(ledger, &damaged).await;
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch("UPDATE attempts SET state = 9; BEGIN IMMEDIATE").unwrap();
    // Each failure closes a connection.
    assert!(ledger.get(damaged.id).await.is_err());
    assert!(ledger.begin(unique(NOW)).await.is_err());
    // The caller has its error a moment before the connection is closed.
    sleep(SECOND).await;
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    assert!(!log.exists());

    let attempt = unique(NOW);
    begin(ledger, &attempt).await;
    assert!(log.exists());
    sleep(SECOND).await;
    freeze(&disk, "replaced");
    println!("\nfrozen replaced {}", attempt.id);
}

/// Starts an attempt without a proof, and freezes the disk before it can have been synced. On a
/// busy machine that takes more than one try.
async fn plain_write(ledger: &Arc<dyn Ledger>, disk: &Path) -> (u32, AttemptId) {
    for number in 0..20 {
        let attempt = unique(NOW);
        let started = Instant::now();
        begin(ledger, &attempt).await;
        freeze(disk, &format!("missing-{number}"));
        if started.elapsed() < Duration::from_millis(300) {
            return (number, attempt.id);
        }
        sleep(SECOND).await;
    }
    panic!("the machine is too busy");
}

async fn write_forever(ledger: Arc<dyn Ledger>) {
    loop {
        begin(&ledger, &unique(NOW)).await;
    }
}

/// An attempt that uses a proof.
fn paying(number: u32) -> NewAttempt {
    let proof = ProofUse { proof: digest(number), lasts: DAY };
    NewAttempt { admission_cost: proof_only(proof), ..unique(NOW) }
}

/// Keeps the copies as they are at one moment.
fn freeze(disk: &Path, name: &str) {
    let lock = File::options().append(true).create(true).open(disk.join("lock")).unwrap();
    lock.lock().unwrap();
    let folder = disk.join(name);
    std::fs::create_dir(&folder).unwrap();
    for file in ["signup.db", "signup.db-wal"] {
        if disk.join(file).exists() {
            std::fs::copy(disk.join(file), folder.join(file)).unwrap();
        }
    }
}

/// Compiles the library that keeps the copies.
fn library(folder: &Path) -> PathBuf {
    let library = folder.join("synced_files.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ledger/synced_files.c");
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).status();
    assert!(compiled.unwrap().success());
    library
}

/// Runs work in a child. Returns the folder of the copies, and the frozen ones: the name of each, and
/// an attempt.
fn run(backend: &Backend, work: &str) -> (PathBuf, Vec<(String, AttemptId)>) {
    let folder = backend.folder();
    let disk = folder.join("disk");
    std::fs::create_dir_all(&disk).unwrap();
    let library = library(&folder);
    let prefix = format!("export LD_PRELOAD='{}' {DISK}='{}';", library.display(), disk.display());
    let (mut child, _stdin) = start(backend, work, &prefix);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let frozen = lines
        .filter_map(|line| line.strip_prefix("frozen ").map(str::to_owned))
        .map(|line| {
            let (name, id) = line.split_once(' ').unwrap();
            (name.to_owned(), AttemptId::from(Uuid::parse_str(id).unwrap()))
        })
        .collect();
    assert!(child.wait().unwrap().success());
    (disk, frozen)
}

/// A ledger on frozen copies.
fn after_power_loss(disk: &Path, name: &str) -> Backend {
    Backend::from_url(&format!("sqlite://{}/{name}/signup.db", disk.display()))
}

#[tokio::test]
async fn a_log_that_was_replaced_is_synced_too() {
    let backend = Backend::sqlite();
    let (disk, frozen) = run(&backend, "replace_log");
    let [(name, id)] = &frozen[..] else { panic!("{frozen:?}") };
    let ledger = after_power_loss(&disk, name).open().await;
    assert_eq!(get(&ledger, *id).await.state, AttemptState::Open);
}

#[tokio::test]
async fn a_used_proof_survives_a_power_loss_after_a_failed_sync() {
    let backend = Backend::sqlite();
    let (disk, frozen) = run(&backend, "fail_to_sync");
    assert_eq!(frozen.len(), 2);
    for ((name, id), number) in frozen.into_iter().zip(1..) {
        let after = after_power_loss(&disk, &name);
        let ledger = after.open().await;
        assert_eq!(get(&ledger, id).await.state, AttemptState::Open, "{name}");
        assert!(!ledger.record_once(id, key(number), DAY).await.unwrap(), "{name}");
        assert_eq!(after.integrity(), "ok", "{name}");
    }
}

#[tokio::test]
async fn a_power_loss_loses_no_used_proof_and_at_most_a_second() {
    let backend = Backend::sqlite();
    let (disk, frozen) = run(&backend, "lose_power");
    assert_eq!(frozen.len(), 3 + 3 * usize::try_from(ROUNDS).unwrap());

    for (name, id) in frozen {
        let after = after_power_loss(&disk, &name);
        let ledger = after.open().await;
        let (kind, round) = name.split_once('-').unwrap_or((name.as_str(), "0"));
        let round: u32 = round.parse().unwrap();
        match kind {
            // Without this, the copies would prove nothing.
            "missing" => assert_eq!(ledger.get(id).await.unwrap(), None),
            "old" => assert_eq!(get(&ledger, id).await.state, AttemptState::Created),
            "begin" => {
                assert_eq!(get(&ledger, id).await.state, AttemptState::Open);
                assert!(!ledger.record_once(id, key(2 * round), DAY).await.unwrap(), "{name}");
            }
            "use" => {
                assert!(!ledger.record_once(id, key(2 * round + 1), DAY).await.unwrap(), "{name}");
            }
            "second" | "closed" => assert_eq!(get(&ledger, id).await.state, AttemptState::Open),
            _ => panic!("{name}"),
        }
        assert_eq!(after.integrity(), "ok", "{name}");
    }
}
