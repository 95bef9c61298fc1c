//! The reasons why a new attempt may not start.

use std::time::Duration;

use crate::limits::Limit;

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
