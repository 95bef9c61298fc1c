//! A limit that is on.

use super::gcra::BucketState;
use super::keyed_limiter::KeyedLimiter;
use super::rate_limit_report::{Quota, RateLimitReport};
use crate::limits::{Limit, Rate};
use crate::signup::Rejection;

/// A limit that is on.
#[derive(Debug)]
pub(super) struct ActiveLimit {
    pub(super) limit: Limit,
    pub(super) rate: Rate,
    pub(super) limiter: KeyedLimiter,
}

impl ActiveLimit {
    /// The same buckets, of which every permit counts as two.
    pub(super) fn halved(&self) -> Self {
        let rate = self.rate.halved();
        Self { limit: self.limit, rate, limiter: self.limiter.at_rate(rate) }
    }

    /// Takes a permit and records the state of the bucket.
    ///
    /// # Errors
    /// The limit and the time to wait, if there is none.
    pub(super) fn try_acquire(&self, key: u128, report: &RateLimitReport) -> Result<(), Rejection> {
        let limit = self.limit;
        match self.limiter.try_acquire(key) {
            Ok(state) => {
                if let Some(quota) = quota(limit, state) {
                    report.record(Some(quota));
                }
                Ok(())
            }
            Err(state) => Err(self.rejection(state, report)),
        }
    }

    /// Checks that a permit is left, and records the state of the bucket if there is none.
    ///
    /// # Errors
    /// The limit and the time to wait, if there is none.
    pub(super) fn check(&self, key: u128, report: &RateLimitReport) -> Result<(), Rejection> {
        self.limiter.check(key).map_err(|state| self.rejection(state, report))
    }

    fn rejection(&self, state: BucketState, report: &RateLimitReport) -> Rejection {
        report.record(quota(self.limit, state));
        Rejection::Limited { limit: self.limit, retry_after: state.next_in }
    }
}

/// The state to report to a client; `None` for a limit that it shares with others.
pub(super) fn quota(limit: Limit, state: BucketState) -> Option<Quota> {
    let BucketState { remaining, next_in } = state;
    limit.policy_name().map(|_| Quota { limit, remaining, next_in })
}
