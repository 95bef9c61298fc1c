//! Metrics of challenges. Every label value is a constant.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::registration::{CounterFamily, registered};

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
#[derive(Debug)]
pub struct ChallengeMetrics {
    issued: Counter,
    required: CounterFamily,
    skipped: Counter,
    passed: Counter,
    failed: CounterFamily,
    unavailable: CounterFamily,
    fail_open: Counter,
}

impl ChallengeMetrics {
    /// Registers the metrics, all at zero.
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            issued: registered(registry, "challenge_issued", "Challenges issued"),
            required: CounterFamily::register(
                registry,
                "challenge_required",
                "Attempts that needed a proof, by reason",
                "reason",
                REQUIRED,
            ),
            skipped: registered(
                registry,
                "challenge_skipped",
                "Attempts admitted without a proof while one was needed",
            ),
            passed: registered(registry, "challenge_passed", "Valid proofs"),
            failed: CounterFamily::register(
                registry,
                "challenge_failed",
                "Proofs that were not valid, by reason",
                "reason",
                FAILED,
            ),
            unavailable: CounterFamily::register(
                registry,
                "challenge_unavailable",
                "Challenges that could not be issued or verified, by reason",
                "reason",
                UNAVAILABLE,
            ),
            fail_open: registered(
                registry,
                "challenge_fail_open",
                "Attempts that continued because the captcha service did not respond",
            ),
        }
    }

    /// Counts an issued challenge.
    pub fn issued(&self) {
        self.issued.inc();
    }

    /// Counts an attempt that needed a proof.
    pub fn required(&self, reason: &'static str) {
        self.required.add(reason, 1);
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
        self.failed.add(reason, 1);
    }

    /// Counts a challenge that could not be issued or verified.
    pub fn unavailable(&self, reason: &'static str) {
        self.unavailable.add(reason, 1);
    }

    /// Counts an attempt that continued because the captcha service did not respond.
    pub fn fail_open(&self) {
        self.fail_open.inc();
    }
}
