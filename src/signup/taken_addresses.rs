//! E-mail addresses that a lookup has just shown to belong to older users.
//!
//! Each rejected sign-up with a known address would otherwise cost a second call, so credential
//! stuffing would halve the tenant's budget. In memory only; a process that starts looks each up
//! again.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::digest::Digest;

/// Time for which an address is remembered.
const REMEMBERED: Duration = Duration::from_mins(10);

/// The most addresses that are remembered; the oldest go first.
const CAPACITY: usize = 20_000;

/// Digests of addresses whose users are older than any key.
#[derive(Debug, Default)]
pub(super) struct TakenAddresses(Mutex<Remembered>);

/// The state of [`TakenAddresses`].
#[derive(Debug, Default)]
struct Remembered {
    since: HashMap<Digest, Instant>,
    /// Oldest first.
    order: VecDeque<(Instant, Digest)>,
}

impl TakenAddresses {
    /// Remembers an address.
    pub(super) fn insert(&self, email: Digest, now: Instant) {
        let mut addresses = self.0.lock();
        addresses.evict(now);
        addresses.since.insert(email, now);
        addresses.order.push_back((now, email));
    }

    /// Returns whether an address is remembered.
    pub(super) fn contains(&self, email: &Digest, now: Instant) -> bool {
        let addresses = self.0.lock();
        addresses.since.get(email).is_some_and(|since| now < *since + REMEMBERED)
    }

    /// Forgets an address: a create call for it may have been acted on, so its user was deleted.
    pub(super) fn remove(&self, email: &Digest) {
        self.0.lock().since.remove(email);
    }
}

impl Remembered {
    /// Forgets what is too old, or beyond the capacity.
    fn evict(&mut self, now: Instant) {
        while let Some((since, email)) = self.order.front().copied() {
            if self.order.len() < CAPACITY && now < since + REMEMBERED {
                return;
            }
            self.order.pop_front();
            if self.since.get(&email) == Some(&since) {
                self.since.remove(&email);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_remembered_for_ten_minutes_and_within_the_capacity() {
        let addresses = TakenAddresses::default();
        let digest = |number: u32| {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            Digest::from_bytes(bytes)
        };
        let start = Instant::now();
        addresses.insert(digest(0), start);
        assert!(addresses.contains(&digest(0), start + REMEMBERED / 2));
        assert!(!addresses.contains(&digest(0), start + REMEMBERED));
        for number in 0..=u32::try_from(CAPACITY).unwrap() {
            addresses.insert(digest(number), start);
        }
        assert!(!addresses.contains(&digest(0), start));
        assert!(addresses.contains(&digest(1), start));
        addresses.remove(&digest(1));
        assert!(!addresses.contains(&digest(1), start));
        assert!(addresses.0.lock().since.len() <= CAPACITY);
    }
}
