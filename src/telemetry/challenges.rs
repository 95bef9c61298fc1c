//! What is counted of challenges. Every label is a fixed name of the code.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Challenges by what became of them.
#[derive(Debug, Default)]
pub struct ChallengeMetrics {
    issued: Counter,
    required: Family<ReasonLabels, Counter>,
    skipped: Counter,
    passed: Counter,
    failed: Family<ReasonLabels, Counter>,
    unavailable: Family<ReasonLabels, Counter>,
    fail_open: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

impl ChallengeMetrics {
    /// All at zero, in this registry.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let counters = [
            ("issued", "Challenges given out", &metrics.issued),
            ("skipped", "Attempts without a proof while one was needed", &metrics.skipped),
            ("passed", "Proofs that were valid", &metrics.passed),
            (
                "fail_open",
                "Attempts that went on because the captcha service did not answer",
                &metrics.fail_open,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(format!("challenge_{name}"), help, counter.clone());
        }
        let families = [
            ("required", "Attempts asked for a proof, by why", &metrics.required),
            ("failed", "Proofs that were none, by why", &metrics.failed),
            ("unavailable", "Challenges that could not be given or judged", &metrics.unavailable),
        ];
        for (name, help, family) in families {
            registry.register(format!("challenge_{name}"), help, family.clone());
        }
        metrics
    }

    /// Counts a challenge that was given out.
    pub fn issued(&self) {
        self.issued.inc();
    }

    /// Counts an attempt that was asked for a proof.
    pub fn required(&self, reason: &'static str) {
        count(&self.required, reason);
    }

    /// Counts an attempt that went on without a proof while one was needed.
    pub fn skipped(&self) {
        self.skipped.inc();
    }

    /// Counts a valid proof.
    pub fn passed(&self) {
        self.passed.inc();
    }

    /// Counts a proof that was none.
    pub fn failed(&self, reason: &'static str) {
        count(&self.failed, reason);
    }

    /// Counts a challenge that could not be given or judged.
    pub fn unavailable(&self, reason: &'static str) {
        count(&self.unavailable, reason);
    }

    /// Counts an attempt that went on because the captcha service did not answer.
    pub fn fail_open(&self) {
        self.fail_open.inc();
    }
}

fn count(family: &Family<ReasonLabels, Counter>, reason: &'static str) {
    family.get_or_create(&ReasonLabels { reason }).inc();
}
