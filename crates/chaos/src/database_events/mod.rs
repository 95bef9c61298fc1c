//! Events that happen to the database's server or to the connections to it.

mod failover;
mod migration;

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use anyhow::Context as _;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rustix::process::Signal;
use tokio::time::sleep;

pub(crate) use self::migration::Dump;
use super::postgres::{Link, PostgresCluster, ShutdownMode, Traffic};

/// The range of times for which the server, or the pooler, is down.
const DOWN: Range<Duration> = Duration::ZERO..Duration::from_millis(500);

/// The range of times for which nothing arrives: up to more than a call of the ledger may take.
const SILENT: Range<Duration> = Duration::from_millis(500)..Duration::from_secs(5);

/// The range of times for which replies are cut off.
const CUT_OFF: Range<Duration> = Duration::from_millis(500)..Duration::from_secs(2);

/// The percentages of replies that are cut off. At the highest, even a repeated statement gets none.
const CUT_OFF_PERCENT: RangeInclusive<u8> = 10..=100;

/// Something that happens to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DatabaseEvent {
    /// The server restarts.
    Restart(ShutdownMode),
    /// A standby that lags behind takes over.
    FailOver,
    /// The pooler before the server restarts.
    RestartPooler,
    /// Connections fall silent.
    FallSilent,
    /// Replies are cut off after the commit.
    CutOffReplies,
}

impl DatabaseEvent {
    /// The name in the report.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Restart(ShutdownMode::Fast) => "database restarts",
            Self::Restart(ShutdownMode::Immediate) => "database crashes",
            Self::Restart(ShutdownMode::Kill) => "database kills",
            Self::FailOver => "failovers",
            Self::RestartPooler => "pooler restarts",
            Self::FallSilent => "silent connections",
            Self::CutOffReplies => "replies cut off",
        }
    }

    /// Returns whether the commits of up to a second are lost.
    pub(crate) const fn loses_commits(self) -> bool {
        match self {
            Self::Restart(ShutdownMode::Immediate | ShutdownMode::Kill) | Self::FailOver => true,
            Self::Restart(ShutdownMode::Fast)
            | Self::RestartPooler
            | Self::FallSilent
            | Self::CutOffReplies => false,
        }
    }

    /// Makes it happen, and waits until every service can reach the database again.
    pub(crate) async fn happen(
        self,
        cluster: &mut PostgresCluster,
        rng: &mut StdRng,
    ) -> anyhow::Result<()> {
        match self {
            Self::Restart(mode) => restart(cluster, mode, rng).await?,
            Self::FailOver => failover::fail_over(cluster, rng).await?,
            Self::RestartPooler => restart_pooler(cluster, rng).await?,
            Self::FallSilent => silence(cluster, rng).await,
            Self::CutOffReplies => cut_off_replies(cluster, rng).await,
        }
        cluster.wait_until_reachable().await
    }
}

/// Restarts the server. Unless it stops in order, it loses the commits that waited for no sync.
async fn restart(
    cluster: &mut PostgresCluster,
    mode: ShutdownMode,
    rng: &mut StdRng,
) -> anyhow::Result<()> {
    cluster.server.stop(mode).await?;
    sleep(rng.random_range(DOWN)).await;
    cluster.server.start().await
}

/// Ends the pooler at once, by SIGTERM or SIGKILL, and starts it again.
async fn restart_pooler(cluster: &mut PostgresCluster, rng: &mut StdRng) -> anyhow::Result<()> {
    let pooler = cluster.pooler.as_mut().context("there is no pooler")?;
    pooler.stop(if rng.random() { Signal::TERM } else { Signal::KILL })?;
    sleep(rng.random_range(DOWN)).await;
    pooler.spawn()
}

/// Silences the connections of one service, or of all. Nobody closes them.
///
/// Either only the current ones die, and new ones work, as when a firewall forgets them. Or nothing
/// arrives for a while: then the bytes that were kept back arrive late, or the connections are dead.
async fn silence(cluster: &PostgresCluster, rng: &mut StdRng) {
    let links = some_links(&cluster.links, rng);
    let dies = rng.random();
    if rng.random() {
        set_traffic(links, Traffic::Silent);
        sleep(rng.random_range(SILENT)).await;
        if dies {
            for link in links {
                link.abandon_connections();
            }
        }
        set_traffic(links, Traffic::Forwarded);
    } else {
        for link in links {
            link.abandon_connections();
        }
    }
}

/// Cuts off some replies to one service, or to all, at any byte: they are lost after their statements
/// were committed. Their connections are closed.
async fn cut_off_replies(cluster: &PostgresCluster, rng: &mut StdRng) {
    let links = some_links(&cluster.links, rng);
    let percent = rng.random_range(CUT_OFF_PERCENT);
    set_traffic(links, Traffic::CutOff { percent });
    sleep(rng.random_range(CUT_OFF)).await;
    set_traffic(links, Traffic::Forwarded);
}

fn set_traffic(links: &[Link], traffic: Traffic) {
    for link in links {
        link.set_traffic(traffic);
    }
}

/// The link of one service, or all of them.
fn some_links<'l>(links: &'l [Link], rng: &mut StdRng) -> &'l [Link] {
    let index = rng.random_range(0..links.len());
    if rng.random() { links } else { links.get(index..=index).unwrap_or_default() }
}
