//! What a new attempt has to give before it begins: permits of shared limits, and a proof that is
//! good for one attempt.
//!
//! Taken in the same write as the attempt itself, so that of any number of replicas exactly one
//! takes a permit or a proof. Who has to give what is decided above this module.

use std::time::Duration;

use super::Digest;

/// What one attempt has to give. Empty: nothing, which costs nothing.
#[derive(Debug, Clone, Default)]
pub struct AdmissionCost {
    /// The permits, one of each. Taken by a ledger that replicas share; where one process serves
    /// alone its memory keeps the limits, and this is ignored.
    pub charges: Vec<PermitCharge>,
    /// The proof that is used up.
    pub use_proof: Option<ProofUse>,
}

/// One permit of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PermitCharge {
    /// Which limit, for the one who is refused.
    pub limit: Limit,
    /// Whose permits: address, network or e-mail address, as a keyed digest.
    pub bucket: Digest,
    /// How many permits there are.
    pub rate: Rate,
}

/// A proof that is good for one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProofUse {
    /// The proof, digested.
    pub proof: Digest,
    /// From when on nobody takes the proof any more, so that it need not be remembered.
    pub expires_at: Duration,
}

/// So many permits at once, and a new one after each interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The most permits at once; at least one.
    pub burst: u32,
    /// The interval after which a permit comes back; at least a microsecond.
    pub every: Duration,
}

/// The limits, by what they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Every post of an address, whatever becomes of it.
    Posts,
    /// Every post of an IPv6 /48.
    SitePosts,
    /// Attempts of an address: an IPv4 address, an IPv6 /64.
    Address,
    /// Attempts of an IPv6 /48.
    Network,
    /// Attempts for an e-mail address.
    Email,
    /// Attempts with a valid proof for an e-mail address from one network, beyond the others.
    WithProof,
    /// Attempts in all.
    Service,
}

impl Limit {
    /// Every limit.
    pub const ALL: [Self; 7] = [
        Self::Posts,
        Self::SitePosts,
        Self::Address,
        Self::Network,
        Self::Email,
        Self::WithProof,
        Self::Service,
    ];

    /// Whether a valid proof passes beyond it.
    pub const fn yields_to_proof(self) -> bool {
        match self {
            Self::Address | Self::Network | Self::Email | Self::Service => true,
            Self::Posts | Self::SitePosts | Self::WithProof => false,
        }
    }

    /// A stable name, for metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Posts => "posts",
            Self::SitePosts => "site_posts",
            Self::Address => "address",
            Self::Network => "network",
            Self::Email => "email",
            Self::WithProof => "proven",
            Self::Service => "service",
        }
    }
}
