//! Reasons why a check leaves an attempt unresolved, and the wait before the next one.

use std::time::Duration;

use crate::auth0::{CallError, LookupError};
use crate::ledger::{Attempt, AttemptState, LedgerError, NextCheck};
use crate::telemetry::chain;

/// The wait after the first inconclusive check.
const FIRST_BACKOFF: Duration = Duration::from_secs(5);

/// The longest wait after an inconclusive check.
pub(super) const LONGEST_BACKOFF: Duration = Duration::from_mins(10);

/// Reason why the outcome of an attempt is still unknown.
#[derive(Debug, Clone, thiserror::Error)]
pub enum UnresolvedReason {
    /// A sign-up may still be working on it.
    #[error("a sign-up may be working on it for another {} s", seconds(*.left))]
    UnderWay {
        /// Time until its lease ends.
        left: Duration,
    },
    /// There is no user, and the tenant may still act on the call.
    #[error("no user was found, which is conclusive in {} s", seconds(*.left))]
    TooEarly {
        /// Time until the grace period ends.
        left: Duration,
    },
    /// There is no user with the pinned id, and nothing shows that the connection keeps such ids.
    #[error(
        "no user with the pinned id was found, which is conclusive once the ledger holds a user that \
         was created with one"
    )]
    Unproven,
    /// Ids are not pinned, or the connection does not keep them.
    #[error("the connection does not keep pinned ids, so a lookup by id is not conclusive")]
    Unpinned,
    /// Without the scope nothing can be looked up.
    #[error("{}", LookupError::Forbidden)]
    Forbidden,
    /// The user with the pinned id has another e-mail address.
    #[error("the user with the pinned id has another e-mail address")]
    AnotherAddress,
    /// Another attempt has the user. Only a request, which has the password, shows whose sign-up that is.
    #[error(
        "another attempt with the same pinned id may have created the user: a request with the key decides"
    )]
    Contested,
    /// A sign-up resumed the attempt during the check.
    #[error("a sign-up resumed it during the check")]
    Resumed,
    /// The ledger's other attempts with the address could not be read.
    #[error("the ledger could not be read: {}", chain(.0))]
    LedgerFailed(LedgerError),
    /// The lookup failed.
    #[error("the user lookup failed: {}", chain(.0))]
    LookupFailed(CallError),
}

impl UnresolvedReason {
    /// Returns [`Self::UnderWay`] if a sign-up may be working on this attempt. One that is open belongs
    /// to its process until the lease ends: without a heartbeat it may only be slow.
    pub(super) fn under_way(attempt: &Attempt) -> Option<Self> {
        let (worker, left) = attempt.leased_worker()?;
        let is_open = attempt.state == AttemptState::Open;
        (worker.is_alive || is_open).then_some(Self::UnderWay { left })
    }

    /// The next check, after this many failed ones before.
    pub(super) fn next_check(&self, failed_checks: u32) -> NextCheck {
        let (after, counts_as_failed) = match self {
            Self::UnderWay { left } | Self::TooEarly { left } => (Some(*left), false),
            // No room is no failure of the lookup.
            Self::LookupFailed(CallError::RateLimited { retry_after, .. }) => {
                (Some((*retry_after).clamp(FIRST_BACKOFF, LONGEST_BACKOFF)), false)
            }
            Self::Unproven
            | Self::AnotherAddress
            | Self::Resumed
            | Self::LedgerFailed(_)
            | Self::LookupFailed(_) => (Some(backoff(failed_checks)), true),
            // Until the operator grants the scope.
            Self::Forbidden => (Some(LONGEST_BACKOFF), false),
            Self::Unpinned | Self::Contested => (None, false),
        };
        NextCheck { after, counts_as_failed }
    }

    /// The wait after which the lease has ended or an absent user is conclusive, if that is the reason.
    pub const fn conclusive_in(&self) -> Option<Duration> {
        match self {
            Self::UnderWay { left } | Self::TooEarly { left } => Some(*left),
            _ => None,
        }
    }

    /// Returns whether a sign-up may be working on the attempt.
    pub const fn is_under_way(&self) -> bool {
        matches!(self, Self::UnderWay { .. })
    }
}

/// The wait after a failed check: doubled each time, up to the longest.
fn backoff(failed_checks: u32) -> Duration {
    let doubled = FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(failed_checks.min(16)));
    doubled.min(LONGEST_BACKOFF)
}

/// Whole seconds, rounded up: after them the wait is certainly over.
fn seconds(left: Duration) -> u128 {
    left.as_millis().div_ceil(1_000)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::auth0::Api;
    use crate::clock::LedgerTime;
    use crate::ledger::Worker;
    use crate::signup::test_service;

    #[test]
    fn failing_checks_become_rare() {
        let next_check = |seconds: Option<u64>, counts_as_failed| NextCheck {
            after: seconds.map(Duration::from_secs),
            counts_as_failed,
        };
        let waits = [0, 1, 2, 20, u32::MAX]
            .map(|failed_checks| UnresolvedReason::Unproven.next_check(failed_checks));
        assert_eq!(waits, [5, 10, 20, 600, 600].map(|seconds| next_check(Some(seconds), true)));
        assert_eq!(UnresolvedReason::Forbidden.next_check(0), next_check(Some(600), false));
        assert_eq!(UnresolvedReason::Unpinned.next_check(0), next_check(None, false));
        for (wait, expected) in [(0, 5), (60, 60), (7_200, 600)] {
            let retry_after = Duration::from_secs(wait);
            let no_room = CallError::RateLimited { api: Api::Management, retry_after };
            let next = UnresolvedReason::LookupFailed(no_room).next_check(20);
            assert_eq!(next, next_check(Some(expected), false), "{wait}");
        }
    }

    /// An operator's check during a pause of the process must not void its result.
    #[test]
    fn an_open_attempt_without_a_heartbeat_is_under_way_until_its_lease_ends() {
        let time = |seconds| LedgerTime::from_epoch(Duration::from_secs(seconds));
        let attempt = |state, read_at| Attempt {
            next_check_at: Some(time(30)),
            worker: Some(Worker { process: Uuid::nil(), is_alive: false }),
            read_at: time(read_at),
            ..test_service::attempt(state, time(0))
        };
        let is_under_way =
            |state, read_at| UnresolvedReason::under_way(&attempt(state, read_at)).is_some();
        assert!(is_under_way(AttemptState::Open, 29));
        assert!(!is_under_way(AttemptState::Open, 30));
        assert!(!is_under_way(AttemptState::Unknown, 29));
    }

    #[test]
    fn a_wait_is_reported_in_seconds_rounded_up() {
        let reason = UnresolvedReason::TooEarly { left: Duration::from_millis(1_001) };
        assert!(reason.to_string().ends_with("in 2 s"), "{reason}");
    }
}
