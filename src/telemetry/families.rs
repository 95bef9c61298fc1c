//! Families of counters whose label values are known in advance.

use std::fmt::Debug;
use std::hash::Hash;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

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
