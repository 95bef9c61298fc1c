//! The ledger is ready if and only if a sign-up works: for each cause, before and after its repair.

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth0_signup::ledger::{Access, BeginResult, Ledger, UrlChange};
use auth0_signup::limits::{Limit, Rate};

use crate::backend::{Backend, NOW, admin};
use crate::eventually::eventually;
use crate::pooler::{Mode, Pooler};
use crate::role::Role;
use crate::rows::{created, unique, with_permit, with_proof};
use crate::server::connect;

/// The longest call, with a margin.
const LONGEST: Duration = Duration::from_millis(3_400);

const MILLISECOND: Duration = Duration::from_millis(1);

/// A database that a role without further rights uses.
async fn served() -> (Backend, Role, Arc<dyn Ledger>) {
    let backend = Backend::postgres().await;
    backend.open().await.close().await;
    let role = Role::create(&backend).await;
    role.grant(&backend).await;
    let ledger = role.of(&backend).open_plain().await;
    (backend, role, ledger)
}

/// Makes the calls of a sign-up. Without a heartbeat, its process reads the attempt before it sends
/// anything, and other replicas take it over.
async fn sign_up(ledger: &Arc<dyn Ledger>) -> bool {
    let mut attempt = with_permit(Limit::Service, 1, Rate { burst: 100, every: MILLISECOND });
    attempt.admission_cost.proof = with_proof(rand::random()).admission_cost.proof;
    attempt.key = unique(NOW).key;
    let begun = match ledger.begin(attempt.clone()).await {
        Ok(result) => {
            assert_eq!(result, BeginResult::Started);
            true
        }
        Err(_) => false,
    };
    begun
        && ledger.heartbeat(attempt.lease.process).await.is_ok()
        && ledger.get(attempt.id).await.is_ok()
        && ledger.finish(created(attempt.id)).await.is_ok()
}

/// Checks that the ledger is ready, and that sign-ups work, if `works` is set; else that neither
/// is, within the time of a call.
async fn expect(ledger: &Arc<dyn Ledger>, works: bool, cause: &str) {
    let started = Instant::now();
    let ready = ledger.ping(false).await;
    let ready_after = started.elapsed();
    let started = Instant::now();
    let signed_up = sign_up(ledger).await;
    let after = started.elapsed();
    println!("{cause}: works {works}, ping {ready_after:?}, sign-up {after:?}");
    assert_eq!((ready.is_ok(), signed_up), (works, works), "{cause}: {ready:?}");
    assert!(ready_after < LONGEST && after < LONGEST, "{cause}: {ready_after:?} {after:?}");
}

/// As [`expect`], after a repair. Calls share the error of a rejected connection for a moment.
async fn expect_soon(ledger: &Arc<dyn Ledger>, cause: &str) {
    eventually(cause, async || ledger.ping(false).await.ok()).await;
    expect(ledger, true, cause).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_right_it_is_not_ready() {
    let (backend, role, ledger) = served().await;
    expect(&ledger, true, "before").await;
    for right in [
        "INSERT ON attempts",
        "UPDATE ON attempts",
        "INSERT ON attempt_keys",
        "SELECT ON attempt_keys",
        "INSERT ON used_proofs",
        "INSERT ON processes",
        "UPDATE ON processes",
        "ALL ON processes",
    ] {
        backend.execute(&format!("REVOKE {right} FROM {}", role.name)).await;
        expect(&ledger, false, right).await;
        backend.execute(&format!("GRANT {right} TO {}", role.name)).await;
        expect(&ledger, true, "granted again").await;
    }
    // Each replica keeps limits of its own, and what is known about ids only helps.
    for right in ["ALL ON limits", "ALL ON connections"] {
        backend.execute(&format!("REVOKE {right} FROM {}", role.name)).await;
        expect(&ledger, true, right).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_slot_it_is_not_ready() {
    let (backend, role, ledger) = served().await;
    role.alter("CONNECTION LIMIT 0").await;
    backend.terminate().await;
    expect(&ledger, false, "no slot").await;
    // Calls that are rejected at once do not wait for each other.
    let started = Instant::now();
    let calls = (0..5).map(|_| {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move { ledger.ping(false).await })
    });
    for call in futures_util::future::join_all(calls.collect::<Vec<_>>()).await {
        let text = format!("{:?}", call.unwrap().unwrap_err());
        assert!(text.contains("too many connections"), "{text}");
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    role.alter("CONNECTION LIMIT -1").await;
    expect_soon(&ledger, "slots again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_slots_are_shared() {
    for slots in [1, 2, 3] {
        let (backend, role, ledger) = served().await;
        backend.terminate().await;
        role.alter(&format!("CONNECTION LIMIT {slots}")).await;
        let beats = {
            let ledger = Arc::clone(&ledger);
            tokio::spawn(async move {
                for _ in 0..10 {
                    ledger.heartbeat(uuid::Uuid::nil()).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
        };
        let tasks = (0..40).map(|_| {
            let ledger = Arc::clone(&ledger);
            tokio::spawn(async move { sign_up(&ledger).await })
        });
        let done = futures_util::future::join_all(tasks.collect::<Vec<_>>()).await;
        assert!(done.into_iter().all(|done| done.unwrap()), "{slots}");
        beats.await.unwrap();
        expect(&ledger, true, "few slots").await;
    }
}

/// Connections keep the default that they started with, also after it was changed back.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_database_is_not_ready_and_recovers_at_once() {
    let (backend, _role, ledger) = served().await;
    let database = backend.database();
    admin(&format!("ALTER DATABASE {database} SET default_transaction_read_only = on")).await;
    backend.terminate().await;
    expect(&ledger, false, "read-only").await;
    admin(&format!("ALTER DATABASE {database} RESET default_transaction_read_only")).await;
    expect(&ledger, true, "written again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_table_is_not_ready() {
    let (backend, _role, ledger) = served().await;
    for table in ["attempts", "attempt_keys", "used_proofs", "processes"] {
        let blocker = connect(&backend.url()).await;
        blocker.batch_execute(&format!("BEGIN; LOCK TABLE {table}")).await.unwrap();
        expect(&ledger, false, &format!("{table} locked")).await;
        blocker.batch_execute("COMMIT").await.unwrap();
        expect(&ledger, true, "unlocked").await;
    }
    let blocker = connect(&backend.url()).await;
    blocker.batch_execute("BEGIN; LOCK TABLE limits, connections").await.unwrap();
    expect(&ledger, true, "limits locked").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_table_or_database_is_not_ready() {
    let (backend, _role, ledger) = served().await;
    backend.execute("ALTER TABLE attempts RENAME TO gone").await;
    expect(&ledger, false, "no table").await;
    backend.execute("ALTER TABLE gone RENAME TO attempts").await;
    expect(&ledger, true, "the table again").await;
    let (name, other) = (backend.database(), format!("{}_gone", backend.database()));
    // No test's connection may be open.
    backend.terminate().await;
    admin(&format!("ALTER DATABASE {name} RENAME TO {other}")).await;
    expect(&ledger, false, "no database").await;
    admin(&format!("ALTER DATABASE {other} RENAME TO {name}")).await;
    expect_soon(&ledger, "the database again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_another_deployment_is_not_ready() {
    let (backend, _role, ledger) = served().await;
    backend.execute("UPDATE secret_checks SET value = '\\x00'").await;
    assert!(ledger.ping(false).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_can_be_replaced() {
    let (backend, role, _) = served().await;
    role.alter("PASSWORD 'first'").await;
    role.needs_password().await;
    let url = |password| backend.url().replace("postgres@", &format!("{}:{password}@", role.name));
    let ledger = backend.through(&url("first")).open_plain().await;
    expect(&ledger, true, "the first password").await;
    role.alter("PASSWORD 'second'").await;
    backend.terminate().await;
    expect(&ledger, false, "wrong password").await;
    let replace = async |url: String| ledger.replace_url(&url.into()).await;
    assert_eq!(replace(url("second")).await.unwrap(), UrlChange::Replaced);
    assert_eq!(replace(url("second")).await.unwrap(), UrlChange::Unchanged);
    expect(&ledger, true, "the second password").await;
    // Another database, an invalid URL, a wrong password and what only the new URL breaks change nothing.
    let other = url("second").replace(&backend.database(), "other");
    assert_eq!(replace(other).await.unwrap(), UrlChange::OtherDatabase);
    assert!(replace("postgres://host/x?sslmod=1".to_owned()).await.is_err());
    assert!(replace(url("wrong")).await.is_err());
    let broken = format!("{}&options=-c%20nonsense%3D1", url("second"));
    assert!(replace(broken).await.is_err());
    backend.terminate().await;
    expect(&ledger, true, "the second password still").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_pooler_it_is_not_ready() {
    let backend = Backend::postgres().await;
    backend.open().await.close().await;
    let mut pooler = Pooler::start(Mode::Transaction);
    let ledger = backend.through(&pooler.url(&backend.database())).open_plain().await;
    expect(&ledger, true, "the pooler").await;
    pooler.stop();
    expect(&ledger, false, "no pooler").await;
    pooler.restart();
    expect(&ledger, true, "the pooler again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_leaves_nothing() {
    let (backend, _role, ledger) = served().await;
    for _ in 0..3 {
        ledger.ping(false).await.unwrap();
    }
    for table in ["attempts", "attempt_keys", "used_proofs", "limits", "processes"] {
        assert_eq!(backend.count(table).await, 0, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_migrate_needs_no_other_rights() {
    let (backend, role, _) = served().await;
    backend.execute(&format!("REVOKE CREATE ON SCHEMA public FROM {}", role.name)).await;
    for migrate in [true, false] {
        let mut plain = role.of(&backend);
        plain.settings.migrate = migrate;
        let ledger = plain.open_plain().await;
        expect(&ledger, true, "few rights").await;
        ledger.close().await;
    }
    let mut command = role.of(&backend);
    command.settings.migrate = false;
    command.open_plain_as(Access::Cli).await.close().await;
}
