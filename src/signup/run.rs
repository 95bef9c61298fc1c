//! One attempt from start to finish: admit, record, acquire a permit, call, resolve, finish.

use std::mem;
use std::sync::Arc;

use tokio::time::sleep;

use super::call::{AttemptRunner, PreparedCall};
use super::in_flight::Leader;
use super::outcome::{Outcome, SignupResult};
use super::{Admission, AdmissionCost, Inner, KeyedRequest, POLL, Rejection};
use crate::auth0::CallPermit;
use crate::ledger::{Basis, BeginResult, FinishAttempt, LedgerError, NewAttempt, NewKey};
use crate::telemetry::chain;

/// The most tries to record an attempt whose key another replica took first and then freed.
const RECORD_TRIES: u32 = 3;

/// The most tries to record a result.
const FINISH_TRIES: u32 = 5;

impl Inner {
    /// Runs a sign-up and publishes its result to every waiter.
    pub(super) async fn run(
        self: &Arc<Self>,
        request: KeyedRequest,
        admission: Admission,
        leader: Leader,
    ) {
        let result = self.attempt(&request, admission, &leader).await;
        let result = result.unwrap_or_else(|early| early);
        if leader.has_no_waiters() {
            log_unobserved(&request, &result);
        }
        leader.publish(result);
    }

    /// Runs one attempt from start to finish. `Err` is a result that needed no attempt.
    async fn attempt(
        self: &Arc<Self>,
        request: &KeyedRequest,
        admission: Admission,
        leader: &Leader,
    ) -> Result<SignupResult, SignupResult> {
        self.replay_existing(request, leader).await?;
        let cost = admit(admission, leader).await?;
        let call = self.record(request, cost).await?;
        leader.set_attempt(call.id);
        let result = match self.acquire_permit(leader).await {
            Ok(permit) => AttemptRunner::new(self, request, &call).run(permit).await,
            Err(unsent) => unsent,
        };
        self.finish(&call, &result).await;
        if matches!(result.outcome, Outcome::EmailTaken) {
            self.notify_existing_account(request, call.id);
        }
        Ok(result)
    }

    /// Replays an earlier identical request, as `Err`, if there is one.
    async fn replay_existing(
        self: &Arc<Self>,
        request: &KeyedRequest,
        leader: &Leader,
    ) -> Result<(), SignupResult> {
        // Replays are boxed, here and below: they are rare, and would enlarge every sign-up's task.
        if let Some(id) = leader.remembered()
            && let Some(result) = Box::pin(self.replay_remembered(request, id)).await
        {
            return Err(result);
        }
        let Some(key) = &request.key else {
            leader.send_state().mark_new();
            return Ok(());
        };
        match self.ledger.find_key(key, self.context.clock.now()).await? {
            Some(attempt) => Box::pin(self.replay_key(request, attempt)).await.map_or(Ok(()), Err),
            None => Ok(()),
        }
    }

    /// Records a new attempt and pays its cost. `Err` when it may not start, or when another
    /// replica took its key since the lookup.
    async fn record(
        self: &Arc<Self>,
        request: &KeyedRequest,
        mut cost: AdmissionCost,
    ) -> Result<PreparedCall, SignupResult> {
        for _ in 0..RECORD_TRIES {
            let call = PreparedCall::new(self.context.clock.now(), request.user.terms.clone());
            // Paid once, even if the first try finds the key taken.
            let attempt = self.new_attempt(request, &call, mem::take(&mut cost));
            let rejection = match self.ledger.begin(attempt).await? {
                BeginResult::Started => return Ok(call),
                BeginResult::Existing(attempt) => {
                    match Box::pin(self.replay_key(request, *attempt)).await {
                        Some(result) => return Err(result),
                        None => continue,
                    }
                }
                BeginResult::RateLimited { limit, retry_after } => {
                    Rejection::Limited { limit, retry_after }
                }
                BeginResult::ProofAlreadyUsed => Rejection::ProofUsed,
            };
            return Err(SignupResult::new(Outcome::Rejected(rejection)));
        }
        // Another replica took the key each time, and may do so again.
        Err(SignupResult::new(Outcome::InProgress))
    }

    /// Waits for permission to make the call of a recorded attempt. `Err` when nothing was sent and
    /// nothing will be.
    async fn acquire_permit(&self, leader: &Leader) -> Result<CallPermit, SignupResult> {
        leader.send_state().mark_new();
        // Until the call is sent, a client that disconnects also gives up its place in the queue.
        let permit = tokio::select! {
            permit = self.auth0.admit() => permit?,
            () = leader.no_waiters() => return Err(SignupResult::new(Outcome::Abandoned)),
        };
        if leader.send_state().may_send() {
            Ok(permit)
        } else {
            Err(SignupResult::new(Outcome::Abandoned))
        }
    }

    /// Records the result of an attempt.
    ///
    /// If the first try fails, the client gets its result without waiting for further ones. If they
    /// fail too, the attempt stays open and the reconciler finds the same result.
    pub(super) async fn finish(self: &Arc<Self>, call: &PreparedCall, result: &SignupResult) {
        let finished_at = self.context.clock.now();
        let finish = FinishAttempt {
            id: call.id,
            resolution: result.outcome.resolution(&call.user_id, finished_at),
            outcome_code: result.outcome.code(),
            auth0_request_id: result.auth0_request_id.clone(),
            finished_at,
            basis: Basis::Observed,
        };
        if let Err(error) = self.ledger.finish(finish.clone()).await {
            let inner = Arc::clone(self);
            drop(
                self.context
                    .lifecycle
                    .spawn(async move { inner.retry_finish(finish, error).await }),
            );
        }
    }

    /// Tries again to record a result, with growing pauses.
    async fn retry_finish(&self, finish: FinishAttempt, mut error: LedgerError) {
        let mut pause = POLL;
        for _ in 1..FINISH_TRIES {
            if matches!(error, LedgerError::Corrupt(_)) {
                break;
            }
            sleep(pause).await;
            pause *= 2;
            error = match self.ledger.finish(finish.clone()).await {
                Ok(_) => return,
                Err(error) => error,
            };
        }
        tracing::error!(
            attempt = %finish.id,
            error = chain(&error),
            "an outcome could not be recorded; the reconciler will look it up"
        );
    }

    /// The row of a new attempt.
    fn new_attempt(
        &self,
        request: &KeyedRequest,
        call: &PreparedCall,
        cost: AdmissionCost,
    ) -> NewAttempt {
        NewAttempt {
            id: call.id,
            email: request.email.current,
            key: request.key.map(|key| NewKey {
                key,
                binding: request.binding.current,
                expires_at: call.started_at + self.timeouts.key_lifetime,
            }),
            user_id: call.user_id.clone(),
            request_id: request.request_id.clone(),
            terms: call.terms.clone(),
            started_at: call.started_at,
            leased_until: call.started_at + self.timeouts.lease,
            admission_cost: cost,
        }
    }
}

/// Decides whether a new attempt may start, unless every client disconnects first.
async fn admit(admission: Admission, leader: &Leader) -> Result<AdmissionCost, SignupResult> {
    let admitted = tokio::select! {
        admitted = admission.decide() => admitted.map_err(Outcome::Rejected),
        () = leader.no_waiters() => Err(Outcome::Abandoned),
    };
    admitted.map_err(SignupResult::new)
}

/// Logs a result that no client waits for any more.
fn log_unobserved(request: &KeyedRequest, result: &SignupResult) {
    let outcome = result.outcome.code();
    tracing::info!(
        request_id = request.request_id,
        outcome,
        error = result.cause.as_deref().map(|cause| chain(cause)),
        "a sign-up ended after its client had disconnected: {outcome}"
    );
}
