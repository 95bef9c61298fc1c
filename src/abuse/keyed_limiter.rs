//! The buckets of one limit, bounded in number: the least recently used are evicted first.
//!
//! Memory is 32 bytes per bucket plus the map's overhead. Each shard has two generations. A bucket
//! that is used moves into the young one. When that is full, the old one is dropped as a whole. The
//! most recently used buckets, up to half of the capacity, are therefore always present, and no
//! request has to search for the oldest bucket.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::gcra::{BucketState, Gcra};
use crate::limits::Rate;
use crate::telemetry::LimiterMetrics;

/// Number of shards. Each has its own lock, held for one lookup.
const SHARDS: usize = 16;

/// One limit.
#[derive(Debug)]
pub(super) struct KeyedLimiter {
    gcra: Gcra,
    buckets: Arc<Buckets>,
    metrics: LimiterMetrics,
}

/// The buckets of one limit, by key. They outlive a change of its rate.
#[derive(Debug)]
pub(super) struct Buckets {
    /// Microseconds for one permit at the rate in use; zero before the first.
    interval: AtomicU64,
    /// The same for the limiter that was built last, which may not be in use yet.
    next_interval: AtomicU64,
    /// Randomly keyed, so that a client cannot choose its shard.
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
    /// Maximum number of buckets in one generation of a shard.
    generation_size: usize,
    started: Instant,
}

/// The time at which each bucket of a shard is full again, by key, in two generations.
#[derive(Debug, Default)]
struct Shard {
    young: HashMap<u128, u64>,
    old: HashMap<u128, u64>,
}

impl KeyedLimiter {
    /// A limiter that continues with these buckets, once [`Buckets::apply_rate`] has converted them. A
    /// key without a bucket has all its permits.
    pub(super) fn new(rate: Rate, buckets: Arc<Buckets>, metrics: LimiterMetrics) -> Self {
        let gcra = Gcra::new(rate);
        buckets.next_interval.store(gcra.interval(), Ordering::Relaxed);
        Self { gcra, buckets, metrics }
    }

    /// A limiter of the same buckets at another rate, to which they are never converted.
    pub(super) fn at_rate(&self, rate: Rate) -> Self {
        let (buckets, metrics) = (Arc::clone(&self.buckets), self.metrics.clone());
        Self { gcra: Gcra::new(rate), buckets, metrics }
    }

    /// Takes one permit from the bucket of this key.
    ///
    /// # Errors
    /// The state of the bucket, if it has no permit.
    pub(super) fn try_acquire(&self, key: u128) -> Result<BucketState, BucketState> {
        let now = self.buckets.now();
        let mut shard = self.buckets.shard(key);
        let full_at = shard.find(key);
        let acquired = self.gcra.try_acquire(full_at, now);
        // A rejected key stays in memory as well.
        self.put(&mut shard, key, acquired.map_or(full_at, |(next, _)| next), now);
        drop(shard);
        match acquired {
            Ok((_, state)) => {
                self.metrics.allowed();
                Ok(state)
            }
            Err(state) => {
                self.metrics.rejected();
                Err(state)
            }
        }
    }

    /// Checks that the bucket of this key has a permit. Takes none, and creates no bucket.
    ///
    /// # Errors
    /// The state of the bucket, if it has no permit.
    pub(super) fn check(&self, key: u128) -> Result<(), BucketState> {
        let state = self.state(key);
        if state.remaining > 0 {
            return Ok(());
        }
        self.metrics.rejected();
        Err(state)
    }

    /// The state of the bucket of this key. Takes no permit.
    pub(super) fn state(&self, key: u128) -> BucketState {
        let now = self.buckets.now();
        let full_at = self.buckets.shard(key).find(key);
        self.gcra.state(full_at, now)
    }

    /// Gives back a permit that was taken from the bucket of this key.
    pub(super) fn give_back(&self, key: u128) {
        let now = self.buckets.now();
        let mut shard = self.buckets.shard(key);
        let full_at = self.gcra.with_permit_returned(shard.find(key));
        self.put(&mut shard, key, full_at, now);
    }

    /// Blocks the bucket of this key for at least `wait`.
    pub(super) fn block_for(&self, key: u128, wait: Duration) {
        let now = self.buckets.now();
        let mut shard = self.buckets.shard(key);
        let full_at = shard.find(key).max(self.gcra.blocked_until(wait, now));
        self.put(&mut shard, key, full_at, now);
    }

    /// The metrics of this limit.
    pub(super) const fn metrics(&self) -> &LimiterMetrics {
        &self.metrics
    }

    /// Sets the time of a bucket, and drops the old generation once the young one is full.
    fn put(&self, shard: &mut Shard, key: u128, full_at: u64, now: u64) {
        if shard.young.insert(key, full_at).is_none() {
            self.metrics.entries(1);
        }
        if shard.young.len() < self.buckets.generation_size {
            return;
        }
        let entries = i64::try_from(shard.old.len()).unwrap_or(i64::MAX);
        self.metrics.entries(-entries);
        let evicted = shard.old.values().filter(|full_at| **full_at > now).count();
        self.metrics.evicted(u64::try_from(evicted).unwrap_or(u64::MAX));
        shard.old.clear();
        std::mem::swap(&mut shard.young, &mut shard.old);
    }
}

impl Buckets {
    /// At most `capacity` buckets, all of them full.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            interval: AtomicU64::new(0),
            next_interval: AtomicU64::new(0),
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            generation_size: (capacity / SHARDS / 2).max(1),
            started: Instant::now(),
        }
    }

    /// Microseconds since the start, by a monotonic clock.
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Converts every bucket to the rate of the limiter that was built last: what was taken from it stays
    /// taken, and returns at the new rate. Called when that limiter is taken into use.
    pub(super) fn apply_rate(&self) {
        let interval = self.next_interval.load(Ordering::Relaxed);
        let before = self.interval.swap(interval, Ordering::Relaxed);
        if before == 0 || before == interval {
            return;
        }
        let now = self.now();
        for shard in &self.shards {
            let mut shard = shard.lock();
            let Shard { young, old } = &mut *shard;
            for full_at in young.values_mut().chain(old.values_mut()) {
                let ahead = u128::from(full_at.saturating_sub(now));
                let ahead = ahead * u128::from(interval) / u128::from(before);
                *full_at = now.saturating_add(u64::try_from(ahead).unwrap_or(u64::MAX));
            }
        }
    }

    #[expect(clippy::indexing_slicing, reason = "a remainder of SHARDS is one of its indices")]
    fn shard(&self, key: u128) -> MutexGuard<'_, Shard> {
        let hash = self.hasher.hash_one(key);
        // Any bits of the hash will do, so a 16-bit `usize` would be enough.
        let at = usize::try_from(hash & 0xffff).unwrap_or(0) % SHARDS;
        self.shards[at].lock()
    }
}

impl Shard {
    /// The time at which the bucket is full. Moves it into the young generation.
    fn find(&mut self, key: u128) -> u64 {
        if let Some(full_at) = self.young.get(&key) {
            return *full_at;
        }
        let Some(full_at) = self.old.remove(&key) else { return 0 };
        self.young.insert(key, full_at);
        full_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    const RATE: Rate = Rate { burst: 2, every: Duration::from_mins(1) };

    fn limiter(capacity: usize) -> (Metrics, KeyedLimiter) {
        let metrics = Metrics::new();
        let limiter = metrics.limiter("test");
        (metrics, KeyedLimiter::new(RATE, Arc::new(Buckets::new(capacity)), limiter))
    }

    fn value(metrics: &Metrics, name: &str) -> i64 {
        let text = metrics.encode();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        line.trim().parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn each_key_has_its_own_bucket() {
        let (_metrics, limiter) = limiter(1_000);
        assert_eq!(limiter.try_acquire(1).unwrap().remaining, 1);
        assert_eq!(limiter.try_acquire(1).unwrap().remaining, 0);
        assert_eq!(limiter.try_acquire(1).unwrap_err().next_in, Duration::from_mins(1));
        assert_eq!(limiter.try_acquire(2).unwrap().remaining, 1);
        tokio::time::advance(Duration::from_mins(1)).await;
        assert!(limiter.try_acquire(1).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn ten_thousand_keys_stay_within_the_capacity() {
        let (metrics, limiter) = limiter(640);
        for key in 0..10_000 {
            assert!(limiter.try_acquire(key).is_ok());
            let held: usize = limiter.buckets.shards.iter().map(|shard| shard.lock().len()).sum();
            assert!(held <= 640, "{held}");
            // Reading a metric writes out all of them.
            if key % 100 == 0 {
                let entries = value(&metrics, "limiter_entries{limit=\"test\"}");
                assert_eq!(entries, i64::try_from(held).unwrap());
            }
        }
        let evicted = value(&metrics, "limiter_evictions_total{limit=\"test\"}");
        assert!((9_360..10_000).contains(&evicted), "{evicted}");
    }

    #[tokio::test(start_paused = true)]
    async fn permits_stay_taken_when_the_rate_changes() {
        let (metrics, limiter) = limiter(1_000);
        assert!(limiter.try_acquire(1).is_ok() && limiter.try_acquire(1).is_ok());
        let change = |limiter: &KeyedLimiter, burst, seconds| {
            let rate = Rate { burst, every: Duration::from_secs(seconds) };
            let buckets = Arc::clone(&limiter.buckets);
            KeyedLimiter::new(rate, buckets, metrics.limiter("test"))
        };
        limiter.buckets.apply_rate();
        let more = change(&limiter, 5, 6);
        // A limiter that is not taken into use changes nothing.
        assert_eq!(limiter.state(1).remaining, 0);
        more.buckets.apply_rate();
        assert_eq!(more.state(1).remaining, 3);
        assert_eq!(more.state(2).remaining, 5);
        let fewer = change(&more, 2, 600);
        fewer.buckets.apply_rate();
        assert_eq!(fewer.state(1).remaining, 0);
        tokio::time::advance(Duration::from_mins(10)).await;
        assert_eq!(fewer.state(1).remaining, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_in_use_is_not_evicted() {
        let (_metrics, limiter) = limiter(640);
        assert!(limiter.try_acquire(0).is_ok() && limiter.try_acquire(0).is_ok());
        for key in 1..10_000 {
            // Each shard gets a sixteenth of the new keys; its generation has room for twenty.
            if key % 100 == 0 {
                assert!(limiter.try_acquire(0).is_err(), "after {key} others");
            }
            let _acquired = limiter.try_acquire(key);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn dropping_a_full_bucket_is_no_eviction() {
        let (metrics, limiter) = limiter(32);
        for key in 0..1_000 {
            let _acquired = limiter.try_acquire(key);
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
