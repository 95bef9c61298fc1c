//! The keys that the file may hold, in memory.
//!
//! The key of almost every sign-up is new. To see that in the file takes a seventh of a sign-up's processor
//! time: SQLite locks the file and reads again what has changed since. A [Bloom filter] answers most of
//! these lookups. It may take a new key for a known one, which is then looked up in the file. It does not take
//! a known key for a new one: it is filled when the file is opened, and this process records every later key.
//! Keys expire by the monotonic clock, so a clock that is set meanwhile makes it forget none. Only keys that
//! seem to have expired when the file is opened, because the clock is ahead, are missing.
//!
//! [Bloom filter]: https://en.wikipedia.org/wiki/Bloom_filter

use std::mem;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::{Connection, Result};

use crate::clock::LedgerTime;
use crate::digest::{Digest, DigestPair};
use crate::ledger::NewKey;

/// The words of a generation: one megabyte. With 100,000 keys in each of two, one new key in 120,000 is looked up in
/// the file, with half a million one in 250, with a million one in 25.
const WORDS: usize = 1 << 17;

/// The bits of a generation.
const BITS: u64 = 64 << 17;

/// The time for which a key is kept beyond its lifetime, which starts when its attempt is written.
const MARGIN: Duration = Duration::from_mins(10);

const LIVING: &str = "SELECT key_digest, expires_at FROM attempt_keys WHERE expires_at > ?1";

/// Knows every key that the file holds, unless another process may record keys.
#[derive(Debug)]
pub(super) struct KeyFilter(Option<Mutex<Generations>>);

/// Keys are added to the current generation. Once all keys of the previous one have expired, the current
/// one takes its place.
#[derive(Debug, Default)]
struct Generations {
    current: Generation,
    previous: Generation,
}

/// Some keys.
#[derive(Debug, Default)]
struct Generation {
    /// Empty until the first key.
    words: Vec<u64>,
    /// The latest time at which one of the keys expires.
    expires_at: Option<Instant>,
}

impl KeyFilter {
    /// The filter of a process that does not record all keys. It takes every key for a known one.
    pub(super) const fn unused() -> Self {
        Self(None)
    }

    /// The filter of the only process that records keys from `now` on.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn new(connection: &Connection, now: LedgerTime) -> Result<Self> {
        let (mut generations, started_at) = (Generations::default(), Instant::now());
        let mut statement = connection.prepare(LIVING)?;
        let mut keys = statement.query([now.as_millis()])?;
        while let Some(key) = keys.next()? {
            let expires_at = LedgerTime::from_millis(key.get(1)?).unwrap_or(now);
            let key = Digest::from_bytes(key.get(0)?);
            generations.current.add(&key, started_at + expires_at.since(now) + MARGIN);
        }
        Ok(Self(Some(Mutex::new(generations))))
    }

    /// Returns whether certainly no attempt holds a key, under either secret.
    pub(super) fn is_new(&self, key: &DigestPair) -> bool {
        self.0.as_ref().is_some_and(|generations| !generations.lock().may_hold(key.iter()))
    }

    /// Adds the key of an attempt that starts now, before it is recorded. Returns whether certainly no
    /// attempt held it.
    pub(super) fn add(&self, key: &NewKey, now: Instant) -> bool {
        let Some(generations) = &self.0 else { return false };
        let mut generations = generations.lock();
        let is_new = !generations.may_hold(key.records.iter().map(|record| &record.key));
        generations.add(key, now);
        is_new
    }
}

impl Generations {
    fn may_hold<'k>(&self, keys: impl IntoIterator<Item = &'k Digest>) -> bool {
        let Self { current, previous } = self;
        keys.into_iter().any(|key| current.may_hold(key) || previous.may_hold(key))
    }

    fn add(&mut self, key: &NewKey, now: Instant) {
        let Self { current, previous } = self;
        if previous.has_expired(now) && current.expires_at.is_some() {
            *previous = mem::take(current);
        }
        for record in &key.records {
            current.add(&record.key, now + key.lifetime + MARGIN);
        }
    }
}

impl Generation {
    fn has_expired(&self, now: Instant) -> bool {
        self.expires_at.is_none_or(|expires_at| expires_at <= now)
    }

    fn may_hold(&self, key: &Digest) -> bool {
        let is_set = |(word, bit)| self.words.get(word).is_some_and(|word| word & bit != 0);
        positions(key).all(is_set)
    }

    fn add(&mut self, key: &Digest, expires_at: Instant) {
        self.words.resize(WORDS, 0);
        for (word, bit) in positions(key) {
            if let Some(word) = self.words.get_mut(word) {
                *word |= bit;
            }
        }
        self.expires_at = self.expires_at.max(Some(expires_at));
    }
}

/// The bits of a key, as words and masks. A digest is uniform, so its parts serve as hashes.
fn positions(key: &Digest) -> impl Iterator<Item = (usize, u64)> {
    let (parts, _) = key.as_bytes().as_chunks::<8>();
    parts.iter().map(|part| {
        let bit = u64::from_le_bytes(*part) % BITS;
        (usize::try_from(bit / 64).unwrap_or_default(), 1 << (bit % 64))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Binding, KeyRecord};

    const HOUR: Duration = Duration::from_hours(1);

    fn filter() -> KeyFilter {
        KeyFilter(Some(Mutex::default()))
    }

    fn digest(number: u64) -> Digest {
        // As uniform as a keyed digest.
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &number.to_le_bytes());
        Digest::from_bytes(hash.as_ref().try_into().unwrap())
    }

    fn pair(number: u64) -> DigestPair {
        DigestPair { current: digest(number), previous: None }
    }

    fn key(number: u64) -> NewKey {
        let binding = Binding::from_bytes([0; 2]);
        let records = vec![KeyRecord { key: digest(number), binding }];
        NewKey { records, lifetime: HOUR }
    }

    #[test]
    fn only_keys_that_were_added_are_known() {
        let (filter, now) = (filter(), Instant::now());
        assert!(filter.is_new(&pair(0)));
        for number in 0..10_000 {
            assert!(filter.add(&key(number), now));
            assert!(!filter.add(&key(number), now));
        }
        let is_known = |number: &u64| !filter.is_new(&pair(*number));
        assert_eq!((0..10_000).filter(is_known).count(), 10_000);
        assert_eq!((10_000..20_000).filter(is_known).count(), 0);
        let rotated = DigestPair { current: digest(10_000), previous: Some(digest(1)) };
        assert!(!filter.is_new(&rotated), "under the previous secret");
    }

    #[test]
    fn every_key_is_known_until_it_expires_and_forgotten_later() {
        let (filter, start) = (filter(), Instant::now());
        let minute = |minute: u64| start + Duration::from_mins(minute);
        for number in 0..600 {
            filter.add(&key(number), minute(number));
            for living in number.saturating_sub(60)..=number {
                assert!(!filter.is_new(&pair(living)), "{living} at {number}");
            }
        }
        let is_forgotten = |number: &u64| filter.is_new(&pair(*number));
        assert!((0..600).filter(is_forgotten).count() >= 400);
    }

    #[test]
    fn every_key_counts_as_known_where_others_record_keys() {
        let unused = KeyFilter::unused();
        assert!(!unused.is_new(&pair(1)));
        assert!(!unused.add(&key(1), Instant::now()));
    }
}
