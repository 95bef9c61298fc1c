//! One limit on networks and on the sites that they belong to: an IPv6 /48 has eight times the
//! permits of an address, however many of its /64s it uses.

use std::time::Duration;

use super::gcra::BucketState;
use super::keyed_limiter::KeyedLimiter;
use super::network::{Network, SITE_FACTOR};
use super::state::AbuseState;
use crate::limits::Rate;
use crate::telemetry::Metrics;

/// The buckets of networks, and of their sites.
#[derive(Debug)]
pub(super) struct NetworkLimiter {
    networks: KeyedLimiter,
    sites: KeyedLimiter,
}

impl NetworkLimiter {
    /// A limiter with at most `capacity` buckets of each kind, which `state` keeps and `metrics`
    /// counts under the names of networks and of sites.
    pub(super) fn new(
        rate: Rate,
        capacity: usize,
        state: &AbuseState,
        names: [&'static str; 2],
        metrics: &Metrics,
    ) -> Self {
        let limiter = |name, rate| state.limiter(name, rate, capacity, metrics.limiter(name));
        let [networks, sites] = names;
        Self { networks: limiter(networks, rate), sites: limiter(sites, site_rate(rate)) }
    }

    /// Takes a permit of a network, and one of its site.
    ///
    /// A site without permits gets no further buckets for its networks, of which it has thousands.
    ///
    /// # Errors
    /// The state of the bucket that has no permit.
    pub(super) fn try_acquire(&self, network: Network) -> Result<BucketState, BucketState> {
        self.networks.check(network.bits())?;
        if let Some(site) = network.site() {
            self.sites.try_acquire(site.bits())?;
        }
        self.networks.try_acquire(network.bits())
    }

    /// Returns whether the network and its site have a permit. Takes none.
    pub(super) fn has_permit(&self, network: Network) -> bool {
        let (network, site) = self.states(network);
        network.remaining > 0 && site.is_none_or(|site| site.remaining > 0)
    }

    /// Gives back a permit that was taken.
    pub(super) fn give_back(&self, network: Network) {
        self.networks.give_back(network.bits());
        if let Some(site) = network.site() {
            self.sites.give_back(site.bits());
        }
    }

    /// The states of a network, and of its site.
    pub(super) fn states(&self, network: Network) -> (BucketState, Option<BucketState>) {
        let site = network.site().map(|site| self.sites.state(site.bits()));
        (self.networks.state(network.bits()), site)
    }
}

/// The rate of a site, for this rate of a network.
pub(super) fn site_rate(rate: Rate) -> Rate {
    let factor = u32::from(SITE_FACTOR);
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
        NetworkLimiter::new(RATE, 10_000, &state, ["a", "b"], &metrics)
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
    fn a_network_without_permits_spends_none_of_its_site() {
        let limiter = limiter();
        for _ in 0..100 {
            let _acquired = limiter.try_acquire(network("2001:db8:7::1"));
        }
        let (_, site) = limiter.states(network("2001:db8:7:1::1"));
        assert_eq!(site.map(|site| site.remaining), Some(21));
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
