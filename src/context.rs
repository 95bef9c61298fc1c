//! What constructors all over the crate need: the clock, the metrics, the lifecycle.

use std::sync::Arc;

use crate::clock::Clock;
use crate::lifecycle::Lifecycle;
use crate::telemetry::Metrics;

/// The shared services of one process. Clones share them.
#[derive(Debug, Clone)]
pub struct Context {
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The tasks, and the state between start and stop.
    pub lifecycle: Lifecycle,
}

impl Context {
    /// A context with new metrics and a new lifecycle.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, metrics: Arc::new(Metrics::new()), lifecycle: Lifecycle::new() }
    }
}
