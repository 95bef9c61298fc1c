//! Keys derived before they are requested. A challenge with a known solution costs one run of the
//! key derivation. No request should wait for that, and no flood of requests may multiply it.

use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_lc_rs::pbkdf2::{PBKDF2_HMAC_SHA256, derive};
use tokio::sync::{Mutex, Semaphore, mpsc};
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
    cost: NonZeroU32,
    /// The most tries of a challenge of the least difficulty.
    tries: u32,
    lifecycle: Lifecycle,
    /// The keys that are ready, by difficulty. Locked by the request that waits for the next one.
    ready: [OnceLock<Mutex<mpsc::Receiver<DerivedKey>>>; Difficulty::ALL.len()],
    /// Held while a key is derived: one at a time over all difficulties, so that a flood of requests
    /// uses one core at most.
    turn: Arc<Mutex<()>>,
    /// One permit per request that may wait for a key.
    line: Semaphore,
}

impl KeyPool {
    /// An empty pool.
    pub(super) fn new(cost: NonZeroU32, tries: u32, lifecycle: &Lifecycle) -> Self {
        Self {
            cost,
            tries,
            lifecycle: lifecycle.clone(),
            ready: Default::default(),
            turn: Arc::default(),
            line: Semaphore::new(MAX_WAITING),
        }
    }

    /// The number of further requests that may wait for a key.
    pub(super) fn room(&self) -> usize {
        self.line.available_permits()
    }

    /// Takes a key of this difficulty out of the pool; `None` if none is ready soon enough, or too
    /// many requests wait for one.
    pub(super) async fn take(&self, difficulty: Difficulty) -> Option<DerivedKey> {
        let at = Difficulty::ALL.iter().position(|known| *known == difficulty)?;
        let ready = self.ready.get(at)?.get_or_init(|| Mutex::new(self.start(difficulty)));
        if let Some(key) = ready.try_lock().ok().and_then(|mut ready| ready.try_recv().ok()) {
            return Some(key);
        }
        let _waiting = self.line.try_acquire().ok()?;
        timeout(MAX_WAIT, async { ready.lock().await.recv().await }).await.ok()?
    }

    /// Starts the task that keeps keys of this difficulty ready.
    fn start(&self, difficulty: Difficulty) -> mpsc::Receiver<DerivedKey> {
        let (tx, rx) = mpsc::channel(SIZE);
        let tries = self.tries.saturating_mul(difficulty.factor()).max(1);
        let fill = fill(tx, Arc::clone(&self.turn), self.cost, tries);
        self.lifecycle.spawn_background(fill);
        rx
    }
}

/// Keeps a channel full of keys until its receiver is dropped.
async fn fill(tx: mpsc::Sender<DerivedKey>, turn: Arc<Mutex<()>>, cost: NonZeroU32, tries: u32) {
    while let Ok(vacancy) = tx.reserve().await {
        let _turn = turn.lock().await;
        // Every counter from the first on, so that a solver gains nothing from leaving some out.
        let counter = rand::random_range(1..=tries);
        match spawn_blocking(move || DerivedKey::new(cost, counter)).await {
            Ok(derived) => vacancy.send(derived),
            Err(ended) => match ended.try_into_panic() {
                // Stops the process, which could issue no more challenges.
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => return,
            },
        }
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
        let pool = KeyPool::new(NonZeroU32::MIN, 1, &lifecycle);
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
