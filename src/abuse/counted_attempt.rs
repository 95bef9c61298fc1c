//! Carries a decision of the admission to the outcome: the outcome of this attempt counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set if the outcome of an attempt counts for the pressure on the service. Clones share it: the
/// attempt's task sets it, and the request that gets the result takes it.
#[derive(Debug, Clone, Default)]
pub struct CountedAttempt(Arc<AtomicBool>);

impl CountedAttempt {
    /// Marks the outcome as one that counts.
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns whether the outcome counts: `true` only once.
    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}
