//! Whether callers are told that an e-mail address has an account.

use tokio::time::Instant;

use super::timing_floor::TimingFloor;
use crate::config;
use crate::signup::{Outcome, SignupResult};

/// Whether callers are told that an e-mail address has an account.
#[derive(Debug)]
pub enum Existence {
    /// They are.
    Reveal,
    /// New and known addresses are answered alike: in words, and in time.
    Uniform(TimingFloor),
}

impl Existence {
    /// By these settings.
    pub const fn new(settings: &config::ExistenceSettings) -> Self {
        match settings {
            config::ExistenceSettings::Reveal => Self::Reveal,
            config::ExistenceSettings::Uniform(uniform) => {
                Self::Uniform(TimingFloor::new(uniform.initial_floor))
            }
        }
    }

    /// As the policy says.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Reveal => "reveal",
            Self::Uniform(_) => "uniform",
        }
    }

    /// Whether new and known addresses are answered alike.
    pub const fn is_uniform(&self) -> bool {
        match self {
            Self::Reveal => false,
            Self::Uniform(_) => true,
        }
    }

    /// Whether this outcome must be told as every address's is, new or known.
    pub const fn hides(&self, outcome: &Outcome) -> bool {
        match self {
            Self::Reveal => false,
            Self::Uniform(_) => matches!(outcome, Outcome::Created(_) | Outcome::EmailTaken),
        }
    }

    /// Holds the answer to a request that began then back until its time tells nothing either.
    /// At once where nothing is hidden.
    pub async fn level(&self, done: &SignupResult, began: Instant) {
        match (self, &done.outcome, done.replayed) {
            (Self::Uniform(pace), Outcome::Created(_), false) => pace.created(began).await,
            (Self::Uniform(pace), outcome, _) if self.hides(outcome) => pace.other(began).await,
            (Self::Uniform(_) | Self::Reveal, _, _) => {}
        }
    }
}
