//! Replies are lost after their statements were committed.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::{set_traffic, some_links};
use crate::postgres::{PostgresCluster, Traffic};

/// The range of times for which replies are cut off.
const LASTS: std::ops::Range<Duration> = Duration::from_millis(500)..Duration::from_secs(2);

/// The percentages of replies that are cut off. At the highest, even a repeated statement gets none.
const PERCENT: std::ops::RangeInclusive<u8> = 10..=100;

/// Cuts off some replies to one service, or to all, at any byte. Their connections are closed.
pub(super) async fn cut_off_replies(cluster: &PostgresCluster, rng: &mut StdRng) {
    let links = some_links(&cluster.links, rng);
    let percent = rng.random_range(PERCENT);
    set_traffic(links, Traffic::CutOff { percent });
    sleep(rng.random_range(LASTS)).await;
    set_traffic(links, Traffic::Forwarded);
}
