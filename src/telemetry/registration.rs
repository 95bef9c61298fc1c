//! Registration of metrics, and families of counters whose label values are known in advance.

use std::fmt::Debug;
use std::hash::Hash;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Metric, Registry, Unit};

/// Registers a new metric and returns it.
pub(super) fn registered<M: Metric + Clone + Default>(
    registry: &mut Registry,
    name: &str,
    help: &str,
) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

/// Registers a metric of seconds and returns it.
pub(super) fn registered_seconds<M: Metric + Clone>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    metric: M,
) -> M {
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}

/// Creates the counters of these labels, at zero: Prometheus takes the first value of a series that appears
/// later for no increase.
pub(super) fn start_at_zero<L: Clone + Debug + Eq + Hash>(
    family: &Family<L, Counter>,
    labels: impl IntoIterator<Item = L>,
) {
    for labels in labels {
        drop(family.get_or_create(&labels));
    }
}
