//! How fast the bucket fills again, as far as this client can tell.
//!
//! Learned from two answers some time apart: what the bucket gained and what was taken from it by
//! this client in between came back in that time. Other clients of the tenant, another replica
//! among them, take from the same bucket unseen, so what is learned is the *net* refill, the part
//! that is there for this client. That is the number wanted: it falls when others want more.

use std::time::Duration;

use tokio::time::Instant;

/// Two answers are compared when the requests were at least this long apart, and so many were sent
/// in between. `remaining` is a whole number, so less would mostly measure its rounding.
const WINDOW: (Duration, u32) = (Duration::from_secs(1), 6);

/// They are compared after this time, however few there were.
const LONGEST_WINDOW: Duration = Duration::from_secs(6);

/// A full bucket shows only the least that came back, but exactly, in a window as short as this.
const FULL_WINDOW: Duration = Duration::from_millis(250);

/// No plan fills its bucket so often in a second.
const UNBOUNDED: f64 = 4.0;

/// How long a change of the refill takes to be believed.
const MEMORY: Duration = Duration::from_secs(3);

/// The refill presumed before anything is told, in permits a second.
const PRESUMED: f64 = 1.0;

/// The refill of one bucket.
#[derive(Debug)]
pub(super) struct Refill {
    /// What was learned, in permits a second; zero at first.
    learned: f64,
    /// Whether that was measured while the bucket was not full.
    measured: bool,
    /// At least so much: the tenant says when the next permit is there. It keeps a replica that was
    /// crowded out asking now and then.
    floor: f64,
    /// The answer that the next one is compared with.
    anchor: Option<Answer>,
}

/// An answer, reduced to what is measured with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    /// How many requests the tenant had surely counted by then, this one included.
    pub(super) counted: u64,
    /// When that was sent.
    pub(super) sent_at: Instant,
    /// The permits left after it.
    pub(super) remaining: f64,
}

impl Refill {
    /// Nothing is known.
    pub(super) const fn new() -> Self {
        Self { learned: 0.0, measured: false, floor: PRESUMED, anchor: None }
    }

    /// Permits a second; more than zero.
    pub(super) const fn rate(&self) -> f64 {
        self.learned.max(self.floor)
    }

    /// The time in which at least one permit comes back, as the tenant has it.
    pub(super) fn longest(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.floor)
    }

    /// Whether the rate was measured rather than presumed.
    pub(super) const fn is_measured(&self) -> bool {
        self.measured
    }

    /// Learns how long the tenant says that one permit takes.
    pub(super) fn told(&mut self, reset_in: Duration) {
        self.floor = self.floor.min(1.0 / reset_in.as_secs_f64().max(1.0));
    }

    /// Learns from the answer to the latest request that has one; `limit` is the bucket's size.
    pub(super) fn observe(&mut self, answer: Answer, limit: f64) {
        let Some(anchor) = self.anchor else {
            self.anchor = Some(answer);
            return;
        };
        let apart = answer.sent_at.saturating_duration_since(anchor.sent_at);
        let taken = answer.counted.saturating_sub(anchor.counted);
        let taken = u32::try_from(taken).unwrap_or(u32::MAX);
        let came_back = answer.remaining - anchor.remaining + f64::from(taken);
        // A full bucket throws away what comes back.
        let is_full = |answer: Answer| answer.remaining >= limit - 1.0;
        if is_full(answer) {
            if apart < FULL_WINDOW && is_full(anchor) {
                return;
            }
            if apart >= FULL_WINDOW {
                // `remaining` was rounded down, unless the bucket was full then too.
                let rounded = if is_full(anchor) { 0.0 } else { 1.0 };
                let least = (came_back - rounded) / apart.as_secs_f64();
                // A bucket that filled this often within a second does not bound this client: it
                // may try twice as much.
                let unbounded = is_full(anchor) && least > UNBOUNDED * limit;
                self.learned = self.learned.max(if unbounded { 2.0 * least } else { least });
            }
            self.anchor = Some(answer);
        } else if apart >= LONGEST_WINDOW || (apart >= WINDOW.0 && taken >= WINDOW.1) {
            let rate = (came_back / apart.as_secs_f64()).max(0.0);
            if self.measured {
                let weight = 1.0 - (-apart.as_secs_f64() / MEMORY.as_secs_f64()).exp();
                self.learned += weight * (rate - self.learned);
            } else {
                (self.learned, self.measured) = (rate, true);
            }
            self.anchor = Some(answer);
        }
    }

    /// Forgets the anchor: a request of which it is not known whether it took a permit.
    pub(super) const fn interrupt(&mut self) {
        self.anchor = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds answers as (milliseconds, counted, remaining) of a bucket of ten.
    fn learned(answers: &[(u64, u64, f64)]) -> Refill {
        let (start, mut refill) = (Instant::now(), Refill::new());
        for &(ms, counted, remaining) in answers {
            let sent_at = start + Duration::from_millis(ms);
            refill.observe(Answer { counted, sent_at, remaining }, 10.0);
        }
        refill
    }

    #[test]
    fn what_came_back_between_two_answers_is_the_refill() {
        let refill = learned(&[(0, 1, 8.0), (1000, 10, 3.0)]);
        assert!(refill.is_measured());
        assert!((refill.rate() - 4.0).abs() < 1e-9, "9 taken and 5 fewer: {refill:?}");
    }

    #[test]
    fn a_full_bucket_shows_only_the_least() {
        for (answers, rate) in [
            (vec![(0, 1, 9.0), (10_000, 2, 9.0)], 1.0),
            (vec![(0, 1, 9.0), (1000, 11, 9.0)], 10.0),
            (vec![(0, 1, 9.0), (1000, 501, 9.0)], 1000.0),
            (vec![(0, 1, 9.0), (1000, 501, 9.0), (9000, 502, 9.0)], 1000.0),
        ] {
            let refill = learned(&answers);
            assert!(!refill.is_measured(), "{refill:?}");
            assert!((refill.rate() - rate).abs() < 1e-9, "{refill:?}");
        }
    }

    #[test]
    fn a_short_window_and_an_interrupted_one_measure_nothing() {
        assert!(!learned(&[(0, 1, 8.0), (900, 5, 8.0)]).is_measured());
        let mut refill = learned(&[(0, 1, 8.0)]);
        refill.interrupt();
        let sent_at = Instant::now() + Duration::from_secs(5);
        refill.observe(Answer { counted: 9, sent_at, remaining: 1.0 }, 10.0);
        assert!(!refill.is_measured());
    }

    #[test]
    fn it_follows_a_change_within_seconds() {
        let mut answers = vec![(0, 1, 5.0), (1000, 11, 5.0)];
        answers.extend((1..=6).map(|s| (1000 + s * 1000, 11 + s * 2, 5.0)));
        let refill = learned(&answers);
        assert!((2.0..3.2).contains(&refill.rate()), "from 10 to 2 a second: {refill:?}");
    }

    #[test]
    fn the_told_second_bounds_the_estimate_from_below() {
        let mut refill = Refill::new();
        refill.told(Duration::from_secs(4));
        assert!((refill.rate() - 0.25).abs() < 1e-9);
        let crowded_out = learned(&[(0, 1, 5.0), (1000, 2, 0.0)]);
        assert!((crowded_out.rate() - PRESUMED).abs() < 1e-9, "{crowded_out:?}");
    }
}
