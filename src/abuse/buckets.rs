//! One leaky bucket for each network, bounded in number.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::network::Network;

/// Networks remembered at once: some 5 MB.
const MOST: usize = 65_536;

/// Networks looked at to find the one that is forgotten when there is no room.
const SAMPLE: usize = 16;

/// A bucket for each network. Something put into it leaks out after `leak`; so many are in it.
#[derive(Debug)]
pub(super) struct Buckets {
    leak: Duration,
    /// When each bucket will be empty.
    empty_at: Mutex<HashMap<Network, Instant>>,
    most: usize,
}

impl Buckets {
    /// Buckets that lose one in that time.
    pub(super) fn new(leak: Duration) -> Self {
        Self { leak, empty_at: Mutex::default(), most: MOST }
    }

    /// How many are in the bucket, rounded up.
    pub(super) fn level(&self, network: Network, now: Instant) -> u32 {
        self.locked().get(&network).map_or(0, |empty_at| self.count(*empty_at, now))
    }

    /// Puts one into a bucket that holds fewer than `size`.
    ///
    /// # Errors
    /// How long to wait until there is room.
    pub(super) fn take(&self, network: Network, size: u32, now: Instant) -> Result<(), Duration> {
        let mut empty_at = self.locked();
        let until = empty_at.get(&network).copied().unwrap_or(now).max(now);
        let room_at = until + self.leak;
        let full = now + self.leak * size;
        if room_at > full {
            return Err(room_at - full);
        }
        self.put(&mut empty_at, network, room_at, now);
        Ok(())
    }

    fn count(&self, empty_at: Instant, now: Instant) -> u32 {
        let left = empty_at.saturating_duration_since(now).as_nanos();
        u32::try_from(left.div_ceil(self.leak.as_nanos().max(1))).unwrap_or(u32::MAX)
    }

    fn put(
        &self,
        buckets: &mut HashMap<Network, Instant>,
        network: Network,
        until: Instant,
        now: Instant,
    ) {
        if buckets.len() >= self.most && !buckets.contains_key(&network) {
            // The emptiest of a few, in the map's own random order: finding the emptiest of all
            // would make each newcomer of a flood pay for the whole map.
            let sample = buckets.iter().take(SAMPLE);
            let emptiest = sample.min_by_key(|(_, empty_at)| **empty_at).map(|(known, _)| *known);
            if let Some(emptiest) = emptiest {
                buckets.remove(&emptiest);
            }
        }
        debug_assert!(until >= now, "a bucket is never emptied by putting something into it");
        buckets.insert(network, until);
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Network, Instant>> {
        // Every change is one insertion: a map whose holder panicked is whole.
        self.empty_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn network(n: u32) -> Network {
        IpAddr::V4(Ipv4Addr::from_bits(n)).into()
    }

    #[test]
    fn a_bucket_takes_its_size_and_then_one_for_each_that_leaks() {
        let buckets = Buckets::new(SECOND);
        let now = Instant::now();
        let take = |at| buckets.take(network(1), 3, at);
        assert_eq!([take(now), take(now), take(now)], [Ok(()); 3]);
        assert_eq!(buckets.level(network(1), now), 3);
        assert_eq!(take(now), Err(SECOND));
        assert_eq!(take(now + SECOND / 4), Err(SECOND * 3 / 4));
        assert_eq!(take(now + SECOND), Ok(()));
        assert_eq!(take(now + SECOND), Err(SECOND));
        assert_eq!(buckets.take(network(2), 3, now), Ok(()));
        assert_eq!(buckets.level(network(1), now + SECOND * 9), 0);
    }

    #[test]
    fn a_size_of_nothing_takes_nothing() {
        assert_eq!(Buckets::new(SECOND).take(network(1), 0, Instant::now()), Err(SECOND));
    }

    #[test]
    fn a_flood_of_networks_takes_no_more_room_and_mostly_forgets_the_emptiest() {
        let buckets = Buckets { most: 64, ..Buckets::new(SECOND) };
        let now = Instant::now();
        for _ in 0..100 {
            assert_eq!(buckets.take(network(0), 100, now), Ok(()));
        }
        for n in 1..10_000 {
            assert_eq!(buckets.take(network(n), 100, now), Ok(()));
        }
        assert_eq!(buckets.locked().len(), 64);
        assert_eq!(buckets.level(network(0), now), 100, "the fullest is kept");
    }
}
