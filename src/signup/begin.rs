//! The work of a turn: a known key is answered, a new attempt begun and seen through.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::in_flight::Leader;
use super::outcome::{Done, Outcome};
use super::settle::{AttemptRunner, Settled};
use super::{Admission, AdmissionCost, Inner, KeyedRequest, POLL, Rejection};
use crate::domain::TermsVersion;
use crate::ledger::{
    AttemptId, Basis, BeginResult, FinishAttempt, LedgerError, NewAttempt, NewKey, PinnedUserId,
};
use crate::telemetry::chain;

/// How often an outcome that the ledger does not take is offered to it again, in all.
const FINISH_TRIES: u32 = 5;

/// How often an attempt is begun whose key another replica took first and then gave up, in all.
const BEGINNINGS: u32 = 3;

/// What an attempt is made of, for its call.
#[derive(Debug)]
pub(super) struct PreparedCall {
    pub(super) id: AttemptId,
    pub(super) user_id: PinnedUserId,
    /// Since the Unix epoch.
    pub(super) started_at: Duration,
    /// The terms that its call says were accepted.
    pub(super) terms: Option<TermsVersion>,
}

impl Inner {
    /// Does what the turn is for, and tells all who wait.
    pub(super) async fn work(
        self: &Arc<Self>,
        person: KeyedRequest,
        admission: Admission,
        turn: Leader,
        known: Option<AttemptId>,
    ) {
        let again = match known {
            // Boxed, as below: what is rare is not to make every task of a sign-up larger.
            Some(id) => Box::pin(self.again(&person, id)).await.map(|done| (done, Some(id))),
            None => None,
        };
        let (done, attempt) = match again {
            Some(again) => again,
            None => self.first(&person, admission, &turn).await,
        };
        if turn.is_deserted() {
            let outcome = done.outcome.code();
            tracing::info!(
                request_id = person.request_id,
                outcome,
                error = done.cause.as_deref().map(|cause| chain(cause)),
                "a sign-up whose caller has gone ended: {outcome}"
            );
        }
        turn.tell(done, attempt, Instant::now());
    }

    /// Answers a known key, or begins a new attempt.
    async fn first(
        self: &Arc<Self>,
        person: &KeyedRequest,
        admission: Admission,
        turn: &Leader,
    ) -> (Done, Option<AttemptId>) {
        if person.key.is_none() {
            turn.step().is_new();
        }
        if let Some(key) = &person.key {
            match self.ledger.find_key(key, self.clock.now()).await {
                Ok(None) => {}
                Ok(Some(attempt)) => {
                    if let Some(done) = Box::pin(self.known(person, attempt)).await {
                        return (done, None);
                    }
                }
                Err(error) => return (error.into(), None),
            }
        }
        let admitted = tokio::select! {
            admitted = admission.decide() => admitted.map_err(Outcome::Refused),
            () = turn.deserted() => Err(Outcome::Abandoned),
        };
        match admitted {
            Ok(cost) => self.begin(person, cost, turn).await,
            Err(outcome) => (Done::new(outcome), None),
        }
    }

    /// Begins a new attempt and sees it through, or answers a key that another replica took since
    /// it was looked up.
    async fn begin(
        self: &Arc<Self>,
        person: &KeyedRequest,
        mut cost: AdmissionCost,
        turn: &Leader,
    ) -> (Done, Option<AttemptId>) {
        for _ in 0..BEGINNINGS {
            let made = PreparedCall::new(self.clock.now(), person.user.terms.clone());
            // Given once: a beginning that meets a key has given it all the same.
            let cost = std::mem::take(&mut cost);
            let begun = self.ledger.begin(self.new_attempt(person, &made, cost)).await;
            let done = match begun {
                Ok(BeginResult::Started) => {
                    return (self.see_through(person, &made, turn).await, Some(made.id));
                }
                Ok(BeginResult::Existing(attempt)) => {
                    match Box::pin(self.known(person, *attempt)).await {
                        Some(done) => done,
                        None => continue,
                    }
                }
                Ok(BeginResult::RateLimited { limit, retry_after }) => {
                    Done::new(Outcome::Refused(Rejection::Limited { limit, retry_after }))
                }
                Ok(BeginResult::ProofAlreadyUsed) => {
                    Done::new(Outcome::Refused(Rejection::ProofUsed))
                }
                Err(error) => error.into(),
            };
            return (done, None);
        }
        // Somebody else always came first, and may have done so again.
        (Done::new(Outcome::InProgress), None)
    }

    /// Makes the call of an attempt that is written down, and writes down what came of it.
    async fn see_through(
        self: &Arc<Self>,
        person: &KeyedRequest,
        made: &PreparedCall,
        turn: &Leader,
    ) -> Done {
        turn.begun(made.id);
        turn.step().is_new();
        // While nothing is sent, a caller that goes away takes its place in the line along.
        let admitted = tokio::select! {
            admitted = self.auth0.admit() => admitted.map_err(Settled::refused),
            () = turn.deserted() => Err(Settled::abandoned()),
        };
        let settled = match admitted {
            Ok(pass) if turn.step().may_send() => {
                let in_doubt = AtomicBool::new(false);
                let attempting = self.attempting(person, made, &in_doubt);
                let work = timeout(self.times.attempt, attempting.begin(pass));
                work.await.unwrap_or_else(|_| Settled::out_of_time(&in_doubt))
            }
            Ok(_) => Settled::abandoned(),
            Err(settled) => settled,
        };
        let done = self.finish(made.id, settled).await;
        if matches!(done.outcome, Outcome::EmailTaken) {
            self.tell_owner(person, made.id);
        }
        done
    }

    pub(super) fn attempting<'a>(
        &'a self,
        person: &'a KeyedRequest,
        made: &'a PreparedCall,
        in_doubt: &'a AtomicBool,
    ) -> AttemptRunner<'a> {
        AttemptRunner {
            auth0: &self.auth0,
            ledger: &*self.ledger,
            clock: &*self.clock,
            id: made.id,
            email: &person.email,
            pin: &self.pin,
            user: &person.user,
            user_id: &made.user_id,
            request_id: &person.request_id,
            started_at: made.started_at,
            terms: made.terms.as_ref(),
            in_doubt,
            is_quiet: false,
            deadline: Instant::now() + self.times.retry,
        }
    }

    fn new_attempt(
        &self,
        person: &KeyedRequest,
        made: &PreparedCall,
        admission_cost: AdmissionCost,
    ) -> NewAttempt {
        NewAttempt {
            id: made.id,
            email: person.email.current,
            key: person.key.map(|key| NewKey {
                key,
                binding: person.binding.current,
                expires_at: made.started_at + self.times.key_lifetime,
            }),
            user_id: made.user_id.clone(),
            request_id: person.request_id.clone(),
            terms: made.terms.clone(),
            started_at: made.started_at,
            leased_until: made.started_at + self.times.lease,
            admission_cost,
        }
    }

    /// Writes down what came of an attempt. The caller is told the truth even when the ledger
    /// cannot be written, and does not wait for the further tries; should they fail too, the row
    /// stays open and the settler finds the same truth.
    pub(super) async fn finish(self: &Arc<Self>, id: AttemptId, settled: Settled) -> Done {
        let Settled { done, verdict, auth0_request_id } = settled;
        let finished_at = self.clock.now();
        let finish = FinishAttempt {
            id,
            resolution: verdict.verdict(finished_at),
            outcome_code: done.outcome.code(),
            auth0_request_id,
            finished_at,
            basis: Basis::Observed,
        };
        if let Err(error) = self.ledger.finish(finish.clone()).await {
            let shared = Arc::clone(self);
            drop(self.lifecycle.spawn(async move { shared.finish_later(finish, error).await }));
        }
        done
    }

    async fn finish_later(&self, finish: FinishAttempt, mut error: LedgerError) {
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
            "an outcome could not be written down; the settler will look it up"
        );
    }
}

impl PreparedCall {
    fn new(now: Duration, terms: Option<TermsVersion>) -> Self {
        Self { id: AttemptId::new(now), user_id: PinnedUserId::random(), started_at: now, terms }
    }
}
