//! The ledger's database: a file in the run's folder, or a server of its own. It can be copied,
//! restored and emptied while services use it.

use std::path::Path;

use anyhow::Context as _;

use super::options::{ChaosOptions, DatabaseKind, EventKind};
use super::postgres::{PostgresCluster, PostgresRows};
use super::sqlite_rows::SqliteRows;

/// A database created for this run.
#[derive(Debug)]
pub(crate) struct RunDatabase {
    /// The `DATABASE_URL` for this program.
    pub(crate) url: String,
    /// The `DATABASE_URL` for each service.
    pub(crate) service_urls: Vec<String>,
    /// Its rows.
    pub(crate) rows: LedgerRows,
    /// Its server, if it has one.
    pub(crate) cluster: Option<PostgresCluster>,
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
        match options.database {
            DatabaseKind::Sqlite => Self::create_file(options, folder),
            DatabaseKind::Postgres => Self::start_server(options, folder).await,
        }
    }

    fn create_file(options: &ChaosOptions, folder: &Path) -> anyhow::Result<Self> {
        anyhow::ensure!(
            options.replicas == 1,
            "an SQLite file allows only one process: use --replicas 1"
        );
        let file = folder.join("signup.db");
        let url = format!("sqlite://{}", file.display());
        let rows = LedgerRows::Sqlite(SqliteRows::new(file));
        Ok(Self { service_urls: vec![url.clone()], url, rows, cluster: None })
    }

    async fn start_server(options: &ChaosOptions, folder: &Path) -> anyhow::Result<Self> {
        let has_pooler = options.event_kinds().contains(&EventKind::Pooler);
        let pool_mode = has_pooler.then_some(options.pool_mode);
        let cluster = PostgresCluster::start(folder, options.replicas, pool_mode).await?;
        let url = cluster.url();
        let rows = LedgerRows::Postgres(PostgresRows::new(url.clone()));
        Ok(Self { service_urls: cluster.service_urls(), url, rows, cluster: Some(cluster) })
    }
}

impl LedgerRows {
    /// Returns whether rows can be restored while a service runs.
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

    /// The ids of all attempts that are not resolved.
    pub(crate) async fn unresolved(&self) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Sqlite(rows) => rows.unresolved().await,
            Self::Postgres(rows) => rows.unresolved().await,
        }
        .context("cannot read the ledger")
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
