//! Files that are removed or replaced beneath an open ledger.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use auth0_signup::config::Database;
use auth0_signup::ledger::{AttemptId, BeginResult, Find, Ledger, LedgerError};
use rusqlite::Connection;
use tokio::time::{Instant, sleep};

use crate::backend::{Backend, NOW};
use crate::rows::{begin, created, get, unique};

/// Time in which a change of the file is noticed while nothing is written.
const NOTICED: Duration = Duration::from_millis(2_500);

fn beside(path: &Path, end: &str) -> PathBuf {
    path.with_file_name(format!("{}{end}", path.file_name().unwrap().to_str().unwrap()))
}

/// An open ledger with an attempt.
async fn open(backend: &Backend) -> (Arc<dyn Ledger>, AttemptId) {
    let ledger = backend.open().await;
    let attempt = unique(NOW);
    begin(&ledger, &attempt).await;
    (ledger, attempt.id)
}

async fn is_unavailable(ledger: &Arc<dyn Ledger>) {
    let failed = ledger.begin(unique(NOW)).await;
    assert!(matches!(failed, Err(LedgerError::Unavailable(_))), "{failed:?}");
    assert!(ledger.ping(false).await.is_err());
}

/// Waits until a check has found the damage.
async fn is_damaged(ledger: &Arc<dyn Ledger>) {
    let started_at = Instant::now();
    loop {
        match ledger.ping(false).await {
            Err(LedgerError::Corrupt(_)) => break,
            _ if started_at.elapsed() < NOTICED => sleep(Duration::from_millis(50)).await,
            pinged => panic!("{pinged:?}"),
        }
    }
}

/// Opens the ledger again. It has this attempt, and takes others.
async fn is_served_after_a_restart(backend: &Backend, ledger: Arc<dyn Ledger>, id: AttemptId) {
    ledger.close().await;
    drop(ledger);
    let ledger = backend.open().await;
    get(&ledger, id).await;
    begin(&ledger, &unique(NOW)).await;
    ledger.close().await;
    assert_eq!(backend.integrity(), "ok");
}

/// Makes the change, and takes it back. Between the two, every write fails at once.
async fn unavailable_between(change: fn(&Path), undo: fn(&Path)) {
    let backend = Backend::sqlite();
    let path = backend.path();
    let (ledger, id) = open(&backend).await;
    change(&path);
    is_unavailable(&ledger).await;
    undo(&path);
    ledger.ping(false).await.unwrap();
    assert_eq!(ledger.begin(unique(NOW)).await.unwrap(), BeginResult::Started);
    get(&ledger, id).await;
    ledger.close().await;
    assert_eq!(backend.integrity(), "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_file_is_unavailable_until_it_is_back() {
    let away = |path: &Path| fs::rename(path, beside(path, ".away")).unwrap();
    let back = |path: &Path| fs::rename(beside(path, ".away"), path).unwrap();
    unavailable_between(away, back).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_file_is_unavailable_until_the_right_one_is_back() {
    let replace = |path: &Path| {
        fs::rename(path, beside(path, ".away")).unwrap();
        fs::copy(beside(path, ".away"), path).unwrap();
    };
    let back = |path: &Path| fs::rename(beside(path, ".away"), path).unwrap();
    unavailable_between(replace, back).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_folder_is_unavailable_until_the_right_one_is_back() {
    let replace = |path: &Path| {
        let folder = path.parent().unwrap();
        fs::rename(folder, folder.with_extension("away")).unwrap();
        fs::create_dir(folder).unwrap();
        fs::write(path, "").unwrap();
    };
    let back = |path: &Path| {
        let folder = path.parent().unwrap();
        fs::remove_dir_all(folder).unwrap();
        fs::rename(folder.with_extension("away"), folder).unwrap();
    };
    unavailable_between(replace, back).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_another_file_is_unavailable() {
    let mut backend = Backend::sqlite();
    let folder = backend.folder();
    fs::create_dir_all(folder.join("a")).unwrap();
    let link = folder.join("link.db");
    symlink("a/real.db", &link).unwrap();
    backend.settings.database = Database::Sqlite(link.clone());
    let (ledger, id) = open(&backend).await;
    fs::remove_file(&link).unwrap();
    fs::write(folder.join("other.db"), "").unwrap();
    symlink("other.db", &link).unwrap();
    is_unavailable(&ledger).await;
    fs::remove_file(&link).unwrap();
    symlink("a/real.db", &link).unwrap();
    ledger.ping(false).await.unwrap();
    get(&ledger, id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_log_loses_nothing() {
    let backend = Backend::sqlite();
    let path = backend.path();
    for end in ["-wal", "-shm"] {
        let (ledger, id) = open(&backend).await;
        fs::remove_file(beside(&path, end)).unwrap();
        let failed = ledger.begin(unique(NOW)).await;
        assert!(matches!(failed, Err(LedgerError::Unavailable(_))), "{failed:?}");
        ledger.ping(false).await.unwrap();
        begin(&ledger, &unique(NOW)).await;
        ledger.close().await;
        drop(ledger);
        let ledger = backend.open().await;
        get(&ledger, id).await;
        ledger.close().await;
        assert_eq!(backend.integrity(), "ok", "{end}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_file_is_damaged() {
    let backend = Backend::sqlite();
    let (ledger, _) = open(&backend).await;
    fs::OpenOptions::new().write(true).open(backend.path()).unwrap().set_len(0).unwrap();
    let failed = ledger.begin(unique(NOW)).await;
    assert!(matches!(failed, Err(LedgerError::Corrupt(_))), "{failed:?}");
    is_damaged(&ledger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_log_is_damage_and_what_is_in_the_file_stays() {
    let backend = Backend::sqlite();
    let (ledger, id) = open(&backend).await;
    for _ in 0..500 {
        begin(&ledger, &unique(NOW)).await;
    }
    let log = beside(&backend.path(), "-wal");
    fs::OpenOptions::new().write(true).open(log).unwrap().set_len(0).unwrap();
    // A write makes a hole of what was cut.
    drop(ledger.begin(unique(NOW)).await);
    is_damaged(&ledger).await;
    is_served_after_a_restart(&backend, ledger, id).await;
}

/// Copies the file, then writes enough for the log to be moved to it.
async fn copy_then_write(ledger: &Arc<dyn Ledger>, path: &Path, copy: &Path) {
    let other = Connection::open(path).unwrap();
    other.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    for _ in 0..500 {
        begin(ledger, &unique(NOW)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_over_a_file_that_was_just_opened_is_damage() {
    let backend = Backend::sqlite();
    let (path, copy) = (backend.path(), backend.path().with_extension("copy"));
    let (ledger, _) = open(&backend).await;
    copy_then_write(&ledger, &path, &copy).await;
    ledger.close().await;
    drop(ledger);
    let ledger = backend.open().await;
    assert!(Command::new("cp").args([&copy, &path]).status().unwrap().success());
    sleep(NOTICED).await;
    // Not only where a page of the copy does not fit.
    let Err(LedgerError::Corrupt(cause)) = ledger.ping(false).await else { panic!("not noticed") };
    assert!(cause.to_string().contains("overwritten"), "{cause}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_page_that_a_call_meets_is_damage() {
    meets_damage(async |ledger, id| ledger.get(id).await.map(drop)).await;
    // On another thread.
    meets_damage(async |ledger, _| ledger.find(Find::All, 1_000).await.map(drop)).await;
}

async fn meets_damage(call: impl AsyncFn(Arc<dyn Ledger>, AttemptId) -> Result<(), LedgerError>) {
    let backend = Backend::sqlite();
    let ledger = backend.open().await;
    let attempts: Vec<_> = (0..500).map(|_| unique(NOW)).collect();
    for attempt in &attempts {
        begin(&ledger, attempt).await;
        // A start reads those that are open.
        assert!(ledger.finish(created(attempt.id)).await.unwrap());
    }
    ledger.close().await;
    drop(ledger);
    let path = backend.path();
    let mut bytes = fs::read(&path).unwrap();
    // The first page, which no later attempt goes to.
    let attempt = attempts.iter().min_by_key(|attempt| *attempt.id.as_uuid()).unwrap();
    let wanted = attempt.user_id.as_str().as_bytes();
    let page =
        bytes.chunks_mut(4_096).find(|page| page.windows(wanted.len()).any(|it| it == wanted));
    page.unwrap().fill(0x5a);
    fs::write(&path, bytes).unwrap();
    // Ids of one millisecond are in no order: the check's own attempt would perhaps belong to that page.
    backend.set_time(NOW + Duration::from_millis(1)).await;
    let ledger = backend.open().await;
    ledger.ping(false).await.unwrap();
    assert!(matches!(call(Arc::clone(&ledger), attempt.id).await, Err(LedgerError::Corrupt(_))));
    for _ in 0..3 {
        assert!(matches!(ledger.ping(false).await, Err(LedgerError::Corrupt(_))));
    }
}

/// The copy has the identity of the file, and the log fits the content from before.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_over_the_file_is_damage_and_is_served_after_a_restart() {
    let backend = Backend::sqlite();
    let (path, copy) = (backend.path(), backend.path().with_extension("copy"));
    let (ledger, id) = open(&backend).await;
    copy_then_write(&ledger, &path, &copy).await;
    sleep(NOTICED).await;
    assert!(Command::new("cp").args([&copy, &path]).status().unwrap().success());
    is_damaged(&ledger).await;
    is_served_after_a_restart(&backend, ledger, id).await;
    assert_eq!(backend.count("attempts").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_table_is_damage() {
    for table in ["attempts", "attempt_keys", "used_proofs", "secret_checks"] {
        let backend = Backend::sqlite();
        let (ledger, _) = open(&backend).await;
        let migrations = backend.count("schema_migrations").await;
        backend.execute(&format!("DROP TABLE {table}")).await;
        is_damaged(&ledger).await;
        assert_eq!(backend.count("schema_migrations").await, migrations);
    }
}
