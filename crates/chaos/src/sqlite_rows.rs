//! Copies, restores and empties a ledger in an SQLite file.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use rusqlite::backup::Backup;
use rusqlite::{Connection, TransactionBehavior};
use tokio::task::spawn_blocking;

use super::database::CopyName;

/// The longest wait for the service's writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause before a copy is continued that a write interrupted.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// All tables, except SQLite's own and those that record the schema.
const TABLES: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' \
                      AND name NOT LIKE 'sqlite%' AND name NOT LIKE '%migrations%'";

const UNRESOLVED: &str = "SELECT hex(id) FROM attempts WHERE state IN (0, 3)";

/// A ledger's file.
#[derive(Debug, Clone)]
pub(crate) struct SqliteRows {
    file: PathBuf,
}

impl SqliteRows {
    /// The ledger in this file.
    pub(crate) const fn new(file: PathBuf) -> Self {
        Self { file }
    }

    /// Copies the file as of its last commit. The service may write meanwhile.
    pub(crate) async fn copy(&self, name: CopyName) -> anyhow::Result<()> {
        let (file, copy) = (self.file.clone(), self.copy_file(name));
        let copying = spawn_blocking(move || {
            remove(&copy)?;
            let from = open(&file)?;
            let mut to = Connection::open(&copy)?;
            // All pages in one step: they are those of one moment.
            Backup::new(&from, &mut to)?.run_to_completion(i32::MAX, BUSY_PAUSE, None)?;
            to.close().map_err(|(_, error)| error).context("cannot close the copy")
        });
        copying.await?
    }

    /// Puts a copy in the file's place. No process may have it open.
    pub(crate) fn restore(&self, name: CopyName) -> anyhow::Result<()> {
        for suffix in ["-wal", "-shm"] {
            let mut beside = self.file.clone().into_os_string();
            beside.push(suffix);
            remove(Path::new(&beside))?;
        }
        fs::copy(self.copy_file(name), &self.file)?;
        Ok(())
    }

    /// The ids of all attempts that are not resolved.
    pub(crate) async fn unresolved(&self) -> anyhow::Result<Vec<String>> {
        let file = self.file.clone();
        let reading = spawn_blocking(move || {
            let connection = open(&file)?;
            let mut select = connection.prepare(UNRESOLVED)?;
            let ids = select.query_map([], |row| row.get(0))?;
            anyhow::Ok(ids.collect::<rusqlite::Result<_>>()?)
        });
        reading.await?
    }

    /// Deletes all rows. The service may write meanwhile.
    pub(crate) async fn empty(&self) -> anyhow::Result<()> {
        let file = self.file.clone();
        let emptying = spawn_blocking(move || {
            let mut connection = open(&file)?;
            connection.pragma_update(None, "foreign_keys", false)?;
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let tables: Vec<String> = transaction
                .prepare(TABLES)?
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            for table in tables {
                transaction.execute(&format!("DELETE FROM \"{table}\""), [])?;
            }
            anyhow::Ok(transaction.commit()?)
        });
        emptying.await?
    }

    fn copy_file(&self, name: CopyName) -> PathBuf {
        self.file.with_file_name(format!("copy-{}.db", name.as_str()))
    }
}

fn open(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

fn remove(file: &Path) -> std::io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
