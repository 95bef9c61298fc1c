//! What is wrong with a proof that is none. One that is one is a
//! [`ProofUse`](crate::ledger::ProofUse), good for one attempt.

/// Why a proof is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProofFault {
    /// Not in the form that a proof has.
    Malformed,
    /// Not signed here, or for another use.
    Forged,
    /// Its time has passed.
    Expired,
    /// Not the solution.
    Wrong,
    /// The captcha service refused the token.
    Refused,
    /// The captcha was shown on a page of another host.
    Hostname,
    /// The captcha was shown for something else.
    Action,
    /// The captcha service takes the person for a robot.
    Score,
}

impl ProofFault {
    /// The name in the metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Forged => "forged",
            Self::Expired => "expired",
            Self::Wrong => "wrong",
            Self::Refused => "refused",
            Self::Hostname => "hostname",
            Self::Action => "action",
            Self::Score => "score",
        }
    }
}
