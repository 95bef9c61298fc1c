//! Inspection of a database, with the connections that a service opens.

use secrecy::SecretString;
use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::connector::Connector;
use super::errors::PostgresError;
use super::migrate;
use super::statement::Session;
use crate::config::LedgerSettings;
use crate::digest::DigestPair;
use crate::ledger::OpenError;
use crate::ledger::inspect::{LedgerInspection, SessionInspection};
use crate::ledger::migrations::{POSTGRES, pending};

/// The tables that a service writes, as far as this role may not.
const UNWRITABLE: &str = "\
    SELECT relname::text FROM pg_class \
    WHERE relkind = 'r' AND relnamespace = $1::text::regnamespace AND relname IN ('attempts', \
      'attempt_keys', 'secret_checks', 'used_proofs', 'limits', 'processes', 'connections') \
      AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT') \
        AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE')) \
    ORDER BY relname";

/// Returns whether this role may create tables, whether the server takes no writes, and the
/// isolation of transactions that name none.
const SESSION: &str = "\
    SELECT has_schema_privilege($1, 'CREATE'), \
      pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on', \
      current_setting('default_transaction_isolation')";

/// Inspects the database at `url`. `secrets` are the check values of the settings' secrets, if there
/// are any.
///
/// # Errors
/// When it cannot be reached in time or was written with another secret.
pub async fn inspect(
    url: &SecretString,
    settings: &LedgerSettings,
    secrets: Option<DigestPair>,
) -> Result<LedgerInspection, OpenError> {
    // Each statement may wait for a lock or a lost reply.
    let limit = settings.timeout.saturating_mul(2);
    let inspected = timeout(limit, inspect_server(url, settings, secrets)).await;
    let inspected = inspected.unwrap_or(Err(PostgresError::Silent(limit)));
    inspected?.ok_or(OpenError::WrongSecret)
}

/// Inspects the database; `None` when it was written with another secret.
async fn inspect_server(
    url: &SecretString,
    settings: &LedgerSettings,
    secrets: Option<DigestPair>,
) -> Result<Option<LedgerInspection>, PostgresError> {
    let connector = Connector::new(url, settings.timeout)?;
    let connection = connector.connect().await?;
    let client = &connection.client;
    let schema = migrate::schema(client).await?;
    let applied = migrate::applied(client, &schema).await?;
    let (separate, required): (Vec<_>, Vec<_>) =
        pending(&POSTGRES, &applied).partition(|script| migrate::is_separate(script));
    let unwritable = unwritable(client, &schema).await?;
    if let Some(secrets) = secrets.filter(|_| required.is_empty() && unwritable.is_empty())
        && !migrate::knows(client, &schema, &secrets).await?
    {
        return Ok(None);
    }
    connection.close().await;

    let synchronous = settings.synchronous;
    let session = Session { schema: schema.clone(), synchronous, limit: settings.timeout };
    let own = connector.connect_own(&session.options(), None).await?;
    let rows = own.client.query_typed(SESSION, &[(&unquoted(&schema), Type::TEXT)]).await?;
    let (may_create, is_read_only, isolation) = match rows.first() {
        Some(row) => (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?),
        None => Default::default(),
    };
    let session = SessionInspection { is_pooled: !own.is_own, is_read_only, isolation };
    own.close().await;
    Ok(Some(LedgerInspection {
        is_new: applied.is_empty(),
        pending: required.len(),
        pending_indexes: separate.len(),
        unwritable,
        may_create,
        session: Some(session),
    }))
}

async fn unwritable(client: &Client, schema: &str) -> Result<Vec<String>, PostgresError> {
    let rows = client.query_typed(UNWRITABLE, &[(&schema, Type::TEXT)]).await?;
    let tables: Result<_, _> = rows.iter().map(|row| row.try_get(0)).collect();
    Ok(tables?)
}

/// The name of a schema without the quotes of an identifier.
fn unquoted(schema: &str) -> String {
    let inner = schema.strip_prefix('"').and_then(|schema| schema.strip_suffix('"'));
    inner.map_or_else(|| schema.to_owned(), |inner| inner.replace("\"\"", "\""))
}
