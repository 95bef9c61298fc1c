//! The tables of a file: their migrations, and the secret that they were written with.

use std::time::Duration;

use rusqlite::{Connection, Result, Transaction, TransactionBehavior};

use crate::digest::DigestPair;
use crate::ledger::migrations::{SQLITE, pending};

/// Returns the applied migrations: `(version, milliseconds)`.
pub(super) fn applied(connection: &Connection) -> Result<Vec<(i32, i64)>> {
    if !has_table(connection, "schema_migrations")? {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare("SELECT version, applied_at FROM schema_migrations")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Returns whether a file with tables is not a ledger: another program's database.
pub(super) fn is_foreign(connection: &Connection) -> Result<bool> {
    let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'";
    let tables: i64 = connection.query_row(tables, [], |row| row.get(0))?;
    Ok(tables > 0 && !is_ledger(connection)?)
}

/// Returns whether the file has the tables that every version of a ledger has.
pub(super) fn is_ledger(connection: &Connection) -> Result<bool> {
    let tables = ["schema_migrations", "attempts", "secret_checks"];
    for table in tables {
        if !has_table(connection, table)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn has_table(connection: &Connection, name: &str) -> Result<bool> {
    // A statement, because Connection::table_exists does not see tables of other processes.
    let exists = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)";
    connection.query_row(exists, [name], |row| row.get(0))
}

/// Applies the pending migrations, all or none, and returns their number.
pub(super) fn migrate(connection: &Connection, now: Duration) -> Result<usize> {
    let transaction = immediate(connection)?;
    let applied = applied(&transaction)?;
    let mut count = 0;
    for script in pending(&SQLITE, &applied) {
        transaction.execute_batch(
            "CREATE TABLE IF NOT EXISTS schema_migrations \
             (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT",
        )?;
        transaction.execute_batch(script.sql)?;
        transaction.execute(
            "INSERT INTO schema_migrations (version, name, applied_at) VALUES (?1, ?2, ?3)",
            (script.version, script.name, millis(now)),
        )?;
        count += 1;
    }
    transaction.commit()?;
    Ok(count)
}

/// Returns whether the file is new or was written with one of these secrets.
pub(super) fn knows(connection: &Connection, secrets: &DigestPair) -> Result<bool> {
    let known = known(connection)?;
    Ok(known.is_empty() || known.iter().any(|value| is_ours(value, secrets)))
}

/// Returns whether the file is new or was written with one of these secrets. Records the secrets
/// when `renew` is set or the file is new.
pub(super) fn recognise(
    connection: &Connection,
    secrets: &DigestPair,
    renew: bool,
    now: Duration,
) -> Result<bool> {
    let transaction = immediate(connection)?;
    if !knows(&transaction, secrets)? {
        return Ok(false);
    }
    if renew || known(&transaction)?.is_empty() {
        transaction.execute("DELETE FROM secret_checks", [])?;
        for secret in secrets.iter() {
            transaction.execute(
                "INSERT OR REPLACE INTO secret_checks (value, seen_at) VALUES (?1, ?2)",
                (secret.as_bytes(), millis(now)),
            )?;
        }
    }
    transaction.commit()?;
    Ok(true)
}

/// The check values of the secrets that the file was last opened with.
fn known(connection: &Connection) -> Result<Vec<[u8; 32]>> {
    let mut statement = connection.prepare("SELECT value FROM secret_checks")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

fn is_ours(value: &[u8; 32], secrets: &DigestPair) -> bool {
    secrets.iter().any(|secret| secret.as_bytes() == value)
}

/// Starts a transaction that may write, on a connection that has none.
fn immediate(connection: &Connection) -> Result<Transaction<'_>> {
    Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
}

/// Milliseconds since the Unix epoch.
fn millis(at: Duration) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}
