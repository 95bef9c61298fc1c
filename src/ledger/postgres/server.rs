//! The server: how it is reached, its migrations, whose secret it knows.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _, Error, query, query_as, query_scalar, raw_sql};
use tokio::time::timeout;

use crate::config::Synchronous;
use crate::ledger::DigestPair;
use crate::ledger::attempt_row::millis;
use crate::ledger::migrations::{POSTGRES, pending};

/// Taken for as long as a process migrates or recognises the database: replicas that start
/// together do so one after the other.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtext('auth0-signup ledger'))";

/// Every statement check_count rows up by an index and is planned once. Planned anew each time, a batch
/// would cost more to plan than to run; and a plan made while the table was small would read all
/// of it later.
const SESSION: &str = "\
    SET plan_cache_mode = force_generic_plan; \
    SET enable_seqscan = off; \
    SET enable_hashjoin = off; \
    SET enable_mergejoin = off; \
    SET jit = off";

/// Waits for the server's disk at least; a stronger setting (a standby's) stays.
const FULL: &str = "\
    SELECT set_config('synchronous_commit', 'on', false) \
    WHERE current_setting('synchronous_commit') = 'off'";

const NORMAL: &str = "SET synchronous_commit = off";

/// Where the server is and how its connections are set up.
#[derive(Clone)]
pub(super) struct Server {
    options: PgConnectOptions,
    synchronous: Synchronous,
    timeout: Duration,
}

impl std::fmt::Debug for Server {
    /// The options hold the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Server {
    /// The server of this URL.
    ///
    /// # Errors
    /// When the URL is none.
    pub(super) fn new(
        url: &SecretString,
        synchronous: Synchronous,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let options: PgConnectOptions = url.expose_secret().parse()?;
        let options = options.application_name("auth0-signup").disable_statement_logging();
        Ok(Self { options, synchronous, timeout })
    }

    /// How to connect, for a pool.
    pub(super) fn options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// How long a call may take.
    pub(super) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A new connection, set up.
    ///
    /// # Errors
    /// When the server cannot be reached in time or refuses.
    pub(super) async fn connect(&self) -> Result<PgConnection, Error> {
        let connected = timeout(self.timeout, async {
            let mut connection = PgConnection::connect_with(&self.options).await?;
            self.set_up(&mut connection).await?;
            Ok(connection)
        });
        connected.await.unwrap_or(Err(Error::PoolTimedOut))
    }

    /// Sets a connection up.
    ///
    /// # Errors
    /// When the server refuses.
    pub(super) async fn set_up(&self, connection: &mut PgConnection) -> Result<(), Error> {
        raw_sql(SESSION).execute(&mut *connection).await?;
        let synchronous = match self.synchronous {
            Synchronous::Full => FULL,
            Synchronous::Normal => NORMAL,
        };
        raw_sql(synchronous).execute(&mut *connection).await?;
        // The server gives a statement up when its caller does.
        query("SELECT set_config('statement_timeout', $1, false)")
            .bind(self.timeout.as_millis().to_string())
            .persistent(false)
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// The migrations that were applied: `(version, milliseconds)`.
pub(super) async fn applied(connection: &mut PgConnection) -> Result<Vec<(i32, i64)>, Error> {
    let exists = "SELECT to_regclass('schema_migrations') IS NOT NULL";
    if !query_scalar(exists).fetch_one(&mut *connection).await? {
        return Ok(Vec::new());
    }
    query_as("SELECT version, applied_at FROM schema_migrations").fetch_all(connection).await
}

/// Applies what is pending, all or nothing, and says how many there were.
pub(super) async fn migrate(connection: &mut PgConnection, now: Duration) -> Result<usize, Error> {
    let mut transaction = connection.begin().await?;
    query(LOCK).execute(&mut *transaction).await?;
    // A migration may take longer than a sign-up waits.
    query("SET LOCAL statement_timeout = 0").execute(&mut *transaction).await?;
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
        query("INSERT INTO schema_migrations (version, name, applied_at) VALUES ($1, $2, $3)")
            .bind(script.version)
            .bind(script.name)
            .bind(millis(now))
            .execute(&mut *transaction)
            .await?;
        count += 1;
    }
    transaction.commit().await?;
    Ok(count)
}

/// Whether the database was written under one of these secrets, or is new; notes them when
/// `renew`.
pub(super) async fn recognise(
    connection: &mut PgConnection,
    secrets: &DigestPair,
    renew: bool,
    now: Duration,
) -> Result<bool, Error> {
    let mut transaction = connection.begin().await?;
    query(LOCK).execute(&mut *transaction).await?;
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
                "INSERT INTO secret_checks (value, seen_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            )
            .bind(secret.as_bytes())
            .bind(millis(now))
            .execute(&mut *transaction)
            .await?;
        }
    }
    transaction.commit().await?;
    Ok(true)
}
