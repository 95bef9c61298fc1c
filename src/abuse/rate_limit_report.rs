//! The limits that applied to one post, for the headers of its response.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::limits::{AttemptCost, Limit};

/// The result of a post's limit checks so far. Kept in the request's extensions. Clones share one
/// report: the attempt's task writes it and the response reads it.
#[derive(Debug, Clone, Default)]
pub struct RateLimitReport(Arc<Mutex<Recorded>>);

#[derive(Debug, Default)]
struct Recorded {
    quota: Option<Quota>,
    keys: Option<BucketKeys>,
}

/// The state of a client's own limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// [`Limit::Posts`] or [`Limit::Address`].
    pub limit: Limit,
    /// Permits that remain.
    pub remaining: u64,
    /// Time until one more permit.
    pub next_in: Duration,
}

/// The buckets that an attempt is checked against.
#[derive(Debug, Clone, Copy)]
pub(super) struct BucketKeys {
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
            Limit::Posts | Limit::SitePosts | Limit::BlockPosts | Limit::FailedCaptchas => None,
        }
    }
}

impl RateLimitReport {
    /// The state of the client's own limit that was checked last. `None` if the client is exempt,
    /// or if a limit that it shares with others rejected it.
    pub fn quota(&self) -> Option<Quota> {
        self.0.lock().quota
    }

    pub(super) fn record(&self, quota: Option<Quota>) {
        self.0.lock().quota = quota;
    }

    pub(super) fn record_keys(&self, keys: BucketKeys) {
        self.0.lock().keys = Some(keys);
    }

    /// The buckets of an attempt that passed this replica's limits.
    pub(super) fn keys(&self) -> Option<BucketKeys> {
        self.0.lock().keys
    }
}
