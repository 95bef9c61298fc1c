//! Numbers of things that networks have at once, such as connections. A site, the /48 of an IPv6
//! network, may have eight times as many as an address, and a block 32 times as many. Where all
//! clients share a room, one block never gets more than half of what is left of it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::network::{BLOCK_FACTOR, Level, Network, SITE_FACTOR};

/// The part of the remaining room that a block may have. So one block ends at a third of all, the
/// next one at a third of the rest, and a client of another block still gets its first place.
const BLOCK_PART: usize = 2;

/// The numbers at each level. Clones share them.
#[derive(Debug, Clone)]
pub struct SourceCounts {
    counts: Arc<Mutex<Counts>>,
    max: usize,
}

/// The numbers by level, and by what contains the network there. None is zero.
type Counts = HashMap<(Level, Network), usize>;

/// One of the things that are counted. Dropping it lowers the numbers.
#[derive(Debug)]
pub struct Counted {
    network: Network,
    counts: Arc<Mutex<Counts>>,
}

impl SourceCounts {
    /// At most `max` for each network.
    pub fn new(max: usize) -> Self {
        Self { counts: Arc::default(), max }
    }

    /// Counts one more; `None` if the network, its site or its block has as many as it may.
    pub fn add(&self, network: Network) -> Option<Counted> {
        self.add_within(usize::MAX, network)
    }

    /// Counts one more; `None` also if the block has half of `room`, the number of further ones that
    /// there is room for.
    pub fn add_within(&self, room: usize, network: Network) -> Option<Counted> {
        let multiple = |factor: u8| self.max.saturating_mul(factor.into());
        let max = |level| match level {
            Level::Network => self.max,
            Level::Site => multiple(SITE_FACTOR),
            Level::Block => multiple(BLOCK_FACTOR).min(room.div_ceil(BLOCK_PART)),
        };
        let mut counts = self.counts.lock();
        if network.levels().any(|key| count(&counts, key) >= max(key.0)) {
            return None;
        }
        for key in network.levels() {
            *counts.entry(key).or_default() += 1;
        }
        drop(counts);
        Some(Counted { network, counts: Arc::clone(&self.counts) })
    }

    /// Returns whether the network or its site as a whole has more than `max`, or its block more
    /// than four times as many.
    pub fn exceeds(&self, max: usize, network: Network) -> bool {
        let max = |level| match level {
            Level::Network | Level::Site => max,
            Level::Block => max.saturating_mul(usize::from(BLOCK_FACTOR / SITE_FACTOR)),
        };
        let counts = self.counts.lock();
        network.levels().any(|key| count(&counts, key) > max(key.0))
    }

    /// Returns whether there are any of the network, of its site or of its block.
    pub(super) fn has_any(&self, level: Level, network: Network) -> bool {
        let counts = self.counts.lock();
        network.levels().any(|key| key.0 == level && counts.contains_key(&key))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        for key in self.network.levels() {
            if let Some(count) = counts.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&key);
                }
            }
        }
    }
}

fn count(counts: &Counts, key: (Level, Network)) -> usize {
    counts.get(&key).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn network(text: &str) -> Network {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn an_address_and_its_site_are_bounded_and_nothing_is_left() {
        let counts = SourceCounts::new(2);
        let both = [counts.add(network("192.0.2.1")), counts.add(network("192.0.2.1"))];
        assert!(both.iter().all(Option::is_some));
        assert!(counts.add(network("192.0.2.1")).is_none());
        let other = counts.add(network("192.0.2.2"));
        assert!(other.is_some());
        let site: Vec<_> =
            (0..100).filter_map(|n| counts.add(network(&format!("2001:db8:7:{n:x}::1")))).collect();
        assert_eq!(site.len(), 16);
        let one_of_them = network("2001:db8:7:1::1");
        assert!(counts.exceeds(15, one_of_them) && !counts.exceeds(16, one_of_them));
        assert!(counts.add(network("2001:db8:8::1")).is_some());
        drop((both, other, site));
        assert!(counts.counts.lock().is_empty(), "{counts:?}");
    }

    /// Every address, and every /48, of a block.
    const BLOCKS: [fn(usize) -> String; 2] =
        [|n| format!("192.0.2.{}", n % 256), |n| format!("2001:db8:{:x}::1", n % 65_536)];

    #[test]
    fn a_block_has_32_times_as_many_as_an_address() {
        for address in BLOCKS {
            let counts = SourceCounts::new(2);
            let of_a_block: Vec<_> =
                (0..1_000).filter_map(|n| counts.add(network(&address(n)))).collect();
            assert_eq!(of_a_block.len(), 64);
            let fresh = network(&address(200));
            assert!(counts.exceeds(15, fresh) && !counts.exceeds(16, fresh));
            assert!(counts.add(network("198.51.100.1")).is_some());
        }
    }

    #[test]
    fn a_block_gets_half_of_the_room_that_is_left() {
        const ROOM: usize = 300;
        for address in BLOCKS {
            let counts = SourceCounts::new(usize::MAX);
            let mut held = Vec::new();
            for n in 0..2 * ROOM {
                held.extend(counts.add_within(ROOM - held.len(), network(&address(n))));
            }
            assert_eq!(held.len(), ROOM / 3);
            // Others get their first place up to the last one.
            for n in held.len()..ROOM {
                let other = network(&format!("198.51.{}.1", n - ROOM / 3));
                held.push(counts.add_within(ROOM - held.len(), other).expect("a first place"));
            }
            assert!(counts.add_within(0, network("203.0.113.1")).is_none());
        }
    }
}
