//! Pressure on the service: a network, or all of them together, makes more attempts than people do,
//! or too many of the attempts are unsuccessful.
//!
//! Each replica measures it alone, independently of the limits that replicas share.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::keyed_limiter::KeyedLimiter;
use super::network::Network;
use super::work::Difficulty;
use crate::config::AdaptiveSettings;
use crate::limits::Rate;
use crate::telemetry::LimiterMetrics;

/// Length of a counting window. The window before it counts in part.
const WINDOW: Duration = Duration::from_mins(1);

/// With fewer attempts in a window, the unsuccessful share is not significant.
const MIN_ATTEMPTS: u32 = 50;

/// Size of a network's bucket, as a multiple of the attempts that cause no pressure. It bounds the
/// time in which the bucket refills.
const BUCKET_FACTOR: u32 = 4;

/// Counts attempts and the unsuccessful ones among them.
#[derive(Debug)]
pub(super) struct Pressure {
    settings: AdaptiveSettings,
    /// Rejects nobody: only the number of permits taken is used.
    networks: KeyedLimiter,
    service: Mutex<Windows>,
}

/// The current window and the one before it.
#[derive(Debug)]
struct Windows {
    started: Instant,
    current: Count,
    previous: Count,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    attempts: u32,
    unsuccessful: u32,
}

impl Pressure {
    /// Starts without pressure.
    pub(super) fn new(
        settings: AdaptiveSettings,
        max_networks: usize,
        metrics: LimiterMetrics,
    ) -> Self {
        let burst = settings.address_burst.saturating_mul(BUCKET_FACTOR);
        let rate = Rate { burst, every: settings.address_refill };
        let (current, previous) = (Count::default(), Count::default());
        let service = Windows { started: Instant::now(), current, previous };
        let networks = KeyedLimiter::new(rate, max_networks, metrics);
        Self { settings, networks, service: Mutex::new(service) }
    }

    /// The number of attempts that count against a network now.
    fn attempts_of(&self, network: Network) -> u32 {
        let size = self.settings.address_burst.saturating_mul(BUCKET_FACTOR);
        let remaining = u32::try_from(self.networks.state(network.bits()).remaining);
        size.saturating_sub(remaining.unwrap_or(u32::MAX))
    }

    /// Records an attempt of a network, and whether it was rejected at once. A network that tries
    /// more often than people do is under pressure itself, and no longer counts for the service.
    pub(super) fn record_attempt(&self, network: Network, rejected: bool, now: Instant) {
        let burst = self.settings.address_burst;
        let attempts = self.attempts_of(network);
        if attempts < burst.saturating_mul(BUCKET_FACTOR) {
            // Another attempt may take the last permit in between. The bucket is then empty anyway.
            let _acquired = self.networks.try_acquire(network.bits());
        }
        if attempts < burst {
            self.count(Count { attempts: 1, unsuccessful: rejected.into() }, now);
        }
    }

    /// Records that an attempt of a network, already counted, was unsuccessful.
    pub(super) fn record_unsuccessful(&self, network: Network, now: Instant) {
        if self.attempts_of(network) <= self.settings.address_burst {
            self.count(Count { attempts: 0, unsuccessful: 1 }, now);
        }
    }

    fn count(&self, more: Count, now: Instant) {
        let mut windows = self.locked();
        windows.rotate(now);
        let current = &mut windows.current;
        current.attempts = current.attempts.saturating_add(more.attempts);
        current.unsuccessful = current.unsuccessful.saturating_add(more.unsuccessful);
    }

    /// The difficulty of the proof that this network needs now; `None` without pressure.
    pub(super) fn difficulty(&self, network: Network, now: Instant) -> Option<Difficulty> {
        let burst = self.settings.address_burst;
        let network = steps(self.attempts_of(network), burst, 2);
        network.max(self.service_difficulty(now))
    }

    fn service_difficulty(&self, now: Instant) -> Option<Difficulty> {
        let count = {
            let mut windows = self.locked();
            windows.rotate(now);
            windows.count(now)
        };
        let part = u64::from(count.unsuccessful) * 100;
        let most = u64::from(count.attempts) * u64::from(self.settings.unsuccessful_percent);
        let unsuccessful = count.attempts >= MIN_ATTEMPTS && part > most;
        // Pressure starts at one attempt more than the setting allows.
        let many = steps(count.attempts, self.settings.attempts_per_minute.saturating_add(1), 4);
        many.max(unsuccessful.then_some(Difficulty::Base))
    }

    fn locked(&self) -> MutexGuard<'_, Windows> {
        // Only numbers are stored, so a poisoned value is still usable.
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

impl Windows {
    /// Starts a new window if the current one is over.
    fn rotate(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.started);
        if elapsed >= WINDOW {
            self.previous = if elapsed < WINDOW * 2 { self.current } else { Count::default() };
            self.current = Count::default();
            self.started = now;
        }
    }

    /// The count of the last minute: the current window, and the previous one in proportion.
    fn count(&self, now: Instant) -> Count {
        let left = WINDOW.saturating_sub(now.saturating_duration_since(self.started));
        let part = |previous: u32| {
            let part = u128::from(previous) * left.as_millis() / WINDOW.as_millis();
            u32::try_from(part).unwrap_or(u32::MAX)
        };
        let Count { attempts, unsuccessful } = self.current;
        Count {
            attempts: attempts.saturating_add(part(self.previous.attempts)),
            unsuccessful: unsuccessful.saturating_add(part(self.previous.unsuccessful)),
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
    async fn a_network_that_tries_often_gets_harder_challenges_for_a_while() {
        let now = Instant::now();
        let pressure = pressure();
        let mut seen = Vec::new();
        for _ in 0..14 {
            seen.push(pressure.difficulty(network(1), now));
            pressure.record_attempt(network(1), false, now);
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
    async fn a_rush_of_many_networks_is_pressure_on_all() {
        let now = Instant::now();
        let pressure = pressure();
        let mut attempts = 0;
        let mut until = |most| {
            while attempts < most {
                attempts += 1;
                pressure.record_attempt(network(attempts), false, now);
            }
            pressure.difficulty(network(0), now)
        };
        assert_eq!(until(100), None);
        assert_eq!(until(101), Some(Difficulty::Base));
        assert_eq!(until(404), Some(Difficulty::Raised));
        assert_eq!(until(1616), Some(Difficulty::High));
        assert_eq!(
            pressure.difficulty(network(0), now + WINDOW + WINDOW / 2),
            Some(Difficulty::High)
        );
        assert_eq!(pressure.difficulty(network(0), now + WINDOW * 3), None);
    }

    #[tokio::test(start_paused = true)]
    async fn enough_unsuccessful_attempts_are_pressure() {
        let now = Instant::now();
        let pressure = pressure();
        for n in 0..49 {
            pressure.record_attempt(network(n), n % 2 == 0, now);
            if n % 2 == 1 {
                pressure.record_unsuccessful(network(n), now);
            }
        }
        assert_eq!(pressure.difficulty(network(99), now), None);
        pressure.record_attempt(network(50), false, now);
        assert_eq!(pressure.difficulty(network(99), now), Some(Difficulty::Base));
        for n in 0..48 {
            pressure.record_attempt(network(100 + n), false, now);
        }
        assert_eq!(pressure.difficulty(network(99), now), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_from_one_network_is_no_pressure_on_the_others() {
        let now = Instant::now();
        let pressure = pressure();
        for _ in 0..10_000 {
            pressure.record_attempt(network(1), true, now);
            pressure.record_unsuccessful(network(1), now);
        }
        assert_eq!(pressure.difficulty(network(1), now), Some(Difficulty::High));
        assert_eq!(pressure.difficulty(network(2), now), None);
    }
}
