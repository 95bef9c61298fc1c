//! The keys of the buckets that an attempt is checked against.

use crate::limits::{AttemptCost, Limit};

/// The buckets that an attempt is checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketKeys {
    pub(super) address: u128,
    pub(super) site: Option<u128>,
    pub(super) block: u128,
    pub(super) email: u128,
    /// Only for an attempt with a valid proof.
    pub(super) with_proof: Option<u128>,
    /// Only for an attempt with a valid proof from an IPv6 network.
    pub(super) site_with_proof: Option<u128>,
    pub(super) cost: AttemptCost,
}

impl BucketKeys {
    /// The key of a limit's bucket; `None` for a limit that does not apply to the attempt.
    pub(super) const fn get(&self, limit: Limit) -> Option<u128> {
        match limit {
            Limit::Address => Some(self.address),
            Limit::Site => self.site,
            Limit::Email => Some(self.email),
            Limit::WithProof => self.with_proof,
            Limit::SiteWithProof => self.site_with_proof,
            Limit::Block => Some(self.block),
            Limit::Service => Some(0),
            Limit::Posts | Limit::FailedCaptchas => None,
        }
    }
}
