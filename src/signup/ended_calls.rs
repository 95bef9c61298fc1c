//! The time for which this process has known that an attempt's calls have ended.
//!
//! A lookup that finds no user proves that a call created none only once the tenant can no longer
//! act on it. The ledger's clock alone cannot prove that: it may be set forward. So this process
//! also counts the time itself, by its monotonic clock, since it first saw the call ended.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Inner;
use crate::clock::LedgerTime;
use crate::ledger::{Attempt, AttemptId};

/// The most attempts that are followed; the oldest go first, and start over when seen again.
const CAPACITY: usize = 10_000;

/// One end of an attempt's calls. A repeated call has another end.
type CallEnd = (AttemptId, LedgerTime);

/// The ends that this process has seen, and when it first saw each.
#[derive(Debug, Default)]
pub(super) struct EndedCalls(Mutex<Seen>);

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
        self.ended_calls.left(attempt, self.timeouts.absence_grace, Instant::now())
    }
}

impl EndedCalls {
    /// Returns the time until `grace` has passed since the attempt's calls ended, by the ledger's
    /// clock and by this process's own; `None` while no end is recorded.
    fn left(&self, attempt: &Attempt, grace: Duration, now: Instant) -> Option<Duration> {
        let ended_at = attempt.connection_ended_at?;
        let left = (ended_at + grace).since(attempt.read_at);
        if attempt.read_at < ended_at {
            return Some(left);
        }
        let seen_for = now.saturating_duration_since(self.first_seen((attempt.id, ended_at), now));
        Some(left.max(grace.saturating_sub(seen_for)))
    }

    /// Returns the time at which this end was first seen: `now`, if it is new.
    fn first_seen(&self, end: CallEnd, now: Instant) -> Instant {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
