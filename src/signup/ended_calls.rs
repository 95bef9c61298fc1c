//! The time for which this process has known that an attempt's calls have ended.
//!
//! A lookup that finds no user proves that a call created none only once the tenant can no longer
//! act on it. The ledger's clock alone cannot prove that: it may be set forward. So this process
//! also counts the time itself, by its monotonic clock, since it first saw the call ended.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Inner, Timeouts};
use crate::clock::LedgerTime;
use crate::ledger::{Attempt, AttemptId};

/// The most attempts that are followed; the oldest go first, and start over when seen again.
const CAPACITY: usize = 10_000;

/// One end of an attempt's calls. A repeated call has another end.
type CallEnd = (AttemptId, LedgerTime);

/// The ends that this process has seen, and when it first saw each.
#[derive(Debug, Default)]
pub(super) struct EndedCalls(Mutex<Seen>);

/// The state of [`EndedCalls`].
#[derive(Debug, Default)]
struct Seen {
    since: HashMap<CallEnd, Instant>,
    /// In the order in which they were first seen.
    order: VecDeque<CallEnd>,
}

impl Inner {
    /// Returns the time after which an absent user proves that the attempt created none; `None`
    /// while no end of its calls is recorded.
    pub(super) fn absence_left(&self, attempt: &Attempt) -> Option<Duration> {
        let end = (attempt.id, attempt.connection_ended_at?);
        Some(self.ended_calls.left(end, attempt.read_at, &self.timeouts, Instant::now()))
    }
}

impl EndedCalls {
    /// Returns the time until the grace period has passed since these calls ended, by the ledger's
    /// clock and by this process's own.
    ///
    /// A call ends within its lease. A later end was recorded while the ledger's clock was ahead, and
    /// then only this process's clock counts.
    fn left(
        &self,
        end: CallEnd,
        read_at: LedgerTime,
        timeouts: &Timeouts,
        now: Instant,
    ) -> Duration {
        let (grace, (_, ended_at)) = (timeouts.absence_grace, end);
        let runs_for = ended_at.since(read_at);
        if !runs_for.is_zero() && runs_for <= timeouts.lease {
            return runs_for + grace;
        }
        let seen_for = now.saturating_duration_since(self.first_seen(end, now));
        if runs_for.is_zero() {
            (ended_at + grace).since(read_at).max(grace.saturating_sub(seen_for))
        } else {
            (timeouts.lease + grace).saturating_sub(seen_for)
        }
    }

    /// Returns the time at which this end was first seen: `now`, if it is new.
    fn first_seen(&self, end: CallEnd, now: Instant) -> Instant {
        let mut seen = self.0.lock();
        if let Some(since) = seen.since.get(&end) {
            return *since;
        }
        if seen.order.len() >= CAPACITY
            && let Some(oldest) = seen.order.pop_front()
        {
            seen.since.remove(&oldest);
        }
        seen.order.push_back(end);
        seen.since.insert(end, now);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: Timeouts = Timeouts {
        key_lifetime: Duration::ZERO,
        duplicate_wait: Duration::ZERO,
        retry_window: Duration::ZERO,
        attempt: Duration::ZERO,
        lease: Duration::from_secs(46),
        absence_grace: Duration::from_secs(30),
        ledger: Duration::ZERO,
    };

    /// The seconds that are left by the ledger's clock at `read_at`, after each of the waits.
    fn left_after(waits: &[u64], ended_at: u64, read_at: impl Fn(u64) -> u64) -> Vec<u64> {
        let time = |seconds| LedgerTime::from_epoch(Duration::from_secs(seconds));
        let (calls, start) = (EndedCalls::default(), Instant::now());
        let end = (AttemptId::new(time(0)), time(ended_at));
        let left = |wait: &u64| {
            let now = start + Duration::from_secs(*wait);
            calls.left(end, time(read_at(*wait)), &TIMEOUTS, now).as_secs()
        };
        waits.iter().map(left).collect()
    }

    #[test]
    fn the_grace_period_passes_by_both_clocks() {
        assert_eq!(left_after(&[0, 10, 30], 1_000, |wait| 1_000 + wait), [30, 20, 0]);
        // The ledger's clock is set forward, and stands still.
        assert_eq!(left_after(&[0, 10, 30], 1_000, |_| 9_000), [30, 20, 0]);
        assert_eq!(left_after(&[0, 10, 30], 1_000, |_| 1_000), [30, 30, 30]);
    }

    #[test]
    fn a_call_that_may_run_is_waited_for() {
        let waits = [0, 46, 66, 76];
        assert_eq!(left_after(&waits, 1_046, |wait| 1_000 + wait), [76, 30, 10, 0]);
    }

    #[test]
    fn an_end_further_ahead_than_any_lease_is_counted_by_the_monotonic_clock() {
        let days = 3 * 86_400;
        assert_eq!(left_after(&[0, 46, 76], 1_000 + days, |wait| 1_000 + wait), [76, 30, 0]);
    }
}
