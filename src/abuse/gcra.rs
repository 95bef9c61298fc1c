//! The generic cell rate algorithm (GCRA). A bucket is one number: the time at which it is full
//! again.
//!
//! One permit returns per interval, and no background task is needed for it. Times are microseconds
//! since an origin that the caller chooses.

use std::time::Duration;

use crate::limits::Rate;

/// A rate in microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gcra {
    /// Microseconds for one permit.
    interval: u64,
    /// Microseconds for a whole burst: the furthest that a bucket's time can lie ahead.
    capacity: u64,
}

/// The state of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BucketState {
    /// Permits that remain.
    pub(super) remaining: u64,
    /// Time until one more permit; zero if the bucket is full.
    pub(super) next_in: Duration,
}

impl Gcra {
    /// Converts a rate.
    pub(super) fn new(rate: Rate) -> Self {
        let interval = u64::try_from(rate.every.as_micros()).unwrap_or(u64::MAX).max(1);
        Self { interval, capacity: interval.saturating_mul(rate.burst.into()) }
    }

    /// Microseconds for one permit.
    pub(super) const fn interval(self) -> u64 {
        self.interval
    }

    /// Takes one permit from the bucket that is full at `full_at`. Returns the bucket's new time.
    ///
    /// # Errors
    /// The state of the bucket, if it has no permit.
    pub(super) fn try_acquire(
        self,
        full_at: u64,
        now: u64,
    ) -> Result<(u64, BucketState), BucketState> {
        let next = full_at.max(now).saturating_add(self.interval);
        if next > now.saturating_add(self.capacity) {
            return Err(self.state(full_at, now));
        }
        Ok((next, self.state(next, now)))
    }

    /// The state of the bucket that is full at `full_at`.
    pub(super) fn state(self, full_at: u64, now: u64) -> BucketState {
        let ahead = full_at.saturating_sub(now);
        let room = self.capacity.saturating_sub(ahead);
        let remaining = room / self.interval;
        let next_in = match remaining {
            // `blocked_until` can put the time further ahead than `try_acquire` does.
            0 => ahead.saturating_add(self.interval).saturating_sub(self.capacity),
            _ if ahead == 0 => 0,
            // A permit that was just taken returns after a whole interval, not at once.
            _ => (ahead - 1) % self.interval + 1,
        };
        BucketState { remaining, next_in: Duration::from_micros(next_in) }
    }

    /// The time of a bucket that gets one permit back.
    pub(super) const fn with_permit_returned(self, full_at: u64) -> u64 {
        full_at.saturating_sub(self.interval)
    }

    /// The time of a bucket whose next permit is available after `wait`.
    pub(super) fn blocked_until(self, wait: Duration, now: u64) -> u64 {
        let wait = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        now.saturating_add(self.capacity.saturating_sub(self.interval)).saturating_add(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;
    const RATE: Rate = Rate { burst: 3, every: Duration::from_secs(10) };

    fn state(remaining: u64, seconds: u64) -> BucketState {
        BucketState { remaining, next_in: Duration::from_secs(seconds) }
    }

    #[test]
    fn a_burst_is_followed_by_one_permit_per_interval() {
        let gcra = Gcra::new(RATE);
        let (mut full_at, now) = (0, 100 * SECOND);
        for remaining in [2, 1, 0] {
            let (next, bucket) = gcra.try_acquire(full_at, now).unwrap();
            assert_eq!(bucket, state(remaining, 10));
            full_at = next;
        }
        assert_eq!(gcra.state(full_at, now), state(0, 10));
        assert_eq!(gcra.try_acquire(full_at, now), Err(state(0, 10)));
        assert_eq!(gcra.try_acquire(full_at, now + 4 * SECOND), Err(state(0, 6)));
        let (full_at, bucket) = gcra.try_acquire(full_at, now + 10 * SECOND).unwrap();
        assert_eq!(bucket, state(0, 10));
        assert_eq!(gcra.state(full_at, now + 25 * SECOND), state(1, 5));
        assert_eq!(gcra.state(full_at, now + 3_600 * SECOND), state(3, 0));
    }

    #[test]
    fn a_returned_permit_can_be_taken_again() {
        let gcra = Gcra::new(Rate { burst: 1, ..RATE });
        let (full_at, _) = gcra.try_acquire(0, 100 * SECOND).unwrap();
        assert!(gcra.try_acquire(full_at, 100 * SECOND).is_err());
        let full_at = gcra.with_permit_returned(full_at);
        assert!(gcra.try_acquire(full_at, 100 * SECOND).is_ok());
    }

    #[test]
    fn a_blocked_bucket_has_a_permit_after_the_wait() {
        let gcra = Gcra::new(RATE);
        let now = 100 * SECOND;
        let full_at = gcra.blocked_until(Duration::from_secs(7), now);
        assert_eq!(gcra.try_acquire(full_at, now), Err(state(0, 7)));
        assert!(gcra.try_acquire(full_at, now + 7 * SECOND).is_ok());
    }

    #[test]
    fn no_rate_overflows() {
        let gcra = Gcra::new(Rate { burst: u32::MAX, every: Duration::MAX });
        assert!(gcra.try_acquire(u64::MAX, u64::MAX).is_ok());
        assert!(gcra.try_acquire(0, u64::MAX - 1).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn no_window_allows_more_than_burst_and_rate(
            burst in 1_u32..20,
            every in 1_u64..1_000,
            steps in proptest::collection::vec(0_u64..500, 1..200),
        ) {
            let gcra = Gcra::new(Rate { burst, every: Duration::from_micros(every) });
            let (mut full_at, mut now, mut allowed) = (0, 1_000_000, 0);
            let started = now;
            for step in steps {
                now += step;
                if let Ok((next, _)) = gcra.try_acquire(full_at, now) {
                    full_at = next;
                    allowed += 1;
                }
            }
            proptest::prop_assert!(allowed <= u64::from(burst) + (now - started) / every);
        }
    }
}
