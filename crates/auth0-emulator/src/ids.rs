//! New ids in the manner of `MongoDB`'s, which is where the tenant's come from.

use std::sync::atomic::{AtomicU32, Ordering};

/// Makes ids of 24 hexadecimal digits: the second, this maker's own number, and a counter.
#[derive(Debug)]
pub(crate) struct Ids {
    /// Tells one maker from another, in ten digits.
    maker: String,
    /// How many ids it has made.
    made: AtomicU32,
}

impl Ids {
    /// A maker of its own.
    pub(crate) fn new() -> Self {
        let mut random = [0; 8];
        // Without randomness the ids of two emulators may be the same, which harms neither.
        aws_lc_rs::rand::fill(&mut random).unwrap_or_default();
        let number = u64::from_be_bytes(random) & 0x00ff_ffff_ffff;
        Self { maker: format!("{number:010x}"), made: AtomicU32::new(0) }
    }

    /// The next id at that second since 1970.
    pub(crate) fn next(&self, seconds: i64) -> String {
        let count = self.made.fetch_add(1, Ordering::Relaxed) & 0x00ff_ffff;
        let seconds = seconds & 0xffff_ffff;
        format!("{seconds:08x}{}{count:06x}", self.maker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_24_digits_and_differ() {
        let ids = Ids::new();
        let (first, second) = (ids.next(1_700_000_000), ids.next(1_700_000_000));
        assert_eq!(first.len(), 24);
        assert!(first.starts_with("6553f100") && first.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(first, second);
    }
}
