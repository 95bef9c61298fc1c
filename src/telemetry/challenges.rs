//! Metrics of challenges. Every label value is a constant.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::registration::start_at_zero;

/// The reasons for which an attempt needs a proof.
const REQUIRED: [&str; 7] =
    ["honeypot", "too_soon", "too_late", "forged_token", "no_token", "always", "pressure"];

/// The reasons for which a proof is not valid. The last four are a captcha's.
const FAILED: [&str; 10] = [
    "malformed",
    "forged",
    "expired",
    "wrong",
    "used",
    "too_easy",
    "rejected",
    "hostname",
    "action",
    "score",
];

/// The reasons for which a challenge cannot be issued or verified.
const UNAVAILABLE: [&str; 4] = ["captcha", "busy", "misconfigured", "work"];

/// Counts challenges and proofs.
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
    /// Registers the metrics, all at zero.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let counters = [
            ("issued", "Challenges issued", &metrics.issued),
            ("skipped", "Attempts admitted without a proof while one was needed", &metrics.skipped),
            ("passed", "Valid proofs", &metrics.passed),
            (
                "fail_open",
                "Attempts that continued because the captcha service did not respond",
                &metrics.fail_open,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(format!("challenge_{name}"), help, counter.clone());
        }
        let families: [(_, _, _, &[&'static str]); 3] = [
            ("required", "Attempts that needed a proof, by reason", &metrics.required, &REQUIRED),
            ("failed", "Proofs that were not valid, by reason", &metrics.failed, &FAILED),
            (
                "unavailable",
                "Challenges that could not be issued or verified, by reason",
                &metrics.unavailable,
                &UNAVAILABLE,
            ),
        ];
        for (name, help, family, reasons) in families {
            registry.register(format!("challenge_{name}"), help, family.clone());
            start_at_zero(family, reasons.iter().map(|reason| ReasonLabels { reason }));
        }
        metrics
    }

    /// Counts an issued challenge.
    pub fn issued(&self) {
        self.issued.inc();
    }

    /// Counts an attempt that needed a proof.
    pub fn required(&self, reason: &'static str) {
        count(&self.required, reason, &REQUIRED);
    }

    /// Counts an attempt that was admitted without a proof while one was needed.
    pub fn skipped(&self) {
        self.skipped.inc();
    }

    /// Counts a valid proof.
    pub fn passed(&self) {
        self.passed.inc();
    }

    /// Counts a proof that was not valid.
    pub fn failed(&self, reason: &'static str) {
        count(&self.failed, reason, &FAILED);
    }

    /// Counts a challenge that could not be issued or verified.
    pub fn unavailable(&self, reason: &'static str) {
        count(&self.unavailable, reason, &UNAVAILABLE);
    }

    /// Counts an attempt that continued because the captcha service did not respond.
    pub fn fail_open(&self) {
        self.fail_open.inc();
    }
}

fn count(family: &Family<ReasonLabels, Counter>, reason: &'static str, all: &[&'static str]) {
    debug_assert!(all.contains(&reason), "{reason} is not listed");
    family.get_or_create(&ReasonLabels { reason }).inc();
}
