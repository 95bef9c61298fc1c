//! A limit that is on, and the limits on attempts.

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
    fn halved(&self) -> Self {
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

/// The limits on attempts.
#[derive(Debug)]
pub(super) struct AttemptLimits {
    pub(super) address: Option<ActiveLimit>,
    pub(super) site: Option<ActiveLimit>,
    pub(super) email: Option<ActiveLimit>,
    pub(super) with_proof: Option<ActiveLimit>,
    pub(super) block: Option<ActiveLimit>,
    pub(super) service: Option<ActiveLimit>,
}

impl AttemptLimits {
    /// The same buckets, of which every permit counts as two.
    pub(super) fn halved(&self) -> Self {
        let half = |active: &Option<ActiveLimit>| active.as_ref().map(ActiveLimit::halved);
        let Self { address, site, email, with_proof, block, service } = self;
        Self {
            address: half(address),
            site: half(site),
            email: half(email),
            with_proof: half(with_proof),
            block: half(block),
            service: half(service),
        }
    }
}

/// The state to report to a client; `None` for a limit that it shares with others.
pub(super) fn quota(limit: Limit, state: BucketState) -> Option<Quota> {
    let BucketState { remaining, next_in } = state;
    limit.policy_name().map(|_| Quota { limit, remaining, next_in })
}
