//! Tests specific to PostgreSQL: outages, lost connections, several replicas.

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth0_signup::config::Synchronous;
use auth0_signup::ledger::{AttemptState, BeginResult, ClaimDue, Lease, LedgerError, NewAttempt};
use auth0_signup::limits::{Limit, Rate};
use futures_util::future::join_all;

use crate::backend::{Backend, NOW, admin};
use crate::eventually::eventually;
use crate::rows::{
    DAY, SLOW, after_failure, any_due, created, kept_for, key, keyed, lease, restartable, unique,
    unknown, with_permit, with_proof,
};
use crate::server::{connect, execute, scalar, start};

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_unavailable_and_recovers() {
    let backend = Backend::postgres().await;
    let database = backend.database();
    let ledger = backend.open().await;
    let attempt = keyed(1, NOW);
    ledger.begin(attempt.clone()).await.unwrap();
    admin(&format!("ALTER DATABASE {database} ALLOW_CONNECTIONS false")).await;
    backend.terminate().await;
    let failed = ledger.begin(unique(NOW)).await;
    assert!(matches!(failed, Err(LedgerError::Unavailable(_))), "{failed:?}");
    assert!(ledger.get(attempt.id).await.is_err());
    assert!(ledger.ping(false).await.is_err());
    admin(&format!("ALTER DATABASE {database} ALLOW_CONNECTIONS true")).await;
    eventually("a connection", async || ledger.ping(false).await.ok()).await;
    assert_eq!(ledger.begin(unique(NOW)).await.unwrap(), BeginResult::Started);
    assert!(ledger.get(attempt.id).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_costs_no_sign_up() {
    let backend = Backend::postgres().await;
    let ledger = backend.open().await;
    for _ in 0..10 {
        let attempt = unique(NOW);
        assert_eq!(ledger.begin(attempt.clone()).await.unwrap(), BeginResult::Started);
        backend.terminate().await;
        assert!(ledger.finish(created(attempt.id)).await.unwrap());
        assert!(ledger.get(attempt.id).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_the_server_rejects_fails_alone() {
    let backend = Backend::postgres().await;
    let ledger = backend.open().await;
    let mut attempts: Vec<_> = (0..20).map(|_| unique(NOW)).collect();
    // The server rejects NUL in a text.
    attempts[10] = NewAttempt { request_id: "\0".to_owned(), ..unique(NOW) };
    let results = attempts.iter().map(|attempt| ledger.begin(attempt.clone()));
    let results = join_all(results).await;
    for (number, result) in results.iter().enumerate() {
        assert_eq!(result.is_ok(), number != 10, "{number}: {result:?}");
    }
}

#[tokio::test]
async fn no_error_reveals_the_password() {
    let mut backend = Backend::from_url("postgres://signup:canary-password@127.0.0.1:1/signup");
    backend.settings.timeout = Duration::from_millis(100);
    let error =
        backend.try_open(auth0_signup::ledger::Access::Service).await.map(drop).unwrap_err();
    let text = format!("{error} {error:?} {:?}", backend.settings);
    assert!(!text.contains("canary"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_blocked_delays_a_call_by_one_timeout() {
    let mut backend = Backend::postgres().await;
    backend.settings.timeout = Duration::from_millis(500);
    let ledger = backend.open().await;
    let blocker = connect(&backend.url()).await;
    blocker.batch_execute("BEGIN; LOCK TABLE attempt_keys").await.unwrap();
    let started = Instant::now();
    assert!(ledger.begin(keyed(1, NOW)).await.is_err());
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    blocker.batch_execute("COMMIT").await.unwrap();
    assert_eq!(ledger.begin(keyed(2, NOW)).await.unwrap(), BeginResult::Started);
}

/// A start waits half a second for the table, and holds its turn meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_table_of_limits_costs_no_sign_up() {
    let mut backend = Backend::postgres().await;
    backend.settings.timeout = Duration::from_secs(10);
    let ledger = backend.open().await;
    let blocker = connect(&backend.url()).await;
    blocker.batch_execute("BEGIN; LOCK TABLE limits").await.unwrap();
    // If each start waited for the table, five at a time, they would take half a minute.
    let starts = (0..300).map(|bucket| ledger.begin(with_permit(Limit::Email, bucket, SLOW)));
    for result in join_all(starts).await {
        assert_eq!(result.unwrap(), BeginResult::Started);
    }
    blocker.batch_execute("COMMIT").await.unwrap();
    let once = Rate { burst: 1, ..SLOW };
    eventually("the table is charged again", async || {
        let result = ledger.begin(with_permit(Limit::Email, 1_000, once)).await.unwrap();
        (result != BeginResult::Started).then_some(())
    })
    .await;
}

/// Counts the tries to charge the limits, also those that are rolled back.
const COUNT_CHARGES: &str = "\
    CREATE SEQUENCE charges; \
    ALTER FUNCTION spend_permit(bigint, bigint, bigint) RENAME TO spend; \
    CREATE FUNCTION spend_permit(bigint, bigint, bigint) RETURNS bigint LANGUAGE sql AS \
      $$ SELECT CASE WHEN nextval('charges') > 0 THEN spend($1, $2, $3) END $$";

/// Starts queue for the row, so one may wait twice the half second: longer than its first try lasts.
#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_row_of_the_limits_is_not_charged_again() {
    let mut backend = Backend::postgres().await;
    backend.settings.timeout = Duration::from_secs(3);
    let ledger = backend.open().await;
    ledger.begin(with_permit(Limit::Service, 1, SLOW)).await.unwrap();
    backend.execute(COUNT_CHARGES).await;
    let blocker = connect(&backend.url()).await;
    blocker.batch_execute("BEGIN; SELECT FROM limits FOR UPDATE").await.unwrap();
    // As many as may run at once.
    let starts = (0..5).map(|_| ledger.begin(with_permit(Limit::Service, 1, SLOW)));
    for result in join_all(starts).await {
        assert_eq!(result.unwrap(), BeginResult::Started);
    }
    let charges = "SELECT last_value FROM charges";
    assert!(scalar::<i64>(&connect(&backend.url()).await, charges).await <= 5);
}

/// A server that waits for a standby that is gone, as for a disk that hangs, notices no client that has left.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_no_commit_keeps_few_sessions_and_is_not_ready() {
    let (url, _server) = start();
    let mut backend = Backend::from_url(&url);
    backend.settings.synchronous = Synchronous::Full;
    backend.settings.timeout = Duration::from_millis(600);
    let ledger = backend.open().await;
    let observer = connect(&url).await;
    let sessions = async || -> i64 {
        let sql = "SELECT count(*) FROM pg_stat_activity \
            WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        scalar(&observer, sql).await
    };
    execute(&url, "ALTER SYSTEM SET synchronous_standby_names = 'gone'").await;
    execute(&url, "SELECT pg_reload_conf()").await;
    for _ in 0..5 {
        let begin = |number| {
            let ledger = Arc::clone(&ledger);
            async move { ledger.begin(keyed(number, NOW)).await }
        };
        let results = join_all((0..8).map(begin)).await;
        assert!(results.iter().all(Result::is_err), "{results:?}");
        ledger.heartbeat(uuid::Uuid::from_u128(9)).await.unwrap();
    }
    assert!(ledger.ping(false).await.is_err());
    assert!(sessions().await <= 12, "{}", sessions().await);

    execute(&url, "ALTER SYSTEM RESET synchronous_standby_names").await;
    execute(&url, "SELECT pg_reload_conf()").await;
    eventually("the ledger works with six sessions at most", async || {
        (ledger.ping(false).await.is_ok() && sessions().await <= 6).then_some(())
    })
    .await;
    assert_eq!(ledger.begin(unique(NOW)).await.unwrap(), BeginResult::Started);
}

/// Whatever the start before has waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_is_gone_matters_if_the_next_start_waits_for_it() {
    let (url, _server) = start();
    let mut backend = Backend::from_url(&url);
    backend.settings.timeout = Duration::from_secs(2);
    let ledger = backend.open().await;
    execute(&url, "ALTER SYSTEM SET synchronous_standby_names = 'gone'").await;
    execute(&url, "SELECT pg_reload_conf()").await;
    for synced in [false, true] {
        let started = NewAttempt { lease: Lease { synced, ..lease() }, ..unique(NOW) };
        assert_eq!(ledger.begin(started).await.is_err(), synced);
        ledger.ping(false).await.unwrap();
        assert!(ledger.ping(true).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_attempt_starts_again_with_a_key_that_is_being_freed() {
    let backend = Backend::postgres().await;
    let ledger = backend.open().await;
    let attempt = keyed(1, NOW);
    ledger.begin(attempt.clone()).await.unwrap();
    assert!(ledger.finish(restartable(attempt.id)).await.unwrap());
    let (blocker, observer) = (connect(&backend.url()).await, connect(&backend.url()).await);
    let lock = format!("BEGIN; SELECT FROM attempts WHERE id = '{}' FOR UPDATE", attempt.id);
    blocker.batch_execute(&lock).await.unwrap();
    let waiting = async |count: i64| {
        let sql = "SELECT count(*) FROM pg_stat_activity \
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        eventually("the calls wait", async || {
            (scalar::<i64>(&observer, sql).await >= count).then_some(())
        })
        .await;
    };
    let (one, other) = (Arc::clone(&ledger), Arc::clone(&ledger));
    let freed =
        tokio::spawn(async move { one.free_key(attempt.id, AttemptState::NotCreated).await });
    waiting(1).await;
    let restarted = tokio::spawn(async move { other.restart(attempt.id, lease()).await });
    waiting(2).await;
    blocker.batch_execute("COMMIT").await.unwrap();
    freed.await.unwrap().unwrap();
    assert_eq!(restarted.await.unwrap().unwrap(), None);
    assert_eq!(backend.count("attempt_keys").await, 0);
}

/// Records the position in the log before each commit.
const RECORD_COMMITS: &str = "\
    CREATE TABLE commits (number serial, waits text, position pg_lsn); \
    CREATE FUNCTION record_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
      INSERT INTO commits (waits, position) \
      VALUES (current_setting('synchronous_commit'), pg_current_wal_insert_lsn()); RETURN NULL; \
    END $$; \
    CREATE CONSTRAINT TRIGGER record_commit AFTER INSERT OR UPDATE OR DELETE ON attempts \
      DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION record_commit(); \
    CREATE CONSTRAINT TRIGGER record_commit AFTER INSERT ON used_proofs \
      DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION record_commit()";

/// The last commit: the setting with which it waited, and whether it is on the disk.
const LAST_COMMIT: &str = "SELECT waits, position < pg_current_wal_flush_lsn() \
    FROM commits ORDER BY number DESC LIMIT 1";

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_has_to_be_durable_waits_for_the_disk() {
    let owner = uuid::Uuid::from_u128(9);
    for synchronous in [Synchronous::Normal, Synchronous::Full] {
        let mut backend = Backend::postgres().await;
        backend.settings.synchronous = synchronous;
        let ledger = backend.open().await;
        backend.execute(RECORD_COMMITS).await;
        let client = connect(&backend.url()).await;
        let last = async || {
            let row = client.query_one(LAST_COMMIT, &[]).await.unwrap();
            (row.get::<_, String>(0), row.get::<_, bool>(1))
        };
        let is_full = synchronous == Synchronous::Full;
        let durable = Lease { synced: true, ..lease() };
        let resumed = keyed(3, NOW).id;
        ledger.begin(NewAttempt { id: resumed, ..keyed(3, NOW) }).await.unwrap();
        ledger.finish(restartable(resumed)).await.unwrap();
        assert_eq!(ledger.restart(resumed, durable).await.unwrap(), Some(1));
        assert_eq!(last().await, ("off".to_owned(), true));
        assert!(ledger.take_over(resumed, durable, None).await.unwrap().is_some());
        assert_eq!(last().await, ("off".to_owned(), true));
        let attempt = keyed(1, NOW);
        ledger.begin(attempt.clone()).await.unwrap();
        // The wait comes after the commit, while no row is locked.
        let (waits, is_synced) = last().await;
        assert!(waits == "off" && (is_synced || !is_full));
        ledger.begin(with_proof(1)).await.unwrap();
        assert_eq!(last().await, ("off".to_owned(), true));
        ledger.finish(unknown(attempt.id)).await.unwrap();
        let (waits, is_synced) = last().await;
        assert!(if is_full { waits == "on" && is_synced } else { waits == "off" });
        assert_eq!(
            ledger.claim_due(ClaimDue { lease: DAY, ..any_due(owner, 9) }).await.unwrap().len(),
            1
        );
        ledger.release(attempt.id, owner, after_failure(None)).await.unwrap();
        assert_eq!(last().await.0, "off");
        assert!(ledger.record_once(attempt.id, key(2), DAY).await.unwrap());
        assert_eq!(last().await, ("off".to_owned(), true));
        assert_eq!(ledger.delete_by_email(&key(1)).await.unwrap(), 3);
        assert_eq!(last().await, ("off".to_owned(), true));
        ledger.begin(keyed(2, NOW.saturating_sub(DAY))).await.unwrap();
        assert_eq!(ledger.sweep(kept_for(Duration::ZERO), 9).await.unwrap().attempts, 1);
        assert_eq!(last().await.0, "off");
    }
}

/// The third try loses its connection; every other one meets a conflict.
const CONFLICTS: &str = "\
    CREATE SEQUENCE tries; \
    CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
      IF nextval('tries') = 3 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; \
      RAISE EXCEPTION 'conflict' USING ERRCODE = '40001'; \
    END $$; \
    CREATE TRIGGER conflict BEFORE INSERT ON connections FOR EACH ROW EXECUTE FUNCTION conflict()";

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_tried_three_times_whatever_is_in_the_way() {
    let mut backend = Backend::postgres().await;
    backend.settings.timeout = Duration::from_secs(3);
    let ledger = backend.open().await;
    backend.execute(CONFLICTS).await;
    ledger.record_user_ids(key(1), true, true).await.unwrap_err();
    let tries = "SELECT last_value FROM tries";
    assert_eq!(scalar::<i64>(&connect(&backend.url()).await, tries).await, 3);
}
