//! The policy on revealing that an e-mail address has an account.

use tokio::time::Instant;

use super::timing_floor::TimingFloor;
use crate::config;
use crate::signup::{Outcome, SignupResult};

/// Reveals or hides that an e-mail address has an account.
#[derive(Debug)]
pub enum ExistencePolicy {
    /// A client learns that an address has an account.
    Reveal,
    /// Responses for new and known addresses are the same, in content and in time.
    Uniform(TimingFloor),
}

impl ExistencePolicy {
    /// The policy of these settings.
    pub const fn new(settings: &config::ExistenceSettings) -> Self {
        match settings {
            config::ExistenceSettings::Reveal => Self::Reveal,
            config::ExistenceSettings::Uniform(uniform) => {
                Self::Uniform(TimingFloor::new(uniform.initial_floor))
            }
        }
    }

    /// The name in `GET /signup/policy`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Reveal => "reveal",
            Self::Uniform(_) => "uniform",
        }
    }

    /// Returns `true` if responses for new and known addresses are the same.
    pub const fn is_uniform(&self) -> bool {
        match self {
            Self::Reveal => false,
            Self::Uniform(_) => true,
        }
    }

    /// Returns `true` if this outcome must look the same for every address, new or known.
    pub const fn hides(&self, outcome: &Outcome) -> bool {
        match self {
            Self::Reveal => false,
            Self::Uniform(_) => matches!(outcome, Outcome::Created(_) | Outcome::EmailTaken),
        }
    }

    /// Delays the response to a request that started at `started` until its time reveals nothing.
    /// Returns at once if nothing is hidden.
    pub async fn pad(&self, result: &SignupResult, started: Instant) {
        match (self, &result.outcome, result.replayed) {
            (Self::Uniform(floor), Outcome::Created(_), false) => floor.pad_created(started).await,
            (Self::Uniform(floor), outcome, _) if self.hides(outcome) => {
                floor.pad_other(started).await;
            }
            (Self::Uniform(_) | Self::Reveal, _, _) => {}
        }
    }
}
