//! A statement with its parameters, and the transaction around it.
//!
//! Nothing outlasts a transaction behind a pooler: no prepared statement, and no setting of the
//! session. So any transaction may run on another connection of the server. A session of our own
//! has the same settings from its start, and keeps prepared statements. All messages of a
//! transaction are sent together, and cost one round trip.

use std::time::Duration;

use futures_util::future::{join, join4};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row};
use uuid::Uuid;

use super::connector::ServerConnection;
use crate::config::Synchronous;
use crate::digest::{Digest, DigestPair};

/// The longest time that the server has to report a timeout before the client gives up.
const REPORT: Duration = Duration::from_millis(100);

/// Waits until the disk, and a synchronous standby, have all that was committed before.
const SYNC: &str = "SELECT \
    set_config('synchronous_commit', coalesce(nullif(current_setting('synchronous_commit'), \
      'off'), 'on'), true), \
    pg_logical_emit_message(true, 'auth0-signup', '')";

/// Lifts the limit that servers since PostgreSQL 17 have for the current transaction. Older ones do not know it,
/// and would reject a connection with it as an option.
pub(super) const NO_TRANSACTION_TIMEOUT: &str = "CASE \
    WHEN current_setting('transaction_timeout', true) IS NOT NULL \
    THEN set_config('transaction_timeout', '0', true) END";

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
    /// Nothing is kept, and then a wait for the disk.
    RollbackThenSync,
}

impl End {
    const fn is_rollback(self) -> bool {
        matches!(self, Self::Rollback | Self::RollbackThenSync)
    }

    /// Returns whether a wait for the disk follows.
    const fn is_synced(self) -> bool {
        matches!(self, Self::CommitThenSync | Self::RollbackThenSync)
    }
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
    Vec<Uuid> => UUID_ARRAY,
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

    /// Runs the statement in a transaction of its own, and returns after its commit. The server
    /// ends it after `limit`, or after the session's own limit if there is none.
    pub(super) async fn run(
        &self,
        connection: &ServerConnection,
        session: &Session,
        limit: Option<Duration>,
    ) -> Result<Vec<Row>, Error> {
        let client = &connection.client;
        let statement = async {
            let values: Vec<&(dyn ToSql + Sync)> = self
                .parameters
                .iter()
                .map(|(value, _)| {
                    let value: &(dyn ToSql + Sync) = &**value;
                    value
                })
                .collect();
            if let Some(prepared) = connection.prepared(self.sql) {
                return client.query(&prepared, &values).await;
            }
            let types = self.parameters.iter().map(|(_, kind)| kind.clone());
            let typed: Vec<_> = values.into_iter().zip(types).collect();
            client.query_typed(self.sql, &typed).await
        };
        let synced =
            async { if self.end.is_synced() { client.batch_execute(SYNC).await } else { Ok(()) } };
        if connection.is_own {
            let types: Vec<_> = self.parameters.iter().map(|(_, kind)| kind.clone()).collect();
            connection.prepare(self.sql, &types).await?;
        }
        // Sent in this order, when they are first polled.
        let (rows, synced) = match session.begin(self.end, connection.is_own, limit) {
            None => join(statement, synced).await,
            Some(begin) => {
                let end = if self.end.is_rollback() { "ROLLBACK" } else { "COMMIT" };
                let begun = client.batch_execute(&begin);
                let ended = client.batch_execute(end);
                let (begun, rows, ended, synced) = join4(begun, statement, ended, synced).await;
                begun?;
                (rows.and_then(|rows| ended.map(|()| rows)), synced)
            }
        };
        let rows = rows?;
        synced?;
        Ok(rows)
    }
}

/// The settings of every transaction, whatever the role and the database have as defaults.
///
/// Every statement finds its rows by an index and is planned once: a plan made while a table was
/// small would later read the whole table. The statements expect to see what others commit meanwhile.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// The schema of the tables, as a value of `search_path`.
    pub(super) schema: String,
    /// The durability that a commit waits for.
    pub(super) synchronous: Synchronous,
    /// The time after which the server ends the first try of a statement.
    pub(super) limit: Duration,
}

impl Session {
    /// The settings of a session of our own, as command-line options.
    pub(super) fn options(&self) -> String {
        let mut options = String::from("-c default_transaction_isolation=read\\ committed");
        for (name, value) in self.settings(self.limit) {
            let value = value.replace('\\', "\\\\").replace(' ', "\\ ");
            options.extend([" -c ", name, "=", &value]);
        }
        if self.synchronous == Synchronous::Normal {
            options += " -c synchronous_commit=off";
        }
        options
    }

    /// The start of a transaction; `None` if the session's settings and an implicit one will do.
    fn begin(&self, end: End, is_own: bool, limit: Option<Duration>) -> Option<String> {
        let is_full = self.synchronous == Synchronous::Full;
        // A server's own setting of `synchronous_commit` is not known.
        if is_own && limit.is_none() && !end.is_rollback() && !is_full {
            return None;
        }
        let sync = if is_full && end == End::Commit {
            // A stronger setting stays.
            "coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on')"
        } else {
            "'off'"
        };
        let mut begin = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED; \
             SELECT set_config('synchronous_commit', {sync}, true)"
        );
        for (name, value) in self.settings(limit.unwrap_or(self.limit)) {
            let value = value.replace('\'', "''");
            begin.extend([", set_config('", name, "', '", &value, "', true)"]);
        }
        begin.extend([", ", NO_TRANSACTION_TIMEOUT]);
        Some(begin)
    }

    fn settings(&self, limit: Duration) -> [(&'static str, String); 7] {
        let millis = limit.saturating_sub(REPORT.min(limit / 5)).as_millis().max(1);
        [
            ("search_path", self.schema.clone()),
            ("statement_timeout", millis.to_string()),
            ("lock_timeout", "0".to_owned()),
            ("idle_in_transaction_session_timeout", "0".to_owned()),
            ("enable_seqscan", "off".to_owned()),
            ("jit", "off".to_owned()),
            ("plan_cache_mode", "force_generic_plan".to_owned()),
        ]
    }
}

/// The current and the previous digest, as a parameter.
pub(super) fn both(pair: &DigestPair) -> Vec<Vec<u8>> {
    pair.iter().map(bytes).collect()
}

/// A digest as a parameter.
pub(super) fn bytes(digest: &Digest) -> Vec<u8> {
    digest.as_bytes().to_vec()
}
