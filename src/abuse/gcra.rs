//! The generic cell rate algorithm: a bucket is one number, the time until which its permits are
//! spent ahead.
//!
//! A permit comes back after each interval; nothing has to run for that. Times are microseconds
//! since a moment of the caller's choice.

use std::time::Duration;

use crate::limits::Rate;

/// A rate, in the numbers that are counted with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gcra {
    every: u64,
    /// How far a bucket can be spent ahead.
    most: u64,
}

/// How a bucket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BucketState {
    /// The permits that are left.
    pub(super) left: u64,
    /// Until there is one more.
    pub(super) more_in: Duration,
}

impl Gcra {
    /// Counts at this rate.
    pub(super) fn new(rate: Rate) -> Self {
        let every = u64::try_from(rate.every.as_micros()).unwrap_or(u64::MAX).max(1);
        Self { every, most: every.saturating_mul(rate.burst.into()) }
    }

    /// Spends a permit of the bucket that is spent until then.
    ///
    /// # Errors
    /// How it stands, when there is none.
    pub(super) fn spend(self, until: u64, now: u64) -> Result<(u64, BucketState), BucketState> {
        let next = until.max(now).saturating_add(self.every);
        if next > now.saturating_add(self.most) {
            return Err(self.standing(until, now));
        }
        Ok((next, self.standing(next, now)))
    }

    /// How a bucket stands that is spent until then.
    pub(super) fn standing(self, until: u64, now: u64) -> BucketState {
        let ahead = until.saturating_sub(now);
        let room = self.most.saturating_sub(ahead);
        let left = room / self.every;
        let more_in = match left {
            // Further ahead than it can be spent: somebody else knew that it is.
            0 => ahead.saturating_add(self.every).saturating_sub(self.most),
            _ => ahead % self.every,
        };
        BucketState { left, more_in: Duration::from_micros(more_in) }
    }

    /// Until when a bucket is spent that has its next permit after that wait.
    pub(super) fn spent(self, wait: Duration, now: u64) -> u64 {
        let wait = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        now.saturating_add(self.most.saturating_sub(self.every)).saturating_add(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;
    const RATE: Rate = Rate { burst: 3, every: Duration::from_secs(10) };

    fn standing(left: u64, seconds: u64) -> BucketState {
        BucketState { left, more_in: Duration::from_secs(seconds) }
    }

    #[test]
    fn a_burst_passes_and_then_one_at_each_interval() {
        let gcra = Gcra::new(RATE);
        let (mut until, now) = (0, 100 * SECOND);
        for left in [2, 1, 0] {
            let (next, stands) = gcra.spend(until, now).unwrap();
            assert_eq!(stands.left, left);
            until = next;
        }
        assert_eq!(gcra.standing(until, now), standing(0, 10));
        assert_eq!(gcra.spend(until, now), Err(standing(0, 10)));
        assert_eq!(gcra.spend(until, now + 4 * SECOND), Err(standing(0, 6)));
        let (until, stands) = gcra.spend(until, now + 10 * SECOND).unwrap();
        assert_eq!(stands, standing(0, 10));
        assert_eq!(gcra.standing(until, now + 25 * SECOND), standing(1, 5));
        assert_eq!(gcra.standing(until, now + 3_600 * SECOND).left, 3);
    }

    #[test]
    fn a_bucket_that_others_have_emptied_has_a_permit_after_their_wait() {
        let gcra = Gcra::new(RATE);
        let now = 100 * SECOND;
        let until = gcra.spent(Duration::from_secs(7), now);
        assert_eq!(gcra.spend(until, now), Err(standing(0, 7)));
        assert!(gcra.spend(until, now + 7 * SECOND).is_ok());
    }

    #[test]
    fn no_rate_overflows() {
        let gcra = Gcra::new(Rate { burst: u32::MAX, every: Duration::MAX });
        assert!(gcra.spend(u64::MAX, u64::MAX).is_ok());
        assert!(gcra.spend(0, u64::MAX - 1).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn no_window_lets_more_through_than_burst_and_rate(
            burst in 1_u32..20,
            every in 1_u64..1_000,
            steps in proptest::collection::vec(0_u64..500, 1..200),
        ) {
            let gcra = Gcra::new(Rate { burst, every: Duration::from_micros(every) });
            let (mut until, mut now, mut passed) = (0, 1_000_000, 0);
            let began = now;
            for step in steps {
                now += step;
                if let Ok((next, _)) = gcra.spend(until, now) {
                    until = next;
                    passed += 1;
                }
            }
            proptest::prop_assert!(passed <= u64::from(burst) + (now - began) / every);
        }
    }
}
