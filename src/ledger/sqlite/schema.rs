//! The tables of a file: their migrations, and the secret that they were written with.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::digest::{Digest, DigestPair};
use crate::ledger::access::{MissingPart, OpenError};
use crate::ledger::migrations::{SQLITE, pending};
use crate::ledger::millis;

type Result<T, E = rusqlite::Error> = std::result::Result<T, E>;

/// Returns the applied migrations: `(version, milliseconds)`.
pub(super) fn applied(connection: &Connection) -> Result<Vec<(i32, i64)>> {
    if !has_table(connection, "schema_migrations")? {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare("SELECT version, applied_at FROM schema_migrations")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The tables that every version of a ledger has.
const OF_EVERY_VERSION: [&str; 3] = ["schema_migrations", "attempts", "secret_checks"];

/// The tables that a ledger has once every migration is applied.
pub(super) const TABLES: [&str; 7] = [
    "schema_migrations",
    "attempts",
    "secret_checks",
    "attempt_keys",
    "used_proofs",
    "processes",
    "connections",
];

/// Returns whether a file with tables is another program's database: it has none that only a ledger has.
pub(super) fn is_foreign(connection: &Connection) -> Result<bool> {
    let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'";
    let tables: i64 = connection.query_row(tables, [], |row| row.get(0))?;
    Ok(tables > 0 && !has_own_table(connection)?)
}

/// Returns whether the file has a table whose name no other program is likely to use.
fn has_own_table(connection: &Connection) -> Result<bool> {
    Ok(has_table(connection, "secret_checks")? || has_table(connection, "attempt_keys")?)
}

/// Returns whether the file has the tables that every version of a ledger has.
pub(super) fn is_ledger(connection: &Connection) -> Result<bool> {
    Ok(first_missing(connection, &OF_EVERY_VERSION)?.is_none())
}

/// Checks that a file is empty, or a ledger with all tables of its version.
///
/// # Errors
/// When it belongs to another program, or is damaged.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    if is_foreign(connection)? {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    let applied = applied(connection)?;
    let expected = match pending(&SQLITE, &applied).count() {
        0 => TABLES.as_slice(),
        _ if has_own_table(connection)? => &OF_EVERY_VERSION,
        _ => &[],
    };
    match first_missing(connection, expected)? {
        None => Ok(()),
        Some(table) => Err(MissingPart(table.to_owned()).into()),
    }
}

fn first_missing<'t>(connection: &Connection, tables: &[&'t str]) -> Result<Option<&'t str>> {
    for table in tables {
        if !has_table(connection, table)? {
            return Ok(Some(table));
        }
    }
    Ok(None)
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
    Ok(known.is_empty() || known.iter().any(|value| secrets.contains(value)))
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
fn known(connection: &Connection) -> Result<Vec<Digest>> {
    let mut statement = connection.prepare("SELECT value FROM secret_checks")?;
    statement.query_map([], |row| row.get(0).map(Digest::from_bytes))?.collect()
}

/// Starts a transaction that may write, on a connection that has none.
fn immediate(connection: &Connection) -> Result<Transaction<'_>> {
    Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_without_its_migrations_is_not_migrated_again() {
        let connection = Connection::open_in_memory().unwrap();
        migrate(&connection, Duration::ZERO).unwrap();
        connection.execute_batch("DROP TABLE schema_migrations; DROP TABLE secret_checks").unwrap();
        let error = check(&connection, Path::new("damaged")).unwrap_err();
        assert!(matches!(error, OpenError::Damaged(_)), "{error}");
    }

    #[test]
    fn a_new_ledger_has_exactly_the_tables_that_are_checked() {
        let connection = Connection::open_in_memory().unwrap();
        check(&connection, Path::new("new")).unwrap();
        migrate(&connection, Duration::ZERO).unwrap();
        let mut names =
            connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
        let names: Result<Vec<String>> = names.query_map([], |row| row.get(0)).unwrap().collect();
        let (mut names, mut expected) = (names.unwrap(), TABLES);
        names.sort_unstable();
        expected.sort_unstable();
        assert_eq!(names, expected);
    }
}
