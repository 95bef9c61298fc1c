//! The counts of clients. They outlive a change of the settings: a reload that raises a limit must
//! not forgive what an attacker did before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::keyed_limiter::{Buckets, KeyedLimiter};
use super::source_counts::SourceCounts;
use super::windows::Windows;
use crate::limits::Rate;
use crate::telemetry::LimiterMetrics;

/// Requests for a challenge that an address has under way at once. A challenge may have to be made
/// first, one at a time, and those of one client must not delay everybody's. Those of one block take a
/// third of the places in the line at most.
const MAX_ISSUING: usize = 4;

/// The counts of clients. Clones share them.
#[derive(Debug, Clone)]
pub struct AbuseState(Arc<AbuseCounts>);

/// The counts that clones of [`AbuseState`] share.
#[derive(Debug)]
struct AbuseCounts {
    /// The buckets of each limit, by its name.
    buckets: Mutex<BTreeMap<&'static str, Arc<Buckets>>>,
    /// The attempts of all clients in the last minutes.
    windows: Arc<Mutex<Windows>>,
    /// The requests for challenges under way.
    issuing: SourceCounts,
    /// The events that were not logged since the last report.
    unlogged: AtomicU64,
}

impl Default for AbuseState {
    fn default() -> Self {
        Self(Arc::new(AbuseCounts {
            buckets: Mutex::default(),
            windows: Arc::new(Mutex::new(Windows::new())),
            issuing: SourceCounts::new(MAX_ISSUING),
            unlogged: AtomicU64::new(0),
        }))
    }
}

impl AbuseState {
    /// A limiter that continues with the buckets of this name, from [`Self::apply_rates`] on. `capacity`
    /// counts only for the first one.
    pub(super) fn limiter(
        &self,
        name: &'static str,
        rate: Rate,
        capacity: usize,
        metrics: LimiterMetrics,
    ) -> KeyedLimiter {
        let buckets = {
            let mut buckets = self.0.buckets.lock();
            Arc::clone(buckets.entry(name).or_insert_with(|| Arc::new(Buckets::new(capacity))))
        };
        KeyedLimiter::new(rate, buckets, metrics)
    }

    /// Converts all buckets to the rates of the limiters that were built last. Called when those are taken
    /// into use, so that a reload that fails in between has changed nothing.
    pub fn apply_rates(&self) {
        for buckets in self.0.buckets.lock().values() {
            buckets.apply_rate();
        }
    }

    /// The attempts of all clients in the last minutes.
    pub(super) fn windows(&self) -> Arc<Mutex<Windows>> {
        Arc::clone(&self.0.windows)
    }

    /// The requests for challenges under way.
    pub(super) fn issuing(&self) -> SourceCounts {
        self.0.issuing.clone()
    }

    /// Counts an event that was not logged.
    pub(super) fn count_unlogged(&self) {
        self.0.unlogged.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of events that were not logged since the last call.
    pub fn take_unlogged(&self) -> u64 {
        self.0.unlogged.swap(0, Ordering::Relaxed)
    }
}
