//! The ledger's database: a file in the run's folder, or a separate database on a server. It can be
//! copied, restored and emptied while services use it.

use std::path::Path;

use anyhow::Context as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::options::{ChaosOptions, DatabaseKind};
use super::postgres_rows::PostgresRows;
use super::sqlite_rows::SqliteRows;

/// A database created for this run.
#[derive(Debug)]
pub(crate) struct RunDatabase {
    /// The `DATABASE_URL` for the service.
    pub(crate) url: String,
    /// Its rows.
    pub(crate) rows: LedgerRows,
    /// The server's URL and the database's name, for dropping it.
    made: Option<(String, String)>,
}

/// The rows of the ledger, whatever its tables are.
#[derive(Debug, Clone)]
pub(crate) enum LedgerRows {
    /// In a file.
    Sqlite(SqliteRows),
    /// On a server.
    Postgres(PostgresRows),
}

/// The name of a copy of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CopyName {
    /// Taken some events before it is restored.
    Backup,
    /// Taken less than a second before it is restored.
    LastSync,
}

impl CopyName {
    /// The name as part of a file's or a schema's.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::LastSync => "last_sync",
        }
    }
}

impl RunDatabase {
    /// Creates the database.
    pub(crate) async fn create(options: &ChaosOptions, folder: &Path) -> anyhow::Result<Self> {
        if options.database == DatabaseKind::Sqlite {
            anyhow::ensure!(
                options.replicas == 1,
                "an SQLite file allows only one process: use --replicas 1"
            );
            let file = folder.join("signup.db");
            let url = format!("sqlite://{}", file.display());
            return Ok(Self { url, rows: LedgerRows::Sqlite(SqliteRows::new(file)), made: None });
        }
        let server =
            options.server.clone().context("neither --server nor TEST_DATABASE_URL is set")?;
        let name = format!("chaos_{:016x}", rand::random::<u64>());
        let (before, after) = server.split_once('?').unwrap_or((&server, ""));
        let (host, _) = before.rsplit_once('/').context("--server names no database")?;
        let url = format!("{host}/{name}?{after}");
        run(&server, format!("CREATE DATABASE {name}")).await?;
        let rows = LedgerRows::Postgres(PostgresRows::new(url.clone()));
        Ok(Self { url, rows, made: Some((server, name)) })
    }

    /// Drops the database.
    pub(crate) async fn drop(self) -> anyhow::Result<()> {
        match self.made {
            Some((server, name)) => {
                run(&server, format!("DROP DATABASE {name} WITH (FORCE)")).await
            }
            None => Ok(()),
        }
    }
}

impl LedgerRows {
    /// Returns true if rows can be restored while a service runs.
    pub(crate) const fn can_restore_while_running(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Copies all rows, in place of an earlier copy of that name.
    pub(crate) async fn copy(&self, name: CopyName) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(rows) => rows.copy(name).await,
            Self::Postgres(rows) => rows.copy(name).await,
        }
        .context("cannot copy the ledger")
    }

    /// Replaces all rows by those of a copy.
    pub(crate) async fn restore(&self, name: CopyName) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(rows) => rows.restore(name),
            Self::Postgres(rows) => rows.restore(name).await,
        }
        .context("cannot restore the ledger")
    }

    /// Deletes all rows.
    pub(crate) async fn empty(&self) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(rows) => rows.empty().await,
            Self::Postgres(rows) => rows.empty().await,
        }
        .context("cannot empty the ledger")
    }
}

async fn run(server: &str, sql: String) -> anyhow::Result<()> {
    let mut connection =
        PgConnection::connect(server).await.context("cannot connect to the server")?;
    // The name is generated here and has only letters and digits.
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
