//! Admission: the decision whether a new attempt may start, made after its key turned out to be
//! new.
//!
//! This module says only when the decision is made. The layer above makes it, since this one knows
//! neither client addresses nor challenges. An admission states what the attempt costs; the write
//! that records the attempt pays it.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use super::outcome::SignupResult;
use crate::ledger::AdmissionCost;
use crate::limits::Limit;

/// A pending decision whether a new attempt may start. Polled in the attempt's task, and only when
/// it is needed: dropped unpolled for a known key, and half-way when every client has disconnected.
pub struct Admission(Pin<Box<dyn Future<Output = Result<Admitted, Rejection>> + Send>>);

/// A new attempt that may start.
#[derive(Debug)]
pub struct Admitted {
    /// Its cost.
    pub cost: AdmissionCost,
    /// Records its result.
    pub recorder: ResultRecorder,
}

/// Records the result of an admitted attempt, also if no client waits for it any more.
pub struct ResultRecorder(Box<dyn FnOnce(&SignupResult) + Send>);

impl ResultRecorder {
    /// A recorder that calls this function.
    pub fn new(record: impl FnOnce(&SignupResult) + Send + 'static) -> Self {
        Self(Box::new(record))
    }

    /// Records the result.
    pub(super) fn record(self, result: &SignupResult) {
        (self.0)(result);
    }
}

impl fmt::Debug for ResultRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResultRecorder")
    }
}

impl Admission {
    /// An admission that this future decides.
    pub fn new(decide: impl Future<Output = Result<Admitted, Rejection>> + Send + 'static) -> Self {
        Self(Box::pin(decide))
    }

    /// Makes the decision.
    pub(super) async fn decide(self) -> Result<Admitted, Rejection> {
        self.0.await
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Admission")
    }
}

/// Reason why a new attempt may not start. Nothing was recorded and nothing sent to the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Too many attempts from a client address, for an e-mail address, or in total.
    Limited {
        /// The limit that was reached.
        limit: Limit,
        /// The wait until an attempt is allowed again.
        retry_after: Duration,
    },
    /// A proof of work or a captcha is needed first.
    ChallengeRequired,
    /// The proof is wrong or has expired.
    ChallengeFailed,
    /// The proof was valid, and another attempt used it.
    ProofUsed,
    /// The captcha service does not respond, and the settings require it to.
    ChallengeUnavailable,
}

impl Rejection {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Limited { .. } => "rate_limited",
            Self::ChallengeRequired => "challenge_required",
            Self::ChallengeFailed | Self::ProofUsed => "challenge_failed",
            Self::ChallengeUnavailable => "challenge_unavailable",
        }
    }
}
