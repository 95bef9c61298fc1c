//! The policy on revealing that an e-mail address has an account, and the response times that hide it.
//!
//! Auth0 rejects a known address sooner than it creates a user. Therefore every response about an
//! address or a key leaves one floor after its request. A response that takes longer leaves at the
//! next multiple of the floor. The floor is a setting: nothing is measured, so the first response
//! after a start reveals as little as any other. `examples/existence.rs` measures what remains
//! visible.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::config::ExistenceSettings;
use crate::signup::Outcome;

/// Reveals or hides that an e-mail address has an account.
#[derive(Debug, Clone, Copy)]
pub enum ExistencePolicy {
    /// A client learns that an address has an account.
    Reveal,
    /// Responses for new and known addresses are the same, in content and in time: they take a
    /// multiple of this floor. Zero delays none.
    Uniform(Duration),
}

impl ExistencePolicy {
    /// The policy of these settings.
    pub const fn new(settings: &ExistenceSettings) -> Self {
        match settings {
            ExistenceSettings::Reveal => Self::Reveal,
            ExistenceSettings::Uniform(uniform) => Self::Uniform(uniform.floor),
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
        let floor = match self {
            Self::Uniform(floor) if !floor.is_zero() => *floor,
            Self::Reveal | Self::Uniform(_) => return false,
        };
        let floors = started.elapsed().as_nanos().div_ceil(floor.as_nanos());
        let multiple = u32::try_from(floors.max(1)).unwrap_or(u32::MAX);
        sleep_until(deadline.min(started + floor.saturating_mul(multiple))).await;
        multiple > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOR: Duration = Duration::from_secs(1);

    /// The time of a response after this much work, and whether it was late.
    async fn padded(policy: ExistencePolicy, work: u64) -> (u128, bool) {
        let started = Instant::now();
        tokio::time::sleep(Duration::from_millis(work)).await;
        let late = policy.pad(started, started + 5 * FLOOR).await;
        (started.elapsed().as_millis(), late)
    }

    #[tokio::test(start_paused = true)]
    async fn every_response_leaves_at_a_multiple_of_the_floor() {
        let padded = |work| padded(ExistencePolicy::Uniform(FLOOR), work);
        for work in [0, 5, 80, 300, 1_000] {
            assert_eq!(padded(work).await, (1_000, false), "{work}");
        }
        assert_eq!(padded(1_001).await, (2_000, true));
        assert_eq!(padded(2_700).await, (3_000, true));
    }

    #[tokio::test(start_paused = true)]
    async fn no_response_waits_beyond_the_deadline() {
        let padded = |work| padded(ExistencePolicy::Uniform(FLOOR), work);
        assert_eq!(padded(4_999).await, (5_000, true));
        assert_eq!(padded(5_200).await, (5_200, true));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_floor_nothing_waits() {
        for policy in [ExistencePolicy::Uniform(Duration::ZERO), ExistencePolicy::Reveal] {
            assert_eq!(padded(policy, 7).await, (7, false));
        }
    }
}
