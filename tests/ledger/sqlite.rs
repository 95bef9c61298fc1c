//! Tests specific to the SQLite file.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use auth0_signup::config::{LedgerSettings, Synchronous};
use auth0_signup::digest::DigestPair;
use auth0_signup::ledger::{
    self, AttemptState, BeginResult, Find, FinishAttempt, KeyError, Lease, Ledger, LedgerError,
    NewAttempt, Urgency,
};
use futures_util::poll;
use rusqlite::Connection;

use crate::backend::{Backend, NOW};
use crate::eventually::eventually;
use crate::rows::{
    DAY, begin, binding, created, get, holder, key, keyed, lease, not_created, unique, with_keys,
};

#[tokio::test]
async fn files_are_accessible_to_their_owner_only() {
    let mut backend = Backend::sqlite();
    backend.settings.secret_key = None;
    let ledger = backend.open().await;
    ledger.begin(keyed(1, NOW)).await.unwrap();
    let folder = backend.path().parent().unwrap().to_owned();
    let mode = |path: &PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let mut names = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        assert_eq!(mode(&file.path()), 0o600, "{:?}", file.file_name());
        names.push(file.file_name().into_string().unwrap());
    }
    names.sort();
    let expected = ["", "-shm", "-wal", ".key", ".lock"].map(|end| format!("signup.db{end}"));
    assert_eq!(names, expected);
}

#[tokio::test]
async fn the_secret_is_created_once_and_its_loss_is_reported() {
    let mut backend = Backend::sqlite();
    backend.settings.secret_key = None;
    let digests = || ledger::digests(&backend.settings);
    let concurrent = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(digests)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect::<Vec<_>>()
    });
    let first = concurrent[0].check_value();
    assert!(concurrent.iter().all(|digests| digests.check_value() == first));
    backend.open().await.close().await;

    let key = backend.path().with_extension("db.key");
    assert_eq!(std::fs::read_to_string(&key).unwrap().trim().len(), 64);
    std::fs::remove_file(&key).unwrap();
    assert!(matches!(digests(), Err(KeyError::Missing { .. })));
    std::fs::write(&key, "short\n").unwrap();
    std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(digests(), Err(KeyError::Short { .. })));
}

#[tokio::test]
async fn a_secret_that_others_can_read_is_an_error_with_its_remedy() {
    let mut backend = Backend::sqlite();
    backend.settings.secret_key = None;
    let digests = || ledger::digests(&backend.settings);
    backend.open().await.close().await;
    let key = backend.path().with_extension("db.key");
    for (mode, is_exposed) in
        [(0o644, true), (0o604, true), (0o602, true), (0o660, false), (0o400, false)]
    {
        std::fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
        match digests() {
            Err(error @ KeyError::Exposed { .. }) => {
                assert!(is_exposed, "{mode:o}");
                let remedy = format!("chmod 600 {}", key.display());
                assert!(error.to_string().ends_with(&remedy), "{error}");
            }
            other => assert!(!is_exposed && other.is_ok(), "{mode:o}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn the_secret_may_be_kept_apart_from_the_database() {
    let mut backend = Backend::sqlite();
    backend.settings.secret_key = None;
    let folder = backend.path().parent().unwrap().to_owned();
    let beside = folder.join("signup.db.key");
    let apart = folder.with_extension("key").join("signup.key");
    let with_path = |apart: &PathBuf| LedgerSettings {
        secret_key_path: Some(apart.clone()),
        ..backend.settings.clone()
    };
    // A ledger of an earlier version keeps the secret that is beside it.
    let first = ledger::digests(&backend.settings).unwrap().check_value();
    backend.open().await.close().await;
    assert_eq!(ledger::digests(&with_path(&apart)).unwrap().check_value(), first);
    assert!(!apart.exists());
    // As the warning says: the file is moved.
    std::fs::create_dir(apart.parent().unwrap()).unwrap();
    std::fs::rename(&beside, &apart).unwrap();
    assert_eq!(ledger::digests(&with_path(&apart)).unwrap().check_value(), first);
    // A new ledger has nothing beside it.
    std::fs::remove_file(&apart).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    backend.settings.secret_key_path = Some(apart.clone());
    assert_ne!(ledger::digests(&backend.settings).unwrap().check_value(), first);
    backend.open().await.close().await;
    assert!(apart.exists() && !beside.exists());
    std::fs::remove_dir_all(apart.parent().unwrap()).unwrap();
}

/// As for the database itself, whose link may lead to a file that does not exist yet.
#[tokio::test]
async fn the_secret_may_be_behind_a_link() {
    let mut backend = Backend::sqlite();
    backend.settings.secret_key = None;
    let folder = backend.path().parent().unwrap().with_extension("links");
    std::fs::create_dir_all(&folder).unwrap();
    let link = folder.join("signup.key");
    std::os::unix::fs::symlink(folder.join("elsewhere"), &link).unwrap();
    backend.settings.secret_key_path = Some(link.clone());
    for _ in 0..2 {
        backend.open().await.close().await;
        assert!(link.exists());
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// A process died in a transaction of the mode that a new file has, and one that was set aside.
#[tokio::test]
async fn a_transaction_of_a_dead_process_is_undone() {
    let backend = Backend::sqlite();
    let ledger = backend.open().await;
    begin(&ledger, &unique(NOW)).await;
    ledger.close().await;
    drop(ledger);
    let (path, log) = (backend.path(), backend.path().with_extension("db-journal"));
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "journal_mode", "DELETE").unwrap();
    // Small enough that the rows are in the file before the commit.
    connection.pragma_update(None, "cache_size", 1).unwrap();
    connection.execute_batch("CREATE TABLE filler (text TEXT); BEGIN").unwrap();
    for _ in 0..200 {
        connection.execute("INSERT INTO filler VALUES (?1)", ["x".repeat(4_000)]).unwrap();
    }
    let crashed = (std::fs::read(&path).unwrap(), std::fs::read(&log).unwrap());
    drop(connection);
    std::fs::write(&path, crashed.0).unwrap();
    std::fs::write(&log, crashed.1).unwrap();
    let ledger = backend.open().await;
    assert_eq!(backend.count("attempts").await, 1);
    assert_eq!(backend.count("filler").await, 0);
    ledger.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_file_is_unavailable_and_recovers() {
    let mut backend = Backend::sqlite();
    backend.settings.timeout = Duration::from_millis(300);
    let ledger = backend.open().await;
    let other = Connection::open(backend.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let failed = ledger.begin(unique(NOW)).await;
    assert!(matches!(failed, Err(LedgerError::Unavailable(_))), "{failed:?}");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(ledger.begin(unique(NOW)).await.unwrap(), BeginResult::Started);
    ledger.ping(false).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_failing_job_does_not_fail_its_batch() {
    let backend = Backend::sqlite();
    let ledger = backend.open().await;
    let twice = unique(NOW);
    ledger.begin(twice.clone()).await.unwrap();
    let others: Vec<_> = (0..20).map(|_| unique(NOW)).collect();
    let mut all: Vec<_> = others.iter().map(|other| ledger.begin(other.clone())).collect();
    // The same id again: the primary key rejects it.
    all.insert(10, ledger.begin(NewAttempt { id: twice.id, ..unique(NOW) }));
    let results = futures_util::future::join_all(all).await;
    assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
    for other in others {
        assert!(ledger.get(other.id).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn damage_is_distinguished_from_an_outage() {
    let backend = Backend::sqlite();
    let ledger = backend.open().await;
    let attempt = unique(NOW);
    ledger.begin(attempt.clone()).await.unwrap();
    backend.execute("UPDATE attempts SET state = 9").await;
    let damaged = ledger.get(attempt.id).await;
    assert!(matches!(damaged, Err(LedgerError::Corrupt(_))), "{damaged:?}");
}

/// As an error of the disk does.
#[tokio::test]
async fn a_check_whose_transaction_was_rolled_back_reports_the_cause() {
    let backend = Backend::sqlite();
    let ledger = backend.open().await;
    let roll_back = "CREATE TRIGGER roll_back BEFORE INSERT ON attempts \
        BEGIN SELECT RAISE(ROLLBACK, 'the disk failed'); END";
    backend.execute(roll_back).await;
    let failed = ledger.ping(false).await;
    assert!(matches!(failed, Err(LedgerError::Unavailable(_))), "{failed:?}");
    assert!(format!("{failed:?}").contains("the disk failed"), "{failed:?}");
    backend.execute("DROP TRIGGER roll_back").await;
    ledger.ping(false).await.unwrap();
}

/// Makes the tables those of the fifth migration, with the keys of now and one whose attempt is gone.
const FIFTH_MIGRATION: &str = "
    ALTER TABLE attempt_keys RENAME TO newer_keys;
    CREATE TABLE attempt_keys (
      key_digest BLOB    NOT NULL PRIMARY KEY,
      attempt_id BLOB    NOT NULL,
      binding    BLOB    NOT NULL,
      expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX attempt_keys_attempt_id ON attempt_keys (attempt_id);
    CREATE INDEX attempt_keys_expires_at ON attempt_keys (expires_at);
    INSERT INTO attempt_keys SELECT key_digest, attempt_id, binding, expires_at FROM newer_keys;
    INSERT INTO attempt_keys SELECT zeroblob(32), zeroblob(16), x'0000', expires_at FROM newer_keys LIMIT 1;
    DROP TABLE newer_keys;
    ALTER TABLE attempts DROP COLUMN key_expires_at;
    DELETE FROM schema_migrations WHERE version >= 6;";

#[tokio::test]
async fn keys_stay_with_their_attempts_when_they_are_reordered() {
    let backend = Backend::sqlite();
    let ledger = backend.open().await;
    let (two_keys, one_key) = (with_keys(&[1, 2], NOW), keyed(3, NOW));
    for attempt in [&two_keys, &one_key] {
        begin(&ledger, attempt).await;
    }
    ledger.close().await;
    backend.execute(FIFTH_MIGRATION).await;

    let ledger = backend.open().await;
    assert_eq!(backend.count("attempt_keys").await, 3);
    for (number, attempt) in [(1, &two_keys), (2, &two_keys), (3, &one_key)] {
        let found = holder(&ledger, &key(number)).await.unwrap();
        assert_eq!((found.id, found.key.unwrap().binding), (attempt.id, binding(number)));
    }
    assert!(get(&ledger, two_keys.id).await.key.is_some());
    assert!(ledger.finish(not_created(two_keys.id)).await.unwrap());
    assert_eq!(backend.count("attempt_keys").await, 1);
    assert_eq!(holder(&ledger, &key(3)).await.unwrap().id, one_key.id);
}

/// With other orders, `PRAGMA integrity_check` of SQLite 3.40 reports an intact file as damaged.
#[tokio::test]
async fn the_columns_of_each_primary_key_come_first() {
    let backend = Backend::sqlite();
    backend.open().await;
    let file = Connection::open(backend.path()).unwrap();
    let sql = "SELECT t.name, c.cid + 1, c.pk FROM pragma_table_list t JOIN pragma_table_info(t.name) c \
               WHERE t.schema = 'main' AND t.wr = 1 AND c.pk > 0";
    let mut statement = file.prepare(sql).unwrap();
    let columns = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let columns: Vec<(String, i64, i64)> = columns.unwrap().map(Result::unwrap).collect();
    assert!(columns.len() > 6, "{columns:?}");
    for (table, place, place_in_key) in columns {
        assert_eq!(place, place_in_key, "{table}");
    }
}

#[tokio::test]
async fn a_result_that_nobody_waits_for_shares_the_commit_of_the_next_write() {
    let backend = Backend::sqlite();
    let ledger = backend.open().await;
    let attempt = unique(NOW);
    begin(&ledger, &attempt).await;
    let unawaited = FinishAttempt { urgency: Urgency::Unawaited, ..created(attempt.id) };
    let mut finish = pin!(ledger.finish(unawaited));
    assert!(poll!(finish.as_mut()).is_pending());
    // Nothing runs on this thread meanwhile, so that its own wait cannot end.
    std::thread::sleep(Duration::from_millis(50));
    let count = "SELECT count(*) FROM attempts WHERE state = 0";
    let other = Connection::open(backend.path()).unwrap();
    assert_eq!(other.query_row(count, [], |row| row.get(0)), Ok(1));
    begin(&ledger, &unique(NOW)).await;
    assert_eq!(get(&ledger, attempt.id).await.state, AttemptState::Created);
    assert!(finish.await.unwrap());
}

fn unawaited(attempt: NewAttempt) -> NewAttempt {
    NewAttempt { urgency: Urgency::Unawaited, ..attempt }
}

/// Another connection, which sees what is recorded.
fn look(backend: &Backend) -> Connection {
    Connection::open(backend.path()).unwrap()
}

fn is_recorded(other: &Connection, attempt: &NewAttempt) -> bool {
    let id = attempt.id.to_string().replace('-', "").to_uppercase();
    let mut find = other.prepare("SELECT 1 FROM attempts WHERE hex(id) = ?1").unwrap();
    find.exists([id]).unwrap()
}

/// Makes so many starts that later ones are accepted before they are recorded.
async fn load(ledger: &Arc<dyn Ledger>) {
    for _ in 0..150 {
        ledger.begin(unique(NOW)).await.unwrap();
    }
}

/// Starts this attempt, which is accepted before it is recorded.
///
/// The file is locked meanwhile, so that it cannot be recorded. A pause of the whole process could end the load
/// before the start: then the next try makes it again, with another attempt.
async fn start_unrecorded(
    backend: &Backend,
    ledger: &Arc<dyn Ledger>,
    attempt: impl Fn(u32) -> NewAttempt,
) -> NewAttempt {
    let other = look(backend);
    for number in 0..100 {
        load(ledger).await;
        let attempt = unawaited(attempt(number));
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut begin = pin!(ledger.begin(attempt.clone()));
        let polled = poll!(begin.as_mut());
        other.execute_batch("ROLLBACK").unwrap();
        if let Poll::Ready(started) = polled {
            assert_eq!(started.unwrap(), BeginResult::Started);
            return attempt;
        }
        begin.await.unwrap();
    }
    panic!("every start is recorded first");
}

#[tokio::test]
async fn a_start_is_recorded_before_it_returns_unless_many_have_been() {
    let backend = Backend::sqlite();
    let ledger = backend.open().await;
    let other = look(&backend);
    for _ in 1..100 {
        let attempt = unawaited(unique(NOW));
        ledger.begin(attempt.clone()).await.unwrap();
        assert!(is_recorded(&other, &attempt));
    }
    start_unrecorded(&backend, &ledger, |_| unique(NOW)).await;
}

#[tokio::test]
async fn every_call_after_an_unrecorded_start_finds_it() {
    let backend = Backend::sqlite();
    let ledger = backend.open().await;
    let plain = |_| unique(NOW);
    let attempt = start_unrecorded(&backend, &ledger, plain).await;
    assert_eq!(get(&ledger, attempt.id).await.state, AttemptState::Open);
    let attempt = start_unrecorded(&backend, &ledger, |number| keyed(1_000 + number, NOW)).await;
    let key = DigestPair { current: attempt.key.records[0].key, previous: None };
    assert_eq!(holder(&ledger, &key).await.unwrap().id, attempt.id);
    let named = |number| NewAttempt { request_id: format!("find-{number}"), ..unique(NOW) };
    let attempt = start_unrecorded(&backend, &ledger, named).await;
    let found = ledger.find(Find::RequestId(attempt.request_id), 1).await.unwrap();
    assert_eq!(found[0].id, attempt.id);
    let attempt = start_unrecorded(&backend, &ledger, plain).await;
    assert!(ledger.finish(created(attempt.id)).await.unwrap());
    let attempt = start_unrecorded(&backend, &ledger, plain).await;
    assert!(ledger.take_over(attempt.id, lease(), None).await.unwrap().is_some());
    // Of two with one key, one starts.
    let attempt = start_unrecorded(&backend, &ledger, |number| keyed(2_000 + number, NOW)).await;
    let second = NewAttempt { id: unique(NOW).id, ..attempt.clone() };
    let existing = ledger.begin(second).await.unwrap();
    assert!(matches!(existing, BeginResult::Existing(first) if first.id == attempt.id));
    // A close loses none.
    let attempt = start_unrecorded(&backend, &ledger, plain).await;
    ledger.close().await;
    assert!(ledger.begin(unawaited(unique(NOW))).await.is_err());
    let ledger = backend.open().await;
    assert_eq!(get(&ledger, attempt.id).await.state, AttemptState::Open);
}

#[tokio::test]
async fn an_unrecorded_start_is_recorded_by_itself() {
    let backend = Backend::sqlite();
    let ledger = backend.open().await;
    let attempt = start_unrecorded(&backend, &ledger, |_| unique(NOW)).await;
    let other = look(&backend);
    let recorded = async || is_recorded(&other, &attempt).then_some(());
    eventually("the start is recorded", recorded).await;
}

#[tokio::test]
async fn starts_are_waited_for_once_a_write_has_failed() {
    let mut backend = Backend::sqlite();
    backend.settings.timeout = Duration::from_secs(1);
    let ledger = backend.open().await;
    let other = look(&backend);
    load(&ledger).await;
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Those before the failure is known may be accepted; those after it are not.
    while ledger.begin(unawaited(unique(NOW))).await.is_ok() {}
    assert!(ledger.begin(unawaited(unique(NOW))).await.is_err());
    other.execute_batch("ROLLBACK").unwrap();
    for _ in 1..100 {
        let attempt = unawaited(unique(NOW));
        ledger.begin(attempt.clone()).await.unwrap();
        assert!(is_recorded(&other, &attempt));
    }
}

#[tokio::test]
async fn starts_are_waited_for_once_one_has_failed_in_a_batch_that_succeeded() {
    let backend = Backend::sqlite();
    let ledger = backend.open().await;
    load(&ledger).await;
    backend.execute("DROP TABLE attempt_keys").await;
    let mut accepted = 0;
    while ledger.begin(unawaited(unique(NOW))).await.is_ok() {
        accepted += 1;
        tokio::task::yield_now().await;
        assert!(accepted < 10_000, "every start fails, and all are accepted");
    }
    for _ in 0..200 {
        assert!(ledger.begin(unawaited(unique(NOW))).await.is_err());
    }
}

#[tokio::test]
async fn a_synced_start_is_waited_for_under_load_too() {
    let mut backend = Backend::sqlite();
    for (synchronous, synced) in [(Synchronous::Normal, true), (Synchronous::Full, false)] {
        backend.settings.synchronous = synchronous;
        let ledger = backend.open().await;
        let other = look(&backend);
        load(&ledger).await;
        for _ in 0..20 {
            let attempt = unawaited(unique(NOW));
            let attempt = NewAttempt { lease: Lease { synced, ..attempt.lease }, ..attempt };
            ledger.begin(attempt.clone()).await.unwrap();
            assert!(is_recorded(&other, &attempt));
        }
        ledger.close().await;
    }
}

/// The keys of an earlier process are known, and every later one.
#[tokio::test]
async fn keys_are_found_after_a_restart_whatever_the_time_was_meanwhile() {
    let backend = Backend::sqlite();
    let ledger = backend.open().await;
    begin(&ledger, &keyed(1, NOW)).await;
    ledger.close().await;
    let ledger = backend.open().await;
    assert!(holder(&ledger, &key(1)).await.is_some());
    begin(&ledger, &keyed(2, NOW)).await;
    // Both are forgotten by a clock that is wrong, until it is set right.
    backend.set_time(NOW + 2 * DAY).await;
    begin(&ledger, &keyed(3, NOW)).await;
    begin(&ledger, &keyed(4, NOW)).await;
    backend.set_time(NOW).await;
    for number in 1..=4 {
        assert!(holder(&ledger, &key(number)).await.is_some(), "{number}");
    }
}

#[tokio::test]
async fn a_result_that_nobody_waits_for_is_written_without_another_write() {
    let backend = Backend::sqlite();
    let ledger = backend.open().await;
    let attempts = [(); 3].map(|()| unique(NOW));
    for attempt in &attempts {
        begin(&ledger, attempt).await;
    }
    let [alone, at_close, too_late] = attempts.map(|attempt| {
        ledger.finish(FinishAttempt { urgency: Urgency::Unawaited, ..created(attempt.id) })
    });
    assert!(alone.await.unwrap());
    let (written, ()) = tokio::join!(at_close, ledger.close());
    assert!(written.unwrap());
    assert!(matches!(too_late.await, Err(LedgerError::Unavailable(_))));
}
