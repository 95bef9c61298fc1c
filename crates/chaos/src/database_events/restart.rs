//! The server stops, crashes or is killed, and starts again.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::sleep;

use crate::postgres::{PostgresCluster, ShutdownMode};

/// The range of times for which the server is down.
const DOWN: std::ops::Range<Duration> = Duration::ZERO..Duration::from_millis(500);

/// Restarts the server. Unless it stops in order, it loses the commits that waited for no sync.
pub(super) async fn restart(
    cluster: &mut PostgresCluster,
    mode: ShutdownMode,
    rng: &mut StdRng,
) -> anyhow::Result<()> {
    cluster.server.stop(mode).await?;
    sleep(rng.random_range(DOWN)).await;
    cluster.server.start().await
}
