//! The tenant's clock, as its responses show it in `Date`.
//!
//! Nothing here decides by this machine's wall clock. The skew between the two clocks is only
//! reported.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use parking_lot::Mutex;
use time::Duration as SignedDuration;
use tokio::time::{Instant, sleep};

use super::rate_headers::RateHeaders;
use crate::clock::{Clock, TenantTime};
use crate::telemetry::{ClockSource, Metrics};

/// The resolution of `Date`, which is rounded down.
const RESOLUTION: Duration = Duration::from_secs(1);

/// The longest exchange that shows the skew. A longer one shows it too vaguely.
const LONGEST_EXCHANGE: Duration = Duration::from_secs(1);

/// The interval of [`TenantClock::watch`].
const CHECK: Duration = Duration::from_secs(1);

/// The tenant's clock.
#[derive(Debug)]
pub(super) struct TenantClock {
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    observations: Mutex<Observations>,
}

/// The state of the clock, as responses have shown it.
#[derive(Debug, Default)]
struct Observations {
    newest: Option<Observation>,
    /// The newest one that came fast enough to compare the two clocks, and the time from the request to it,
    /// by this machine's wall clock.
    comparable: Option<(Observation, Duration)>,
    /// True if the two clocks differed when they were last compared.
    is_skewed: bool,
}

/// A response that shows the tenant's time.
#[derive(Debug, Clone, Copy)]
struct Observation {
    /// Its `Date`, since the epoch.
    date: Duration,
    /// Its arrival.
    arrived_at: Instant,
}

impl TenantClock {
    /// Returns a clock that is not known yet.
    pub(super) fn new(clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self { clock, metrics, observations: Mutex::default() }
    }

    /// The wall clock of this machine, since the Unix epoch.
    pub(super) fn local_now(&self) -> Duration {
        self.clock.now()
    }

    /// The tenant's time: the newest `Date` that is certainly its own, plus the time since then by
    /// the monotonic clock. `None` before the first response. At most a second and one response's
    /// travel time behind the tenant's clock.
    pub(super) fn now(&self) -> Option<TenantTime> {
        self.now_since(None)
    }

    /// The same as [`Self::now`], but `None` if the newest response arrived before `since`.
    pub(super) fn now_since(&self, since: Option<Instant>) -> Option<TenantTime> {
        let newest = self.observations.lock().newest;
        newest
            .filter(|newest| since.is_none_or(|since| newest.arrived_at >= since))
            .map(|newest| TenantTime::from_epoch(newest.date) + newest.arrived_at.elapsed())
    }

    /// Learns from a response to a request that was sent at `sent_at`, by this machine's wall
    /// clock. A response from a cache, or from something in front of the tenant, shows no time.
    pub(super) fn observe(&self, status: u16, headers: &HeaderMap, sent_at: Duration) {
        if !matches!(status, 200..=299 | 400 | 401 | 404 | 409) {
            return;
        }
        let Some(date) = RateHeaders::new(headers).responded_at() else { return };
        let newest = Observation { date, arrived_at: Instant::now() };
        let took = self.clock.now().checked_sub(sent_at).filter(|took| *took <= LONGEST_EXCHANGE);
        let mut seen = self.observations.lock();
        seen.newest = Some(newest);
        if let Some(took) = took {
            seen.comparable = Some((newest, took));
            self.compare(&mut seen);
        }
    }

    /// Compares a wrong clock again at regular intervals, since a repair brings no response. Runs until it
    /// is dropped.
    pub(super) async fn watch(&self) {
        loop {
            sleep(CHECK).await;
            let mut seen = self.observations.lock();
            if seen.is_skewed {
                self.compare(&mut seen);
            }
        }
    }

    /// Reports the skew of the two clocks now.
    fn compare(&self, seen: &mut Observations) {
        let Some((Observation { date, arrived_at }, took)) = seen.comparable else { return };
        // This machine's clock as it would have been at the arrival.
        let Some(received_at) = self.clock.now().checked_sub(arrived_at.elapsed()) else { return };
        if let Some(skew) = skew(received_at.saturating_sub(took), received_at, date) {
            seen.is_skewed = !skew.is_zero();
            self.metrics.clock_skew().observe(ClockSource::Tenant, skew);
        }
    }
}

/// The time by which this machine's clock is certainly ahead of the tenant's; negative if it is
/// behind. Zero if both may show the same. `None` when it is too large for its type.
fn skew(sent_at: Duration, received_at: Duration, date: Duration) -> Option<SignedDuration> {
    let ahead = sent_at.saturating_sub(date + RESOLUTION);
    let behind = date.saturating_sub(received_at);
    Some(SignedDuration::try_from(ahead).ok()? - SignedDuration::try_from(behind).ok()?)
}

#[cfg(test)]
mod tests {
    use http::header::{AGE, DATE, HeaderValue};

    use super::*;
    use crate::clock::SystemClock;

    #[tokio::test(start_paused = true)]
    async fn the_newest_date_goes_on_by_the_monotonic_clock() {
        let clock = TenantClock::new(Arc::new(SystemClock), Arc::new(Metrics::new()));
        let date = HeaderValue::from_static("Mon, 21 Sep 2026 14:13:20 GMT");
        let headers = HeaderMap::from_iter([(DATE, date)]);
        for status in [302, 403, 429, 503] {
            clock.observe(status, &headers, Duration::ZERO);
        }
        let mut cached = headers.clone();
        cached.insert(AGE, 1.into());
        clock.observe(200, &cached, Duration::ZERO);
        assert_eq!(clock.now(), None);
        clock.observe(409, &headers, Duration::ZERO);
        let arrived_at = Instant::now();
        tokio::time::advance(Duration::from_millis(1_500)).await;
        assert_eq!(clock.now().map(TenantTime::as_millis), Some(1_790_000_001_500));
        assert_eq!(clock.now_since(Some(arrived_at)), clock.now());
        assert_eq!(clock.now_since(Some(Instant::now())), None);
    }

    #[test]
    fn only_a_certain_skew_is_reported() {
        let ms = Duration::from_millis;
        for (sent, received, expected) in [
            (100_000, 100_300, 0),
            (100_999, 101_200, 0),
            (101_500, 101_600, 500),
            (99_000, 99_400, -600),
            (40_000, 40_000, -60_000),
        ] {
            let skew = skew(ms(sent), ms(received), ms(100_000));
            assert_eq!(skew, Some(SignedDuration::milliseconds(expected)), "{sent} {received}");
        }
    }
}
