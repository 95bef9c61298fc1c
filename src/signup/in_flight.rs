//! Sign-ups under way in this process, and those of the last minutes without a key.
//!
//! Two requests with one key (or, without a key, one e-mail address and password) are one attempt:
//! the second waits for the first and hears its answer, or what the ledger says of it. In memory only;
//! the ledger does the same for keys across replicas and restarts.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::outcome::{Done, Outcome};
use crate::ledger::{AttemptId, Digest};

/// How long the attempt of a sign-up without a key is remembered.
const REMEMBERED: Duration = Duration::from_mins(10);

/// The most attempts remembered; the oldest go first. A quarter of a kilobyte each.
const CAPACITY: usize = 10_000;

/// What is known by key, or by e-mail address and password.
#[derive(Debug, Default)]
pub(super) struct InFlight(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<Digest, Entry>,
    /// Remembered attempts, oldest first.
    order: VecDeque<(Instant, Digest)>,
}

#[derive(Debug)]
struct Entry {
    binding: Digest,
    state: State,
}

#[derive(Debug)]
enum State {
    /// One is under way; it may be about an attempt that was remembered before.
    Running {
        sender: watch::Sender<Option<Done>>,
        kept: Option<Kept>,
    },
    Kept(Kept),
}

/// A remembered attempt. What came of it is read from the ledger, so that one that an operator
/// removed there is forgotten here too.
#[derive(Debug, Clone, Copy)]
struct Kept {
    attempt: AttemptId,
    since: Instant,
}

/// What [`InFlight::enter`] found.
#[derive(Debug)]
pub(super) enum Join {
    /// Nothing: the caller's to do. Others now wait for it.
    Leader(Leader),
    /// One is under way.
    Follower(watch::Receiver<Option<Done>>),
    /// It was done, in this attempt: the caller's to tell again. Others now wait for that.
    Completed(Leader, AttemptId),
    /// The key belongs to another e-mail address or password.
    KeyMismatch,
}

/// The right and the duty to do what others wait for. Dropped without an outcome, they hear that
/// it is unknown.
#[derive(Debug)]
pub(super) struct Leader {
    recent: Arc<InFlight>,
    key: Digest,
    /// Whether the attempt is remembered here, since no ledger row can be found by the key.
    remember: bool,
    sender: watch::Sender<Option<Done>>,
    step: SendState,
    /// The attempt that was written down in this turn.
    begun: OnceLock<AttemptId>,
}

/// How far the work of a turn has come: what a caller whose time is up can be told for sure.
///
/// The one change that counts is made by whoever comes first, so that no call is sent after its
/// caller was told that none was.
#[derive(Debug, Clone, Default)]
pub(super) struct SendState(Arc<AtomicU8>);

impl SendState {
    /// Nothing is known yet: an earlier attempt may have made the user.
    const EARLY: u8 = 0;
    /// The attempt is a new one, and nothing was sent.
    const NEW: u8 = 1;
    /// A call was sent, or is about to be.
    const SENT: u8 = 2;
    /// Nothing was sent, and nothing will be.
    const GIVEN_UP: u8 = 3;

    fn change(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// The attempt is a new one.
    pub(super) fn is_new(&self) {
        self.change(Self::EARLY, Self::NEW);
    }

    /// Whether a call may be sent: not after it was given up.
    pub(super) fn may_send(&self) -> bool {
        self.change(Self::NEW, Self::SENT)
    }

    /// Gives a new attempt up that has sent nothing; `false` when it is too late for that.
    pub(super) fn give_up(&self) -> bool {
        self.change(Self::NEW, Self::GIVEN_UP)
    }
}

impl InFlight {
    /// Takes the turn for this key, or finds who has it.
    pub(super) fn enter(
        self: &Arc<Self>,
        key: Digest,
        binding: Digest,
        remember: bool,
        now: Instant,
    ) -> Join {
        let mut table = self.lock();
        table.forget_old(now);
        let kept = match table.entries.get(&key) {
            Some(entry) if entry.binding != binding => return Join::KeyMismatch,
            Some(Entry { state: State::Running { sender, .. }, .. }) => {
                return Join::Follower(sender.subscribe());
            }
            Some(Entry { state: State::Kept(kept), .. }) => Some(*kept),
            None => None,
        };
        let (sender, _) = watch::channel(None);
        let running = State::Running { sender: sender.clone(), kept };
        table.entries.insert(key, Entry { binding, state: running });
        let (recent, step) = (Arc::clone(self), SendState::default());
        let turn = Leader { recent, key, remember, sender, step, begun: OnceLock::new() };
        match kept {
            None => Join::Leader(turn),
            Some(kept) => Join::Completed(turn, kept.attempt),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn forget_old(&mut self, now: Instant) {
        while let Some((at, key)) = self.order.front().copied() {
            if self.order.len() <= CAPACITY && now < at + REMEMBERED {
                return;
            }
            self.order.pop_front();
            // What was remembered anew meanwhile is not what was remembered then.
            let of_then = |kept: &Kept| kept.since == at;
            match self.entries.get_mut(&key).map(|entry| &mut entry.state) {
                Some(State::Kept(kept)) if of_then(kept) => drop(self.entries.remove(&key)),
                Some(State::Running { kept, .. }) => *kept = kept.filter(|kept| !of_then(kept)),
                Some(State::Kept(_)) | None => {}
            }
        }
    }

    /// The attempt that was remembered for this key.
    fn kept(&self, key: &Digest) -> Option<AttemptId> {
        match self.entries.get(key)?.state {
            State::Running { kept, .. } => kept.map(|kept| kept.attempt),
            State::Kept(kept) => Some(kept.attempt),
        }
    }

    /// Ends the turn of this key: from now on there is this attempt to tell again, or nothing.
    fn keep(&mut self, key: Digest, attempt: Option<AttemptId>, now: Instant) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let before = match &entry.state {
            State::Running { kept, .. } => *kept,
            State::Kept(kept) => Some(*kept),
        };
        match (attempt, before) {
            (None, _) => drop(self.entries.remove(&key)),
            (Some(attempt), Some(kept)) if kept.attempt == attempt => {
                entry.state = State::Kept(kept);
            }
            (Some(attempt), _) => {
                entry.state = State::Kept(Kept { attempt, since: now });
                self.order.push_back((now, key));
            }
        }
    }
}

impl Leader {
    /// Where the outcome will be told.
    pub(super) fn subscribe(&self) -> watch::Receiver<Option<Done>> {
        self.sender.subscribe()
    }

    /// How far the work has come.
    pub(super) const fn step(&self) -> &SendState {
        &self.step
    }

    /// Notes the attempt that was written down, in case that the work on it ends without an outcome.
    pub(super) fn begun(&self, attempt: AttemptId) {
        let _first = self.begun.set(attempt);
    }

    /// Resolves when nobody waits for the outcome any more.
    pub(super) async fn deserted(&self) {
        self.sender.closed().await;
    }

    /// Whether nobody waits for the outcome any more.
    pub(super) fn is_deserted(&self) -> bool {
        self.sender.receiver_count() == 0
    }

    /// Tells the outcome to all who wait, and remembers its attempt if it is one to be replayed.
    pub(super) fn tell(self, done: Done, attempt: Option<AttemptId>, now: Instant) {
        let replayable =
            matches!(done.outcome, Outcome::Created(_) | Outcome::EmailTaken | Outcome::Unknown);
        let attempt = attempt.filter(|_| self.remember && replayable);
        self.recent.lock().keep(self.key, attempt, now);
        self.sender.send_replace(Some(done));
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if self.sender.borrow().is_none() {
            let mut table = self.recent.lock();
            let attempt = self.begun.get().copied().or_else(|| table.kept(&self.key));
            table.keep(self.key, attempt.filter(|_| self.remember), Instant::now());
            drop(table);
            self.sender.send_replace(Some(Done::new(Outcome::Unknown)));
        }
    }
}

/// The outcome, once it is told.
pub(super) async fn told(mut outcome: watch::Receiver<Option<Done>>) -> Done {
    match outcome.wait_for(Option::is_some).await.map(|done| done.clone()) {
        Ok(Some(done)) => done,
        Ok(None) | Err(_) => Done::new(Outcome::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Digests;

    fn enter(recent: &Arc<InFlight>) -> Join {
        let digests = Digests::new(&"k".repeat(32).into(), None);
        let digest = digests.email("ada@example.com").current;
        recent.enter(digest, digest, true, Instant::now())
    }

    fn first(recent: &Arc<InFlight>) -> Leader {
        match enter(recent) {
            Join::Leader(turn) => turn,
            other => panic!("{other:?}"),
        }
    }

    fn known(recent: &Arc<InFlight>) -> (Leader, AttemptId) {
        match enter(recent) {
            Join::Completed(turn, attempt) => (turn, attempt),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn work_that_ends_without_an_outcome_forgets_no_attempt() {
        let recent = Arc::default();
        drop(first(&recent));
        let turn = first(&recent);
        let attempt = AttemptId::new(Duration::from_secs(1));
        turn.begun(attempt);
        drop(turn);
        // Neither does that of a replay.
        for _ in 0..2 {
            let (turn, remembered) = known(&recent);
            assert_eq!(remembered, attempt);
            drop(turn);
        }
    }

    #[test]
    fn what_made_nothing_is_not_remembered() {
        let recent = Arc::default();
        let attempt = AttemptId::new(Duration::from_secs(1));
        first(&recent).tell(Done::new(Outcome::EmailTaken), Some(attempt), Instant::now());
        let (turn, _) = known(&recent);
        turn.tell(Done::new(Outcome::Internal), Some(attempt), Instant::now());
        drop(first(&recent));
    }
}
