//! Recording of an attempt's result, also while the ledger fails.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, sleep_until, timeout};

use super::Inner;
use super::active_attempts::ActiveAttempt;
use super::call::PreparedCall;
use super::identity::KeyedRequest;
use super::outcome::{Outcome, SignupResult};
use super::replay::TAKE_OVER_MARGIN;
use crate::clock::LedgerTime;
use crate::ledger::{
    AdmissionCost, AttemptState, Basis, BeginResult, FinishAttempt, LedgerError, NewAttempt,
    Resolution, Urgency,
};
use crate::telemetry::{LogGate, chain};

/// The time before the deadline of a shutdown at which results are given up, so that each is logged.
const BEFORE_DEADLINE: Duration = Duration::from_millis(500);

/// The pause before the second try to record a result; doubled before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between two tries to record a result.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The pauses between the tries to release an attempt whose start was perhaps recorded: together
/// longer than a statement can take.
const RELEASE_PAUSES: [Duration; 6] = [
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(6),
    Duration::from_secs(12),
];

/// Pause between the tries to record a result while another process has the attempt.
const GIVE_BACK_POLL: Duration = Duration::from_millis(500);

/// Bounds the lines about starts that were lost: after a failed commit there may be hundreds.
static LOST_START_LOG: LogGate = LogGate::new();

impl Inner {
    /// The basis of a result of this process's own calls. `connection_ended_at`: the end of calls that the row had
    /// when the work began. `earlier_calls_end`: the end of the calls of other work.
    pub(super) const fn worked(
        &self,
        call: &PreparedCall,
        connection_ended_at: Option<LedgerTime>,
        earlier_calls_end: Option<LedgerTime>,
    ) -> Basis {
        let (process, restarts) = (self.heartbeat.process(), call.restarts);
        Basis::Worked { process, connection_ended_at, earlier_calls_end, restarts }
    }

    /// Records the result of an attempt, and returns the one that its client gets. If another process has taken the
    /// attempt over, that is the other process's result, or this one if it gives the attempt back. If another process
    /// may have taken it over and the ledger cannot be written, the outcome is unknown.
    pub(super) async fn finish_first(
        self: &Arc<Self>,
        request: &KeyedRequest,
        call: &PreparedCall,
        result: SignupResult,
        basis: Basis,
    ) -> SignupResult {
        let written = self.finish(request, call, &result, basis, Urgency::Awaited).await;
        if !self.claims_no_user(&result) {
            return result;
        }
        match written {
            Ok(false) => {
                let elsewhere = Box::pin(self.result_elsewhere(request, call.id)).await;
                if !matches!(elsewhere.outcome, Outcome::Unknown) {
                    return elsewhere;
                }
                // Perhaps given back, so that this result counts.
                let again = self.finish(request, call, &result, basis, Urgency::Awaited);
                match Box::pin(again).await {
                    Ok(true) => result,
                    // Perhaps recorded in the background just now.
                    Ok(false) => Box::pin(self.result_elsewhere(request, call.id)).await,
                    Err(_) => elsewhere,
                }
            }
            Err(error) if self.may_be_taken_over(call.alive) => {
                SignupResult::because(Outcome::Unknown, error)
            }
            Ok(true) | Err(_) => result,
        }
    }

    /// Returns whether the response to this result claims that the attempt created no user. The response to a conflict
    /// claims nothing where a new address gets the same one. A wait before it would show who has an account.
    pub(super) fn claims_no_user(&self, result: &SignupResult) -> bool {
        let is_hidden = self.hides_existence && matches!(result.outcome, Outcome::EmailTaken);
        result.rules_out_user() && !is_hidden
    }

    /// Records the result of an attempt. A created user is its own basis and replaces `basis`. Returns `false` if
    /// the result is void: the attempt has another one, or another process has taken it over.
    ///
    /// If the first try fails, the client gets its result without waiting for further ones. If they
    /// fail too, the attempt stays open and the reconciler finds the same result.
    ///
    /// # Errors
    /// When the first try fails.
    pub(super) async fn finish(
        self: &Arc<Self>,
        request: &KeyedRequest,
        call: &PreparedCall,
        result: &SignupResult,
        basis: Basis,
        urgency: Urgency,
    ) -> Result<bool, LedgerError> {
        let Some(resolution) = result.resolution(&call.user_id) else { return Ok(false) };
        let is_created = matches!(result.outcome, Outcome::Created(_));
        let finish = FinishAttempt {
            id: call.id,
            resolution,
            outcome_code: result.outcome.code(),
            auth0_request_id: result.auth0_request_id.clone(),
            basis: if is_created { Basis::Observed } else { basis },
            urgency,
        };
        let start = || NewAttempt {
            urgency: Urgency::Awaited,
            ..self.new_attempt(request, call, AdmissionCost::default())
        };
        let written = match request.ledger_wait.limit(self.ledger.finish(finish.clone())).await {
            // Boxed: it is rare, and would enlarge every sign-up's task.
            Ok(false) => {
                let write = Box::pin(self.write_missing(start(), &finish, &call.active));
                request.ledger_wait.limit(write).await
            }
            written => written,
        };
        if let Err(error) = &written {
            let (inner, start, active) = (Arc::clone(self), start(), call.active.clone());
            let error = error.clone();
            let retry = async move {
                let finish = FinishAttempt { urgency: Urgency::Awaited, ..finish };
                inner.retry_finish(start, finish, &active, error).await;
            };
            drop(self.context.lifecycle.spawn(retry));
        }
        written
    }

    /// Writes the whole row of an attempt whose result met none: a failover, a restored backup or a failed
    /// commit has lost its start. If another process has taken the attempt over, waits in the background. Returns
    /// whether the result is recorded.
    async fn write_missing(
        self: &Arc<Self>,
        start: NewAttempt,
        finish: &FinishAttempt,
        active: &ActiveAttempt,
    ) -> Result<bool, LedgerError> {
        if let Some(attempt) = self.ledger.get(finish.id).await? {
            let own = self.heartbeat.process();
            if attempt.leased_worker().is_some_and(|(worker, _)| worker.process != own) {
                self.finish_once_given_back(finish.clone(), active.clone());
            }
            return Ok(false);
        }
        // The new row is this process's own, and knows of no call.
        let worked = |earlier_calls_end| Basis::Worked {
            process: self.heartbeat.process(),
            connection_ended_at: None,
            earlier_calls_end,
            restarts: 0,
        };
        let basis = match finish.basis {
            Basis::Observed => Basis::Observed,
            Basis::Worked { earlier_calls_end, .. } => worked(earlier_calls_end),
            Basis::NotFound { connection_ended_at } => worked(connection_ended_at),
        };
        let finish = FinishAttempt { basis, ..finish.clone() };
        let id = finish.id;
        let is_written = self.ledger.begin(start).await? == BeginResult::Started
            && self.ledger.finish(finish).await?;
        if LOST_START_LOG.is_due() {
            tracing::error!(
                attempt = %id,
                is_written,
                "the ledger has lost the start of an attempt"
            );
        }
        Ok(is_written)
    }

    /// Records a result once the process that has taken the attempt over gives it back. If that does not, the
    /// result is void.
    fn finish_once_given_back(self: &Arc<Self>, finish: FinishAttempt, active: ActiveAttempt) {
        let inner = Arc::clone(self);
        let lasts = self.timeouts.attempt + TAKE_OVER_MARGIN;
        let record = async move {
            let _active = active;
            while !matches!(inner.ledger.finish(finish.clone()).await, Ok(true)) {
                sleep(GIVE_BACK_POLL).await;
            }
        };
        let record = async move { drop(timeout(lasts, record).await) };
        self.context.lifecycle.spawn_background(record);
    }

    /// Tries again to record a result, with growing pauses, for as long as other replicas take this
    /// process for the attempt's worker, and until the deadline of a shutdown.
    async fn retry_finish(
        self: &Arc<Self>,
        start: NewAttempt,
        finish: FinishAttempt,
        active: &ActiveAttempt,
        mut error: LedgerError,
    ) {
        let retry = async {
            let mut pause = FIRST_PAUSE;
            while !matches!(error, LedgerError::Corrupt(_)) {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                let written = match self.ledger.finish(finish.clone()).await {
                    Ok(false) => self.write_missing(start.clone(), &finish, active).await,
                    written => written,
                };
                match written {
                    Ok(_) => return true,
                    Err(again) => error = again,
                }
            }
            false
        };
        let stopping = async {
            let deadline = self.context.lifecycle.drain_deadline().await;
            sleep_until(deadline.checked_sub(BEFORE_DEADLINE).unwrap_or(deadline)).await;
        };
        let is_written = tokio::select! {
            is_written = retry => is_written,
            () = sleep(self.timeouts.lease) => false,
            () = stopping => false,
        };
        if !is_written {
            tracing::error!(
                attempt = %finish.id,
                error = chain(&error),
                "an outcome could not be recorded"
            );
        }
    }

    /// Releases an attempt whose start failed and may yet be recorded: nothing was sent for it, so
    /// nobody has to wait for this process.
    pub(super) fn release_unsent(self: &Arc<Self>, call: PreparedCall) {
        // In an outage every start fails. Then the leases end by themselves.
        let Ok(slot) = Arc::clone(&self.releases).try_acquire_owned() else { return };
        let inner = Arc::clone(self);
        let release = async move {
            let PreparedCall { id, active: _active, .. } = call;
            let finish = FinishAttempt {
                id,
                resolution: Resolution::Restartable,
                // So that a waiting request with the key starts it again (`is_abandoned`).
                outcome_code: Outcome::Abandoned.code(),
                auth0_request_id: None,
                // Void once a request has resumed the attempt.
                basis: Basis::NotFound { connection_ended_at: None },
                urgency: Urgency::Awaited,
            };
            for pause in RELEASE_PAUSES {
                sleep(pause).await;
                match inner.ledger.get(finish.id).await {
                    Ok(Some(attempt))
                        if attempt.state == AttemptState::Open && attempt.restarts == 0 =>
                    {
                        if inner.ledger.finish(finish.clone()).await.is_ok() {
                            break;
                        }
                    }
                    // It has a result, or another request has started it again, which leaves no trace
                    // in the basis.
                    Ok(Some(_)) => break,
                    Ok(None) | Err(_) => {}
                }
            }
            drop(slot);
        };
        self.context.lifecycle.spawn_background(release);
    }
}
