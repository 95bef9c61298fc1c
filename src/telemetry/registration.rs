//! Registration of metrics, and families of counters whose label values are known in advance.

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

/// The names and values of labels.
pub(super) type LabelPairs<const N: usize> = [(&'static str, &'static str); N];

/// Counters that differ by one label, whose values are known in advance.
#[derive(Debug, Clone)]
pub(super) struct CounterFamily {
    label: &'static str,
    counters: Family<LabelPairs<1>, Counter>,
}

impl CounterFamily {
    /// Registers the counters of these values.
    pub(super) fn register(
        registry: &mut Registry,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        let family = Self { label, counters: registered(registry, name, help) };
        family.start(values);
        family
    }

    /// Creates the counters of these values, at zero: Prometheus takes the first value of a series that appears
    /// later for no increase.
    pub(super) fn start(&self, values: impl IntoIterator<Item = &'static str>) {
        for value in values {
            drop(self.counters.get_or_create(&[(self.label, value)]));
        }
    }

    /// Adds to the counter of this value.
    pub(super) fn add(&self, value: &'static str, more: u64) {
        let labels = [(self.label, value)];
        debug_assert!(self.counters.get(&labels).is_some(), "{value} is not listed");
        self.counters.get_or_create(&labels).inc_by(more);
    }
}
