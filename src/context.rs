//! The services that constructors all over the crate need.

use std::sync::Arc;

use crate::clock::Clock;
use crate::digest::Digests;
use crate::lifecycle::Lifecycle;
use crate::telemetry::Metrics;

/// The shared services of one process. Clones share them.
#[derive(Debug, Clone)]
pub struct Context {
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// The keyed digests of this deployment.
    pub digests: Arc<Digests>,
    /// The tasks, and the state between start and stop.
    pub lifecycle: Lifecycle,
    /// The metrics.
    pub metrics: Arc<Metrics>,
}

impl Context {
    /// A context with new metrics and a new lifecycle, of a process that starts now.
    pub fn new(clock: Arc<dyn Clock>, digests: Digests) -> Self {
        let metrics = Metrics::new();
        metrics.started(clock.now());
        Self {
            clock,
            digests: Arc::new(digests),
            lifecycle: Lifecycle::new(),
            metrics: Arc::new(metrics),
        }
    }
}
