//! The limits that applied to one post, for the headers of its response.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::limits::Limit;

/// The result of a post's limit checks so far. Kept in the request's extensions. Clones share one
/// report: the attempt's task writes it and the response reads it.
#[derive(Debug, Clone, Default)]
pub struct RateLimitReport(Arc<Mutex<Option<Quota>>>);

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

impl RateLimitReport {
    /// The state of the client's own limit that was checked last. `None` if the client is exempt,
    /// or if a limit that it shares with others rejected it.
    pub fn quota(&self) -> Option<Quota> {
        *self.0.lock()
    }

    pub(super) fn record(&self, quota: Option<Quota>) {
        *self.0.lock() = quota;
    }
}
