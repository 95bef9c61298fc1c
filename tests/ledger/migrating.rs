//! Migrations beside a dump, an old replica, other starts and other programs.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth0_signup::ledger::{Access, BeginResult, ClaimDue, Find, inspect, migrate, migrations};
use auth0_signup::limits::{Limit, Rate};
use tokio::time::timeout;

use crate::backend::{Backend, NOW, admin};
use crate::command::{self, stderr};
use crate::eventually::eventually;
use crate::pooler::{Mode, Pooler};
use crate::role::Role;
use crate::rows::{any_due, begin, created, get, unique, with_permit};
use crate::server::{connect, scalar, server};

/// The files that a build before the renaming of columns had applied, and its table of them.
pub(crate) const BEFORE: [&str; 4] = [
    include_str!("../../migrations/postgres/0001_attempts.sql"),
    include_str!("../../migrations/postgres/0002_redeemed_proofs.sql"),
    include_str!("../../migrations/postgres/0003_limits.sql"),
    include_str!("../../migrations/postgres/0004_terms.sql"),
];
const TABLE_BEFORE: &str = "\
    CREATE TABLE auth0_signup_migrations (version integer PRIMARY KEY, name text NOT NULL,
      applied_at bigint NOT NULL);
    INSERT INTO auth0_signup_migrations SELECT version, 'old', 5 FROM generate_series(1, 4) AS version;";

/// A sign-up of that build.
const SIGN_UP_BEFORE: &str = "\
    INSERT INTO attempts (id, email_digest, user_id, request_id, state, begun_at)
    VALUES (gen_random_uuid(), '\\x00', 'user', 'request', 0, 0)";

async fn earlier() -> Backend {
    let backend = Backend::postgres().await;
    backend.execute(&(BEFORE.concat() + TABLE_BEFORE)).await;
    backend
}

/// The number of all migrations.
async fn all(backend: &Backend) -> i64 {
    migrations(&backend.settings).await.unwrap().len().try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_beside_a_dump_stops_no_sign_up() {
    let backend = earlier().await;
    let url = backend.url();
    let dump = connect(&url).await;
    let lock = "BEGIN ISOLATION LEVEL REPEATABLE READ; LOCK TABLE attempts IN ACCESS SHARE MODE";
    dump.batch_execute(lock).await.unwrap();
    let through = backend.through(&url);
    let starts = (0..3).map(|_| {
        let backend = backend.through(&url);
        tokio::spawn(async move { Box::pin(backend.open_plain()).await })
    });
    let starts: Vec<_> = starts.collect();
    // The old replica goes on for several tries of the migration.
    let old = connect(&url).await;
    let mut longest = Duration::ZERO;
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(5) {
        let at = Instant::now();
        old.batch_execute(SIGN_UP_BEFORE).await.unwrap();
        longest = longest.max(at.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    println!("longest sign-up beside a migration beside a dump: {longest:?}");
    assert!(longest < Duration::from_millis(700), "{longest:?}");
    assert!(starts.iter().all(|start| !start.is_finished()));
    dump.batch_execute("COMMIT").await.unwrap();
    for start in starts {
        let ledger = start.await.unwrap();
        assert_eq!(ledger.begin(unique(NOW)).await.unwrap(), BeginResult::Started);
    }
    let all = migrations(&through.settings).await.unwrap();
    assert!(all.iter().all(|migration| migration.applied_at.is_some()), "{all:?}");
    assert_eq!(all[3].applied_at, Some(Duration::from_millis(5)));
}

/// A migration of another process, or an operator's change, locks a table for longer than any call
/// waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_table_delays_a_start_and_does_not_end_it() {
    let tables = ["attempts", "secret_checks", "auth0_signup_migrations"];
    let starts = tables.map(async |table| {
        let backend = Backend::postgres().await;
        backend.open().await.close().await;
        let change = connect(&backend.url()).await;
        let lock = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        change.batch_execute(&lock).await.unwrap();
        let again = backend.through(&backend.url());
        let start = tokio::spawn(async move { Box::pin(again.open_plain()).await });
        tokio::time::sleep(Duration::from_secs(11)).await;
        assert!(!start.is_finished(), "{table}");
        change.batch_execute("COMMIT").await.unwrap();
        start.await.expect(table).close().await;
    });
    futures_util::future::join_all(starts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_waits_outlasts_its_connection() {
    let backend = Backend::postgres().await;
    backend.open().await.close().await;
    let change = connect(&backend.url()).await;
    change.batch_execute("BEGIN; LOCK TABLE secret_checks").await.unwrap();
    let again = backend.through(&backend.url());
    let start = tokio::spawn(async move { Box::pin(again.open_plain()).await });
    let waiting = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let client = connect(&backend.url()).await;
    eventually("the start waits", async || {
        (scalar::<i64>(&client, waiting).await > 0).then_some(())
    })
    .await;
    let cut = "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity \
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    client.batch_execute(cut).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    change.batch_execute("COMMIT").await.unwrap();
    start.await.unwrap().close().await;
}

/// A service whose tenant is down. Its log is its stdout.
fn serve(backend: &Backend) -> Child {
    command::command(backend, &["serve"])
        .envs([("AUTH0_DOMAIN", "http://127.0.0.1:1"), ("AUTH0_CLIENT_ID", "id")])
        .envs([("AUTH0_CLIENT_SECRET", "secret"), ("PORT", "0"), ("SIGNUP__ADMIN__PORT", "0")])
        .env("SIGNUP__LEDGER__MIGRATE", backend.settings.migrate.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_waits_for_its_turn_logs_the_reason() {
    let backend = Backend::postgres().await;
    let other = connect(&backend.url()).await;
    other.batch_execute("SELECT pg_advisory_lock(hashtext('auth0-signup ledger'))").await.unwrap();
    let mut service = serve(&backend);
    let mut lines = BufReader::new(service.stdout.take().unwrap()).lines().map(Result::unwrap);
    let reason = "another process migrates the database";
    assert!(lines.any(|line| line.contains("the start waits") && line.contains(reason)));
    drop(other);
    assert!(lines.any(|line| line.contains("serving sign-ups")));
    service.kill().unwrap();
    service.wait().unwrap();
}

/// A table whose index is built while the service runs, and which is not built yet.
const LARGE_WITHOUT_INDEX: &str = "\
    DROP INDEX attempts_request_id;
    DELETE FROM auth0_signup_migrations WHERE version = 8;
    INSERT INTO attempts (id, email_digest, user_id, request_id, state, started_at)
    SELECT gen_random_uuid(), sha256(n::text::bytea), lpad(to_hex(n), 24, '0'),
      'request ' || n, 1, 1 FROM generate_series(1, 60000) AS n";

/// The start of a transaction that the building of an index waits for.
const DUMP: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM attempts LIMIT 1";

/// Every transaction older than the building of an index delays it.
#[tokio::test(flavor = "multi_thread")]
async fn the_index_of_a_large_table_is_built_while_the_service_runs() {
    let backend = Backend::postgres().await;
    backend.open().await.close().await;
    backend.execute(LARGE_WITHOUT_INDEX).await;
    let dump = connect(&backend.url()).await;
    dump.batch_execute(DUMP).await.unwrap();
    let replicas = [backend.open().await, backend.open().await];
    let client = connect(&backend.url()).await;
    let valid = "SELECT count(*) FROM pg_index \
                 WHERE indexrelid = to_regclass('attempts_request_id') AND indisvalid";
    let recorded = "SELECT count(*) FROM auth0_signup_migrations WHERE version = 8";
    for ledger in &replicas {
        for _ in 0..50 {
            let attempt = unique(NOW);
            assert_eq!(ledger.begin(attempt.clone()).await.unwrap(), BeginResult::Started);
            assert!(ledger.finish(created(attempt.id)).await.unwrap());
        }
    }
    assert_eq!(scalar::<i64>(&client, valid).await, 0);
    // One that was interrupted is built again.
    backend
        .execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_progress_create_index \
             WHERE datname = current_database()",
        )
        .await;
    dump.batch_execute("COMMIT").await.unwrap();
    let third = backend.open().await;
    eventually("the index is recorded", async || {
        (scalar::<i64>(&client, recorded).await > 0).then_some(())
    })
    .await;
    assert_eq!(scalar::<i64>(&client, valid).await, 1);
    let found = third.find(Find::RequestId("request 7".to_owned()), 10).await.unwrap();
    assert_eq!(found.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_migrate_warns_of_a_pending_index() {
    let mut backend = Backend::postgres().await;
    backend.open().await.close().await;
    backend.execute(LARGE_WITHOUT_INDEX).await;
    backend.settings.migrate = false;
    let mut service = serve(&backend);
    let lines = BufReader::new(service.stdout.take().unwrap()).lines().map(Result::unwrap);
    let log: Vec<_> = lines.take_while(|line| !line.contains("serving sign-ups")).collect();
    service.kill().unwrap();
    service.wait().unwrap();
    assert!(log.iter().any(|line| line.contains("an index is still pending")), "{log:?}");
}

/// No option of a session passes a pooler, so a role's own timeout holds.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_the_server_does_not_let_finish_is_given_up() {
    let backend = Backend::postgres().await;
    backend.open().await.close().await;
    backend.execute(LARGE_WITHOUT_INDEX).await;
    let dump = connect(&backend.url()).await;
    dump.batch_execute(DUMP).await.unwrap();
    let database = backend.database();
    admin(&format!("ALTER DATABASE {database} SET statement_timeout = 500")).await;
    let pooler = Pooler::start(Mode::Transaction);
    let behind = backend.through(&pooler.url(&database));
    let migrated = timeout(Duration::from_mins(1), migrate(&behind.settings, NOW)).await;
    let text = format!("{:?}", migrated.expect("an end").unwrap_err());
    assert!(text.contains("statement timeout"), "{text}");
    dump.batch_execute("COMMIT").await.unwrap();
    assert_eq!(migrate(&backend.settings, NOW).await.unwrap(), 1, "past the pooler");
}

/// An earlier file had built this index, in its own transaction.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_there_is_recorded() {
    let backend = Backend::postgres().await;
    backend.open().await.close().await;
    for rows in [0, 60_000] {
        backend
            .execute(&format!(
                "DELETE FROM auth0_signup_migrations WHERE name = 'attempts_email_digest';
                 INSERT INTO attempts (id, email_digest, user_id, request_id, state, started_at)
                 SELECT gen_random_uuid(), sha256(n::text::bytea), lpad(to_hex(n), 24, '0'),
                   'request ' || n, 1, 1 FROM generate_series(1, {rows}) AS n"
            ))
            .await;
        let ledger = backend.open().await;
        eventually("every migration is recorded", async || {
            let applied = backend.count("auth0_signup_migrations").await;
            (applied >= all(&backend).await).then_some(())
        })
        .await;
        ledger.close().await;
    }
}

/// The table was large when the building was interrupted, or when its record was lost, and is small now.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_a_small_table_that_was_interrupted_is_built_again() {
    let backend = Backend::postgres().await;
    backend.open().await.close().await;
    let indexes = "('attempts_request_id'::regclass, 'attempts_email_digest'::regclass)";
    for is_valid in [true, false] {
        backend
            .execute(&format!(
                "DELETE FROM auth0_signup_migrations WHERE version IN (8, 9);
                 UPDATE pg_index SET indisvalid = {is_valid} WHERE indexrelid IN {indexes}"
            ))
            .await;
        assert_eq!(migrate(&backend.settings, NOW).await.unwrap(), 2, "{is_valid}");
        let valid = format!("pg_index WHERE indisvalid AND indexrelid IN {indexes}");
        assert_eq!(backend.count(&valid).await, 2, "{is_valid}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_tables_of_these_names_is_left_alone() {
    for table in ["attempts", "used_proofs", "limits"] {
        let backend = Backend::postgres().await;
        backend.execute(&format!("CREATE TABLE {table} (x integer)")).await;
        let Err(error) = backend.try_open(Access::Service).await else { panic!("{table}") };
        let cause = format!("{:?}", std::error::Error::source(&error).unwrap());
        assert!(cause.contains(&format!("Foreign({table:?})")), "{cause}");
        assert_eq!(backend.count("pg_tables WHERE schemaname = 'public'").await, 1);
        assert!(inspect(&backend.settings).await.is_err(), "the doctor says so too");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_of_another_programs_migrations_is_left_alone() {
    for (columns, rows) in [
        ("version varchar PRIMARY KEY", "'20260101000000'"),
        ("version integer, name text, applied_at timestamptz", "11, 'x', now()"),
        ("version integer, name text, applied_at bigint", "11, 'x', 5"),
        ("version integer, name text, applied_at bigint", "1, 'x', 5"),
    ] {
        let backend = Backend::postgres().await;
        let other = format!(
            "CREATE TABLE schema_migrations ({columns}); INSERT INTO schema_migrations VALUES ({rows})"
        );
        backend.execute(&other).await;
        let opened = timeout(Duration::from_secs(20), backend.open()).await;
        let ledger = opened.expect("a start that ends");
        assert_eq!(ledger.begin(unique(NOW)).await.unwrap(), BeginResult::Started);
        assert_eq!(backend.count("schema_migrations").await, 1);
        assert_eq!(backend.count("auth0_signup_migrations").await, all(&backend).await, "{rows}");
    }
}

/// Waiting for another type would be waiting for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_column_of_another_type_ends_the_start() {
    let backend = Backend::postgres().await;
    let table = "CREATE TABLE auth0_signup_migrations (version integer, name text, applied_at timestamptz); \
                 INSERT INTO auth0_signup_migrations VALUES (1, 'attempts', now())";
    backend.execute(table).await;
    let opened = timeout(Duration::from_secs(20), backend.try_open(Access::Service)).await;
    assert!(opened.expect("a start that ends").is_err());
}

/// It seems to have no tables.
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_the_role_may_not_use_is_named() {
    for schema in ["own", r#""Sign-Up, 1""#, r#""it's ""mine""""#] {
        let backend = Backend::postgres().await;
        let role = Role::create(&backend).await;
        let own = format!(
            "CREATE SCHEMA {schema}; GRANT CREATE, USAGE ON SCHEMA {schema} TO {}",
            role.name
        );
        backend.execute(&own).await;
        role.alter(&format!("SET search_path = {schema}, public")).await;
        let serve = role.of(&backend);
        serve.open_plain().await.close().await;
        backend.execute(&format!("REVOKE ALL ON SCHEMA {schema} FROM {}", role.name)).await;
        let text = stderr(&command::run(&serve, &["migrate"]), 2);
        assert!(text.contains("denies a right"), "{text}");
        assert!(text.contains("permission denied for schema"), "{text}");
        assert!(serve.try_open_plain(Access::Service).await.is_err());
        assert!(inspect(&serve.settings).await.is_err());
        assert!(migrations(&serve.settings).await.is_err());
        assert_eq!(backend.count("pg_tables WHERE schemaname = 'public'").await, 0, "{schema}");
    }
}

/// A service of the release before runs and starts beside the new one.
#[tokio::test(flavor = "multi_thread")]
async fn the_procedure_of_the_release_before_still_works() {
    let backend = Backend::postgres().await;
    let ledger = backend.open().await;
    let client = connect(&backend.url()).await;
    let call = "CALL begin_attempt('018f0000-0000-7000-8000-000000000001', sha256('a'), \
        '0123456789abcdef01234567', 'request', NULL, NULL, \
        '018f0000-0000-7000-8000-000000000002', 1000, ARRAY[sha256('k')], \
        ARRAY['\\x0001'::bytea], 1000, NULL, NULL, '{}', '{}', '{}', false, NULL, NULL, NULL)";
    client.batch_execute(call).await.unwrap();
    let id = uuid::Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_0001);
    assert!(ledger.finish(created(id.into())).await.unwrap());
    assert_eq!(get(&ledger, id.into()).await.request_id, "request");
}

#[tokio::test(flavor = "multi_thread")]
async fn starts_through_a_pooler_migrate_once() {
    let backend = Backend::postgres().await;
    let pooler = Pooler::start(Mode::Transaction);
    let url = pooler.url(&backend.database());
    let opened = (0..8).map(|_| {
        let behind = backend.through(&url);
        tokio::spawn(async move { Box::pin(behind.try_open(Access::Service)).await.map(drop) })
    });
    for opened in futures_util::future::join_all(opened.collect::<Vec<_>>()).await {
        opened.unwrap().unwrap();
    }
    assert_eq!(backend.count("auth0_signup_migrations").await, all(&backend).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_a_schema_may_need_quotes() {
    for schema in [r#""Sign-Up""#, r#""it's ""mine""""#] {
        let backend = Backend::postgres().await;
        let role = Role::create(&backend).await;
        let own = format!("CREATE SCHEMA {schema} AUTHORIZATION {}", role.name);
        backend.execute(&own).await;
        role.alter(&format!("SET search_path = {schema}")).await;
        let backend = role.of(&backend);
        // Before the first start, and with tables that are already there.
        for _ in 0..2 {
            let ledger = backend.open_plain().await;
            begin(&ledger, &unique(NOW)).await;
            ledger.close().await;
            let inspection = inspect(&backend.settings).await.unwrap();
            assert_eq!((inspection.pending, inspection.may_create), (0, true), "{schema}");
        }
    }
}

/// Any white space may separate the names of a search path.
#[tokio::test(flavor = "multi_thread")]
async fn the_tables_are_found_behind_any_white_space() {
    for space in ["", " ", r"\t", r"\n", r"\r", r"\f", r"\x0b", r" \n\t "] {
        let backend = Backend::postgres().await;
        let role = Role::create(&backend).await;
        let name = &role.name;
        let schemas = format!(
            "CREATE SCHEMA empty AUTHORIZATION {name}; CREATE SCHEMA own AUTHORIZATION {name}"
        );
        backend.execute(&schemas).await;
        role.alter("SET search_path = own").await;
        let backend = role.of(&backend);
        backend.open_plain().await.close().await;
        // `SET` itself would normalise the list.
        let path = format!("set_config('search_path', E'empty,{space}own{space}, public', true)");
        let alter = format!("ALTER ROLE {name} SET search_path FROM CURRENT");
        admin(&format!("SELECT {path}; {alter}")).await;
        backend.open_plain().await.close().await;
        let others = "pg_tables WHERE schemaname IN ('empty', 'public')";
        assert_eq!(backend.count(others).await, 0, "{space:?}");
    }
}

/// The defaults of a role or a database must not reach the ledger's transactions.
#[tokio::test(flavor = "multi_thread")]
async fn inherited_defaults_change_nothing() {
    let mut defaults = vec![
        "default_transaction_isolation = 'repeatable read'",
        "default_transaction_isolation = 'serializable'",
        "search_path = nowhere",
        "search_path = ''",
        "search_path = pg_catalog",
        "statement_timeout = 100",
        "lock_timeout = 1",
        "idle_in_transaction_session_timeout = 1",
        "enable_indexscan = off",
        "plan_cache_mode = force_custom_plan",
        "standard_conforming_strings = off",
        "bytea_output = escape",
        "DateStyle = 'SQL, DMY'",
        "TimeZone = 'Asia/Kolkata'",
        "extra_float_digits = 0",
        "synchronous_commit = remote_apply",
    ];
    let knows = "SELECT count(*) FROM pg_settings WHERE name = 'transaction_timeout'";
    if scalar::<i64>(&connect(server()).await, knows).await > 0 {
        defaults.push("transaction_timeout = 30");
    }
    for default in defaults {
        let backend = Backend::postgres().await;
        let role = Role::create(&backend).await;
        // Before the first start, and with tables that are already there.
        for _ in 0..2 {
            role.alter(&format!("SET {default}")).await;
            let ledger = role.of(&backend).open_plain().await;
            let tasks = (0..60).map(|_| {
                let ledger = Arc::clone(&ledger);
                tokio::spawn(async move {
                    let rate = Rate { burst: 10_000, every: Duration::from_millis(1) };
                    let attempt = with_permit(Limit::Service, 1, rate);
                    ledger.begin(attempt.clone()).await?;
                    ledger.finish(created(attempt.id)).await?;
                    let claim = ClaimDue { lease: NOW, ..any_due(uuid::Uuid::nil(), 3) };
                    ledger.claim_due(claim).await.map(drop)
                })
            });
            for task in futures_util::future::join_all(tasks.collect::<Vec<_>>()).await {
                task.unwrap().unwrap_or_else(|error| panic!("{default}: {error:?}"));
            }
            ledger.ping(false).await.unwrap();
            ledger.close().await;
            role.alter("RESET ALL").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_of_idle_sessions_fails_no_call() {
    let backend = Backend::postgres().await;
    backend.open().await.close().await;
    let database = backend.database();
    admin(&format!("ALTER DATABASE {database} SET idle_session_timeout = 200")).await;
    let ledger = backend.through(&backend.url()).open_plain().await;
    for number in 0..20u64 {
        assert_eq!(ledger.begin(unique(NOW)).await.unwrap(), BeginResult::Started);
        ledger.ping(false).await.unwrap();
        tokio::time::sleep(Duration::from_millis(195 + number % 10)).await;
    }
}
