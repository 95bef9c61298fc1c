//! Migrations, and the check of the secret: the parts of a [start](super::start).
//!
//! Several processes may do it at once. They take turns by an advisory lock of the transaction,
//! which a pooler keeps, and poll for it: a waiting statement would hold a snapshot.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, Error};

use super::connector::Connector;
use super::errors::{ErrorClass, PostgresError};
use super::statement::NO_TRANSACTION_TIMEOUT;
use crate::digest::{Digest, DigestPair};
use crate::ledger::migrations::{POSTGRES, Script, pending};

/// The tables of the newest migration.
pub(super) const TABLES: [&str; 7] = [
    "attempts",
    "attempt_keys",
    "secret_checks",
    "used_proofs",
    "limits",
    "processes",
    "connections",
];

/// The functions of the newest migration that a service calls.
pub(super) const FUNCTIONS: [&str; 7] = [
    "start_attempt",
    "finish_attempt",
    "try_attempt",
    "free_keys",
    "ledger_now",
    "limits_now",
    "spend_permit",
];

/// The longest time for which a change of a table may make sign-ups wait. Then the migration fails,
/// which lets them pass, and the start tries again.
const CHANGE_LOCK_TIMEOUT: Duration = Duration::from_millis(200);

/// The longest wait for a change that another process makes, or for the turn, before the start tries
/// again and logs why. It stops no sign-up: nothing is changed.
const READ_LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// The interval at which the turn is polled for.
const POLL: Duration = Duration::from_millis(100);

/// The tries of an index whose building the server cancels. Behind a pooler a timeout of the role or the
/// database does that each time.
const BUILD_TRIES: u32 = 3;

/// The options of a session that builds an index, which may take hours. By the last two the connector recognises
/// a session of our own.
const NO_TIMEOUTS: &str =
    "-c statement_timeout=0 -c lock_timeout=0 -c enable_seqscan=off -c jit=off";

/// The schema of the tables, as a value of `search_path`: the first of the search path that has them, else `public`
/// if it has them, else the one where new tables are created. The second column is false if this role lacks the
/// right to use the schema of the tables, which `current_schemas` would leave out.
const SCHEMA: &str = "\
    WITH parts AS ( \
      SELECT number, coalesce(replace(part[1], '\"\"', '\"'), lower(part[2])) AS name \
      FROM regexp_matches(current_setting('search_path'), '\"((?:[^\"]|\"\")*)\"|([^\",[:space:]]+)', 'g') \
        WITH ORDINALITY AS found (part, number)), \
    path AS ( \
      SELECT number, CASE name WHEN '$user' THEN current_user ELSE name END AS name FROM parts \
      UNION ALL SELECT NULL, 'public'), \
    ours AS ( \
      SELECT space.oid, nspname FROM path JOIN pg_namespace space ON nspname = name \
      JOIN pg_class ON relnamespace = space.oid \
      WHERE relname = 'auth0_signup_migrations' AND relkind = 'r' \
      ORDER BY number NULLS LAST LIMIT 1) \
    SELECT quote_ident(coalesce((SELECT nspname FROM ours), \
        nullif(current_schema(), 'pg_catalog'), 'public')), \
      coalesce((SELECT has_schema_privilege(oid, 'USAGE') FROM ours), true)";

/// The applied migrations.
const APPLIED: &str = "SELECT version, applied_at FROM auth0_signup_migrations";

/// Returns whether there is a table of ours.
const HAS_TABLE: &str = "SELECT to_regclass('auth0_signup_migrations') IS NOT NULL";

/// The relations with the names of ours, now or earlier. Without a table of applied migrations they are another
/// program's.
const FOREIGN: &str = "SELECT string_agg(relname, ', ' ORDER BY relname) FROM pg_class \
    WHERE relnamespace = quote_ident(current_schema())::regnamespace \
      AND relname::text = ANY ($1 || ARRAY['redeemed_proofs'])";

const CREATE_TABLE: &str = "CREATE TABLE auth0_signup_migrations \
    (version integer PRIMARY KEY, name text NOT NULL, applied_at bigint NOT NULL)";

const RECORD: &str = "INSERT INTO auth0_signup_migrations (version, name, applied_at) \
    VALUES ($1, $2, (extract(epoch FROM clock_timestamp()) * 1000)::bigint) ON CONFLICT DO NOTHING";

const IS_OUR_TURN: &str = "SELECT pg_try_advisory_xact_lock(hashtext('auth0-signup ledger'))";

/// Returns whether an index is built in an instant, so that writes may wait for it.
const IS_SMALL: &str =
    "SELECT coalesce(pg_relation_size(to_regclass('attempts')) < 8 * 1024 * 1024, true)";

const RECORD_SECRET: &str = "INSERT INTO secret_checks (value, seen_at) \
    VALUES ($1, ledger_now()) ON CONFLICT DO NOTHING";

/// Returns whether the index is usable, and whether a process is building it; no row if there is
/// none.
const INDEX: &str = "\
    SELECT indisvalid, EXISTS (SELECT FROM pg_stat_progress_create_index progress \
      WHERE progress.index_relid = indexrelid) \
    FROM pg_index WHERE indexrelid = to_regclass($1)";

/// Returns the number of pending migrations: of those that a start needs, and of the indexes that are built
/// while the service runs.
pub(super) fn count_pending(applied: &[(i32, i64)]) -> (usize, usize) {
    let (indexes, required): (Vec<_>, Vec<_>) =
        pending(&POSTGRES, applied).partition(|script| is_separate(script));
    (required.len(), indexes.len())
}

/// Returns the schema of the tables, as a value of `search_path`.
///
/// # Errors
/// Also when this role may not use it: it would seem to have no tables.
pub(super) async fn schema(client: &Client) -> Result<String, PostgresError> {
    let rows = client.query_typed(SCHEMA, &[]).await?;
    let Some(row) = rows.first() else { return Ok(String::new()) };
    let schema: String = row.try_get(0)?;
    if !row.try_get::<_, bool>(1)? {
        // For the server's own error.
        let denied = format!("SELECT FROM {schema}.auth0_signup_migrations LIMIT 0");
        client.batch_execute(&denied).await?;
    }
    Ok(schema)
}

/// Returns the applied migrations: `(version, milliseconds)`.
pub(super) async fn applied(
    client: &Client,
    schema: &str,
) -> Result<Vec<(i32, i64)>, PostgresError> {
    begin(client, schema).await?;
    let applied = applied_within(client).await?;
    client.batch_execute("COMMIT").await?;
    Ok(applied)
}

/// Applies the pending migrations, each in a transaction of its own, and returns their number.
/// Leaves indexes of a large table out.
///
/// # Errors
/// Also when a table is locked for too long: those before it stay applied.
pub(super) async fn migrate(client: &Client, schema: &str) -> Result<usize, PostgresError> {
    let mut count = 0;
    let mut deadline = Instant::now() + READ_LOCK_TIMEOUT;
    loop {
        begin(client, schema).await?;
        let applied = applied_within(client).await?;
        let is_small = is_true(client, IS_SMALL).await?;
        client.batch_execute("COMMIT").await?;
        let mut scripts = pending(&POSTGRES, &applied);
        let Some(script) = scripts.find(|script| is_small || !is_separate(script)) else {
            return Ok(count);
        };
        if apply(client, schema, script).await? {
            count += 1;
            deadline = Instant::now() + READ_LOCK_TIMEOUT;
        } else {
            pause(deadline).await?;
        }
    }
}

/// Pauses before the turn is polled for again.
async fn pause(deadline: Instant) -> Result<(), PostgresError> {
    if Instant::now() >= deadline {
        return Err(PostgresError::OtherMigrates);
    }
    sleep(POLL).await;
    Ok(())
}

/// Applies one migration. Returns `false` when it is another process's turn, or one has applied it.
async fn apply(client: &Client, schema: &str, script: &Script) -> Result<bool, PostgresError> {
    begin_within(client, schema, CHANGE_LOCK_TIMEOUT).await?;
    if !is_true(client, IS_OUR_TURN).await? {
        client.batch_execute("ROLLBACK").await?;
        return Ok(false);
    }
    let applied = applied_within(client).await?;
    if !is_true(client, HAS_TABLE).await? {
        client.batch_execute(CREATE_TABLE).await?;
    }
    let is_pending = pending(&POSTGRES, &applied).any(|other| other.version == script.version);
    if is_pending {
        if is_separate(script) {
            // Perhaps left invalid, or not recorded, when the table was large.
            let drop = format!("DROP INDEX IF EXISTS {}", script.name);
            client.batch_execute(&drop).await?;
        }
        let sql = script.sql.replace("CONCURRENTLY ", "").replace(":schema.", "");
        client.batch_execute(&sql).await?;
        record(client, script).await?;
    }
    client.batch_execute("COMMIT").await?;
    Ok(is_pending)
}

/// Builds the pending indexes, and returns their number. That needs no transaction and stops no
/// sign-up, but waits for every older transaction.
pub(super) async fn build_indexes(
    connector: &Connector,
    schema: &str,
) -> Result<usize, PostgresError> {
    let connection = connector.connect_own(NO_TIMEOUTS, None).await?;
    let mut count = 0;
    let applied = applied(&connection.client, schema).await?;
    for script in pending(&POSTGRES, &applied).filter(|script| is_separate(script)) {
        build_index(&connection.client, schema, script).await?;
        begin(&connection.client, schema).await?;
        record(&connection.client, script).await?;
        connection.client.batch_execute("COMMIT").await?;
        count += 1;
    }
    connection.close().await;
    Ok(count)
}

/// Builds the index that has the script's name. One whose building was interrupted is built again.
async fn build_index(client: &Client, schema: &str, script: &Script) -> Result<(), PostgresError> {
    let mut tries = 0;
    loop {
        begin(client, schema).await?;
        let rows = client.query_typed(INDEX, &[(&script.name, Type::TEXT)]).await?;
        client.batch_execute("COMMIT").await?;
        let state = rows.first().map(|row| Ok::<_, Error>((row.try_get(0)?, row.try_get(1)?)));
        let built = match state.transpose()? {
            Some((true, _)) => return Ok(()),
            Some((false, true)) => Ok(()),
            Some((false, false)) => {
                let drop = format!("DROP INDEX CONCURRENTLY {schema}.{}", script.name);
                client.batch_execute(&drop).await
            }
            None => client.batch_execute(&script.sql.replace(":schema", schema)).await,
        };
        match built.map_err(PostgresError::from) {
            Ok(()) => {}
            Err(error) if error.is_cancelled() => {
                tries += 1;
                if tries == BUILD_TRIES {
                    return Err(error);
                }
            }
            // Another process was quicker.
            Err(error)
                if error.is("42P07")
                    || error.is("42704")
                    || error.class() == ErrorClass::Transient => {}
            Err(error) => return Err(error),
        }
        sleep(POLL).await;
    }
}

/// Returns whether a migration runs outside of a transaction, while the service runs.
fn is_separate(script: &Script) -> bool {
    script.sql.starts_with("-- no transaction")
}

/// Returns whether the database is new or was written with one of these secrets. Records the
/// secrets if `renew` is set or the database is new.
pub(super) async fn recognise(
    client: &Client,
    schema: &str,
    secrets: &DigestPair,
    renew: bool,
) -> Result<bool, PostgresError> {
    let is_ours = |value: &Vec<u8>| is_ours(value, secrets);
    let deadline = Instant::now() + READ_LOCK_TIMEOUT;
    loop {
        begin(client, schema).await?;
        let known = known_secrets(client).await?;
        let is_known = known.is_empty() || known.iter().any(is_ours);
        let is_recorded = known.len() == secrets.iter().count() && known.iter().all(is_ours);
        if !is_known || is_recorded || !(renew || known.is_empty()) {
            client.batch_execute("ROLLBACK").await?;
            return Ok(is_known);
        }
        // Before it is our turn, another process may change them.
        if is_true(client, IS_OUR_TURN).await? && known_secrets(client).await? == known {
            client.batch_execute("DELETE FROM secret_checks").await?;
            for secret in secrets.iter() {
                let value: &[u8] = secret.as_bytes();
                client.query_typed(RECORD_SECRET, &[(&value, Type::BYTEA)]).await?;
            }
            client.batch_execute("COMMIT").await?;
            return Ok(true);
        }
        client.batch_execute("ROLLBACK").await?;
        pause(deadline).await?;
    }
}

/// Returns whether the database was written with one of these secrets, and changes nothing. True for
/// one that no secret is recorded in.
pub(super) async fn knows(
    client: &Client,
    schema: &str,
    secrets: &DigestPair,
) -> Result<bool, PostgresError> {
    begin(client, schema).await?;
    let known = known_secrets(client).await?;
    client.batch_execute("ROLLBACK").await?;
    Ok(known.is_empty() || known.iter().any(|value| is_ours(value, secrets)))
}

/// Returns whether a recorded value is that of one of these secrets.
fn is_ours(value: &[u8], secrets: &DigestPair) -> bool {
    value.try_into().is_ok_and(|value| secrets.contains(&Digest::from_bytes(value)))
}

async fn known_secrets(client: &Client) -> Result<Vec<Vec<u8>>, PostgresError> {
    let rows = client.query_typed("SELECT value FROM secret_checks ORDER BY value", &[]).await?;
    let known: Result<_, _> = rows.iter().map(|row| row.try_get(0)).collect();
    Ok(known?)
}

/// Starts a transaction that changes no table's form.
async fn begin(client: &Client, schema: &str) -> Result<(), PostgresError> {
    begin_within(client, schema, READ_LOCK_TIMEOUT).await
}

/// Starts a transaction in which a statement may take long, but waits for a lock only this long.
async fn begin_within(
    client: &Client,
    schema: &str,
    lock_timeout: Duration,
) -> Result<(), PostgresError> {
    let (millis, schema) = (lock_timeout.as_millis(), schema.replace('\'', "''"));
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; \
         SELECT set_config('search_path', '{schema}', true), \
         set_config('statement_timeout', '0', true), \
         set_config('idle_in_transaction_session_timeout', '0', true), \
         set_config('lock_timeout', '{millis}', true), {NO_TRANSACTION_TIMEOUT}"
    );
    Ok(client.batch_execute(&begin).await?)
}

async fn applied_within(client: &Client) -> Result<Vec<(i32, i64)>, PostgresError> {
    // Read first: another process may apply the first migration in between.
    let tables: [(&(dyn ToSql + Sync), Type); 1] = [(&TABLES.as_slice(), Type::TEXT_ARRAY)];
    let foreign: Option<String> = first(client, FOREIGN, &tables).await?;
    if !is_true(client, HAS_TABLE).await? {
        return foreign.map_or(Ok(Vec::new()), |names| Err(PostgresError::Foreign(names)));
    }
    let rows = client.query_typed(APPLIED, &[]).await?;
    let applied = rows.iter().map(|row| Ok::<_, Error>((row.try_get(0)?, row.try_get(1)?)));
    Ok(applied.collect::<Result<_, _>>()?)
}

async fn record(client: &Client, script: &Script) -> Result<(), PostgresError> {
    let parameters: [(&(dyn ToSql + Sync), Type); 2] =
        [(&script.version, Type::INT4), (&script.name, Type::TEXT)];
    client.query_typed(RECORD, &parameters).await?;
    Ok(())
}

async fn is_true(client: &Client, question: &str) -> Result<bool, PostgresError> {
    first(client, question, &[]).await
}

/// The first column of the first row.
async fn first<T>(
    client: &Client,
    select: &str,
    parameters: &[(&(dyn ToSql + Sync), Type)],
) -> Result<T, PostgresError>
where
    T: for<'a> FromSql<'a> + Default,
{
    let rows = client.query_typed(select, parameters).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
}
