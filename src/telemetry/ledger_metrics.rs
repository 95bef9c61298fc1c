//! What is counted of the ledger. Every label is a fixed name of the code.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds in seconds: a write into memory takes a hundredth of a millisecond, one that waits
/// for a busy disk a second.
const SECONDS: [f64; 9] = [0.000_1, 0.000_5, 0.001, 0.002_5, 0.01, 0.05, 0.25, 1.0, 3.0];

/// Upper bounds in writes: the doublings up to the largest batch.
const WRITES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// The families of all operations.
#[derive(Debug, Clone)]
pub struct LedgerMetrics {
    calls: Family<CallLabels, Counter>,
    seconds: Family<OperationLabels, Histogram>,
    batches: BatchMetrics,
    settled: Family<ResolutionLabels, Counter>,
    unsettled: Gauge,
    oldest_unsettled: Gauge,
    claimed: Counter,
    swept: Family<SweptLabels, Counter>,
}

/// How many writes share a commit.
#[derive(Debug, Clone)]
pub struct BatchMetrics(Histogram);

/// What is counted of one operation; looked up once.
#[derive(Debug, Clone)]
pub struct OperationMetrics {
    done: Counter,
    failed: Counter,
    seconds: Histogram,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResolutionLabels {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SweptLabels {
    kind: &'static str,
}

impl LedgerMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let seconds = || Histogram::new(SECONDS);
        let metrics = Self {
            calls: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            batches: BatchMetrics(Histogram::new(WRITES)),
            settled: Family::default(),
            unsettled: Gauge::default(),
            oldest_unsettled: Gauge::default(),
            claimed: Counter::default(),
            swept: Family::default(),
        };
        registry.register("ledger_calls", "Calls of the ledger by outcome", metrics.calls.clone());
        registry.register_with_unit(
            "ledger_call_duration",
            "Calls of the ledger, the wait for the batch included",
            Unit::Seconds,
            metrics.seconds.clone(),
        );
        registry.register(
            "ledger_batch_writes",
            "Writes that shared a commit",
            metrics.batches.0.clone(),
        );
        registry.register(
            "signup_attempts_resolved",
            "Attempts whose outcome was written down, by verdict",
            metrics.settled.clone(),
        );
        registry.register(
            "signup_attempts_pending",
            "Attempts under way, and those whose outcome is looked for",
            metrics.unsettled.clone(),
        );
        registry.register_with_unit(
            "signup_attempts_oldest_pending",
            "Age of the oldest of them",
            Unit::Seconds,
            metrics.oldest_unsettled.clone(),
        );
        registry.register(
            "signup_attempts_claimed",
            "Pending attempts taken up to be settled; one that stays unsettled counts each time",
            metrics.claimed.clone(),
        );
        registry.register("ledger_deleted", "What was removed for its age", metrics.swept.clone());
        metrics
    }

    /// What is counted of this operation.
    pub fn operation(&self, operation: &'static str) -> OperationMetrics {
        let calls = |outcome| self.calls.get_or_create_owned(&CallLabels { operation, outcome });
        OperationMetrics {
            done: calls("done"),
            failed: calls("failed"),
            seconds: self.seconds.get_or_create_owned(&OperationLabels { operation }),
        }
    }

    /// What is counted of batches.
    pub fn batches(&self) -> BatchMetrics {
        self.batches.clone()
    }

    /// Counts an attempt whose outcome was written down.
    pub fn resolved(&self, result: &'static str) {
        self.settled.get_or_create_owned(&ResolutionLabels { result }).inc();
    }

    /// Notes how many attempts are unsettled, and the age of the oldest.
    pub fn unsettled(&self, attempts: usize, oldest: Duration) {
        self.unsettled.set(i64::try_from(attempts).unwrap_or(i64::MAX));
        self.oldest_unsettled.set(i64::try_from(oldest.as_secs()).unwrap_or(i64::MAX));
    }

    /// Counts attempts that were taken up to be settled.
    pub fn claimed(&self, attempts: usize) {
        self.claimed.inc_by(count(attempts));
    }

    /// Counts what was removed for its age.
    pub fn swept(&self, by_kind: [(&'static str, usize); 4]) {
        for (kind, removed) in by_kind {
            self.swept.get_or_create_owned(&SweptLabels { kind }).inc_by(count(removed));
        }
    }
}

impl BatchMetrics {
    /// Counts a batch of so many writes.
    pub fn batch(&self, writes: usize) {
        self.0.observe(u32::try_from(writes).unwrap_or(u32::MAX).into());
    }
}

impl Default for LedgerMetrics {
    /// Nobody sees them.
    fn default() -> Self {
        Self::register(&mut Registry::default())
    }
}

impl OperationMetrics {
    /// Counts a call.
    pub fn call(&self, is_done: bool, took: Duration) {
        if is_done { &self.done } else { &self.failed }.inc();
        self.seconds.observe(took.as_secs_f64());
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
