//! Keys derived ahead of the requests for them: a challenge whose answer is known costs one run of
//! the key derivation, which no request should wait for and no flood of requests may multiply.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::pbkdf2::{PBKDF2_HMAC_SHA256, derive};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Difficulty;
use crate::lifecycle::Lifecycle;

/// The bytes of a derived key.
pub(super) const KEY: usize = 32;

/// Keys of one strength that lie ready.
const SIZE: usize = 16;

/// How long a request waits for one when none does. At one key in half a millisecond, a thousand
/// requests are before it then.
const PATIENCE: Duration = Duration::from_secs(2);

/// A key that whoever tries the right counter derives.
#[derive(Debug)]
pub(super) struct Derived {
    pub(super) nonce: [u8; 16],
    pub(super) salt: [u8; 16],
    pub(super) key: [u8; KEY],
}

/// Keys of every strength. Nothing is derived before the first of a strength is asked for.
#[derive(Debug)]
pub(super) struct KeyPool([Arc<PoolShard>; Difficulty::ALL.len()]);

/// Keys of one strength.
#[derive(Debug)]
struct PoolShard {
    cost: NonZeroU32,
    tries: RangeInclusive<u32>,
    asked: AtomicBool,
    ready: Mutex<VecDeque<Derived>>,
    /// A permit for each key that is ready.
    filled: Semaphore,
    /// A permit for each that may be made.
    room: Semaphore,
}

impl KeyPool {
    /// Starts what fills the stock: one key at a time, of whatever strength, on a thread that may
    /// block. So a flood of requests has one core at the most.
    pub(super) fn start(
        cost: NonZeroU32,
        tries: impl Fn(Difficulty) -> RangeInclusive<u32>,
        lifecycle: &Lifecycle,
    ) -> Self {
        let shelves =
            Difficulty::ALL.map(|strength| Arc::new(PoolShard::new(cost, tries(strength))));
        let turn = Arc::new(Semaphore::new(1));
        for shelf in &shelves {
            lifecycle.spawn_background(fill(Arc::clone(shelf), Arc::clone(&turn)));
        }
        Self(shelves)
    }

    /// A key of this strength, used once; `None` when there is none soon enough.
    pub(super) async fn take(&self, strength: Difficulty) -> Option<Derived> {
        let at = Difficulty::ALL.iter().position(|known| *known == strength)?;
        let shelf = self.0.get(at)?;
        if !shelf.asked.swap(true, Ordering::Relaxed) {
            shelf.room.add_permits(SIZE);
        }
        timeout(PATIENCE, shelf.filled.acquire()).await.ok()?.ok()?.forget();
        let derived = shelf.ready.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        shelf.room.add_permits(1);
        derived
    }
}

impl PoolShard {
    fn new(cost: NonZeroU32, tries: RangeInclusive<u32>) -> Self {
        Self {
            cost,
            tries,
            asked: AtomicBool::new(false),
            ready: Mutex::default(),
            filled: Semaphore::new(0),
            room: Semaphore::new(0),
        }
    }
}

/// Keeps one shelf filled.
async fn fill(shelf: Arc<PoolShard>, turn: Arc<Semaphore>) {
    while let Ok(room) = shelf.room.acquire().await {
        room.forget();
        let Ok(_turn) = turn.acquire().await else { return };
        let (cost, counter) = (shelf.cost, rand::random_range(shelf.tries.clone()));
        let derived = match spawn_blocking(move || Derived::new(cost, counter)).await {
            Ok(derived) => derived,
            Err(ended) => match ended.try_into_panic() {
                // Stops the process, which could give out no challenge any more.
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => return,
            },
        };
        shelf.ready.lock().unwrap_or_else(PoisonError::into_inner).push_back(derived);
        shelf.filled.add_permits(1);
    }
}

impl Derived {
    /// The key of one counter, under a nonce and a salt of its own.
    fn new(cost: NonZeroU32, counter: u32) -> Self {
        let (nonce, salt): ([u8; 16], [u8; 16]) = rand::random();
        let mut password = [0; 20];
        let bytes = nonce.into_iter().chain(counter.to_be_bytes());
        for (byte, given) in password.iter_mut().zip(bytes) {
            *byte = given;
        }
        let mut key = [0; KEY];
        derive(PBKDF2_HMAC_SHA256, cost, &salt, &password, &mut key);
        Self { nonce, salt, key }
    }
}
