//! The work before the first call: migrations, and the check of the secret.
//!
//! Once a start has reached the database, it waits for whatever passes by itself.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::connector::{Connector, ServerConnection};
use super::errors::{ErrorClass, PostgresError};
use super::migrate;
use crate::digest::DigestPair;
use crate::telemetry::chain;

/// The pause before the work is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// The interval at which a start that waits logs the reason.
const LOG_INTERVAL: Duration = Duration::from_mins(1);

/// The work of a start.
#[derive(Debug)]
pub(super) struct Preparation<'a> {
    /// Applies pending migrations, except for indexes of a large table.
    pub(super) migrate: bool,
    /// The secrets that the database must have been written with.
    pub(super) secrets: Option<&'a DigestPair>,
    /// Records these secrets in place of earlier ones.
    pub(super) renew_secrets: bool,
}

/// The state of a database after the work.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The schema of the tables, as a value of `search_path`.
    pub(super) schema: String,
    /// The number of migrations that were applied.
    pub(super) applied: usize,
    /// The number of migrations that are pending, without indexes.
    pub(super) pending: usize,
    /// The number of indexes that are pending.
    pub(super) pending_indexes: usize,
    /// False if the database was written with another secret.
    pub(super) is_known: bool,
}

impl Preparation<'_> {
    /// Does the work, and does it again for as long as a lock, a restart or a failover is in the
    /// way. All of it may be repeated.
    ///
    /// # Errors
    /// When the database cannot be reached at first, rejects the login or rejects a statement.
    pub(super) async fn run(&self, connector: &Connector) -> Result<Prepared, PostgresError> {
        let mut first = Some(connector.connect().await?);
        let mut logged_at: Option<Instant> = None;
        loop {
            let run = async {
                let connection = match first.take() {
                    Some(connection) => connection,
                    None => connector.connect().await?,
                };
                self.run_over(connection).await
            };
            let work = watch(run, || {
                tracing::warn!(
                    "the start waits for the database: a migration or a commit takes long"
                );
            });
            let error = match work.await {
                Err(error) if passes_by_itself(&error) => error,
                done => return done,
            };
            if logged_at.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
                logged_at = Some(Instant::now());
                tracing::warn!(error = chain(&error), "the start waits for the database");
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    async fn run_over(&self, connection: ServerConnection) -> Result<Prepared, PostgresError> {
        let client = &connection.client;
        let schema = migrate::schema(client).await?;
        let applied = if self.migrate { migrate::migrate(client, &schema).await? } else { 0 };
        let all = migrate::applied(client, &schema).await?;
        let (pending, pending_indexes) = migrate::count_pending(&all);
        let is_known = match self.secrets {
            Some(secrets) if pending == 0 => {
                migrate::recognise(client, &schema, secrets, self.renew_secrets).await?
            }
            _ => true,
        };
        connection.close().await;
        Ok(Prepared { schema, applied, pending, pending_indexes, is_known })
    }
}

/// Waits for the work, and logs at an interval that it goes on.
async fn watch<T>(work: impl Future<Output = T>, log: impl Fn()) -> T {
    let mut work = pin!(work);
    loop {
        match timeout(LOG_INTERVAL, &mut work).await {
            Ok(done) => return done,
            Err(_) => log(),
        }
    }
}

/// Returns whether the work may succeed later without an operator.
fn passes_by_itself(error: &PostgresError) -> bool {
    error.class() != ErrorClass::Statement
        && !error.is_rejected_login()
        && !error.is_statement_pooling()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_that_goes_on_is_logged_once_a_minute() {
        let logged = Cell::new(0);
        let log = || logged.set(logged.get() + 1);
        for (seconds, lines) in [(59, 0), (61, 1), (200, 3)] {
            logged.set(0);
            watch(sleep(Duration::from_secs(seconds)), log).await;
            assert_eq!(logged.get(), lines, "{seconds} s");
        }
    }
}
