//! New ids in the format of `MongoDB`'s `ObjectId`, which the tenant uses.

use std::sync::atomic::{AtomicU32, Ordering};

/// Generates ids of 24 hexadecimal digits: the timestamp in seconds, a random number per generator,
/// and a counter.
#[derive(Debug)]
pub(crate) struct IdGenerator {
    /// Ten digits that are unique to this generator.
    generator: String,
    /// The number of ids generated so far.
    count: AtomicU32,
}

impl IdGenerator {
    /// A generator with its own random number.
    pub(crate) fn new() -> Self {
        let mut random = [0; 8];
        // Without randomness the ids of two emulators may be equal, which harms neither.
        aws_lc_rs::rand::fill(&mut random).unwrap_or_default();
        let number = u64::from_be_bytes(random) & 0x00ff_ffff_ffff;
        Self { generator: format!("{number:010x}"), count: AtomicU32::new(0) }
    }

    /// The next id, for a time in seconds since 1970.
    pub(crate) fn next_id(&self, seconds: i64) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed) & 0x00ff_ffff;
        let seconds = seconds & 0xffff_ffff;
        format!("{seconds:08x}{}{count:06x}", self.generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_24_digits_and_are_unique() {
        let ids = IdGenerator::new();
        let (first, second) = (ids.next_id(1_700_000_000), ids.next_id(1_700_000_000));
        assert_eq!(first.len(), 24);
        assert!(first.starts_with("6553f100") && first.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(first, second);
    }
}
