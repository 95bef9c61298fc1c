//! Numbers of things that networks have at once, such as connections. A site, the /48 of an IPv6
//! network, may have eight times as many as an address.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::network::{Network, SITE_FACTOR};

/// The numbers by network and by site. Clones share them.
#[derive(Debug, Clone)]
pub struct SourceCounts {
    counts: Arc<Mutex<Counts>>,
    max: usize,
}

#[derive(Debug, Default)]
struct Counts {
    networks: HashMap<Network, usize>,
    sites: HashMap<Network, usize>,
}

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

    /// Counts one more; `None` if the network or its site has as many as it may.
    pub fn add(&self, network: Network) -> Option<Counted> {
        self.add_below(self.max, network)
    }

    /// Counts one more; `None` if the network has `max` already, or its site eight times as many.
    pub fn add_below(&self, max: usize, network: Network) -> Option<Counted> {
        let mut counts = lock(&self.counts);
        let site = network.site();
        let site_max = max.saturating_mul(usize::from(SITE_FACTOR));
        let site_is_full = site.is_some_and(|site| count(&counts.sites, site) >= site_max);
        if count(&counts.networks, network) >= max || site_is_full {
            return None;
        }
        *counts.networks.entry(network).or_default() += 1;
        if let Some(site) = site {
            *counts.sites.entry(site).or_default() += 1;
        }
        drop(counts);
        Some(Counted { network, counts: Arc::clone(&self.counts) })
    }

    /// Returns whether the network, or its site as a whole, has more than `max`.
    pub fn exceeds(&self, max: usize, network: Network) -> bool {
        let counts = lock(&self.counts);
        let site = network.site().map_or(0, |site| count(&counts.sites, site));
        count(&counts.networks, network).max(site) > max
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        lower(&mut counts.networks, self.network);
        if let Some(site) = self.network.site() {
            lower(&mut counts.sites, site);
        }
    }
}

fn count(map: &HashMap<Network, usize>, key: Network) -> usize {
    map.get(&key).copied().unwrap_or_default()
}

fn lower(map: &mut HashMap<Network, usize>, key: Network) {
    if let Some(count) = map.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            map.remove(&key);
        }
    }
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    // Nothing panics while it holds the lock.
    counts.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert!(counts.add_below(3, one_of_them).is_some(), "the bound is its caller's");
        assert!(counts.add_below(2, one_of_them).is_none());
        assert!(counts.add(network("2001:db8:8::1")).is_some());
        drop((both, other, site));
        let left = lock(&counts.counts);
        assert!(left.networks.is_empty() && left.sites.is_empty(), "{left:?}");
    }
}
