//! Connections of this program to a PostgreSQL server.

use anyhow::Context as _;
use auth0_signup::config::PostgresUrl;
use tokio_postgres::{Client, NoTls};

/// Connects to a database. The connection ends when the client is dropped.
#[expect(clippy::disallowed_methods, reason = "there is no shutdown that would wait for it")]
pub(crate) async fn connect(url: &str) -> anyhow::Result<Client> {
    let url = PostgresUrl::parse(&url.into())?;
    let host = url.hosts.first().context("the URL has no host")?;
    let (client, connection) = host.connect(NoTls).await?;
    drop(tokio::spawn(connection));
    Ok(client)
}
