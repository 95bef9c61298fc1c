//! Estimates how fast the tenant's bucket refills for this client.
//!
//! Compares two responses some time apart: the permits that the bucket gained, plus those that this
//! client took in between, came back in that time. Other clients of the tenant, other replicas
//! among them, take from the same bucket unseen. So the estimate is the *net* refill, the share
//! left for this client, which is the number needed: it falls when others take more.

use std::time::Duration;

use tokio::time::Instant;

/// The least time and the fewest requests between two responses that are compared. `remaining` is a
/// whole number, so a shorter window would mostly measure its rounding.
const WINDOW: (Duration, u32) = (Duration::from_secs(1), 6);

/// Two responses are compared after this time, however few requests lie between them.
const LONGEST_WINDOW: Duration = Duration::from_secs(6);

/// The window for a full bucket. It shows only a lower bound of the refill, but exactly.
const FULL_WINDOW: Duration = Duration::from_millis(250);

/// Bucket fills per second that no plan reaches.
const UNBOUNDED: f64 = 4.0;

/// The time constant with which the estimate follows a change.
const MEMORY: Duration = Duration::from_secs(3);

/// The refill assumed before the tenant reports anything, in permits a second.
const ASSUMED: f64 = 1.0;

/// The longest time for one permit that is believed: recorded tenants report 1 to 4 s. It counts until a restart,
/// so an odd report must not keep a replica that was crowded out from sending for a minute each time.
const LONGEST_PERMIT: Duration = Duration::from_secs(10);

/// The refill estimate of one bucket.
#[derive(Debug)]
pub(super) struct RefillEstimator {
    /// The estimate in permits a second; zero at first.
    learned: f64,
    /// Set once the rate was measured while the bucket was not full.
    measured: bool,
    /// The lower bound: the tenant reports when the next permit is available. It lets a replica
    /// that was crowded out still send a request now and then.
    floor: f64,
    /// The response that the next one is compared with.
    anchor: Option<Sample>,
}

/// A response, reduced to what is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// The requests that the tenant had certainly counted by then, this one included.
    pub(super) counted: u64,
    /// The time at which the request was sent.
    pub(super) sent_at: Instant,
    /// The permits left after it.
    pub(super) remaining: f64,
}

impl RefillEstimator {
    /// Returns an estimator without data.
    pub(super) const fn new() -> Self {
        Self { learned: 0.0, measured: false, floor: ASSUMED, anchor: None }
    }

    /// Permits a second; greater than zero.
    pub(super) const fn rate(&self) -> f64 {
        self.learned.max(self.floor)
    }

    /// The time in which at least one permit comes back, as the tenant reports it.
    pub(super) fn longest(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.floor)
    }

    /// Returns whether the rate was measured rather than assumed.
    pub(super) const fn is_measured(&self) -> bool {
        self.measured
    }

    /// Learns the time that one permit takes, as the tenant reports it. A report is shorter by the part of
    /// the permit that is back already, so the longest one counts. Later ones do not raise the bound: with
    /// the last one alone, four replicas of a plan of two a second had 33 % of their calls rejected in the
    /// simulation, in place of 18 %.
    pub(super) fn observe_reset(&mut self, reset_in: Duration) {
        let reset_in = reset_in.clamp(Duration::from_secs(1), LONGEST_PERMIT);
        self.floor = self.floor.min(1.0 / reset_in.as_secs_f64());
    }

    /// Halves the estimate after a second 429: all replicas together take more than comes back.
    pub(super) const fn halve(&mut self) {
        self.learned /= 2.0;
    }

    /// Learns from the response to the latest request that has one; `limit` is the bucket's size. After
    /// a 429 a bucket that has become full shows nothing: it filled while the other replicas waited too.
    pub(super) fn observe(&mut self, sample: Sample, limit: f64, after_rejection: bool) {
        let Some(anchor) = self.anchor else {
            self.anchor = Some(sample);
            return;
        };
        let apart = sample.sent_at.saturating_duration_since(anchor.sent_at);
        let taken = sample.counted.saturating_sub(anchor.counted);
        let taken = u32::try_from(taken).unwrap_or(u32::MAX);
        let came_back = sample.remaining - anchor.remaining + f64::from(taken);
        // A full bucket discards the permits that come back.
        let is_full = |sample: Sample| sample.remaining >= limit - 1.0;
        if is_full(sample) {
            if apart < FULL_WINDOW && is_full(anchor) {
                return;
            }
            if apart >= FULL_WINDOW && (is_full(anchor) || !after_rejection) {
                // `remaining` was rounded down, unless the bucket was full then too.
                let rounded = if is_full(anchor) { 0.0 } else { 1.0 };
                let least = (came_back - rounded) / apart.as_secs_f64();
                // A bucket that filled this often within a second does not limit this client, which
                // may try twice as much.
                let unbounded = is_full(anchor) && least > UNBOUNDED * limit;
                self.learned = self.learned.max(if unbounded { 2.0 * least } else { least });
            }
            self.anchor = Some(sample);
        } else if apart >= LONGEST_WINDOW || (apart >= WINDOW.0 && taken >= WINDOW.1) {
            let rate = (came_back / apart.as_secs_f64()).max(0.0);
            if self.measured {
                let weight = 1.0 - (-apart.as_secs_f64() / MEMORY.as_secs_f64()).exp();
                self.learned += weight * (rate - self.learned);
            } else {
                (self.learned, self.measured) = (rate, true);
            }
            self.anchor = Some(sample);
        }
    }

    /// Drops the anchor, after a request that may or may not have taken a permit.
    pub(super) const fn interrupt(&mut self) {
        self.anchor = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds responses as (milliseconds, counted, remaining) of a bucket of ten.
    fn learned(samples: &[(u64, u64, f64)]) -> RefillEstimator {
        let (start, mut refill) = (Instant::now(), RefillEstimator::new());
        for &(ms, counted, remaining) in samples {
            let sent_at = start + Duration::from_millis(ms);
            refill.observe(Sample { counted, sent_at, remaining }, 10.0, false);
        }
        refill
    }

    #[test]
    fn permits_regained_between_two_responses_are_the_refill() {
        let refill = learned(&[(0, 1, 8.0), (1000, 10, 3.0)]);
        assert!(refill.is_measured());
        assert!((refill.rate() - 4.0).abs() < 1e-9, "9 taken and 5 fewer: {refill:?}");
    }

    #[test]
    fn a_full_bucket_shows_only_a_lower_bound() {
        for (samples, rate) in [
            (vec![(0, 1, 9.0), (10_000, 2, 9.0)], 1.0),
            (vec![(0, 1, 9.0), (1000, 11, 9.0)], 10.0),
            (vec![(0, 1, 9.0), (1000, 501, 9.0)], 1000.0),
            (vec![(0, 1, 9.0), (1000, 501, 9.0), (9000, 502, 9.0)], 1000.0),
        ] {
            let refill = learned(&samples);
            assert!(!refill.is_measured(), "{refill:?}");
            assert!((refill.rate() - rate).abs() < 1e-9, "{refill:?}");
        }
    }

    #[test]
    fn after_a_rejection_a_bucket_that_fills_shows_nothing() {
        let start = Instant::now();
        let sample = |ms, counted, remaining| {
            let sent_at = start + Duration::from_millis(ms);
            Sample { counted, sent_at, remaining }
        };
        for (first, rate) in [(2.0, ASSUMED), (9.0, 5.0)] {
            let mut refill = RefillEstimator::new();
            refill.observe(sample(0, 1, first), 10.0, true);
            refill.observe(sample(1000, 6, 9.0), 10.0, true);
            assert!((refill.rate() - rate).abs() < 1e-9, "from {first}: {refill:?}");
        }
    }

    #[test]
    fn a_short_window_and_an_interrupted_one_measure_nothing() {
        assert!(!learned(&[(0, 1, 8.0), (900, 5, 8.0)]).is_measured());
        let mut refill = learned(&[(0, 1, 8.0)]);
        refill.interrupt();
        let sent_at = Instant::now() + Duration::from_secs(5);
        refill.observe(Sample { counted: 9, sent_at, remaining: 1.0 }, 10.0, false);
        assert!(!refill.is_measured());
    }

    #[test]
    fn the_estimate_follows_a_change_within_seconds() {
        let mut samples = vec![(0, 1, 5.0), (1000, 11, 5.0)];
        samples.extend((1..=6).map(|s| (1000 + s * 1000, 11 + s * 2, 5.0)));
        let refill = learned(&samples);
        assert!((2.0..3.2).contains(&refill.rate()), "from 10 to 2 a second: {refill:?}");
    }

    #[test]
    fn the_reported_second_bounds_the_estimate_from_below() {
        let mut refill = RefillEstimator::new();
        refill.observe_reset(Duration::from_secs(4));
        assert!((refill.rate() - 0.25).abs() < 1e-9);
        refill.observe_reset(Duration::from_mins(1));
        assert_eq!(refill.longest(), LONGEST_PERMIT, "an odd report");
        let crowded_out = learned(&[(0, 1, 5.0), (1000, 2, 0.0)]);
        assert!((crowded_out.rate() - ASSUMED).abs() < 1e-9, "{crowded_out:?}");
    }
}
