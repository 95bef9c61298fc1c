//! The server: connections, migrations, and the check of the secret.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _, Error, query, query_as, query_scalar, raw_sql};
use tokio::time::timeout;

use crate::config::Synchronous;
use crate::digest::DigestPair;
use crate::ledger::migrations::{POSTGRES, pending};

/// Held while a process migrates the database or checks the secret, so that replicas that start
/// together take turns. The wait may take longer than a sign-up waits.
const LOCK: &str = "\
    SET LOCAL statement_timeout = 0; \
    SELECT pg_advisory_xact_lock(hashtext('auth0-signup ledger'))";

/// Every statement finds its rows by an index and is planned once. A plan made while a table was
/// small would later read the whole table. The isolation is the one that the statements expect.
const SESSION: &str = "\
    SET plan_cache_mode = force_generic_plan; \
    SET enable_seqscan = off; \
    SET jit = off; \
    SET default_transaction_isolation = 'read committed'";

/// Waits at least for the server's disk; a stronger setting (a standby's) stays.
const FULL: &str = "\
    SELECT set_config('synchronous_commit', 'on', false) \
    WHERE current_setting('synchronous_commit') = 'off'";

const NORMAL: &str = "SET synchronous_commit = off";

/// Opens connections to the server and sets them up.
#[derive(Clone)]
pub(super) struct Connector {
    options: PgConnectOptions,
    synchronous: Synchronous,
    timeout: Duration,
}

impl fmt::Debug for Connector {
    /// Omits the options, which hold the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Connector {
    /// A connector for the server of this URL.
    ///
    /// # Errors
    /// When the URL is invalid.
    pub(super) fn new(
        url: &SecretString,
        synchronous: Synchronous,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let options: PgConnectOptions = url.expose_secret().parse()?;
        let options = options.application_name("auth0-signup").disable_statement_logging();
        Ok(Self { options, synchronous, timeout })
    }

    /// Opens a connection and sets it up.
    ///
    /// # Errors
    /// When the server cannot be reached in time or rejects the connection.
    pub(super) async fn connect(&self) -> Result<PgConnection, Error> {
        // Boxed: it is rare, and would enlarge every call.
        let connected = Box::pin(async {
            let mut connection = PgConnection::connect_with(&self.options).await?;
            self.set_up(&mut connection).await?;
            Ok(connection)
        });
        timeout(self.timeout, connected).await.unwrap_or(Err(Error::PoolTimedOut))
    }

    async fn set_up(&self, connection: &mut PgConnection) -> Result<(), Error> {
        raw_sql(SESSION).execute(&mut *connection).await?;
        let synchronous = match self.synchronous {
            Synchronous::Full => FULL,
            Synchronous::Normal => NORMAL,
        };
        raw_sql(synchronous).execute(&mut *connection).await?;
        // The server cancels a statement when its caller gives up.
        query("SELECT set_config('statement_timeout', $1, false)")
            .bind(self.timeout.as_millis().to_string())
            .persistent(false)
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// Returns the applied migrations: `(version, milliseconds)`.
pub(super) async fn applied(connection: &mut PgConnection) -> Result<Vec<(i32, i64)>, Error> {
    let exists = "SELECT to_regclass('schema_migrations') IS NOT NULL";
    if !query_scalar(exists).fetch_one(&mut *connection).await? {
        return Ok(Vec::new());
    }
    query_as("SELECT version, applied_at FROM schema_migrations").fetch_all(connection).await
}

/// Applies the pending migrations, all or none, and returns their number.
pub(super) async fn migrate(connection: &mut PgConnection) -> Result<usize, Error> {
    let mut transaction = connection.begin().await?;
    raw_sql(LOCK).execute(&mut *transaction).await?;
    let applied = applied(&mut transaction).await?;
    let mut count = 0;
    for script in pending(&POSTGRES, &applied) {
        raw_sql(
            "CREATE TABLE IF NOT EXISTS schema_migrations \
             (version integer PRIMARY KEY, name text NOT NULL, applied_at bigint NOT NULL)",
        )
        .execute(&mut *transaction)
        .await?;
        raw_sql(script.sql).execute(&mut *transaction).await?;
        query(
            "INSERT INTO schema_migrations (version, name, applied_at) \
             VALUES ($1, $2, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)",
        )
        .bind(script.version)
        .bind(script.name)
        .execute(&mut *transaction)
        .await?;
        count += 1;
    }
    transaction.commit().await?;
    Ok(count)
}

/// Returns whether the database is new or was written with one of these secrets. Records the
/// secrets if `renew` is set or the database is new.
pub(super) async fn recognise(
    connection: &mut PgConnection,
    secrets: &DigestPair,
    renew: bool,
) -> Result<bool, Error> {
    let mut transaction = connection.begin().await?;
    raw_sql(LOCK).execute(&mut *transaction).await?;
    let known: Vec<Vec<u8>> =
        query_scalar("SELECT value FROM secret_checks").fetch_all(&mut *transaction).await?;
    let ours = |value: &Vec<u8>| secrets.iter().any(|secret| secret.as_bytes() == value.as_slice());
    if !known.is_empty() && !known.iter().any(ours) {
        return Ok(false);
    }
    if renew || known.is_empty() {
        query("DELETE FROM secret_checks").execute(&mut *transaction).await?;
        for secret in secrets.iter() {
            query(
                "INSERT INTO secret_checks (value, seen_at) VALUES ($1, ledger_now()) \
                 ON CONFLICT DO NOTHING",
            )
            .bind(secret.as_bytes())
            .execute(&mut *transaction)
            .await?;
        }
    }
    transaction.commit().await?;
    Ok(true)
}
