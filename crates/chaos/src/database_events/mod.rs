//! Events that happen to the database's server or to the connections to it, one file for each kind.

mod failover;
mod migration;
mod pooler;
mod replies;
mod restart;
mod silence;

use rand::RngExt as _;
use rand::rngs::StdRng;

pub(crate) use self::migration::Dump;
use super::postgres::{Link, PostgresCluster, ShutdownMode, Traffic};

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
            Self::Restart(mode) => restart::restart(cluster, mode, rng).await?,
            Self::FailOver => failover::fail_over(cluster, rng).await?,
            Self::RestartPooler => pooler::restart_pooler(cluster, rng).await?,
            Self::FallSilent => silence::silence(cluster, rng).await,
            Self::CutOffReplies => replies::cut_off_replies(cluster, rng).await,
        }
        cluster.wait_until_reachable().await
    }
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
