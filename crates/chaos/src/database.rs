//! The ledger's database: a file in the run's folder, or a separate database on a server.

use anyhow::Context as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::options::{ChaosOptions, DatabaseKind};

/// A database created for this run.
#[derive(Debug)]
pub(crate) struct RunDatabase {
    /// The `DATABASE_URL` for the service.
    pub(crate) url: String,
    /// The server's URL and the database's name, for dropping it.
    made: Option<(String, String)>,
}

impl RunDatabase {
    /// Creates the database.
    pub(crate) async fn create(
        options: &ChaosOptions,
        folder: &std::path::Path,
    ) -> anyhow::Result<Self> {
        if options.database == DatabaseKind::Sqlite {
            anyhow::ensure!(
                options.replicas == 1,
                "an SQLite file allows only one process: use --replicas 1"
            );
            let url = format!("sqlite://{}", folder.join("signup.db").display());
            return Ok(Self { url, made: None });
        }
        let server =
            options.server.clone().context("neither --server nor TEST_DATABASE_URL is set")?;
        let name = format!("chaos_{:016x}", rand::random::<u64>());
        let (before, after) = server.split_once('?').unwrap_or((&server, ""));
        let (host, _) = before.rsplit_once('/').context("--server names no database")?;
        let url = format!("{host}/{name}?{after}");
        run(&server, format!("CREATE DATABASE {name}")).await?;
        Ok(Self { url, made: Some((server, name)) })
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

async fn run(server: &str, sql: String) -> anyhow::Result<()> {
    let mut connection =
        PgConnection::connect(server).await.context("cannot connect to the server")?;
    // The name is generated here and has only letters and digits.
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
