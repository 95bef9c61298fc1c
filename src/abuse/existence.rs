//! The policy on revealing that an e-mail address has an account.

use tokio::time::Instant;

use super::timing_floor::TimingFloor;
use crate::config;
use crate::signup::Outcome;

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
                Self::Uniform(TimingFloor::new(uniform.floor))
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

    /// Returns whether responses for new and known addresses are the same.
    pub const fn is_uniform(&self) -> bool {
        match self {
            Self::Reveal => false,
            Self::Uniform(_) => true,
        }
    }

    /// Returns whether this outcome must look the same for every address, new or known.
    pub const fn hides(&self, outcome: &Outcome) -> bool {
        match self {
            Self::Reveal => false,
            Self::Uniform(_) => matches!(outcome, Outcome::Created(_) | Outcome::EmailTaken),
        }
    }

    /// Delays the response to a sign-up that started at `started` until its time reveals nothing,
    /// at most until `deadline`. Every outcome waits: a fresh one, a replay, a rejection of the
    /// key, a limit. Returns whether the response took longer than the floor.
    pub async fn pad(&self, started: Instant, deadline: Instant) -> bool {
        match self {
            Self::Reveal => false,
            Self::Uniform(floor) => floor.pad(started, deadline).await,
        }
    }
}
