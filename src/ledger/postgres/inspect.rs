//! Inspection of a database, with the connections that a service opens.

use secrecy::SecretString;
use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::connector::Connector;
use super::errors::PostgresError;
use super::migrate::{self, FUNCTIONS, TABLES};
use super::probe::try_attempt;
use super::statement::Session;
use crate::config::LedgerSettings;
use crate::digest::DigestPair;
use crate::ledger::access::{MissingPart, OpenError};
use crate::ledger::inspect::{LedgerInspection, SessionInspection};

/// The tables that a service writes and the functions that it calls, as far as this role may not.
const UNWRITABLE: &str = "\
    SELECT relname::text AS name FROM pg_class \
    WHERE relkind = 'r' AND relnamespace = $1::text::regnamespace AND relname::text = ANY ($2) \
      AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT') \
        AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE')) \
    UNION SELECT proname::text FROM pg_proc \
    WHERE pronamespace = $1::text::regnamespace AND proname::text = ANY ($3) \
      AND NOT has_function_privilege(oid, 'EXECUTE') \
    ORDER BY name";

/// The tables and functions that a service uses, as far as the schema has none of that name.
const MISSING: &str = "\
    SELECT name FROM unnest($2) AS name \
    WHERE NOT EXISTS (SELECT FROM pg_class WHERE relkind = 'r' \
      AND relnamespace = $1::text::regnamespace AND relname = name) \
    UNION ALL \
    SELECT name FROM unnest($3) AS name \
    WHERE NOT EXISTS (SELECT FROM pg_proc \
      WHERE pronamespace = $1::text::regnamespace AND proname = name)";

/// Returns whether this role may create tables, whether the server takes no writes, and the
/// isolation of transactions that name none.
const SESSION: &str = "\
    SELECT has_schema_privilege($1::text::regnamespace, 'CREATE'), \
      pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on', \
      current_setting('default_transaction_isolation')";

/// Inspects the database at `url`. `secrets` are the check values of the settings' secrets, if there
/// are any.
///
/// # Errors
/// When it cannot be reached in time, was written with another secret, lacks a table or a function, or rejects what
/// a sign-up writes.
pub(crate) async fn inspect(
    url: &SecretString,
    settings: &LedgerSettings,
    secrets: Option<DigestPair>,
) -> Result<LedgerInspection, OpenError> {
    // Each statement may wait for a lock or a lost reply.
    let limit = settings.timeout.saturating_mul(2);
    let inspected = timeout(limit, inspect_server(url, settings, secrets)).await;
    inspected.unwrap_or_else(|_| Err(PostgresError::Silent(limit).into()))
}

async fn inspect_server(
    url: &SecretString,
    settings: &LedgerSettings,
    secrets: Option<DigestPair>,
) -> Result<LedgerInspection, OpenError> {
    let connector = Connector::new(url, settings.timeout)?;
    let connection = connector.connect().await?;
    let client = &connection.client;
    let schema = migrate::schema(client).await?;
    let applied = migrate::applied(client, &schema).await?;
    let (pending, pending_indexes) = migrate::count_pending(&applied);
    if pending == 0
        && let Some(missing) = names(client, MISSING, &schema).await?.into_iter().next()
    {
        return Err(MissingPart(missing).into());
    }
    let unwritable = names(client, UNWRITABLE, &schema).await?;
    if let Some(secrets) = &secrets
        && pending == 0
        && unwritable.is_empty()
        && !migrate::knows(client, &schema, secrets).await?
    {
        return Err(OpenError::WrongSecret);
    }
    connection.close().await;

    let synchronous = settings.synchronous;
    let secret = secrets.map(|secrets| secrets.current);
    let session = Session { schema: schema.clone(), synchronous, limit: settings.timeout };
    let own = connector.connect_own(&session.options(), None).await?;
    let (may_create, is_read_only, isolation) = session_defaults(&own.client, &schema).await?;
    if pending == 0 && unwritable.is_empty() && !is_read_only {
        // Policies of rows and triggers may also be in the way.
        try_attempt(secret.as_ref())
            .run(&own, &session, None)
            .await
            .map_err(PostgresError::from)?;
    }
    let session = SessionInspection { is_pooled: !own.is_own, is_read_only, isolation };
    own.close().await;
    Ok(LedgerInspection {
        is_new: applied.is_empty(),
        pending,
        pending_indexes,
        unwritable,
        may_create,
        session: Some(session),
    })
}

/// The names of our tables and functions that a query finds in a schema.
async fn names(client: &Client, query: &str, schema: &str) -> Result<Vec<String>, PostgresError> {
    let parameters: [(&(dyn ToSql + Sync), Type); 3] = [
        (&schema, Type::TEXT),
        (&TABLES.as_slice(), Type::TEXT_ARRAY),
        (&FUNCTIONS.as_slice(), Type::TEXT_ARRAY),
    ];
    let rows = client.query_typed(query, &parameters).await?;
    let names: Result<_, _> = rows.iter().map(|row| row.try_get(0)).collect();
    Ok(names?)
}

/// The values of [`SESSION`].
async fn session_defaults(
    client: &Client,
    schema: &str,
) -> Result<(bool, bool, String), PostgresError> {
    let rows = client.query_typed(SESSION, &[(&schema, Type::TEXT)]).await?;
    Ok(match rows.first() {
        Some(row) => (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?),
        None => Default::default(),
    })
}
