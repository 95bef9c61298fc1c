//! The PostgreSQL database of a run: a server, and a link to it for each service.
//!
//! The server belongs to the run, so that it can be stopped, killed and replaced. A link is a port
//! that stays the same when another server takes over, and that can fail like a network.

mod client;
mod link;
mod pooler;
mod replies;
mod rows;
mod server;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{Instant, sleep, timeout};

pub(crate) use self::client::connect;
pub(crate) use self::link::{Link, Target, Traffic};
pub(crate) use self::pooler::{PoolMode, Pooler};
pub(crate) use self::rows::PostgresRows;
pub(crate) use self::server::{PostgresServer, ShutdownMode};

/// The name of the ledger's database.
const DATABASE: &str = "ledger";

/// The time that the database has to become reachable again after an event.
const REACHABLE_TIMEOUT: Duration = Duration::from_mins(1);

/// The longest test of a link.
const TEST_TIMEOUT: Duration = Duration::from_secs(2);

/// The interval between two tests of a link.
const TICK: Duration = Duration::from_millis(50);

/// A server, the links to it, and a pooler between one service and the server.
#[derive(Debug)]
pub(crate) struct PostgresCluster {
    /// The folder that holds the servers' folders.
    folder: PathBuf,
    /// The server that accepts writes.
    pub(crate) server: PostgresServer,
    /// The number of servers so far.
    servers: u32,
    /// The server's socket, to which links connect.
    target: Target,
    /// The link that this program uses. It never fails.
    direct: Link,
    /// The link of each service.
    pub(crate) links: Vec<Link>,
    /// The pooler that the last service uses.
    pub(crate) pooler: Option<Pooler>,
}

impl PostgresCluster {
    /// Starts a server with an empty database, and a pooler if a mode is given.
    pub(crate) async fn start(
        folder: &Path,
        replicas: u16,
        pool_mode: Option<PoolMode>,
    ) -> anyhow::Result<Self> {
        let mut server = PostgresServer::create(&folder.join("postgres-1")).await?;
        server.start().await?;
        let client = connect(&server.url("postgres")).await?;
        client.batch_execute(&format!("CREATE DATABASE {DATABASE}")).await?;
        let target = Target::new(server.socket());
        let direct = Link::open(&target).await?;
        let mut links = Vec::new();
        for _ in 1..replicas {
            links.push(Link::open(&target).await?);
        }
        let pooler = match pool_mode {
            Some(mode) => Some(Pooler::start(&folder.join("pooler"), &target, mode).await?),
            None => None,
        };
        let last = pooler.as_ref().map_or_else(|| target.clone(), |pooler| pooler.target().clone());
        links.push(Link::open(&last).await?);
        let folder = folder.to_owned();
        let cluster = Self { folder, server, servers: 1, target, direct, links, pooler };
        cluster.wait_until_reachable().await?;
        Ok(cluster)
    }

    /// The URL for this program.
    pub(crate) fn url(&self) -> String {
        self.direct.url(DATABASE)
    }

    /// The URL for each service.
    pub(crate) fn service_urls(&self) -> Vec<String> {
        self.links.iter().map(|link| link.url(DATABASE)).collect()
    }

    /// The folder for another server.
    pub(crate) fn next_folder(&mut self) -> PathBuf {
        self.servers += 1;
        self.folder.join(format!("postgres-{}", self.servers))
    }

    /// Opens another link to the server.
    pub(crate) async fn open_link(&self) -> anyhow::Result<Link> {
        Link::open(&self.target).await
    }

    /// Closes every connection to the server.
    pub(crate) fn close_connections(&self) {
        let pooler = self.pooler.iter().map(Pooler::link);
        for link in self.links.iter().chain([&self.direct]).chain(pooler) {
            link.close_connections();
        }
    }

    /// Makes this server the one that links connect to, and drops the one before.
    pub(crate) fn replace_server(&mut self, server: PostgresServer) {
        self.target.set(server.socket());
        self.server = server;
    }

    /// Waits until a statement succeeds over every link.
    pub(crate) async fn wait_until_reachable(&self) -> anyhow::Result<()> {
        let end = Instant::now() + REACHABLE_TIMEOUT;
        for link in self.links.iter().chain([&self.direct]) {
            let url = link.url(DATABASE);
            while let Err(error) = test(&url).await {
                if Instant::now() >= end {
                    return Err(error).context("the database does not become reachable");
                }
                sleep(TICK).await;
            }
        }
        Ok(())
    }
}

async fn test(url: &str) -> anyhow::Result<()> {
    let test = async { anyhow::Ok(connect(url).await?.batch_execute("SELECT 1").await?) };
    timeout(TEST_TIMEOUT, test).await?
}
