//! Metrics of the ledger. Every label value is a constant.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::registration::{CounterFamily, LabelPairs, registered, registered_seconds};

/// Histogram bounds in seconds. A write to memory takes a hundredth of a millisecond; a write that
/// waits for a busy disk takes a second.
const SECONDS: [f64; 9] = [0.000_1, 0.000_5, 0.001, 0.002_5, 0.01, 0.05, 0.25, 1.0, 3.0];

/// Histogram bounds in writes: powers of two up to the largest batch.
const WRITES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Counts ledger operations and attempts.
#[derive(Debug, Clone)]
pub struct LedgerMetrics {
    calls: Family<LabelPairs<2>, Counter>,
    seconds: Family<LabelPairs<1>, Histogram>,
    batches: BatchMetrics,
    resolved: CounterFamily,
    pending: Gauge,
    oldest_pending: Gauge,
    claimed: Counter,
    deleted: CounterFamily,
}

/// Counts the writes that share a commit.
#[derive(Debug, Clone)]
pub struct BatchMetrics(Histogram);

/// The metrics of one operation, looked up once.
#[derive(Debug, Clone)]
pub struct OperationMetrics {
    done: Counter,
    failed: Counter,
    seconds: Histogram,
}

impl LedgerMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let calls = registered(registry, "ledger_calls", "Calls to the ledger, by outcome");
        let seconds = registered_seconds(
            registry,
            "ledger_call_duration",
            "Duration of calls to the ledger, including the wait for the batch",
            Family::<_, Histogram>::new_with_constructor(|| Histogram::new(SECONDS)),
        );
        let batches = BatchMetrics(Histogram::new(WRITES));
        registry.register("ledger_batch_writes", "Writes that shared a commit", batches.0.clone());
        Self {
            calls,
            seconds,
            batches,
            resolved: CounterFamily::register(
                registry,
                "signup_attempts_resolved",
                "Attempts whose outcome was recorded, by result",
                "result",
                ["created", "exists", "not_created"],
            ),
            pending: registered(
                registry,
                "signup_attempts_pending",
                "Attempts that run, and attempts whose outcome is unknown",
            ),
            oldest_pending: registered_seconds(
                registry,
                "signup_attempts_oldest_pending",
                "Age of the oldest pending attempt",
                Gauge::default(),
            ),
            claimed: registered(
                registry,
                "signup_attempts_claimed",
                "Attempts that the reconciler claimed; one that stays unresolved counts each time",
            ),
            deleted: CounterFamily::register(
                registry,
                "ledger_deleted",
                "Rows deleted because of their age, by kind",
                "kind",
                ["attempts", "keys", "proofs", "buckets"],
            ),
        }
    }

    /// The metrics of this operation.
    pub fn operation(&self, operation: &'static str) -> OperationMetrics {
        let label = ("operation", operation);
        let calls = |outcome| self.calls.get_or_create_owned(&[label, ("outcome", outcome)]);
        OperationMetrics {
            done: calls("done"),
            failed: calls("failed"),
            seconds: self.seconds.get_or_create_owned(&[label]),
        }
    }

    /// The metrics of batches.
    pub fn batches(&self) -> BatchMetrics {
        self.batches.clone()
    }

    /// Counts an attempt whose outcome was recorded.
    pub fn resolved(&self, result: &'static str) {
        self.resolved.add(result, 1);
    }

    /// Sets the number of pending attempts, and the age of the oldest.
    pub fn pending(&self, attempts: usize, oldest: Duration) {
        self.pending.set(i64::try_from(attempts).unwrap_or(i64::MAX));
        self.oldest_pending.set(i64::try_from(oldest.as_secs()).unwrap_or(i64::MAX));
    }

    /// Counts attempts that the reconciler claimed.
    pub fn claimed(&self, attempts: usize) {
        self.claimed.inc_by(count(attempts));
    }

    /// Counts rows that were deleted because of their age.
    pub fn deleted(&self, by_kind: [(&'static str, usize); 4]) {
        for (kind, deleted) in by_kind {
            self.deleted.add(kind, count(deleted));
        }
    }
}

impl BatchMetrics {
    /// Records a batch and its number of writes.
    pub fn batch(&self, writes: usize) {
        self.0.observe(u32::try_from(writes).unwrap_or(u32::MAX).into());
    }
}

impl Default for LedgerMetrics {
    /// Metrics that are not exported.
    fn default() -> Self {
        Self::register(&mut Registry::default())
    }
}

impl OperationMetrics {
    /// Counts a call and records its duration.
    pub fn call(&self, is_done: bool, took: Duration) {
        if is_done { &self.done } else { &self.failed }.inc();
        self.seconds.observe(took.as_secs_f64());
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
