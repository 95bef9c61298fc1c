//! One attempt from start to finish: admit, record, acquire a permit, call, resolve, finish.

use std::sync::Arc;

use super::call::{AttemptRunner, PreparedCall};
use super::identity::KeyedRequest;
use super::in_flight::Leader;
use super::outcome::{Outcome, SignupResult};
use super::{Admission, AdmissionCost, Admitted, Inner, Rejection};
use crate::auth0::{CallPermit, Priority};
use crate::clock::LedgerTime;
use crate::ledger::{Basis, BeginResult, KeyLookup, NewAttempt, Urgency};
use crate::telemetry::{LogGate, chain};

/// The most tries to look up and record a key that other requests take and free meanwhile.
const RECORD_TRIES: u32 = 3;

/// Bounds the lines about conflicts that stay open, of which an outage has one for each form.
static OPEN_CONFLICT_LOG: LogGate = LogGate::new();

/// The way in which a request begins its attempt.
#[derive(Debug)]
enum Start {
    /// The key is new at this time of the ledger.
    New(LedgerTime),
    /// An attempt with this key was restartable, and has started again.
    Restarted(PreparedCall),
}

impl Inner {
    /// Runs a sign-up and sends its result to every waiter.
    pub(super) async fn run_and_announce(
        self: &Arc<Self>,
        mut request: KeyedRequest,
        admission: Admission,
        leader: Leader,
    ) {
        match self.run_attempt(&request, admission, &leader).await {
            Ok((call, result)) => {
                // Every call has ended.
                request.user.password.wipe();
                self.conclude(&request, &call, result, leader).await;
            }
            Err(early) => leader.announce(&request, early),
        }
    }

    /// Runs one attempt up to its result. `Err` is a result that needed no attempt.
    async fn run_attempt(
        self: &Arc<Self>,
        request: &KeyedRequest,
        admission: Admission,
        leader: &Leader,
    ) -> Result<(PreparedCall, SignupResult), SignupResult> {
        let call = match self.look_up_key(request, leader).await? {
            Start::Restarted(call) => call,
            Start::New(now) => {
                leader.send_state().mark_new();
                let cost = admit(admission, leader).await?;
                // Another replica may take the key from here on.
                if !leader.send_state().mark_early() {
                    return Err(SignupResult::new(Outcome::Abandoned));
                }
                self.record(request, cost, now, leader).await?
            }
        };
        let result = match self.acquire_permit(leader).await {
            Ok(permit) => AttemptRunner::new(self, request, &call).call_and_resolve(permit).await,
            Err(result) => result.restartable(),
        };
        Ok((call, result))
    }

    /// Looks the key up. `Err` is the result of an earlier identical request.
    async fn look_up_key(
        self: &Arc<Self>,
        request: &KeyedRequest,
        leader: &Leader,
    ) -> Result<Start, SignupResult> {
        for _ in 0..RECORD_TRIES {
            let KeyLookup { now, attempt } =
                request.ledger_wait.limit(self.ledger.find_key(&request.key)).await?;
            let Some(attempt) = attempt else { return Ok(Start::New(now)) };
            // What is rare is boxed, here and below: it would enlarge every sign-up's task.
            if let Some(call) = Box::pin(self.replay_key(request, attempt, leader)).await? {
                return Ok(Start::Restarted(call));
            }
        }
        Err(SignupResult::new(Outcome::InProgress))
    }

    /// Records a new attempt and pays its cost. `Err` when it may not start, or when another
    /// replica took its key since the lookup.
    async fn record(
        self: &Arc<Self>,
        request: &KeyedRequest,
        mut cost: AdmissionCost,
        now: LedgerTime,
        leader: &Leader,
    ) -> Result<PreparedCall, SignupResult> {
        for _ in 0..RECORD_TRIES {
            let call = PreparedCall::new(self, request, now);
            let begin = self.ledger.begin(self.new_attempt(request, &call, cost.clone()));
            match request.ledger_wait.limit(begin).await {
                Ok(BeginResult::Started) => return Ok(call),
                Ok(BeginResult::Existing(attempt)) => {
                    if let Some(call) = Box::pin(self.replay_key(request, *attempt, leader)).await?
                    {
                        return Ok(call);
                    }
                }
                Ok(BeginResult::RateLimited { limit, retry_after }) => {
                    return Err(Rejection::Limited { limit, retry_after }.into());
                }
                Ok(BeginResult::ProofAlreadyUsed) => return Err(Rejection::ProofUsed.into()),
                Err(error) => {
                    self.release_unsent(call);
                    return Err(error.into());
                }
            }
            // Permits are perhaps spent, and a proof is not.
            cost.charges.clear();
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
            permit = self.auth0.admit(Priority::Create) => permit?,
            () = leader.abandoned() => return Err(SignupResult::new(Outcome::Abandoned)),
        };
        if leader.send_state().may_send() {
            Ok(permit)
        } else {
            Err(SignupResult::new(Outcome::Abandoned))
        }
    }

    /// Sends the result of an attempt to its waiters, and records it.
    ///
    /// A result that can be found again is recorded after the response, unless another process may have taken the
    /// attempt over. Until then, duplicate requests join this one.
    async fn conclude(
        self: &Arc<Self>,
        request: &KeyedRequest,
        call: &PreparedCall,
        result: SignupResult,
        leader: Leader,
    ) {
        let basis = self.worked(call, None, None);
        let is_certain = !self.claims_no_user(&result) || !self.may_be_taken_over(call.alive);
        let result = if is_certain && self.can_be_found_again(&result) {
            leader.announce(request, result.clone());
            // Ignored: the client has it.
            drop(self.finish(request, call, &result, basis, Urgency::Unawaited).await);
            result
        } else {
            let result = self.finish_first(request, call, result, basis).await;
            leader.announce(request, result.clone());
            result
        };
        drop(leader);
        if matches!(result.outcome, Outcome::EmailTaken) {
            Box::pin(self.follow_up_conflict(request, call, result)).await;
        }
    }

    /// Follows up a conflict that every client has the response to, and every replica the record.
    ///
    /// A result without a lookup is checked now. If the user is this sign-up's own, the record
    /// becomes `created`. An inconclusive lookup leaves the record as it is.
    async fn follow_up_conflict(
        self: &Arc<Self>,
        request: &KeyedRequest,
        call: &PreparedCall,
        result: SignupResult,
    ) {
        let checked = if result.is_unchecked {
            let runner = AttemptRunner::new(self, request, call);
            runner.within_timeout(runner.check_conflict(result)).await
        } else {
            result
        };
        match checked.outcome {
            Outcome::EmailTaken => {}
            Outcome::Created(_) => {
                let (basis, urgency) = (Basis::Observed, Urgency::Unawaited);
                drop(self.finish(request, call, &checked, basis, urgency).await);
                return;
            }
            other if OPEN_CONFLICT_LOG.is_due() => tracing::warn!(
                attempt = %call.id,
                error = checked.cause.as_deref().map(|cause| chain(cause)),
                "a lookup did not show whose user has the address: {}", other.code()
            ),
            _ => {}
        }
        // Also where the lookup decided nothing: a mail too many, to one's own mailbox, does no harm. Without it
        // the person would wait in vain.
        self.notify_existing_account(request, call.id);
    }

    /// Returns whether the next request with the key would find this result without its record.
    fn can_be_found_again(&self, result: &SignupResult) -> bool {
        let is_at_the_tenant = matches!(result.outcome, Outcome::Created(_) | Outcome::EmailTaken);
        is_at_the_tenant && self.can_find_users()
    }

    /// The row of a new attempt.
    pub(super) fn new_attempt(
        &self,
        request: &KeyedRequest,
        call: &PreparedCall,
        cost: AdmissionCost,
    ) -> NewAttempt {
        NewAttempt {
            id: call.id,
            email: request.email.current,
            key: request.new_key(&self.timeouts),
            user_id: call.user_id.clone(),
            request_id: request.request_id.clone(),
            terms: call.terms.clone(),
            tenant_started_at: call.tenant_started_at,
            lease: self.lease(),
            admission_cost: cost,
            urgency: if self.can_find_users() { Urgency::Unawaited } else { Urgency::Awaited },
        }
    }
}

/// Decides whether a new attempt may start, unless every client disconnects first.
async fn admit(admission: Admission, leader: &Leader) -> Result<AdmissionCost, SignupResult> {
    let Admitted { cost, recorder } = tokio::select! {
        admitted = admission.decide() => admitted?,
        () = leader.abandoned() => return Err(SignupResult::new(Outcome::Abandoned)),
    };
    leader.set_recorder(recorder);
    Ok(cost)
}
