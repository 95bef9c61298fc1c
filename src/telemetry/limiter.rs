//! Metrics of the limits. Every label value is a constant.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::registration::{LabelPairs, registered};

/// The metrics of all limits.
#[derive(Debug, Default)]
pub(super) struct LimiterFamilies {
    decisions: Family<LabelPairs<2>, Counter>,
    entries: Family<LabelPairs<1>, Gauge>,
    evictions: Family<LabelPairs<1>, Counter>,
}

/// The metrics of one limit, looked up once. The default ones are not exported.
#[derive(Debug, Clone, Default)]
pub struct LimiterMetrics {
    allowed: Counter,
    rejected: Counter,
    rejected_shared: Counter,
    exempt: Counter,
    with_proof: Counter,
    entries: Gauge,
    evictions: Counter,
}

impl LimiterFamilies {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            decisions: registered(
                registry,
                "limiter_decisions",
                "Decisions of the limits, by outcome",
            ),
            entries: registered(registry, "limiter_entries", "Buckets in memory"),
            evictions: registered(
                registry,
                "limiter_evictions",
                "Buckets evicted before they were full again",
            ),
        }
    }

    pub(super) fn limiter(&self, limit: &'static str) -> LimiterMetrics {
        let label = ("limit", limit);
        let decisions =
            |outcome| self.decisions.get_or_create_owned(&[label, ("outcome", outcome)]);
        LimiterMetrics {
            allowed: decisions("allowed"),
            rejected: decisions("rejected"),
            rejected_shared: decisions("rejected_shared"),
            exempt: decisions("exempt"),
            with_proof: decisions("with_proof"),
            entries: self.entries.get_or_create_owned(&[label]),
            evictions: self.evictions.get_or_create_owned(&[label]),
        }
    }
}

impl LimiterMetrics {
    /// Counts a request that the limit allowed.
    pub fn allowed(&self) {
        self.allowed.inc();
    }

    /// Counts a request that this replica rejected.
    pub fn rejected(&self) {
        self.rejected.inc();
    }

    /// Counts a request that this replica allowed and the shared limits rejected.
    pub fn rejected_shared(&self) {
        self.rejected_shared.inc();
    }

    /// Counts a request that the limit does not apply to, since its network is exempt.
    pub fn exempt(&self) {
        self.exempt.inc();
    }

    /// Counts a request that the limit does not apply to, since it brought a proof.
    pub fn with_proof(&self) {
        self.with_proof.inc();
    }

    /// Adds to the number of buckets in memory.
    pub fn entries(&self, more: i64) {
        self.entries.inc_by(more);
    }

    /// Counts buckets that were evicted before they were full again.
    pub fn evicted(&self, buckets: u64) {
        self.evictions.inc_by(buckets);
    }
}
