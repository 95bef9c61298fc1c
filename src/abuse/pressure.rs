//! Pressure on the service: a network, or many of them together, makes more attempts than people do,
//! or too many of the attempts are unsuccessful.
//!
//! A network's own pressure counts everything that it does. The pressure on the service counts a few
//! attempts of each source, so that only many sources together can cause it. What a limit or a
//! challenge rejected counts for its network alone.
//!
//! Each replica measures it alone, independently of the limits that replicas share.

use std::sync::Arc;
use tokio::time::Instant;

use parking_lot::Mutex;

use super::gcra::BucketState;
use super::keyed_limiter::KeyedLimiter;
use super::network::{Network, SITE_FACTOR};
use super::network_limiter::{BucketNames, NetworkLimiter};
use super::state::AbuseState;
use super::windows::{Count, WINDOW, Windows};
use super::work::Difficulty;
use crate::config::AdaptiveSettings;
use crate::limits::Rate;
use crate::telemetry::{LimiterMetrics, Metrics};

/// With fewer outcomes in a window, the unsuccessful share is not significant.
const MIN_OUTCOMES: u32 = 50;

/// Outcomes of one source that count at once. After that, one counts per window. A block counts
/// eight times as many, which is less than [`MIN_OUTCOMES`].
const OUTCOMES_OF_A_SOURCE: u32 = 3;

/// The fewest sources whose attempts can reach `attempts_per_minute`.
const MIN_SOURCES: u32 = 30;

/// Maximum number of sources that are remembered.
const MAX_SOURCES: usize = 20_000;

/// Size of a network's bucket, as a multiple of the attempts that cause no pressure. It bounds the
/// time in which the bucket refills.
const BUCKET_FACTOR: u32 = 4;

/// Counts attempts and the unsuccessful ones among them.
#[derive(Debug)]
pub(super) struct Pressure {
    settings: AdaptiveSettings,
    /// Rejects nobody: only the number of permits taken is used.
    networks: NetworkLimiter,
    /// Attempts that count for the service.
    attempts: SourceQuota,
    /// Attempts whose outcome counts for the service.
    outcomes: SourceQuota,
    service: Arc<Mutex<Windows>>,
}

/// The share of one source, and of the block around it, in what is counted for the service.
#[derive(Debug)]
struct SourceQuota {
    sources: KeyedLimiter,
    blocks: KeyedLimiter,
}

impl SourceQuota {
    /// Counts this many of each source at once, then one per window. `names` are those of the
    /// buckets of sources and of blocks in `state`.
    fn new(per_source: u32, state: &AbuseState, names: [&'static str; 2]) -> Self {
        let [sources, blocks] = names;
        let limiter = |name, burst: u32, every| {
            state.limiter(name, Rate { burst, every }, MAX_SOURCES, LimiterMetrics::default())
        };
        let factor = u32::from(SITE_FACTOR);
        Self {
            sources: limiter(sources, per_source, WINDOW),
            blocks: limiter(blocks, per_source.saturating_mul(factor), WINDOW / factor),
        }
    }

    /// Returns whether one more of this network counts.
    fn admits(&self, network: Network) -> bool {
        self.sources.try_acquire(network.source().bits()).is_ok()
            && self.blocks.try_acquire(network.block().bits()).is_ok()
    }
}

impl Pressure {
    /// Continues with the counts of `state`.
    pub(super) fn new(
        settings: AdaptiveSettings,
        max_networks: usize,
        state: &AbuseState,
        metrics: &Metrics,
    ) -> Self {
        let burst = settings.address_burst.saturating_mul(BUCKET_FACTOR);
        let rate = Rate { burst, every: settings.address_refill };
        // A block may be a carrier's, and nobody is asked for a proof because of other customers.
        let names = BucketNames { network: "pressure", site: "site_pressure", block: None };
        let per_source = (settings.attempts_per_minute / MIN_SOURCES).max(1);
        let attempts = ["attempts_of_a_source", "attempts_of_a_block"];
        let outcomes = ["outcomes_of_a_source", "outcomes_of_a_block"];
        Self {
            settings,
            networks: NetworkLimiter::new(rate, max_networks, state, names, metrics),
            attempts: SourceQuota::new(per_source, state, attempts),
            outcomes: SourceQuota::new(OUTCOMES_OF_A_SOURCE, state, outcomes),
            service: state.windows(),
        }
    }

    /// Records that a network tries to sign up, whether or not it may.
    pub(super) fn record_try(&self, network: Network) {
        // Without a permit, the pressure is already as high as it gets.
        let _acquired = self.networks.try_acquire(network);
    }

    /// Records an attempt that no limit and no challenge rejected. Returns whether its outcome
    /// counts.
    pub(super) fn record_attempt(&self, network: Network, now: Instant) -> bool {
        if self.attempts.admits(network) {
            self.count(Count { attempts: 1, ..Count::default() }, now);
        }
        self.outcomes.admits(network)
    }

    /// Records the outcome of an attempt that counts.
    pub(super) fn record_outcome(&self, unsuccessful: bool, now: Instant) {
        let more = Count { outcomes: 1, unsuccessful: unsuccessful.into(), ..Count::default() };
        self.count(more, now);
    }

    /// Records that a form of a network looked automated, or had a wrong proof.
    pub(super) fn record_robot(&self, network: Network, now: Instant) {
        if self.outcomes.admits(network) {
            self.record_outcome(true, now);
        }
    }

    fn count(&self, more: Count, now: Instant) {
        self.service.lock().add(more, now);
    }

    /// The difficulty of the proof that this network needs now; `None` without pressure.
    pub(super) fn difficulty(&self, network: Network, now: Instant) -> Option<Difficulty> {
        let burst = self.settings.address_burst;
        let (own, site) = self.networks.states(network);
        let own = steps(taken(own, burst), burst, 2);
        let site_burst = burst.saturating_mul(u32::from(SITE_FACTOR));
        let site = site.and_then(|site| steps(taken(site, site_burst), site_burst, 2));
        own.max(site).max(self.service_difficulty(now))
    }

    /// The difficulty that the pressure on the service asks of every network.
    fn service_difficulty(&self, now: Instant) -> Option<Difficulty> {
        let count = self.service.lock().count(now);
        let part = u64::from(count.unsuccessful) * 100;
        let most = u64::from(count.outcomes) * u64::from(self.settings.unsuccessful_percent);
        let unsuccessful = count.outcomes >= MIN_OUTCOMES && part > most;
        // Pressure starts at one attempt more than the setting allows.
        let many = steps(count.attempts, self.settings.attempts_per_minute.saturating_add(1), 4);
        many.max(unsuccessful.then_some(Difficulty::Base))
    }
}

/// The permits that were taken from a bucket of `burst` times [`BUCKET_FACTOR`].
fn taken(bucket: BucketState, burst: u32) -> u32 {
    let remaining = u32::try_from(bucket.remaining).unwrap_or(u32::MAX);
    burst.saturating_mul(BUCKET_FACTOR).saturating_sub(remaining)
}

/// The difficulty for this number of attempts. It rises at `first`, at `first * factor`, and once
/// more at that times `factor`.
fn steps(attempts: u32, first: u32, factor: u32) -> Option<Difficulty> {
    let second = first.saturating_mul(factor);
    match attempts {
        few if few < first => None,
        some if some < second => Some(Difficulty::Base),
        many if many < second.saturating_mul(factor) => Some(Difficulty::Raised),
        _ => Some(Difficulty::High),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use super::*;

    const SETTINGS: AdaptiveSettings = AdaptiveSettings {
        address_burst: 3,
        address_refill: Duration::from_secs(10),
        attempts_per_minute: 100,
        unsuccessful_percent: 50,
    };

    fn pressure() -> Pressure {
        Pressure::new(SETTINGS, 10_000, &AbuseState::default(), &Metrics::default())
    }

    /// The n-th network, each in a block of its own.
    fn network(n: u32) -> Network {
        IpAddr::V4(Ipv4Addr::from_bits(n << 8)).into()
    }

    fn parsed(address: &str) -> Network {
        address.parse::<IpAddr>().unwrap().into()
    }

    /// An attempt with its outcome.
    fn attempt(pressure: &Pressure, network: Network, unsuccessful: bool, now: Instant) {
        pressure.record_try(network);
        if pressure.record_attempt(network, now) {
            pressure.record_outcome(unsuccessful, now);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_that_tries_often_gets_harder_challenges_for_a_while() {
        let now = Instant::now();
        let pressure = pressure();
        let mut seen = Vec::new();
        for _ in 0..14 {
            seen.push(pressure.difficulty(network(1), now));
            pressure.record_try(network(1));
        }
        let (base, raised, high) = (Difficulty::Base, Difficulty::Raised, Difficulty::High);
        assert_eq!(seen[..3], [None; 3]);
        assert_eq!(seen[3..6], [Some(base); 3]);
        assert_eq!(seen[6..12], [Some(raised); 6]);
        assert_eq!(seen[12..], [Some(high); 2]);
        assert_eq!(pressure.difficulty(network(2), now), None);
        tokio::time::advance(SETTINGS.address_refill * 10).await;
        assert_eq!(pressure.difficulty(network(1), Instant::now()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_site_that_rotates_its_networks_is_under_pressure_as_a_whole() {
        let now = Instant::now();
        let pressure = pressure();
        for n in 0..24 {
            assert_eq!(pressure.difficulty(parsed(&format!("2001:db8:7:{n:x}::1")), now), None);
            pressure.record_try(parsed(&format!("2001:db8:7:{n:x}::1")));
        }
        let fresh = parsed("2001:db8:7:ffff::1");
        assert_eq!(pressure.difficulty(fresh, now), Some(Difficulty::Base));
        assert_eq!(pressure.difficulty(parsed("2001:db8:8::1"), now), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rush_of_many_networks_is_pressure_on_all() {
        let now = Instant::now();
        let pressure = pressure();
        let mut attempts = 0;
        let mut until = |most| {
            while attempts < most {
                attempts += 1;
                attempt(&pressure, network(attempts), false, now);
            }
            pressure.difficulty(network(0), now)
        };
        assert_eq!(until(100), None);
        assert_eq!(until(101), Some(Difficulty::Base));
        assert_eq!(until(404), Some(Difficulty::Raised));
        assert_eq!(until(1616), Some(Difficulty::High));
        // Half of the window that is over counts.
        assert_eq!(
            pressure.difficulty(network(0), now + WINDOW + WINDOW / 2),
            Some(Difficulty::Raised)
        );
        assert_eq!(pressure.difficulty(network(0), now + WINDOW * 2), None);
    }

    #[tokio::test(start_paused = true)]
    async fn enough_unsuccessful_attempts_of_many_networks_are_pressure() {
        let now = Instant::now();
        let pressure = pressure();
        for n in 1..50 {
            attempt(&pressure, network(n), true, now);
        }
        assert_eq!(pressure.difficulty(network(99), now), None);
        pressure.record_robot(network(50), now);
        assert_eq!(pressure.difficulty(network(99), now), Some(Difficulty::Base));
        for n in 0..51 {
            attempt(&pressure, network(100 + n), false, now);
        }
        assert_eq!(pressure.difficulty(network(99), now), None);
    }

    /// Sources that one attacker has: an address, all of a /24, all of a /48, many /48s of a
    /// provider's /32, and forms of one IPv4 address.
    #[tokio::test(start_paused = true)]
    async fn nothing_that_one_network_does_is_pressure_on_the_others() {
        type Source = fn(u32) -> String;
        let sources: [Source; 5] = [
            |_| "192.0.2.1".to_owned(),
            |n| format!("192.0.2.{}", n % 256),
            |n| format!("2001:db8:7:{:x}::1", n % 65_536),
            |n| format!("2001:db8:{:x}::1", n % 65_536),
            |n| format!("2002:c000:0201:{:x}::1", n % 65_536),
        ];
        for source in sources {
            let pressure = pressure();
            // A few honest people, one of whom has an account, for three minutes.
            for second in 0..180 {
                let now = Instant::now();
                for n in 0..20 {
                    let network = parsed(&source(second * 20 + n));
                    attempt(&pressure, network, true, now);
                    pressure.record_robot(network, now);
                }
                if second % 20 == 0 {
                    attempt(&pressure, network(7_000 + second), second == 0, now);
                }
                let other = pressure.difficulty(parsed("198.51.100.1"), now);
                assert_eq!(other, None, "{} after {second} s", source(0));
                tokio::time::advance(Duration::from_secs(1)).await;
            }
        }
    }
}
