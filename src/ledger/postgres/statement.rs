//! A statement with its parameters, and the transaction around it.
//!
//! Nothing outlasts a transaction: no prepared statement, and no setting of the session. So any
//! transaction may run on another connection of the server, as behind a pooler. The messages of a
//! transaction are sent together, and cost one round trip.

use std::time::Duration;

use futures_util::future::join3;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row};
use uuid::Uuid;

use crate::config::Synchronous;

/// The longest time that the server has to report a timeout before the client gives up.
const REPORT: Duration = Duration::from_millis(100);

/// Waits until the disk, and a standby if there is one, has all that was committed before.
const SYNC: &str = "BEGIN; \
    SELECT set_config('synchronous_commit', 'on', true) \
    WHERE current_setting('synchronous_commit') = 'off'; \
    SELECT pg_logical_emit_message(true, 'auth0-signup', ''); \
    COMMIT";

/// The end of a statement's transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// A commit that waits for the disk as the settings say.
    Commit,
    /// A commit that waits for nothing: its loss is repaired.
    CommitUnsynced,
    /// A commit, and then a wait for the disk. The rows are not locked during the wait.
    CommitThenSync,
    /// Nothing is kept.
    Rollback,
}

/// A value of a statement.
type Parameter = Box<dyn ToSql + Sync + Send>;

/// A statement, its parameters, and the end of its transaction.
#[derive(Debug)]
pub(super) struct Statement {
    sql: &'static str,
    parameters: Vec<(Parameter, Type)>,
    end: End,
}

/// A Rust type with its type in PostgreSQL.
pub(super) trait TypedParameter: ToSql + Sync + Send + 'static {
    const TYPE: Type;
}

macro_rules! typed {
    ($($rust:ty => $postgres:ident,)*) => {
        $(impl TypedParameter for $rust {
            const TYPE: Type = Type::$postgres;
        }
        impl TypedParameter for Option<$rust> {
            const TYPE: Type = Type::$postgres;
        })*
    };
}

typed! {
    bool => BOOL,
    i16 => INT2,
    i32 => INT4,
    i64 => INT8,
    &'static str => TEXT,
    String => TEXT,
    Uuid => UUID,
    Vec<u8> => BYTEA,
    Vec<Vec<u8>> => BYTEA_ARRAY,
    Vec<i64> => INT8_ARRAY,
}

/// A statement without parameters yet, whose commit waits as the settings say.
pub(super) const fn statement(sql: &'static str) -> Statement {
    Statement { sql, parameters: Vec::new(), end: End::Commit }
}

impl Statement {
    /// Adds the next parameter.
    pub(super) fn bind<T: TypedParameter>(mut self, value: T) -> Self {
        self.parameters.push((Box::new(value), T::TYPE));
        self
    }

    /// Ends its transaction in this way.
    pub(super) const fn end(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    /// Runs the statement in a transaction of its own, and returns after its commit.
    pub(super) async fn run(
        &self,
        client: &Client,
        session: &Session,
        limit: Duration,
    ) -> Result<Vec<Row>, Error> {
        let parameters: Vec<(&(dyn ToSql + Sync), Type)> = self
            .parameters
            .iter()
            .map(|(value, kind)| (&**value as &(dyn ToSql + Sync), kind.clone()))
            .collect();
        let begin = session.begin(self.end, limit);
        let end = if self.end == End::Rollback { "ROLLBACK" } else { "COMMIT" };
        // Sent in this order when they are first polled.
        let transaction = join3(
            client.batch_execute(&begin),
            client.query_typed(self.sql, &parameters),
            client.batch_execute(end),
        );
        let (begun, rows, ended) = if self.end == End::CommitThenSync {
            let (results, synced) =
                futures_util::future::join(transaction, client.batch_execute(SYNC)).await;
            synced?;
            results
        } else {
            transaction.await
        };
        begun?;
        let rows = rows?;
        ended?;
        Ok(rows)
    }
}

/// The settings of every transaction, whatever the role and the database have as defaults.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// The schema of the tables, as a value of `search_path`.
    pub(super) schema: String,
    /// The durability that a commit waits for.
    pub(super) synchronous: Synchronous,
}

impl Session {
    /// The start of a transaction that the server ends after this time.
    ///
    /// Every statement finds its rows by an index, also while the statistics are out of date. The
    /// statements expect to see what others commit meanwhile.
    fn begin(&self, end: End, limit: Duration) -> String {
        let Self { schema, synchronous } = self;
        let millis = limit.saturating_sub(REPORT.min(limit / 5)).as_millis().max(1);
        let sync = match (end, synchronous) {
            // A stronger setting stays.
            (End::Commit, Synchronous::Full) => {
                "coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on')"
            }
            _ => "'off'",
        };
        format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED; \
             SELECT set_config('search_path', {schema}, true), \
             set_config('statement_timeout', '{millis}', true), \
             set_config('lock_timeout', '0', true), \
             set_config('idle_in_transaction_session_timeout', '0', true), \
             set_config('enable_seqscan', 'off', true), \
             set_config('jit', 'off', true), \
             set_config('synchronous_commit', {sync}, true)"
        )
    }
}
