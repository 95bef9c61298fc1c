//! The connections to the server, and the calls that use them.
//!
//! Not sqlx's pool, which waits for the server once more after every statement, and for good when
//! the server is silent.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{Connection as _, Error};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::server::Connector;

/// The most connections of a replica for all calls but heartbeats, which have one more. Six in all.
pub(super) const FOR_CALLS: u32 = 5;

/// The number of tries of a statement that meets a dead connection or a conflict.
const TRIES: usize = 3;

/// Time without use after which a connection is tested before it is used.
const TEST_AFTER: Duration = Duration::from_secs(1);

/// The longest test of a connection.
const TEST_TIMEOUT: Duration = Duration::from_millis(500);

/// A statement with its parameters.
pub(super) type Statement<'s> = Query<'s, sqlx::Postgres, PgArguments>;

/// The rows that a statement returned.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) rows: Vec<PgRow>,
    /// True if an earlier try of the statement may have been executed.
    pub(super) is_repeat: bool,
}

/// Keeps a bounded number of connections open.
#[derive(Debug)]
pub(super) struct Connections {
    connector: Connector,
    /// The longest duration of a call.
    timeout: Duration,
    most: u32,
    permits: Semaphore,
    /// The connections that are not in use, and the end of their last use. The last one was used
    /// last.
    idle: Mutex<Vec<(PgConnection, Instant)>>,
}

impl Connections {
    /// At most this many connections, whose calls last no longer than `timeout`. Connects when the
    /// first statement is run.
    pub(super) fn new(connector: Connector, most: u32, timeout: Duration) -> Self {
        let permits = Semaphore::new(usize::try_from(most).unwrap_or(1));
        Self { connector, timeout, most, permits, idle: Mutex::default() }
    }

    /// Runs a statement in a transaction of its own, and returns after its commit.
    ///
    /// The statement is repeated when it meets a dead connection or a conflict. It is passed `true`
    /// when an earlier try may have been executed. All tries share one timeout.
    ///
    /// # Errors
    /// When the server cannot be reached in time, or rejects the statement.
    pub(super) async fn run<'s>(
        &self,
        statement: impl Fn(bool) -> Statement<'s> + Send + Sync,
    ) -> Result<Rows, Error> {
        let tries = async {
            let _permit = self.permits.acquire().await.map_err(|_| Error::PoolClosed)?;
            let mut tries = 1;
            loop {
                let connection = self.connection().await?;
                let is_repeat = tries > 1;
                match self.run_once(connection, statement(is_repeat)).await {
                    Err(error) if tries < TRIES && is_retryable(&error) => tries += 1,
                    run => return Ok(Rows { rows: run?, is_repeat }),
                }
            }
        };
        let run = timeout(self.timeout, tries).await;
        run.unwrap_or_else(|_| {
            // The other connections are perhaps dead too.
            self.idle().clear();
            Err(Error::PoolTimedOut)
        })
    }

    async fn run_once(
        &self,
        mut connection: PgConnection,
        statement: Statement<'_>,
    ) -> Result<Vec<PgRow>, Error> {
        // Reads the whole reply: the commit comes after the last row.
        let run = statement.fetch_all(&mut connection).await;
        match &run {
            Err(error) if is_connection_error(error) => self.idle().clear(),
            _ => self.idle().push((connection, Instant::now())),
        }
        run
    }

    /// Returns the connection that was used last, or a new one.
    async fn connection(&self) -> Result<PgConnection, Error> {
        let last = self.idle().pop();
        if let Some((mut connection, used_at)) = last {
            let is_alive = used_at.elapsed() < TEST_AFTER
                || matches!(timeout(TEST_TIMEOUT, connection.ping()).await, Ok(Ok(())));
            if is_alive {
                return Ok(connection);
            }
            self.idle().clear();
        }
        self.connector.connect().await
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(PgConnection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the running calls and closes all connections in order, so that the server logs no
    /// lost client. Later calls fail.
    pub(super) async fn close(&self) {
        // Ignored: closed before.
        let _all = self.permits.acquire_many(self.most).await;
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle());
        for (connection, _) in idle {
            close(connection).await;
        }
    }
}

/// Closes a connection in order.
pub(super) async fn close(connection: PgConnection) {
    if let Ok(Err(error)) = timeout(TEST_TIMEOUT, connection.close()).await {
        let cause: &dyn std::error::Error = &error;
        tracing::debug!(error = cause, "the database closed the connection first");
    }
}

/// Returns whether the server rejected a statement, not the connection.
pub(super) fn is_statement_error(error: &Error) -> bool {
    matches!(error, Error::Database(_)) && !is_connection_error(error)
}

/// Returns whether the connection is of no use any more.
fn is_connection_error(error: &Error) -> bool {
    match error {
        Error::Database(error) => error.code().is_some_and(|code| {
            // A changed table invalidates the statements that the connection has prepared. A server
            // becomes read-only when another one takes over.
            code.starts_with("08") || code.starts_with("57P") || matches!(&*code, "0A000" | "25006")
        }),
        Error::Io(_) | Error::Protocol(_) | Error::Tls(_) | Error::WorkerCrashed => true,
        _ => false,
    }
}

/// Returns whether the same statement may succeed at once: its connection was dead, or it met a
/// conflict or a lock.
fn is_retryable(error: &Error) -> bool {
    let is_conflict = matches!(error, Error::Database(error) if matches!(
        error.code().as_deref(),
        // Serialisation failure, deadlock, lock timeout.
        Some("40001" | "40P01" | "55P03")
    ));
    is_conflict || is_connection_error(error)
}
