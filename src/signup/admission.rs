//! The question that is asked between "this sign-up is new" and "it begins": may it?
//!
//! The answer is found above this module, which knows neither addresses nor challenges; here is
//! only when it is asked. A known key is answered without asking. Who may says what the attempt has
//! to give in the write that begins it.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use crate::ledger::AdmissionCost;
use crate::limits::Limit;

/// Decides whether a new attempt may begin. Polled only when it has to be decided, in the task of
/// the attempt; dropped unpolled for a known key, and half-way when every caller has gone.
pub struct Admission(Pin<Box<dyn Future<Output = Result<AdmissionCost, Rejection>> + Send>>);

impl Admission {
    /// An admission that this future decides.
    pub fn new(
        decide: impl Future<Output = Result<AdmissionCost, Rejection>> + Send + 'static,
    ) -> Self {
        Self(Box::pin(decide))
    }

    pub(super) async fn decide(self) -> Result<AdmissionCost, Rejection> {
        self.0.await
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Admission")
    }
}

/// Why a new attempt may not begin. Nothing was written down and nothing sent to the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Too many attempts from an address, or for an e-mail address, or in all.
    Limited {
        /// Which limit.
        limit: Limit,
        /// How long to wait.
        retry_after: Duration,
    },
    /// A proof of work or a captcha is needed first.
    ChallengeRequired,
    /// The proof is wrong or has expired.
    ChallengeFailed,
    /// The proof was valid, and another attempt used it.
    ProofUsed,
    /// The service that judges the captcha does not answer, and must.
    ChallengeUnavailable,
}

impl Rejection {
    /// The stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Limited { .. } => "rate_limited",
            Self::ChallengeRequired => "challenge_required",
            Self::ChallengeFailed | Self::ProofUsed => "challenge_failed",
            Self::ChallengeUnavailable => "challenge_unavailable",
        }
    }
}
