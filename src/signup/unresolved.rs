//! Why a look at an attempt did not settle it, and when the next look makes sense.

use std::sync::Arc;
use std::time::Duration;

use crate::auth0::{Error, LookupError};
use crate::ledger::{Attempt, AttemptState};
use crate::telemetry::chain;

/// The wait after the first look that told nothing, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(10));

/// Why it is still not known what came of an attempt.
#[derive(Debug, Clone, thiserror::Error)]
pub enum UnresolvedReason {
    /// A sign-up may be at work on it for so long.
    #[error("a sign-up may be at work on it for another {} s", seconds(*.left))]
    UnderWay {
        /// Until its lease ends.
        left: Duration,
    },
    /// There is no user, and the call may still be acted on.
    #[error("there is no user so far, which proves nothing for another {} s", seconds(*.left))]
    TooEarly {
        /// Until it counts.
        left: Duration,
    },
    /// There is no user of the pinned id, and nothing shows that the connection keeps such ids.
    #[error(
        "there is no user of the pinned id, which proves nothing before the ledger holds a user \
         that was created under one"
    )]
    Unproven,
    /// Ids are not pinned, or the connection does not keep them.
    #[error("the connection does not keep pinned ids, so that a look by id cannot tell")]
    Unpinned,
    /// Without the scope nothing can be looked up.
    #[error("{}", LookupError::Forbidden)]
    Forbidden,
    /// A sign-up took the attempt up while it was looked at.
    #[error("a sign-up took it up again meanwhile")]
    TakenUp,
    /// The tenant did not tell.
    #[error("the tenant did not tell: {}", chain(&**.0))]
    Failed(Arc<Error>),
}

impl UnresolvedReason {
    /// That somebody may be at work on this attempt, if so.
    pub(super) fn of_work(attempt: &Attempt, now: Duration) -> Option<Self> {
        let left = attempt.next_check_at?.saturating_sub(now);
        let leased = attempt.state == AttemptState::Open && !left.is_zero();
        leased.then_some(Self::UnderWay { left })
    }

    /// How long to wait before the next look, after so many; `None`: looking again will not tell.
    pub(super) fn next_look(&self, check_count: u32) -> Option<Duration> {
        match self {
            Self::UnderWay { left } | Self::TooEarly { left } => Some(*left),
            Self::Unproven | Self::TakenUp | Self::Failed(_) => Some(backoff(check_count)),
            // Until somebody grants the scope.
            Self::Forbidden => Some(BACKOFF.1),
            Self::Unpinned => None,
        }
    }

    /// Whether a sign-up may be at work on the attempt.
    pub const fn is_of_work(&self) -> bool {
        matches!(self, Self::UnderWay { .. })
    }
}

fn backoff(check_count: u32) -> Duration {
    let doubled = BACKOFF.0.saturating_mul(2_u32.saturating_pow(check_count.min(16)));
    doubled.min(BACKOFF.1)
}

/// BeginResult seconds: after so many of them it is surely over.
fn seconds(left: Duration) -> u128 {
    left.as_millis().div_ceil(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_that_tell_nothing_become_rare() {
        let waits = [0, 1, 2, 20, u32::MAX]
            .map(|check_count| UnresolvedReason::Unproven.next_look(check_count));
        let expected = [5, 10, 20, 600, 600].map(|seconds| Some(Duration::from_secs(seconds)));
        assert_eq!(waits, expected);
        assert_eq!(UnresolvedReason::Forbidden.next_look(0), Some(Duration::from_mins(10)));
        assert_eq!(UnresolvedReason::Unpinned.next_look(0), None);
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_that_suffice() {
        let doubt = UnresolvedReason::TooEarly { left: Duration::from_millis(1_001) };
        assert!(doubt.to_string().ends_with("for another 2 s"), "{doubt}");
    }
}
