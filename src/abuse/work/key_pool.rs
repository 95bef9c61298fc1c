//! Keys derived before they are requested. A challenge with a known solution costs one run of the
//! key derivation. No request should wait for that, and no flood of requests may multiply it.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lc_rs::pbkdf2::{PBKDF2_HMAC_SHA256, derive};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Difficulty;
use crate::lifecycle::Lifecycle;

/// Length of a derived key in bytes.
pub(super) const KEY: usize = 32;

/// Number of keys of one difficulty that are kept ready.
const SIZE: usize = 16;

/// Maximum number of requests that wait for a key. At half a millisecond per key, the last one waits
/// for an eighth of a second. Each holds a connection that cannot be closed to make room for others:
/// together 8 MiB.
const MAX_WAITING: usize = 256;

/// Maximum wait of a request for a key, on a machine that is busy with other things.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// A key that a solver derives with the right counter.
#[derive(Debug)]
pub(super) struct DerivedKey {
    pub(super) nonce: [u8; 16],
    pub(super) salt: [u8; 16],
    pub(super) key: [u8; KEY],
}

/// Keys of every difficulty. Nothing is derived before the first request for a difficulty.
#[derive(Debug)]
pub(super) struct KeyPool {
    shards: [Arc<PoolShard>; Difficulty::ALL.len()],
    /// One permit per request that may wait for a key.
    line: Semaphore,
}

/// Keys of one difficulty.
#[derive(Debug)]
struct PoolShard {
    cost: NonZeroU32,
    /// The most tries of a challenge.
    tries: u32,
    requested: AtomicBool,
    ready: Mutex<VecDeque<DerivedKey>>,
    /// One permit per key that is ready.
    available: Semaphore,
    /// One permit per key that may be derived.
    vacancies: Semaphore,
}

impl KeyPool {
    /// Starts the tasks that fill the pool: one key at a time over all difficulties, on a thread
    /// for blocking work. A flood of requests therefore uses one core at most.
    pub(super) fn start(
        cost: NonZeroU32,
        tries: impl Fn(Difficulty) -> u32,
        lifecycle: &Lifecycle,
    ) -> Self {
        let shards =
            Difficulty::ALL.map(|difficulty| Arc::new(PoolShard::new(cost, tries(difficulty))));
        let turn = Arc::new(Semaphore::new(1));
        for shard in &shards {
            lifecycle.spawn_background(fill(Arc::clone(shard), Arc::clone(&turn)));
        }
        Self { shards, line: Semaphore::new(MAX_WAITING) }
    }

    /// The number of further requests that may wait for a key.
    pub(super) fn room(&self) -> usize {
        self.line.available_permits()
    }

    /// Takes a key of this difficulty out of the pool; `None` if none is ready soon enough, or too
    /// many requests wait for one.
    pub(super) async fn take(&self, difficulty: Difficulty) -> Option<DerivedKey> {
        let at = Difficulty::ALL.iter().position(|known| *known == difficulty)?;
        let shard = self.shards.get(at)?;
        if !shard.requested.swap(true, Ordering::Relaxed) {
            shard.vacancies.add_permits(SIZE);
        }
        let available = if let Ok(available) = shard.available.try_acquire() {
            available
        } else {
            let _waiting = self.line.try_acquire().ok()?;
            timeout(MAX_WAIT, shard.available.acquire()).await.ok()?.ok()?
        };
        available.forget();
        let derived = shard.ready.lock().pop_front();
        shard.vacancies.add_permits(1);
        derived
    }
}

impl Drop for KeyPool {
    /// Ends the tasks that fill the pool.
    fn drop(&mut self) {
        for shard in &self.shards {
            shard.vacancies.close();
        }
    }
}

impl PoolShard {
    fn new(cost: NonZeroU32, tries: u32) -> Self {
        Self {
            cost,
            tries,
            requested: AtomicBool::new(false),
            ready: Mutex::default(),
            available: Semaphore::new(0),
            vacancies: Semaphore::new(0),
        }
    }
}

/// Keeps one shard full.
async fn fill(shard: Arc<PoolShard>, turn: Arc<Semaphore>) {
    while let Ok(vacancy) = shard.vacancies.acquire().await {
        vacancy.forget();
        let Ok(_turn) = turn.acquire().await else { return };
        // Every counter from the first on, so that a solver gains nothing from leaving some out.
        let (cost, counter) = (shard.cost, rand::random_range(1..=shard.tries));
        let derived = match spawn_blocking(move || DerivedKey::new(cost, counter)).await {
            Ok(derived) => derived,
            Err(ended) => match ended.try_into_panic() {
                // Stops the process, which could issue no more challenges.
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => return,
            },
        };
        shard.ready.lock().push_back(derived);
        shard.available.add_permits(1);
    }
}

impl DerivedKey {
    /// Derives the key of this counter with a fresh nonce and salt.
    fn new(cost: NonZeroU32, counter: u32) -> Self {
        let (nonce, salt): ([u8; 16], [u8; 16]) = rand::random();
        let password = [nonce.as_slice(), &counter.to_be_bytes()].concat();
        let mut key = [0; KEY];
        derive(PBKDF2_HMAC_SHA256, cost, &salt, &password, &mut key);
        Self { nonce, salt, key }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn no_more_than_a_line_of_requests_waits_for_keys() {
        let lifecycle = Lifecycle::new();
        let pool = KeyPool::start(NonZeroU32::MIN, |_| 1, &lifecycle);
        let take = || Box::pin(pool.take(Difficulty::Base));
        let mut line: Vec<_> = (0..MAX_WAITING).map(|_| take()).collect();
        // Nothing is derived before this test waits.
        for waiting in &mut line {
            assert!(waiting.now_or_never().is_none());
        }
        assert_eq!(pool.room(), 0);
        assert!(take().now_or_never().expect("does not wait").is_none());
        drop(line.pop());
        assert_eq!(pool.room(), 1);
        for waiting in line {
            assert!(waiting.await.is_some());
        }
        assert_eq!(pool.room(), MAX_WAITING);
    }
}
