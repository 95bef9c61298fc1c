//! One attempt from top to bottom: admit, record, acquire a permit, call, resolve, finish.

use std::mem;
use std::sync::Arc;

use tokio::time::{Instant, sleep};

use super::call::{AttemptRunner, PreparedCall};
use super::in_flight::Leader;
use super::outcome::{Outcome, SignupResult};
use super::{Admission, AdmissionCost, Inner, KeyedRequest, POLL, Rejection};
use crate::ledger::{
    AttemptId, Basis, BeginResult, FinishAttempt, LedgerError, NewAttempt, NewKey,
};
use crate::telemetry::chain;

/// The most tries to record an attempt whose key another replica took first and then freed.
const RECORD_TRIES: u32 = 3;

/// The most tries to record a result.
const FINISH_TRIES: u32 = 5;

impl Inner {
    /// Replays a completed attempt or runs a new one, then publishes the result to every waiter.
    pub(super) async fn run(
        self: &Arc<Self>,
        request: KeyedRequest,
        admission: Admission,
        leader: Leader,
        completed: Option<AttemptId>,
    ) {
        let replayed = match completed {
            // Boxed, here and below: what is rare should not enlarge the task of every sign-up.
            Some(id) => Box::pin(self.replay_remembered(&request, id)).await.map(|r| (r, Some(id))),
            None => None,
        };
        let (result, attempt) = match replayed {
            Some(replayed) => replayed,
            None => self.start_new(&request, admission, &leader).await,
        };
        if leader.has_no_waiters() {
            log_unobserved(&request, &result);
        }
        leader.publish(result, attempt, Instant::now());
    }

    /// Replays a recorded key, or admits and runs a new attempt.
    async fn start_new(
        self: &Arc<Self>,
        request: &KeyedRequest,
        admission: Admission,
        leader: &Leader,
    ) -> (SignupResult, Option<AttemptId>) {
        if let Some(key) = &request.key {
            match self.ledger.find_key(key, self.clock.now()).await {
                Ok(None) => {}
                Ok(Some(attempt)) => {
                    if let Some(result) = Box::pin(self.replay_key(request, attempt)).await {
                        return (result, None);
                    }
                }
                Err(error) => return (error.into(), None),
            }
        } else {
            leader.send_state().mark_new();
        }
        let admitted = tokio::select! {
            admitted = admission.decide() => admitted.map_err(Outcome::Rejected),
            () = leader.no_waiters() => Err(Outcome::Abandoned),
        };
        match admitted {
            Ok(cost) => self.record_and_run(request, cost, leader).await,
            Err(outcome) => (SignupResult::new(outcome), None),
        }
    }

    /// Records a new attempt and executes it, or replays a key that another replica took since the
    /// lookup.
    async fn record_and_run(
        self: &Arc<Self>,
        request: &KeyedRequest,
        mut cost: AdmissionCost,
        leader: &Leader,
    ) -> (SignupResult, Option<AttemptId>) {
        for _ in 0..RECORD_TRIES {
            let call = PreparedCall::new(self.clock.now(), request.user.terms.clone());
            // Paid once, even when the first try meets a key.
            let attempt = self.new_attempt(request, &call, mem::take(&mut cost));
            let result = match self.ledger.begin(attempt).await {
                Ok(BeginResult::Started) => {
                    return (self.execute(request, &call, leader).await, Some(call.id));
                }
                Ok(BeginResult::Existing(attempt)) => {
                    match Box::pin(self.replay_key(request, *attempt)).await {
                        Some(result) => result,
                        None => continue,
                    }
                }
                Ok(BeginResult::RateLimited { limit, retry_after }) => {
                    let rejection = Rejection::Limited { limit, retry_after };
                    SignupResult::new(Outcome::Rejected(rejection))
                }
                Ok(BeginResult::ProofAlreadyUsed) => {
                    SignupResult::new(Outcome::Rejected(Rejection::ProofUsed))
                }
                Err(error) => error.into(),
            };
            return (result, None);
        }
        // Another replica was first each time, and may be so again.
        (SignupResult::new(Outcome::InProgress), None)
    }

    /// Makes the call of a recorded attempt, and records its result.
    async fn execute(
        self: &Arc<Self>,
        request: &KeyedRequest,
        call: &PreparedCall,
        leader: &Leader,
    ) -> SignupResult {
        leader.set_attempt(call.id);
        leader.send_state().mark_new();
        // Until the call is sent, a client that disconnects also gives up its place in the queue.
        let permit = tokio::select! {
            permit = self.auth0.admit() => permit.map_err(SignupResult::from),
            () = leader.no_waiters() => Err(SignupResult::new(Outcome::Abandoned)),
        };
        let result = match permit {
            Ok(permit) if leader.send_state().may_send() => {
                AttemptRunner::new(self, request, call).run(permit).await
            }
            Ok(_) => SignupResult::new(Outcome::Abandoned),
            Err(result) => result,
        };
        let result = self.finish(call, result).await;
        if matches!(result.outcome, Outcome::EmailTaken) {
            self.notify_existing_account(request, call.id);
        }
        result
    }

    /// Records the result of an attempt, and returns it whether or not that succeeds.
    ///
    /// The client does not wait for further tries. If they fail too, the attempt stays open and the
    /// reconciler finds the same result.
    pub(super) async fn finish(
        self: &Arc<Self>,
        call: &PreparedCall,
        result: SignupResult,
    ) -> SignupResult {
        let finished_at = self.clock.now();
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
            drop(self.lifecycle.spawn(async move { inner.retry_finish(finish, error).await }));
        }
        result
    }

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
