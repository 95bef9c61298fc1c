//! New ids in the manner of `MongoDB`'s, which is where the tenant's come from.

use std::sync::atomic::{AtomicU32, Ordering};

/// Makes ids of 24 hexadecimal digits: the second, this maker's own number, and a counter.
#[derive(Debug)]
pub(crate) struct IdGenerator {
    /// Tells one maker from another, in ten digits.
    generator: String,
    /// How many ids it has made.
    count: AtomicU32,
}

impl IdGenerator {
    /// A maker of its own.
    pub(crate) fn new() -> Self {
        let mut random = [0; 8];
        // Without randomness the ids of two emulators may be the same, which harms neither.
        aws_lc_rs::rand::fill(&mut random).unwrap_or_default();
        let number = u64::from_be_bytes(random) & 0x00ff_ffff_ffff;
        Self { generator: format!("{number:010x}"), count: AtomicU32::new(0) }
    }

    /// The next id at that second since 1970.
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
    fn ids_have_24_digits_and_differ() {
        let ids = IdGenerator::new();
        let (first, second) = (ids.next_id(1_700_000_000), ids.next_id(1_700_000_000));
        assert_eq!(first.len(), 24);
        assert!(first.starts_with("6553f100") && first.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(first, second);
    }
}
