//! The vocabulary of rate limits, shared by the ledger, which keeps those that replicas share, and
//! by `abuse`, which keeps the others in memory.

use std::time::Duration;

/// A burst of permits, refilled one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The most permits at once; at least one.
    pub burst: u32,
    /// The interval after which a permit comes back; at least a microsecond.
    pub every: Duration,
}

impl Rate {
    /// Half of the limit, of the same bucket: every permit counts as two.
    #[must_use]
    pub fn halved(self) -> Self {
        Self { burst: (self.burst / 2).max(1), every: self.every.saturating_mul(2) }
    }
}

/// The number of permits that an attempt takes from each bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptCost {
    /// One permit.
    One,
    /// Two permits, which halves every limit: the price of an attempt without a challenge.
    Two,
}

/// The limits, by what they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Every post from an address, its /48 or its block, whatever its outcome.
    Posts,
    /// Attempts from an address: an IPv4 address or an IPv6 /64.
    Address,
    /// Attempts from an IPv6 /48.
    Site,
    /// Attempts for an e-mail address.
    Email,
    /// Attempts for an e-mail address from one network that a valid proof lets past other limits.
    WithProof,
    /// The same from an IPv6 /48.
    SiteWithProof,
    /// Attempts from an IPv4 /24 or an IPv6 /32, as a part of all.
    Block,
    /// All attempts.
    Service,
    /// Captcha tokens from an address that the captcha service rejected.
    FailedCaptchas,
}

impl Limit {
    /// Returns whether a valid proof lets an attempt pass this limit.
    pub const fn yields_to_proof(self) -> bool {
        match self {
            Self::Address | Self::Site | Self::Email | Self::Block | Self::Service => true,
            Self::Posts | Self::WithProof | Self::SiteWithProof | Self::FailedCaptchas => false,
        }
    }

    /// The name of the limit's policy in the headers of responses. `None` for one that a client shares with
    /// others, whose activity its state would reveal.
    pub const fn policy_name(self) -> Option<&'static str> {
        match self {
            Self::Posts => Some("posts"),
            Self::Address => Some("attempts"),
            Self::Site
            | Self::Email
            | Self::WithProof
            | Self::SiteWithProof
            | Self::Block
            | Self::Service
            | Self::FailedCaptchas => None,
        }
    }

    /// A stable name, for metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Posts => "posts",
            Self::Address => "address",
            Self::Site => "site",
            Self::Email => "email",
            Self::WithProof => "with_proof",
            Self::SiteWithProof => "site_with_proof",
            Self::Block => "block",
            Self::Service => "service",
            Self::FailedCaptchas => "failed_captchas",
        }
    }
}
