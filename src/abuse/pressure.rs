//! Whether a network, or the whole service, is under pressure: more attempts than people make, or
//! too many that come to nothing.
//!
//! Measured by each replica for itself; the limits that replicas share are another matter.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::keyed_limiter::KeyedLimiter;
use super::network::Network;
use super::work::Difficulty;
use crate::config::AdaptiveSettings;
use crate::limits::Rate;
use crate::telemetry::LimiterMetrics;

/// What is counted is counted over this time and the one before it.
const WINDOW: Duration = Duration::from_mins(1);

/// Fewer attempts in a window say nothing about the part that came to nothing.
const TELLING: u32 = 50;

/// A network's bucket holds this many times what is no pressure; that bounds how long it stays full.
const DEEPEST: u32 = 4;

/// What counts attempts and what came of them.
#[derive(Debug)]
pub(super) struct Pressure {
    settings: AdaptiveSettings,
    /// KeyedLimiter that nobody is refused for: how many are spent is what counts.
    networks: KeyedLimiter,
    all: Mutex<Windows>,
}

/// This minute and the last.
#[derive(Debug)]
struct Windows {
    began: Instant,
    now: Count,
    last: Count,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    attempts: u32,
    refused: u32,
}

impl Pressure {
    /// None, so far.
    pub(super) fn new(
        settings: AdaptiveSettings,
        max_networks: usize,
        metrics: LimiterMetrics,
    ) -> Self {
        let burst = settings.address_burst.saturating_mul(DEEPEST);
        let rate = Rate { burst, every: settings.address_refill };
        let began = Instant::now();
        let all = Windows { began, now: Count::default(), last: Count::default() };
        let networks = KeyedLimiter::new(rate, max_networks, metrics);
        Self { settings, networks, all: Mutex::new(all) }
    }

    /// The attempts of a network that count now.
    fn level(&self, network: Network) -> u32 {
        let deepest = self.settings.address_burst.saturating_mul(DEEPEST);
        let left = u32::try_from(self.networks.standing(network.bits()).left);
        deepest.saturating_sub(left.unwrap_or(u32::MAX))
    }

    /// Counts an attempt of a network, and whether it came to nothing at once. One that tries more
    /// often than people do is under pressure itself and says nothing of the others.
    pub(super) fn attempt(&self, network: Network, refused: bool, now: Instant) {
        let burst = self.settings.address_burst;
        let level = self.level(network);
        if level < burst.saturating_mul(DEEPEST) {
            // Others may spend the last one in between; it is spent then.
            let _spent = self.networks.spend(network.bits());
        }
        if level < burst {
            self.count(Count { attempts: 1, refused: refused.into() }, now);
        }
    }

    /// Counts that an attempt of a network came to nothing after all.
    pub(super) fn refused(&self, network: Network, now: Instant) {
        if self.level(network) <= self.settings.address_burst {
            self.count(Count { attempts: 0, refused: 1 }, now);
        }
    }

    fn count(&self, more: Count, now: Instant) {
        let mut all = self.locked();
        all.turn(now);
        all.now.attempts = all.now.attempts.saturating_add(more.attempts);
        all.now.refused = all.now.refused.saturating_add(more.refused);
    }

    /// How strong a proof this network is to bring now; `None` in calm.
    pub(super) fn of(&self, network: Network, now: Instant) -> Option<Difficulty> {
        let burst = self.settings.address_burst;
        let network = steps(self.level(network), burst, 2);
        network.max(self.of_all(now))
    }

    fn of_all(&self, now: Instant) -> Option<Difficulty> {
        let count = {
            let mut all = self.locked();
            all.turn(now);
            all.count(now)
        };
        let part = u64::from(count.refused) * 100;
        let most = u64::from(count.attempts) * u64::from(self.settings.unsuccessful_percent);
        let fruitless = count.attempts >= TELLING && part > most;
        // One more than what is no pressure is the first that is some.
        let many = steps(count.attempts, self.settings.attempts_per_minute.saturating_add(1), 4);
        many.max(fruitless.then_some(Difficulty::Base))
    }

    fn locked(&self) -> MutexGuard<'_, Windows> {
        // Numbers alone: whatever a holder that panicked left is good enough.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The strength for so many attempts, where it rises at `first` and at each multiple of it.
fn steps(attempts: u32, first: u32, factor: u32) -> Option<Difficulty> {
    let second = first.saturating_mul(factor);
    match attempts {
        few if few < first => None,
        some if some < second => Some(Difficulty::Base),
        many if many < second.saturating_mul(factor) => Some(Difficulty::Raised),
        _ => Some(Difficulty::High),
    }
}

impl Windows {
    /// Begins a new window when this one is over.
    fn turn(&mut self, now: Instant) {
        let over = now.saturating_duration_since(self.began);
        if over >= WINDOW {
            self.last = if over < WINDOW * 2 { self.now } else { Count::default() };
            self.now = Count::default();
            self.began = now;
        }
    }

    /// The last minute's count: this window, and the part of the one before that is not over.
    fn count(&self, now: Instant) -> Count {
        let left = WINDOW.saturating_sub(now.saturating_duration_since(self.began));
        let part = |last: u32| {
            let part = u128::from(last) * left.as_millis() / WINDOW.as_millis();
            u32::try_from(part).unwrap_or(u32::MAX)
        };
        Count {
            attempts: self.now.attempts.saturating_add(part(self.last.attempts)),
            refused: self.now.refused.saturating_add(part(self.last.refused)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::telemetry::Metrics;

    const SETTINGS: AdaptiveSettings = AdaptiveSettings {
        address_burst: 3,
        address_refill: Duration::from_secs(10),
        attempts_per_minute: 100,
        unsuccessful_percent: 50,
    };

    fn pressure() -> Pressure {
        Pressure::new(SETTINGS, 10_000, Metrics::new().limiter("pressure"))
    }

    fn network(n: u32) -> Network {
        IpAddr::V4(Ipv4Addr::from_bits(n)).into()
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_that_tries_often_proves_more_and_is_left_alone_later() {
        let now = Instant::now();
        let pressure = pressure();
        let mut seen = Vec::new();
        for _ in 0..14 {
            seen.push(pressure.of(network(1), now));
            pressure.attempt(network(1), false, now);
        }
        let (calm, raised, high) = (Difficulty::Base, Difficulty::Raised, Difficulty::High);
        assert_eq!(seen[..3], [None; 3]);
        assert_eq!(seen[3..6], [Some(calm); 3]);
        assert_eq!(seen[6..12], [Some(raised); 6]);
        assert_eq!(seen[12..], [Some(high); 2]);
        assert_eq!(pressure.of(network(2), now), None);
        tokio::time::advance(SETTINGS.address_refill * 10).await;
        assert_eq!(pressure.of(network(1), Instant::now()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rush_of_many_networks_is_pressure_for_all() {
        let now = Instant::now();
        let pressure = pressure();
        let mut attempts = 0;
        let mut until = |most| {
            while attempts < most {
                attempts += 1;
                pressure.attempt(network(attempts), false, now);
            }
            pressure.of(network(0), now)
        };
        assert_eq!(until(100), None);
        assert_eq!(until(101), Some(Difficulty::Base));
        assert_eq!(until(404), Some(Difficulty::Raised));
        assert_eq!(until(1616), Some(Difficulty::High));
        assert_eq!(pressure.of(network(0), now + WINDOW + WINDOW / 2), Some(Difficulty::High));
        assert_eq!(pressure.of(network(0), now + WINDOW * 3), None);
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_that_come_to_nothing_are_pressure_when_there_are_enough() {
        let now = Instant::now();
        let pressure = pressure();
        for n in 0..49 {
            pressure.attempt(network(n), n % 2 == 0, now);
            if n % 2 == 1 {
                pressure.refused(network(n), now);
            }
        }
        assert_eq!(pressure.of(network(99), now), None);
        pressure.attempt(network(50), false, now);
        assert_eq!(pressure.of(network(99), now), Some(Difficulty::Base));
        for n in 0..48 {
            pressure.attempt(network(100 + n), false, now);
        }
        assert_eq!(pressure.of(network(99), now), None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_network_that_floods_is_no_pressure_for_the_others() {
        let now = Instant::now();
        let pressure = pressure();
        for _ in 0..10_000 {
            pressure.attempt(network(1), true, now);
            pressure.refused(network(1), now);
        }
        assert_eq!(pressure.of(network(1), now), Some(Difficulty::High));
        assert_eq!(pressure.of(network(2), now), None);
    }
}
