//! The tenant's rate limit as a budget.
//!
//! While the tenant has permits to spare, nothing is delayed. When it runs low, calls wait in
//! order. When the wait would be too long, they are rejected with an honest time to come back.
//!
//! The tenant limits by a token bucket and reports it in the headers of every response. Those
//! headers are all that this service knows, and all that its replicas share. [`bucket`] mirrors the
//! tenant's bucket, [`refill_estimator`] measures how fast it fills, [`cooldown`] holds the wait
//! after a 429, and [`wait_queue`] the calls that wait. This module does the waiting. It needs no
//! task: every waiter sleeps by itself, the first until its permit, the others until they are woken
//! or time out.
//!
//! Assumes that creates and lookups share one bucket. On plans that count them separately, a
//! response to one may overstate the permits for the other until a 429 corrects it.
//!
//! `docs/decisions/0007-tenant-budget.md` has the reasons and the measurements.

mod bucket;
mod cooldown;
mod refill_estimator;
mod sent_request;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod wait_queue;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use self::bucket::Bucket;
use self::sent_request::{NextSend, SentRequest};
use self::wait_queue::{Place, WaitQueue};
use super::wait::RequestedWait;
use crate::config::BudgetSettings;
use crate::telemetry::Metrics;

/// The shortest `retry_after` that is reported.
const SHORTEST_RETRY: Duration = Duration::from_secs(1);

/// The purpose of a call. Calls wait in the order of the variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// The repeated call of a sign-up whose client waits, after a lookup that found no user. Goes first,
    /// and is otherwise treated like a lookup: it ends the resolution, so that no further lookups follow.
    Repeat,
    /// Resolves a sign-up whose client waits. May use the reserve, and is never rejected because the
    /// queue is full.
    Lookup,
    /// A new sign-up.
    Create,
    /// Finds out whether the user that a create-user call conflicts with is its own, or looks again for
    /// the user of a call that cannot be repeated yet. Goes after creates and is rejected like one, so
    /// that these lookups take no permit from sign-ups.
    Check,
    /// Resolves an attempt that no client waits for.
    Background,
    /// Adds detail to a response that is complete without it. Sent only if there is a permit to
    /// spare, and never waits.
    BestEffort,
}

/// No permit becomes available within the time that a sign-up waits for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BudgetExhausted {
    /// The time until one should be available, counting the calls that wait now.
    pub(super) retry_after: Duration,
}

/// The budget of one tenant.
#[derive(Debug)]
pub(super) struct Budget {
    /// The longest time that one call waits.
    max_wait: Duration,
    /// The most calls that wait at once.
    max_waiting: usize,
    /// Never held across an await.
    state: Mutex<BudgetState>,
    metrics: Arc<Metrics>,
}

/// The part of the budget that changes.
#[derive(Debug)]
struct BudgetState {
    bucket: Bucket,
    queue: WaitQueue,
}

/// The reply to a call that asks for a permit.
#[derive(Debug)]
enum PermitReply<W> {
    /// A permit.
    Go(SentRequest),
    /// Waiting is not worth it, or no longer.
    Rejected(BudgetExhausted),
    /// The wait, as its caller needs it.
    Wait(W),
}

/// Permission to send one request now.
///
/// A permit that is dropped without a response counts as spent, since the tenant may have counted
/// it.
#[derive(Debug)]
pub(super) struct Permit {
    budget: Arc<Budget>,
    request: SentRequest,
    /// Set once its response was recorded.
    is_recorded: bool,
}

impl Budget {
    /// Returns a budget of which nothing is known yet.
    pub(super) fn new(settings: &BudgetSettings, metrics: Arc<Metrics>) -> Arc<Self> {
        let bucket = Bucket::new(settings, Instant::now());
        Arc::new(Self {
            max_wait: settings.max_wait,
            max_waiting: settings.max_waiting,
            state: Mutex::new(BudgetState { bucket, queue: WaitQueue::default() }),
            metrics,
        })
    }

    /// Takes a permit, waiting for it in order. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// [`BudgetExhausted`] at once if the wait would be too long, or later if it has become too
    /// long.
    pub(super) async fn take(
        self: &Arc<Self>,
        priority: Priority,
    ) -> Result<Permit, BudgetExhausted> {
        let now = Instant::now();
        let taken = match self.ask(priority, now) {
            PermitReply::Go(request) => Ok(request),
            PermitReply::Rejected(exhausted) => Err(exhausted),
            PermitReply::Wait((place, woken)) => {
                let ticket = QueueTicket { budget: self, place, deadline: now + self.max_wait };
                ticket.wait(&woken).await
            }
        };
        // Only a rejected create turns a sign-up away.
        if taken.is_err() && priority == Priority::Create {
            self.metrics.budget_exhausted();
        }
        let budget = Arc::clone(self);
        taken.map(|request| Permit { budget, request, is_recorded: false })
    }

    /// Grants a permit if one is free for a newcomer. If the wait is worth it, returns a place in the queue,
    /// and the signal that wakes its holder.
    fn ask(&self, priority: Priority, now: Instant) -> PermitReply<(Place, Arc<Notify>)> {
        let mut state = self.state.lock();
        let BudgetState { bucket, queue } = &mut *state;
        let ahead = queue.ahead(priority);
        if ahead == 0 && bucket.next_send(priority, now) == NextSend::Now {
            return PermitReply::Go(bucket.take(now));
        }
        let wait = bucket.wait(priority, ahead, now);
        let hopeless = bucket.is_sure() && wait > self.max_wait;
        // Each belongs to an attempt that was admitted, and a client waits for it.
        let is_resolution = matches!(priority, Priority::Lookup | Priority::Repeat);
        let full = !is_resolution && queue.len() >= self.max_waiting;
        if hopeless || full || priority == Priority::BestEffort {
            return PermitReply::Rejected(self.exhausted(bucket, wait));
        }
        let joined = queue.join(priority);
        self.metrics.budget_waiting(queue.len());
        PermitReply::Wait(joined)
    }

    /// The rejection of a call that would have to wait this long.
    ///
    /// If the wait is a guess, the only certainty is that the calls that wait now are gone after
    /// the longest wait.
    fn exhausted(&self, bucket: &Bucket, wait: Duration) -> BudgetExhausted {
        let wait = if bucket.is_sure() { wait } else { wait.min(self.max_wait) };
        BudgetExhausted { retry_after: wait.max(SHORTEST_RETRY) }
    }

    /// Returns whether the tenant asked for a wait of more than a minute, which is not over.
    pub(super) fn is_waiting_long(&self) -> bool {
        !self.state.lock().bucket.cooldown.long_wait(Instant::now()).is_zero()
    }

    /// Learns from a response other than a 429, and wakes the waiter that may go.
    fn observe(&self, request: SentRequest, status: u16, headers: &HeaderMap) {
        let mut state = self.state.lock();
        let reported = state.bucket.observe(request, status, headers, Instant::now());
        state.queue.wake();
        drop(state);
        self.report(reported);
    }

    /// Learns from a 429, and wakes the waiters, which may have to give up. Returns the time until
    /// requests are accepted again.
    fn observe_rejection(
        &self,
        request: SentRequest,
        headers: &HeaderMap,
        requested: RequestedWait,
    ) -> Duration {
        let (mut state, now) = (self.state.lock(), Instant::now());
        let reported = state.bucket.observe_rejection(request, headers, requested, now);
        let cooldown = state.bucket.cooldown.left(now);
        state.queue.wake_all();
        drop(state);
        self.report(reported);
        cooldown
    }

    /// Sets the metrics of the bucket that the tenant reported.
    fn report(&self, reported: Option<(u32, u32)>) {
        if let Some((limit, remaining)) = reported {
            self.metrics.budget(limit, remaining);
        }
    }

    /// Records that a request got no response.
    fn record_loss(&self, request: SentRequest) {
        let mut state = self.state.lock();
        state.bucket.record_loss(request, Instant::now());
        state.queue.wake();
    }
}

impl Permit {
    /// Learns from the response to the request, which is not a 429.
    pub(super) fn record_response(mut self, status: u16, headers: &HeaderMap) {
        self.is_recorded = true;
        self.budget.observe(self.request, status, headers);
    }

    /// Learns from the 429 that the request got. Returns the time until requests are accepted
    /// again: at least the requested wait, or a backoff if the 429 requests none.
    pub(super) fn record_rejection(
        mut self,
        headers: &HeaderMap,
        requested: RequestedWait,
    ) -> Duration {
        self.is_recorded = true;
        self.budget.observe_rejection(self.request, headers, requested)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.is_recorded {
            self.budget.record_loss(self.request);
        }
    }
}

/// A ticket in the queue. Dropping it leaves the queue.
#[derive(Debug)]
struct QueueTicket<'b> {
    budget: &'b Budget,
    place: Place,
    /// The end of the wait.
    deadline: Instant,
}

impl QueueTicket<'_> {
    /// Waits for a permit until the deadline.
    async fn wait(self, woken: &Notify) -> Result<SentRequest, BudgetExhausted> {
        loop {
            let until = match self.ask(Instant::now()) {
                PermitReply::Go(request) => return Ok(request),
                PermitReply::Rejected(exhausted) => return Err(exhausted),
                PermitReply::Wait(until) => until,
            };
            tokio::select! {
                () = woken.notified() => {}
                () = sleep_until(until) => {}
            }
        }
    }

    /// Grants a permit if this ticket is first and a permit is free. Else returns the time until which its
    /// holder waits unless woken earlier.
    fn ask(&self, now: Instant) -> PermitReply<Instant> {
        let mut state = self.budget.state.lock();
        let BudgetState { bucket, queue } = &mut *state;
        let (first, priority) = (queue.is_first(self.place), self.place.priority);
        let until = match bucket.next_send(priority, now) {
            NextSend::Now if first => return PermitReply::Go(bucket.take(now)),
            NextSend::At(at) if first || bucket.cooldown.is_blocked() => at,
            NextSend::Now | NextSend::At(_) | NextSend::AfterProbe => self.deadline,
        };
        if now >= self.deadline || (until > self.deadline && bucket.is_sure()) {
            let wait = bucket.wait(priority, queue.len(), now);
            return PermitReply::Rejected(self.budget.exhausted(bucket, wait));
        }
        PermitReply::Wait(until.min(self.deadline))
    }
}

impl Drop for QueueTicket<'_> {
    fn drop(&mut self) {
        let mut state = self.budget.state.lock();
        state.queue.leave(self.place);
        self.budget.metrics.budget_waiting(state.queue.len());
    }
}
