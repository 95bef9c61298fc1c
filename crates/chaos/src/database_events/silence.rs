//! Connections fall silent, and nobody closes them.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::{set_traffic, some_links};
use crate::postgres::{PostgresCluster, Traffic};

/// The range of times for which nothing arrives: up to more than a call of the ledger may take.
const SILENT: std::ops::Range<Duration> = Duration::from_millis(500)..Duration::from_secs(5);

/// Silences the connections of one service, or of all.
///
/// Either only the current ones die, and new ones work, as when a firewall forgets them. Or nothing
/// arrives for a while: then the bytes that were kept back arrive late, or the connections are dead.
pub(super) async fn silence(cluster: &PostgresCluster, rng: &mut StdRng) {
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
