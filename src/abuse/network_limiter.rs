//! One limit on networks, on the sites that they belong to and on the blocks around these: an IPv6
//! /48 has eight times the permits of an address, however many of its /64s it uses, and an IPv4 /24
//! or an IPv6 /32 has 32 times as many.

use std::time::Duration;

use super::gcra::BucketState;
use super::keyed_limiter::KeyedLimiter;
use super::network::{BLOCK_FACTOR, Level, Network, SITE_FACTOR};
use super::state::AbuseState;
use crate::limits::Rate;
use crate::telemetry::{LimiterMetrics, Metrics};

/// The buckets of networks, of their sites and of their blocks.
#[derive(Debug)]
pub(super) struct NetworkLimiter {
    rate: Rate,
    networks: KeyedLimiter,
    sites: KeyedLimiter,
    blocks: Option<KeyedLimiter>,
}

/// The names of a limiter's buckets in the state and the metrics.
#[derive(Debug, Clone, Copy)]
pub(super) struct BucketNames {
    pub(super) network: &'static str,
    pub(super) site: &'static str,
    /// `None` where a block has no bucket.
    pub(super) block: Option<&'static str>,
}

impl NetworkLimiter {
    /// A limiter with at most `capacity` buckets of each kind, which `state` keeps and `metrics`
    /// counts.
    pub(super) fn new(
        rate: Rate,
        capacity: usize,
        state: &AbuseState,
        names: BucketNames,
        metrics: &Metrics,
    ) -> Self {
        let limiter = |name, rate| state.limiter(name, rate, capacity, metrics.limiter(name));
        let BucketNames { network, site, block } = names;
        Self {
            rate,
            networks: limiter(network, rate),
            sites: limiter(site, site_rate(rate)),
            blocks: block.map(|block| limiter(block, block_rate(rate))),
        }
    }

    /// Takes a permit of a network, one of its site and one of its block.
    ///
    /// A block without permits gets no further buckets for its sites, and a site without permits none
    /// for its networks, of which it has thousands.
    ///
    /// # Errors
    /// The narrowest level without a permit, and the state of its bucket.
    pub(super) fn try_acquire(
        &self,
        network: Network,
    ) -> Result<BucketState, (Level, BucketState)> {
        let at = |level| move |state| (level, state);
        for (level, limiter, key) in self.limiters(network) {
            limiter.check(key).map_err(at(level))?;
        }
        let wider = self.limiters(network).filter(|(level, ..)| *level != Level::Network);
        for (level, limiter, key) in wider.rev() {
            limiter.try_acquire(key).map_err(at(level))?;
        }
        self.networks.try_acquire(network.bits()).map_err(at(Level::Network))
    }

    /// The narrowest level at which the network has no permit; `None` if it may take one. Takes none.
    pub(super) fn empty_level(&self, network: Network) -> Option<Level> {
        let mut limiters = self.limiters(network);
        let empty = limiters.find(|(_, limiter, key)| limiter.state(*key).remaining == 0);
        empty.map(|(level, ..)| level)
    }

    /// Gives back a permit that was taken.
    pub(super) fn give_back(&self, network: Network) {
        for (_, limiter, key) in self.limiters(network) {
            limiter.give_back(key);
        }
    }

    /// The limiters of a network, from its own to that of its block, with the keys of their buckets.
    fn limiters(
        &self,
        network: Network,
    ) -> impl DoubleEndedIterator<Item = (Level, &KeyedLimiter, u128)> {
        network.levels().filter_map(|(level, at)| {
            let limiter = match level {
                Level::Network => Some(&self.networks),
                Level::Site => Some(&self.sites),
                Level::Block => self.blocks.as_ref(),
            };
            Some((level, limiter?, at.bits()))
        })
    }

    /// The rate of a network.
    pub(super) const fn rate(&self) -> Rate {
        self.rate
    }

    /// The metrics of the limit on networks.
    pub(super) const fn metrics(&self) -> &LimiterMetrics {
        self.networks.metrics()
    }

    /// The states of a network, and of its site.
    pub(super) fn states(&self, network: Network) -> (BucketState, Option<BucketState>) {
        let site = network.site().map(|site| self.sites.state(site.bits()));
        (self.networks.state(network.bits()), site)
    }
}

/// The rate of a site, for this rate of a network.
pub(super) fn site_rate(rate: Rate) -> Rate {
    multiple(rate, SITE_FACTOR)
}

/// The rate of a block, for this rate of a network.
fn block_rate(rate: Rate) -> Rate {
    multiple(rate, BLOCK_FACTOR)
}

fn multiple(rate: Rate, factor: u8) -> Rate {
    let factor = u32::from(factor);
    let every = (rate.every / factor).max(Duration::from_micros(1));
    Rate { burst: rate.burst.saturating_mul(factor), every }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const RATE: Rate = Rate { burst: 3, every: Duration::from_hours(1) };

    fn limiter() -> NetworkLimiter {
        let (state, metrics) = (AbuseState::default(), Metrics::default());
        let names = BucketNames { network: "a", site: "b", block: Some("c") };
        NetworkLimiter::new(RATE, 10_000, &state, names, &metrics)
    }

    fn network(text: &str) -> Network {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn a_site_has_eight_times_the_permits_of_an_address() {
        let limiter = limiter();
        let allowed = (0..1_000)
            .filter(|n| limiter.try_acquire(network(&format!("2001:db8:7:{n:x}::1"))).is_ok());
        assert_eq!(allowed.count(), 24);
        assert!(limiter.try_acquire(network("2001:db8:8::1")).is_ok());
    }

    #[test]
    fn a_block_has_32_times_the_permits_of_an_address() {
        let blocks: [fn(u32) -> String; 2] =
            [|n| format!("192.0.2.{}", n % 256), |n| format!("2001:db8:{n:x}::1")];
        for address in blocks {
            let limiter = limiter();
            let allowed = (0..1_000).filter(|n| limiter.try_acquire(network(&address(*n))).is_ok());
            assert_eq!(allowed.count(), 96);
            let fresh = network(&address(200));
            assert_eq!(limiter.empty_level(fresh), Some(Level::Block));
            assert!(limiter.try_acquire(network("198.51.100.1")).is_ok());
            limiter.give_back(network(&address(0)));
            assert!(limiter.try_acquire(fresh).is_ok());
        }
    }

    #[test]
    fn a_network_without_permits_spends_none_of_its_site_and_block() {
        let limiter = limiter();
        for _ in 0..100 {
            let _acquired = limiter.try_acquire(network("2001:db8:7::1"));
        }
        assert_eq!(limiter.empty_level(network("2001:db8:7::1")), Some(Level::Network));
        assert_eq!(limiter.empty_level(network("2001:db8:7:1::1")), None);
        let (_, site) = limiter.states(network("2001:db8:7:1::1"));
        assert_eq!(site.map(|site| site.remaining), Some(21));
        for n in 0..1_000 {
            let _acquired = limiter.try_acquire(network(&format!("2001:db8:7:{n:x}::1")));
        }
        assert_eq!(limiter.empty_level(network("2001:db8:7:ffff::1")), Some(Level::Site));
        let block = limiter.blocks.as_ref().unwrap().state(network("2001:db8::1").block().bits());
        assert_eq!(block.remaining, 96 - 24);
    }

    #[test]
    fn a_permit_that_is_given_back_can_be_taken_again() {
        let limiter = limiter();
        for _ in 0..100 {
            assert!(limiter.try_acquire(network("2001:db8:7::1")).is_ok());
            limiter.give_back(network("2001:db8:7::1"));
        }
    }
}
