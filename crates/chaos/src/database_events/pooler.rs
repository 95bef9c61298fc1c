//! The pooler before the server restarts.

use std::time::Duration;

use anyhow::Context as _;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rustix::process::Signal;
use tokio::time::sleep;

use crate::postgres::PostgresCluster;

/// The range of times for which the pooler is down.
const DOWN: std::ops::Range<Duration> = Duration::ZERO..Duration::from_millis(500);

/// Ends the pooler at once, by SIGTERM or SIGKILL, and starts it again.
pub(super) async fn restart_pooler(
    cluster: &mut PostgresCluster,
    rng: &mut StdRng,
) -> anyhow::Result<()> {
    let pooler = cluster.pooler.as_mut().context("there is no pooler")?;
    pooler.stop(if rng.random() { Signal::TERM } else { Signal::KILL })?;
    sleep(rng.random_range(DOWN)).await;
    pooler.spawn()
}
