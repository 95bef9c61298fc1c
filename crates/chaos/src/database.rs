//! The ledger's database: a file in the run's folder, or a database of its own on a server.

use anyhow::Context as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::options::{Kind, Options};

/// A database that is this run's own.
#[derive(Debug)]
pub(crate) struct Database {
    /// As the service is told it.
    pub(crate) url: String,
    /// The server's URL and the database's name, to be dropped.
    made: Option<(String, String)>,
}

impl Database {
    /// Makes it.
    pub(crate) async fn make(options: &Options, folder: &std::path::Path) -> anyhow::Result<Self> {
        if options.database == Kind::Sqlite {
            anyhow::ensure!(options.replicas == 1, "one process at a time has an SQLite file");
            let url = format!("sqlite://{}", folder.join("signup.db").display());
            return Ok(Self { url, made: None });
        }
        let server = options.server.clone().context("no --server and no TEST_DATABASE_URL")?;
        let name = format!("chaos_{:016x}", rand::random::<u64>());
        let (before, after) = server.split_once('?').unwrap_or((&server, ""));
        let (host, _) = before.rsplit_once('/').context("--server names no database")?;
        let url = format!("{host}/{name}?{after}");
        run(&server, format!("CREATE DATABASE {name}")).await?;
        Ok(Self { url, made: Some((server, name)) })
    }

    /// Takes it away.
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
    let mut connection = PgConnection::connect(server).await.context("the server is away")?;
    // The name in it is ours: letters and digits.
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
