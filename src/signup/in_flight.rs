//! Sign-ups under way in this process, and recent ones without a key.
//!
//! Two requests with the same key (or, without a key, the same e-mail address and password) are one
//! attempt: the second waits for the first and returns its result, or the one in the ledger. In
//! memory only; the ledger does the same for keys across replicas and restarts.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::KeyedRequest;
use super::outcome::{Outcome, SignupResult};
use crate::digest::Digest;
use crate::ledger::AttemptId;

/// Time for which the attempt of a sign-up without a key is remembered.
const REMEMBERED: Duration = Duration::from_mins(10);

/// The most attempts remembered; the oldest go first. A quarter of a kilobyte each.
const CAPACITY: usize = 10_000;

/// The sign-ups of this process, by key or by e-mail address and password.
#[derive(Debug, Default)]
pub(super) struct InFlight(Mutex<Table>);

/// The entries, and the order in which they are evicted.
#[derive(Debug, Default)]
struct Table {
    entries: HashMap<Digest, Entry>,
    /// Remembered attempts, oldest first.
    order: VecDeque<(Instant, Digest)>,
}

/// The sign-up of one key.
#[derive(Debug)]
struct Entry {
    binding: Digest,
    status: EntryStatus,
}

/// Status of a sign-up.
#[derive(Debug)]
enum EntryStatus {
    /// A sign-up is under way; it may replay an attempt that was remembered before.
    Running { tx: watch::Sender<Option<SignupResult>>, remembered: Option<RememberedAttempt> },
    /// No sign-up is under way; this attempt can be replayed.
    Completed(RememberedAttempt),
}

/// A remembered attempt. Its outcome is read from the ledger, so that an attempt that an operator
/// deleted there is forgotten here too.
#[derive(Debug, Clone, Copy)]
struct RememberedAttempt {
    id: AttemptId,
    since: Instant,
}

/// Result of [`InFlight::join`].
#[derive(Debug)]
pub(super) enum Join {
    /// No sign-up is under way: this request runs one, and others wait for it.
    Leader(Leader),
    /// A sign-up is under way: this request waits for it.
    Follower(watch::Receiver<Option<SignupResult>>),
    /// The key belongs to another e-mail address or password.
    KeyMismatch,
}

/// The request that runs a sign-up while others wait. If it is dropped without a result, they get
/// [`Outcome::Unknown`].
#[derive(Debug)]
pub(super) struct Leader {
    in_flight: Arc<InFlight>,
    key: Digest,
    /// True if the attempt is remembered here, because no ledger row can be found by the key.
    remember: bool,
    tx: watch::Sender<Option<SignupResult>>,
    send_state: SendState,
    /// The attempt that an earlier request of this process completed.
    remembered: Option<AttemptId>,
    /// The attempt that this request recorded.
    recorded: OnceLock<AttemptId>,
}

/// Progress of an attempt, as far as it matters to a request whose deadline has passed.
///
/// The task that sends and the request that gives up race for one atomic change, so that no call is
/// sent after the client got a response that says that none was.
#[derive(Debug, Clone, Default)]
pub(super) struct SendState(Arc<AtomicU8>);

impl SendState {
    /// Nothing is known yet: an earlier attempt may have created the user.
    const EARLY: u8 = 0;
    /// The attempt is new, and nothing was sent.
    const NEW: u8 = 1;
    /// A call was sent, or is about to be.
    const SENT: u8 = 2;
    /// Nothing was sent, and nothing will be.
    const GIVEN_UP: u8 = 3;

    /// Moves from one state to another; `false` when the current one is not `from`.
    fn change(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Marks the attempt as new.
    pub(super) fn mark_new(&self) {
        self.change(Self::EARLY, Self::NEW);
    }

    /// Claims the right to send; `false` after [`Self::give_up`].
    pub(super) fn may_send(&self) -> bool {
        self.change(Self::NEW, Self::SENT)
    }

    /// Gives up a new attempt that has sent nothing; `false` when it is too late for that.
    pub(super) fn give_up(&self) -> bool {
        self.change(Self::NEW, Self::GIVEN_UP)
    }
}

impl InFlight {
    /// Joins the sign-up under way with this request's key, or becomes its leader.
    pub(super) fn join(self: &Arc<Self>, request: &KeyedRequest, now: Instant) -> Join {
        let binding = request.binding.current;
        match &request.key {
            Some(key) => self.join_key(key.current, binding, false, now),
            None => self.join_key(binding, binding, true, now),
        }
    }

    /// Joins the sign-up under way with this key, or becomes its leader.
    fn join_key(
        self: &Arc<Self>,
        key: Digest,
        binding: Digest,
        remember: bool,
        now: Instant,
    ) -> Join {
        let mut table = self.lock();
        table.evict(now);
        let remembered = match table.entries.get(&key) {
            Some(entry) if entry.binding != binding => return Join::KeyMismatch,
            Some(Entry { status: EntryStatus::Running { tx, .. }, .. }) => {
                return Join::Follower(tx.subscribe());
            }
            Some(Entry { status: EntryStatus::Completed(attempt), .. }) => Some(*attempt),
            None => None,
        };
        let (tx, _) = watch::channel(None);
        let status = EntryStatus::Running { tx: tx.clone(), remembered };
        table.entries.insert(key, Entry { binding, status });
        Join::Leader(Leader {
            in_flight: Arc::clone(self),
            key,
            remember,
            tx,
            send_state: SendState::default(),
            remembered: remembered.map(|attempt| attempt.id),
            recorded: OnceLock::new(),
        })
    }

    /// The table, also after a panic elsewhere: each change leaves it consistent.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Forgets the attempts that are too old, or beyond the capacity.
    fn evict(&mut self, now: Instant) {
        while let Some((since, key)) = self.order.front().copied() {
            if self.order.len() <= CAPACITY && now < since + REMEMBERED {
                return;
            }
            self.order.pop_front();
            // An attempt that was remembered later has its own place in the order.
            let is_due = |attempt: &RememberedAttempt| attempt.since == since;
            match self.entries.get_mut(&key).map(|entry| &mut entry.status) {
                Some(EntryStatus::Completed(attempt)) if is_due(attempt) => {
                    self.entries.remove(&key);
                }
                Some(EntryStatus::Running { remembered, .. }) => {
                    *remembered = remembered.filter(|attempt| !is_due(attempt));
                }
                Some(EntryStatus::Completed(_)) | None => {}
            }
        }
    }

    /// The attempt that is remembered for this key.
    fn remembered(&self, key: &Digest) -> Option<RememberedAttempt> {
        match self.entries.get(key)?.status {
            EntryStatus::Running { remembered, .. } => remembered,
            EntryStatus::Completed(attempt) => Some(attempt),
        }
    }

    /// Ends the sign-up of this key, and remembers its attempt if there is one.
    fn complete(&mut self, key: Digest, attempt: Option<AttemptId>, now: Instant) {
        let Some(id) = attempt else {
            self.entries.remove(&key);
            return;
        };
        let before = self.remembered(&key).filter(|attempt| attempt.id == id);
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let attempt = before.unwrap_or_else(|| {
            self.order.push_back((now, key));
            RememberedAttempt { id, since: now }
        });
        entry.status = EntryStatus::Completed(attempt);
    }
}

impl Leader {
    /// Subscribes to the result.
    pub(super) fn subscribe(&self) -> watch::Receiver<Option<SignupResult>> {
        self.tx.subscribe()
    }

    /// The progress of the attempt.
    pub(super) const fn send_state(&self) -> &SendState {
        &self.send_state
    }

    /// The attempt that an earlier request of this process completed, to be replayed.
    pub(super) const fn remembered(&self) -> Option<AttemptId> {
        self.remembered
    }

    /// Keeps the attempt that this request recorded, so that later ones can replay it.
    pub(super) fn set_attempt(&self, attempt: AttemptId) {
        let _first = self.recorded.set(attempt);
    }

    /// Resolves when no request waits for the result any more.
    pub(super) async fn no_waiters(&self) {
        self.tx.closed().await;
    }

    /// Returns whether no request waits for the result any more.
    pub(super) fn has_no_waiters(&self) -> bool {
        self.tx.receiver_count() == 0
    }

    /// Sends the result to every waiter, and remembers its attempt if it can be replayed.
    pub(super) fn publish(self, result: SignupResult) {
        self.complete(result);
    }

    /// Ends the sign-up with this result.
    fn complete(&self, result: SignupResult) {
        let remember = self.remember && result.outcome.is_replayable();
        let attempt = self.recorded.get().copied().or(self.remembered).filter(|_| remember);
        self.in_flight.lock().complete(self.key, attempt, Instant::now());
        self.tx.send_replace(Some(result));
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if self.tx.borrow().is_none() {
            self.complete(SignupResult::new(Outcome::Unknown));
        }
    }
}

/// Waits for the leader's result.
pub(super) async fn wait_for_outcome(
    mut rx: watch::Receiver<Option<SignupResult>>,
) -> SignupResult {
    match rx.wait_for(Option::is_some).await.map(|result| result.clone()) {
        Ok(Some(result)) => result,
        Ok(None) | Err(_) => SignupResult::new(Outcome::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digests;

    fn join(in_flight: &Arc<InFlight>) -> Join {
        let digests = Digests::new(&"k".repeat(32).into(), None);
        let digest = digests.email("ada@example.com").current;
        in_flight.join_key(digest, digest, true, Instant::now())
    }

    fn lead(in_flight: &Arc<InFlight>) -> Leader {
        match join(in_flight) {
            Join::Leader(leader) => leader,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_leader_dropped_without_a_result_forgets_no_attempt() {
        let in_flight = Arc::default();
        drop(lead(&in_flight));
        let leader = lead(&in_flight);
        let attempt = AttemptId::new(Duration::from_secs(1));
        leader.set_attempt(attempt);
        drop(leader);
        // Neither does a leader that replays it.
        for _ in 0..2 {
            assert_eq!(lead(&in_flight).remembered(), Some(attempt));
        }
    }

    #[test]
    fn an_attempt_that_created_nothing_is_not_remembered() {
        let in_flight = Arc::default();
        let attempt = AttemptId::new(Duration::from_secs(1));
        let leader = lead(&in_flight);
        leader.set_attempt(attempt);
        leader.publish(SignupResult::new(Outcome::EmailTaken));
        let leader = lead(&in_flight);
        assert_eq!(leader.remembered(), Some(attempt));
        leader.publish(SignupResult::new(Outcome::Internal));
        assert_eq!(lead(&in_flight).remembered(), None);
    }
}
