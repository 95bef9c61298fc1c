//! The buckets of one limit, bounded in number: those used least lately are forgotten first.
//!
//! Memory is 32 bytes a bucket and the map's own. Each shard has two generations: what is used moves into
//! the young one, and when that is full the old one is forgotten as a whole. So a bucket that was
//! used within the last half of the capacity is there, and nobody pays for looking for the oldest.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::gcra::{BucketState, Gcra};
use crate::limits::Rate;
use crate::telemetry::LimiterMetrics;

/// Shards: a lock each, held for a look-up.
const SHARDS: usize = 16;

/// Buckets of one limit, by key.
#[derive(Debug)]
pub(super) struct KeyedLimiter {
    gcra: Gcra,
    /// Keyed by chance, so that nobody can choose who shares a shard.
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
    /// The most buckets of a generation.
    half: usize,
    began: Instant,
    metrics: LimiterMetrics,
}

#[derive(Debug, Default)]
struct Shard {
    young: HashMap<u128, u64>,
    old: HashMap<u128, u64>,
}

impl KeyedLimiter {
    /// At most so many buckets, all full.
    pub(super) fn new(rate: Rate, capacity: usize, metrics: LimiterMetrics) -> Self {
        Self {
            gcra: Gcra::new(rate),
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            half: (capacity / SHARDS / 2).max(1),
            began: Instant::now(),
            metrics,
        }
    }

    /// Spends a permit.
    ///
    /// # Errors
    /// How the bucket stands, when it has none.
    pub(super) fn spend(&self, key: u128) -> Result<BucketState, BucketState> {
        let now = self.now();
        let mut shard = self.shard(key);
        let until = shard.find(key);
        let spent = self.gcra.spend(until, now);
        // One who is refused stays known as well.
        self.keep(&mut shard, key, spent.map_or(until, |(next, _)| next), now);
        drop(shard);
        match spent {
            Ok((_, standing)) => {
                self.metrics.allowed();
                Ok(standing)
            }
            Err(standing) => {
                self.metrics.refused();
                Err(standing)
            }
        }
    }

    /// How a bucket stands; spends nothing.
    pub(super) fn standing(&self, key: u128) -> BucketState {
        let now = self.now();
        let until = self.shard(key).find(key);
        self.gcra.standing(until, now)
    }

    /// Notes that there is no permit before that time has passed, as others know.
    pub(super) fn learn(&self, key: u128, wait: Duration) {
        let now = self.now();
        let mut shard = self.shard(key);
        let until = shard.find(key).max(self.gcra.spent(wait, now));
        self.keep(&mut shard, key, until, now);
    }

    /// What is counted.
    pub(super) const fn metrics(&self) -> &LimiterMetrics {
        &self.metrics
    }

    /// By a clock that never goes back.
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn keep(&self, shard: &mut Shard, key: u128, until: u64, now: u64) {
        if shard.young.insert(key, until).is_none() {
            self.metrics.entries(1);
        }
        if shard.young.len() < self.half {
            return;
        }
        let entries = i64::try_from(shard.old.len()).unwrap_or(i64::MAX);
        self.metrics.entries(-entries);
        let forgotten = shard.old.values().filter(|until| **until > now).count();
        self.metrics.evicted(u64::try_from(forgotten).unwrap_or(u64::MAX));
        shard.old.clear();
        std::mem::swap(&mut shard.young, &mut shard.old);
    }

    #[expect(clippy::indexing_slicing, reason = "a remainder of SHARDS is one of its indices")]
    fn shard(&self, key: u128) -> MutexGuard<'_, Shard> {
        let hash = self.hasher.hash_one(key);
        // Which bits are left of a hash on a smaller machine does not matter.
        let at = usize::try_from(hash & 0xffff).unwrap_or(0) % SHARDS;
        // Every change is one insertion or one swap: a shard whose holder panicked is whole.
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    /// Until when the bucket is spent, which is then in neither generation but the young one.
    fn find(&mut self, key: u128) -> u64 {
        if let Some(until) = self.young.get(&key) {
            return *until;
        }
        let Some(until) = self.old.remove(&key) else { return 0 };
        self.young.insert(key, until);
        until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    const RATE: Rate = Rate { burst: 2, every: Duration::from_mins(1) };

    fn permits(capacity: usize) -> (Metrics, KeyedLimiter) {
        let metrics = Metrics::new();
        let limiter = metrics.limiter("test");
        (metrics, KeyedLimiter::new(RATE, capacity, limiter))
    }

    fn value(metrics: &Metrics, name: &str) -> i64 {
        let text = metrics.encode();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        line.trim().parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_is_its_keys_own() {
        let (_metrics, permits) = permits(1_000);
        assert_eq!(permits.spend(1).unwrap().left, 1);
        assert_eq!(permits.spend(1).unwrap().left, 0);
        assert_eq!(permits.spend(1).unwrap_err().more_in, Duration::from_mins(1));
        assert_eq!(permits.spend(2).unwrap().left, 1);
        tokio::time::advance(Duration::from_mins(1)).await;
        assert!(permits.spend(1).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn ten_thousand_keys_take_no_more_room_than_was_given() {
        let (metrics, permits) = permits(640);
        for key in 0..10_000 {
            assert!(permits.spend(key).is_ok());
            let held: usize = permits.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
            assert!(held <= 640, "{held}");
            assert_eq!(
                value(&metrics, "limiter_entries{limit=\"test\"}"),
                i64::try_from(held).unwrap()
            );
        }
        let evicted = value(&metrics, "limiter_evictions_total{limit=\"test\"}");
        assert!((9_360..10_000).contains(&evicted), "{evicted}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_on_asking_is_not_forgotten() {
        let (_metrics, permits) = permits(640);
        assert!(permits.spend(0).is_ok() && permits.spend(0).is_ok());
        for key in 1..10_000 {
            // Each shard gets a sixteenth of the newcomers; its generation has room for twenty.
            if key % 100 == 0 {
                assert!(permits.spend(0).is_err(), "after {key} others");
            }
            let _spent = permits.spend(key);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn full_buckets_that_are_forgotten_are_no_loss() {
        let (metrics, permits) = permits(32);
        for key in 0..1_000 {
            let _spent = permits.spend(key);
            tokio::time::advance(Duration::from_mins(2)).await;
        }
        assert_eq!(value(&metrics, "limiter_evictions_total{limit=\"test\"}"), 0);
    }

    impl Shard {
        fn len(&self) -> usize {
            self.young.len() + self.old.len()
        }
    }
}
