//! `auth0-signup backup` and `restore`, run by the real binary.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};

use auth0_signup::config::Database;
use auth0_signup::ledger::Access;
use rusqlite::Connection;

use crate::backend::{Backend, NOW};
use crate::command::{command, run, stdout};
use crate::rows::{begin, get, unique};

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn backup(backend: &Backend, name: &str, status: i32) -> (PathBuf, String) {
    let target = backend.folder().join(name);
    let output = run(backend, &["backup", target.to_str().unwrap()]);
    let printed = stdout(&output, status) + &String::from_utf8(output.stderr.clone()).unwrap();
    (target, printed)
}

/// The command's output, stdout before stderr.
fn restore(backend: &Backend, from: &Path, status: i32) -> String {
    let output = run(backend, &["restore", from.to_str().unwrap()]);
    stdout(&output, status) + &String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_running_ledger_is_restored() {
    let mut backend = Backend::sqlite();
    backend.settings.secret_key = None;
    let ledger = backend.open().await;
    let (early, late) = (unique(NOW), unique(NOW));
    begin(&ledger, &early).await;
    let (copy, printed) = backup(&backend, "copy.db", 0);
    assert!(printed.starts_with("backed up 1 attempt, "), "{printed}");
    assert!(printed.contains(".key"), "{printed}");
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(&backend.folder()), ["copy.db", "new"], "no draft is left");
    begin(&ledger, &late).await;

    let before = fs::read(&copy).unwrap();
    let (_, rejected) = backup(&backend, "copy.db", 1);
    assert!(rejected.contains("copy.db exists"), "{rejected}");
    let rejected = restore(&backend, &copy, 2);
    assert!(rejected.contains("another process serves from"), "{rejected}");
    ledger.ping(false).await.unwrap();
    ledger.close().await;
    drop(ledger);

    let printed = restore(&backend, &copy, 0);
    assert!(printed.starts_with("restored 1 attempt, "), "{printed}");
    assert_eq!(fs::read(&copy).unwrap(), before);
    let ledger = backend.open().await;
    get(&ledger, early.id).await;
    assert!(ledger.get(late.id).await.unwrap().is_none());
    ledger.close().await;
    drop(ledger);
    assert_eq!(backend.integrity(), "ok");

    // What was there before is whole, and can be restored too.
    let (_, previous) = printed.trim_end().rsplit_once(' ').unwrap();
    let printed = restore(&backend, Path::new(previous), 0);
    assert!(printed.starts_with("restored 2 attempts, "), "{printed}");
    let ledger = backend.open().await;
    get(&ledger, late.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_draft_of_an_interrupted_copy_is_removed_by_the_next_one() {
    let backend = Backend::sqlite();
    let ledger = backend.open().await;
    ledger.close().await;
    drop(ledger);
    let draft = |target: &Path, id: &str| {
        let path = PathBuf::from(format!("{}.{id}.tmp", target.display()));
        fs::write(&path, "left").unwrap();
        path
    };
    let target = backend.folder().join("copy.db");
    let left = draft(&target, "0123456789abcdef");
    fs::write(left.with_extension("tmp-journal"), "left").unwrap();
    let running = draft(&target, "1123456789abcdef");
    let lock = fs::File::open(&running).unwrap();
    lock.lock().unwrap();
    let others =
        [draft(&target, "notes"), draft(&backend.folder().join("other.db"), "0123456789abcdef")];
    let (copy, _) = backup(&backend, "copy.db", 0);
    let kept: Vec<_> = [&target, &running].into_iter().chain(&others).cloned().collect();
    let mut expected: Vec<_> = kept
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .chain(["new"])
        .collect();
    expected.sort_unstable();
    assert_eq!(names(&backend.folder()), expected);

    let left = draft(&backend.path(), "0123456789abcdef");
    restore(&backend, &copy, 0);
    assert!(!left.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_or_damaged_ledger_is_restored() {
    let mut backend = Backend::sqlite();
    backend.settings.secret_key = None;
    let ledger = backend.open().await;
    let attempt = unique(NOW);
    begin(&ledger, &attempt).await;
    ledger.close().await;
    drop(ledger);
    let (copy, _) = backup(&backend, "copy.db", 0);
    let losses: [fn(&Path); 3] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::write(path, "").unwrap(),
        |path| fs::write(path, vec![7; 50_000]).unwrap(),
    ];
    for lose in losses {
        lose(&backend.path());
        // The log of the lost one.
        fs::write(backend.path().with_extension("db-wal"), vec![7; 50_000]).unwrap();
        assert!(backend.try_open(Access::Service).await.is_err());
        restore(&backend, &copy, 0);
        let ledger = backend.open().await;
        get(&ledger, attempt.id).await;
        ledger.close().await;
        drop(ledger);
        assert_eq!(backend.integrity(), "ok");
    }
}

/// No service has the file, so a write-ahead log beside it would be that of one that was killed.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_only_reads_leaves_no_trace() {
    let backend = Backend::sqlite();
    backend.open().await.close().await;
    let (copy, _) = backup(&backend, "copy.db", 0);
    restore(&backend, &copy, 0);
    let folder = backend.path().parent().unwrap().to_owned();
    let state = || (fs::read(backend.path()).unwrap(), names(&folder));
    let before = state();
    let second = backend.folder().join("second.db");
    for arguments in [["migrate", "status"], ["backup", second.to_str().unwrap()]] {
        stdout(&run(&backend, &arguments), 0);
        assert!(state() == before, "{arguments:?}: {:?}", names(&folder));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_another_program_writes_to_is_not_replaced() {
    let backend = Backend::sqlite();
    let ledger = backend.open().await;
    begin(&ledger, &unique(NOW)).await;
    ledger.close().await;
    drop(ledger);
    let (copy, _) = backup(&backend, "copy.db", 0);
    for mode in ["WAL", "DELETE"] {
        let writer = Connection::open(backend.path()).unwrap();
        writer.pragma_update(None, "journal_mode", mode).unwrap();
        writer.execute_batch("BEGIN IMMEDIATE; DELETE FROM attempts").unwrap();
        let rejected = restore(&backend, &copy, 2);
        assert!(rejected.contains("another process serves from"), "{mode}: {rejected}");
        writer.execute_batch("COMMIT").unwrap();
        drop(writer);
        assert_eq!(backend.count("attempts").await, 0, "{mode}");
        restore(&backend, &copy, 0);
        assert_eq!(backend.count("attempts").await, 1, "{mode}");
    }
}

/// As a backup is that takes long.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_ledger_is_served_beside_a_reader() {
    let backend = Backend::sqlite();
    backend.open().await.close().await;
    let (copy, _) = backup(&backend, "copy.db", 0);
    restore(&backend, &copy, 0);
    let reader = Connection::open(backend.path()).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM attempts").unwrap();
    let ledger = backend.open().await;
    begin(&ledger, &unique(NOW)).await;
    ledger.close().await;
}

/// Of a Kubernetes volume only the group is the pod's own.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_ledger_belongs_to_the_service_in_a_folder_of_root() {
    const SERVICE: u32 = 65532;
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let backend = Backend::sqlite();
    let ledger = backend.open().await;
    begin(&ledger, &unique(NOW)).await;
    ledger.close().await;
    drop(ledger);
    let (copy, _) = backup(&backend, "copy.db", 0);
    let ledger = backend.path();
    let lock = ledger.with_extension("db.lock");
    let folder = ledger.parent().unwrap();
    let give = |path: &Path, mode: u32, owner: u32| {
        chown(path, Some(owner), Some(SERVICE)).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    give(&copy, 0o600, SERVICE);
    give(&backend.folder(), 0o755, 0);
    give(folder, 0o2775, 0);
    for (user, lost) in [(SERVICE, false), (0, false), (SERVICE, true), (0, true)] {
        for file in [&ledger, &lock] {
            give(file, 0o600, SERVICE);
        }
        if lost {
            fs::remove_file(&ledger).unwrap();
        }
        let mut command = command(&backend, &["restore", copy.to_str().unwrap()]);
        let output = command.uid(user).gid(user).output().unwrap();
        stdout(&output, 0);
        for file in [&ledger, &lock] {
            assert_eq!(fs::metadata(file).unwrap().uid(), SERVICE, "{user} {lost} {file:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_backup_changes_nothing() {
    let backend = Backend::sqlite();
    let ledger = backend.open().await;
    let attempt = unique(NOW);
    begin(&ledger, &attempt).await;
    for _ in 0..200 {
        begin(&ledger, &unique(NOW)).await;
    }
    ledger.close().await;
    drop(ledger);
    let folder = backend.folder();
    let (copy, _) = backup(&backend, "copy.db", 0);

    let damaged = folder.join("damaged.db");
    let mut bytes = fs::read(&copy).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4_096].fill(0x5a);
    fs::write(&damaged, &bytes).unwrap();
    let truncated = folder.join("truncated.db");
    fs::write(&truncated, &bytes[..8_192]).unwrap();
    let foreign = folder.join("foreign.db");
    Connection::open(&foreign).unwrap().execute("CREATE TABLE attempts (id)", []).unwrap();
    let text = folder.join("text.db");
    fs::write(&text, "not a database, but more than a hundred bytes long".repeat(9)).unwrap();
    let incomplete = folder.join("incomplete.db");
    fs::copy(&copy, &incomplete).unwrap();
    Connection::open(&incomplete).unwrap().execute("DROP TABLE used_proofs", []).unwrap();
    let other_secret = folder.join("other.db");
    fs::copy(&copy, &other_secret).unwrap();
    let connection = Connection::open(&other_secret).unwrap();
    connection.execute("UPDATE secret_checks SET value = randomblob(32)", []).unwrap();
    drop(connection);

    let before = fs::read(backend.path()).unwrap();
    for (from, status, expected) in [
        (&damaged, 1, "damaged.db"),
        (&truncated, 1, "truncated.db"),
        (&foreign, 1, "is not a ledger of auth0-signup"),
        (&text, 1, "text.db"),
        (&incomplete, 1, "no table or function used_proofs"),
        (&other_secret, 2, "another secrets.key"),
        (&folder.join("missing.db"), 1, "missing.db"),
        (&backend.path(), 1, "is the ledger itself"),
    ] {
        let printed = restore(&backend, from, status);
        assert!(printed.contains(expected), "{printed}");
        assert_eq!(fs::read(backend.path()).unwrap(), before, "{printed}");
    }
    let left = names(backend.path().parent().unwrap());
    assert!(left.iter().all(|name| !name.contains("tmp") && !name.contains("restore")), "{left:?}");
    let ledger = backend.open().await;
    get(&ledger, attempt.id).await;
}

#[tokio::test]
async fn other_databases_are_rejected() {
    let backend = Backend::sqlite();
    let (_, printed) = backup(&backend, "copy.db", 2);
    assert!(printed.contains("there is no ledger at"), "{printed}");
    backend.execute("CREATE TABLE schema_migrations (version TEXT)").await;
    let (_, printed) = backup(&backend, "copy.db", 1);
    assert!(printed.contains("is not a ledger"), "{printed}");
    let opened = backend.try_open(Access::Service).await.map(drop);
    assert!(opened.is_err_and(|error| error.to_string().contains("another program")));
    let status = run(&backend, &["migrate", "status"]);
    let printed = String::from_utf8_lossy(&status.stderr);
    assert!(!status.status.success() && printed.contains("another program"), "{printed}");

    // A copy of a ledger without one of its tables would not be one either.
    let backend = Backend::sqlite();
    backend.open_plain().await.close().await;
    backend.execute("DROP TABLE processes").await;
    let (_, printed) = backup(&backend, "copy.db", 1);
    assert!(printed.contains("no table or function processes"), "{printed}");

    // Nothing in it changes, not even the mode of its log.
    let backend = Backend::sqlite();
    let path = backend.path();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
    drop(other);
    let before = fs::read(&path).unwrap();
    for arguments in [["migrate"].as_slice(), &["migrate", "status"], &["attempts", "list"]] {
        run(&backend, arguments);
        assert_eq!(fs::read(&path).unwrap(), before, "{arguments:?}");
    }
    assert!(backend.try_open(Access::Service).await.is_err());
    assert_eq!(fs::read(&path).unwrap(), before);

    let mut backend = Backend::sqlite();
    backend.settings.database = Database::Postgres("postgres://localhost/signup".into());
    for command in ["backup", "restore"] {
        let output = run(&backend, &[command, "copy.db"]);
        assert_eq!(stdout(&output, 2), "");
        assert!(String::from_utf8_lossy(&output.stderr).contains("pg_dump"), "{output:?}");
    }
}

/// A start that died before it opened the ledger left a secret. Then its operator brought the right one.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_a_failed_start_replaces_no_other() {
    let mut backend = Backend::sqlite();
    backend.settings.secret_key = None;
    let ledger = backend.open().await;
    let attempt = unique(NOW);
    begin(&ledger, &attempt).await;
    let (copy, _) = backup(&backend, "copy.db", 0);
    ledger.close().await;
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", backend.path().display()));
    let (kept, left) = (beside(".key"), beside(".key.new"));
    let secret = fs::read(&kept).unwrap();
    let leave = || {
        fs::write(&left, "f".repeat(64)).unwrap();
        fs::set_permissions(&left, fs::Permissions::from_mode(0o600)).unwrap();
    };
    leave();
    let restored = restore(&backend, &copy, 0);
    assert_eq!(fs::read(&kept).unwrap(), secret, "{restored}");
    leave();
    let ledger = backend.open().await;
    assert_eq!(get(&ledger, attempt.id).await.id, attempt.id);
    ledger.close().await;
    assert_eq!(fs::read(&kept).unwrap(), secret);
    assert!(!left.exists());
}
