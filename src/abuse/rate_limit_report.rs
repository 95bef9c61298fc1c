//! What one post has met on its way, for the headers of its answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::limits::Limit;

/// In the extensions of a post: what it has spent so far. Clones share it: the attempt's task
/// writes, the answer reads.
#[derive(Debug, Clone, Default)]
pub struct RateLimitReport(Arc<Mutex<Met>>);

#[derive(Debug, Default)]
struct Met {
    quota: Option<Quota>,
    keys: Option<Keys>,
}

/// How an address stands with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Which: [`Limit::Posts`] or [`Limit::Address`].
    pub limit: Limit,
    /// The permits that are left.
    pub left: u64,
    /// Until there is one more.
    pub more_in: Duration,
}

/// The buckets that an attempt spent from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    pub(super) address: u128,
    pub(super) network: Option<u128>,
    pub(super) email: u128,
    /// With a valid proof.
    pub(super) proven: Option<u128>,
}

impl RateLimitReport {
    /// How the address stands with the limit that it met last; `None` when that is no affair of its
    /// own: it is exempt, or what was met is somebody else's limit too.
    pub fn quota(&self) -> Option<Quota> {
        self.locked().quota
    }

    pub(super) fn stands(&self, quota: Option<Quota>) {
        self.locked().quota = quota;
    }

    pub(super) fn spent(&self, keys: Keys) {
        self.locked().keys = Some(keys);
    }

    /// The buckets, when the attempt passed the limits of this replica.
    pub(super) fn keys(&self) -> Option<Keys> {
        self.locked().keys
    }

    fn locked(&self) -> MutexGuard<'_, Met> {
        // Each change is one assignment: what a holder that panicked left is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
