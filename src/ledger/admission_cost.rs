//! The cost of starting an attempt: permits of shared limits, and a proof that is valid for one
//! attempt.
//!
//! The ledger takes the cost in the write that records the attempt, so that of any number of
//! replicas exactly one takes each permit or proof. The modules above this one decide each cost.

use std::time::Duration;

use crate::digest::Digest;
use crate::limits::{Limit, Rate};

/// The cost of one attempt. The default costs nothing.
#[derive(Debug, Clone, Default)]
pub struct AdmissionCost {
    /// The permits, one of each. Taken by a ledger that replicas share. A single process keeps its
    /// limits in memory, and its ledger ignores this.
    pub charges: Vec<PermitCharge>,
    /// The proof that is used up.
    pub proof: Option<ProofUse>,
}

/// One permit of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PermitCharge {
    /// The limit, reported when it has no permit left.
    pub limit: Limit,
    /// The owner of the permits: address, network or e-mail address, as a keyed digest.
    pub bucket: Digest,
    /// The rate of the permits.
    pub rate: Rate,
}

/// A proof that is valid for one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProofUse {
    /// The proof's digest.
    pub proof: Digest,
    /// The time from now after which the proof is rejected anyway and needs no record.
    pub lasts: Duration,
}
