//! The tenant's rate limit as a budget: nothing is delayed while there is plenty, sign-ups wait in
//! order when it is low, and are refused with an honest time to come back when that would be long.
//!
//! The tenant limits by a token bucket and tells it in the headers of every answer; those headers
//! are all that is known, and all that the replicas of this service share. [`bucket`] mirrors it,
//! [`refill`] learns how fast it fills, [`hold`] keeps the wait of a 429, [`mod@line`]
//! holds who waits. This module does the waiting: no task of its own, each waiter sleeps for itself,
//! and only the first one by a timer.
//!
//! Assumed: creates and lookups share one bucket. On plans that count them apart, an answer to one
//! may raise the hopes for the other until a 429 corrects that.
//!
//! `docs/decisions/0007-tenant-budget.md` says why it is built so and what it measured.

mod bucket;
mod cooldown;
mod refill_estimator;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod wait_queue;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use self::bucket::{Bucket, Grant, Turn};
use self::wait_queue::Line;
use crate::config::BudgetSettings;
use crate::telemetry::Metrics;

/// The shortest time to come back that is told.
const SHORTEST_RETRY: Duration = Duration::from_secs(1);

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// A new sign-up.
    Create,
    /// Settles a sign-up whose caller waits: goes first, may use the reserve, and is never refused
    /// because others wait.
    Lookup,
    /// Settles what nobody waits for: goes last.
    Background,
    /// Tells more than has to be told: goes only when there is a permit to spare, and never waits.
    BestEffort,
}

/// There is no permit within the time that a sign-up waits for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Busy {
    /// When there should be one, those who wait now included.
    pub(super) retry_after: Duration,
}

/// The budget of one tenant.
#[derive(Debug)]
pub(super) struct Budget {
    /// The longest wait of one call.
    max_wait: Duration,
    /// The most calls that wait.
    max_waiting: usize,
    /// Never held across an await.
    state: Mutex<State>,
    metrics: Arc<Metrics>,
}

/// What changes.
#[derive(Debug)]
struct State {
    bucket: Bucket,
    line: Line,
}

/// What comes of asking for a permit.
#[derive(Debug)]
enum Asked {
    /// A permit.
    Go(Grant),
    /// It is not worth waiting.
    Refused(Busy),
    /// A place in the line, and what wakes it.
    Wait(u64, Arc<Notify>),
}

/// What comes of asking again from the line.
#[derive(Debug)]
enum AskedAgain {
    /// A permit.
    Go(Grant),
    /// It is no longer worth waiting.
    Refused(Busy),
    /// Not before then, unless woken.
    Wait(Instant),
}

/// Permission to send one request now.
///
/// One that is dropped without an answer counts as spent: the tenant may have counted it too.
#[derive(Debug)]
pub(super) struct Permit {
    budget: Arc<Budget>,
    /// Taken by the answer.
    grant: Option<Grant>,
}

impl Budget {
    /// A budget of which nothing is known.
    pub(super) fn new(settings: &BudgetSettings, metrics: Arc<Metrics>) -> Arc<Self> {
        let bucket = Bucket::new(settings, Instant::now());
        Arc::new(Self {
            max_wait: settings.max_wait,
            max_waiting: settings.max_waiting,
            state: Mutex::new(State { bucket, line: Line::default() }),
            metrics,
        })
    }

    /// Takes a permit, waiting for it in order. Dropping the future leaves the line.
    ///
    /// # Errors
    /// [`Busy`] at once when the wait would be too long, else when it has become so.
    pub(super) async fn take(self: &Arc<Self>, class: Priority) -> Result<Permit, Busy> {
        let now = Instant::now();
        let asked = self.ask(class, now);
        let taken = match asked {
            Asked::Go(grant) => Ok(grant),
            Asked::Refused(busy) => Err(busy),
            Asked::Wait(id, woken) => {
                let place = Place { budget: self, class, id, deadline: now + self.max_wait };
                place.turn(&woken).await
            }
        };
        match taken {
            Ok(grant) => Ok(Permit { budget: Arc::clone(self), grant: Some(grant) }),
            Err(busy) => {
                self.metrics.budget_refused();
                Err(busy)
            }
        }
    }

    /// A permit if there is one for a newcomer, else a place in the line if that is worth it.
    fn ask(&self, class: Priority, now: Instant) -> Asked {
        let mut state = self.lock();
        let State { bucket, line } = &mut *state;
        let ahead = line.ahead(class);
        if ahead == 0 && bucket.turn(class, now) == Turn::Now {
            return Asked::Go(bucket.take(now));
        }
        let wait = bucket.wait(class, ahead, now);
        let hopeless = bucket.is_sure() && wait > self.max_wait;
        // A look-up in a request belongs to a create that was let through, so they are bounded.
        let full = class != Priority::Lookup && line.len() >= self.max_waiting;
        if hopeless || full || class == Priority::BestEffort {
            return Asked::Refused(self.busy(bucket, wait));
        }
        let (id, woken) = line.join(class);
        self.metrics.budget_waiting(line.len());
        Asked::Wait(id, woken)
    }

    /// The refusal of a call that would have to wait so long.
    ///
    /// Where that is a guess, all that is known is that those who wait now are gone after the
    /// longest wait.
    fn busy(&self, bucket: &Bucket, wait: Duration) -> Busy {
        let wait = if bucket.is_sure() { wait } else { wait.min(self.max_wait) };
        Busy { retry_after: wait.max(SHORTEST_RETRY) }
    }

    /// Learns from an answer, and wakes who may go or need no longer wait.
    fn observe(&self, grant: Grant, status: u16, headers: &HeaderMap) {
        let mut state = self.lock();
        let told = state.bucket.observe(grant, status, headers, Instant::now());
        if status == 429 {
            state.line.wake_all();
        } else {
            state.line.wake();
        }
        drop(state);
        if let Some((limit, remaining)) = told {
            self.metrics.budget(limit, remaining);
        }
    }

    /// Notes that a request got no answer.
    fn lost(&self, grant: Grant) {
        let mut state = self.lock();
        state.bucket.lost(grant);
        state.line.wake();
    }

    /// The state, also after a panic elsewhere: it is a handful of numbers.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Learns from the answer to the request.
    pub(super) fn answered(mut self, status: u16, headers: &HeaderMap) {
        if let Some(grant) = self.grant.take() {
            self.budget.observe(grant, status, headers);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(grant) = self.grant.take() {
            self.budget.lost(grant);
        }
    }
}

/// A place in the line, given up when it is dropped.
#[derive(Debug)]
struct Place<'b> {
    budget: &'b Budget,
    /// Which line.
    class: Priority,
    /// The number in it.
    id: u64,
    /// The end of the wait.
    deadline: Instant,
}

impl Place<'_> {
    /// Waits for a permit until the deadline.
    async fn turn(self, woken: &Notify) -> Result<Grant, Busy> {
        loop {
            let until = match self.ask(Instant::now()) {
                AskedAgain::Go(grant) => return Ok(grant),
                AskedAgain::Refused(busy) => return Err(busy),
                AskedAgain::Wait(until) => until,
            };
            tokio::select! {
                () = woken.notified() => {}
                () = sleep_until(until) => {}
            }
        }
    }

    /// A permit if this place is the first and there is one.
    fn ask(&self, now: Instant) -> AskedAgain {
        let mut state = self.budget.lock();
        let State { bucket, line } = &mut *state;
        let first = line.is_first(self.id);
        let until = match bucket.turn(self.class, now) {
            Turn::Now if first => return AskedAgain::Go(bucket.take(now)),
            Turn::At(at) if first || bucket.is_blocked() => at,
            Turn::Now | Turn::At(_) | Turn::AfterProbe => self.deadline,
        };
        if now >= self.deadline || (until > self.deadline && bucket.is_sure()) {
            let wait = bucket.wait(self.class, line.len(), now);
            return AskedAgain::Refused(self.budget.busy(bucket, wait));
        }
        AskedAgain::Wait(until.min(self.deadline))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.budget.lock();
        state.line.leave(self.class, self.id);
        self.budget.metrics.budget_waiting(state.line.len());
    }
}
