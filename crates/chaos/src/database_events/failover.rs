//! A standby that lags behind takes over: the commits of up to a second are lost.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep};

use crate::postgres::{PostgresCluster, PostgresServer, ShutdownMode, Traffic, connect};

/// The longest time by which the standby lags behind.
const MAX_LAG: Duration = Duration::from_secs(1);

/// The longest time from the end of one server until the other one takes over.
const MAX_DOWN: Duration = Duration::from_secs(1);

/// The time that the standby has to catch up.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(30);

/// The interval at which the standby is checked.
const TICK: Duration = Duration::from_millis(20);

const IS_STREAMING: &str =
    "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming')";

/// Adds a standby, stops replication, and promotes the standby up to a second later.
///
/// The old server quits at once, as in a crash. It never comes back, and nobody reaches it once the
/// standby has taken over.
pub(super) async fn fail_over(
    cluster: &mut PostgresCluster,
    rng: &mut StdRng,
) -> anyhow::Result<()> {
    let replication = cluster.open_link().await?;
    let folder = cluster.next_folder();
    let mut standby = PostgresServer::create_standby(&folder, &replication).await?;
    standby.start().await?;
    wait_until_streaming(&cluster.url()).await?;
    replication.set_traffic(Traffic::Silent);
    sleep(rng.random_range(Duration::ZERO..MAX_LAG)).await;
    cluster.server.stop(ShutdownMode::Immediate).await?;
    cluster.close_connections();
    // What the old server sent meanwhile does not arrive any more.
    drop(replication);
    sleep(rng.random_range(Duration::ZERO..MAX_DOWN)).await;
    standby.promote().await?;
    cluster.replace_server(standby);
    Ok(())
}

async fn wait_until_streaming(url: &str) -> anyhow::Result<()> {
    let client = connect(url).await?;
    let end = Instant::now() + CATCH_UP_TIMEOUT;
    while !client.query_one(IS_STREAMING, &[]).await?.try_get::<_, bool>(0)? {
        anyhow::ensure!(Instant::now() < end, "the standby does not catch up");
        sleep(TICK).await;
    }
    Ok(())
}
