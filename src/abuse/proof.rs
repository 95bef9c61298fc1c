//! The errors of a proof. A valid proof becomes a [`ProofUse`](crate::ledger::ProofUse), which
//! allows one attempt.

/// The reason why a proof is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProofError {
    /// Not in the format of a proof.
    Malformed,
    /// Not signed by this deployment, or signed for another purpose.
    Forged,
    /// Expired.
    Expired,
    /// Not the solution.
    Wrong,
    /// Less work than its sender's network owes now.
    TooEasy,
    /// The captcha service rejected the token.
    Rejected,
    /// The captcha was shown on a page of another host.
    Hostname,
    /// The captcha was shown for another action.
    Action,
    /// The captcha service takes the person for a robot.
    Score,
}

impl ProofError {
    /// The name in the metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Forged => "forged",
            Self::Expired => "expired",
            Self::Wrong => "wrong",
            Self::TooEasy => "too_easy",
            Self::Rejected => "rejected",
            Self::Hostname => "hostname",
            Self::Action => "action",
            Self::Score => "score",
        }
    }
}
