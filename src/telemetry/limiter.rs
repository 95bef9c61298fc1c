//! What is counted of limits. Every label is a fixed name of the code.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The families of all limits.
#[derive(Debug, Default)]
pub(super) struct LimiterFamilies {
    decisions: Family<DecisionLabels, Counter>,
    entries: Family<LimitLabels, Gauge>,
    evictions: Family<LimitLabels, Counter>,
}

/// What is counted of one limit; looked up once.
#[derive(Debug, Clone)]
pub struct LimiterMetrics {
    allowed: Counter,
    refused: Counter,
    shared: Counter,
    exempt: Counter,
    proven: Counter,
    entries: Gauge,
    evictions: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabels {
    limit: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    limit: &'static str,
}

impl LimiterFamilies {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let families = Self::default();
        registry.register("limiter_decisions", "Limits by outcome", families.decisions.clone());
        registry.register(
            "limiter_entries",
            "Buckets in memory: addresses, networks, e-mail addresses",
            families.entries.clone(),
        );
        registry.register(
            "limiter_evictions",
            "Buckets forgotten before they were full again",
            families.evictions.clone(),
        );
        families
    }

    pub(super) fn limiter(&self, limit: &'static str) -> LimiterMetrics {
        let decisions =
            |outcome| self.decisions.get_or_create_owned(&DecisionLabels { limit, outcome });
        let labels = LimitLabels { limit };
        LimiterMetrics {
            allowed: decisions("allowed"),
            refused: decisions("refused"),
            shared: decisions("refused_shared"),
            exempt: decisions("exempt"),
            proven: decisions("proven"),
            entries: self.entries.get_or_create_owned(&labels),
            evictions: self.evictions.get_or_create_owned(&labels),
        }
    }
}

impl LimiterMetrics {
    /// Counts one that passed.
    pub fn allowed(&self) {
        self.allowed.inc();
    }

    /// Counts one that this replica refused.
    pub fn refused(&self) {
        self.refused.inc();
    }

    /// Counts one that passed here and was refused by what replicas share.
    pub fn refused_shared(&self) {
        self.shared.inc();
    }

    /// Counts one that was not counted against a limit, since its network is exempt.
    pub fn exempt(&self) {
        self.exempt.inc();
    }

    /// Counts one that was not counted against a limit, since it brought a proof.
    pub fn proven(&self) {
        self.proven.inc();
    }

    /// Counts buckets that came into memory, or left it.
    pub fn entries(&self, more: i64) {
        self.entries.inc_by(more);
    }

    /// Counts buckets that were forgotten before they were full again.
    pub fn evicted(&self, buckets: u64) {
        self.evictions.inc_by(buckets);
    }
}
