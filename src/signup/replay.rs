//! Replay of a sign-up that started before: its recorded result, or more work on it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::call::{AttemptRunner, PreparedCall};
use super::outcome::{Outcome, SignupResult};
use super::resolve::Inconclusive;
use super::{Inner, KeyedRequest, POLL};
use crate::auth0::{LookupError, Priority, User};
use crate::ledger::{
    Attempt, AttemptId, AttemptState, Basis, FinishAttempt, LedgerError, Resolution,
};

/// The longest lookup of a user that is known to exist. After it, only id and address are replayed.
const READ_TIMEOUT: Duration = Duration::from_secs(2);

impl Inner {
    /// Replays a recorded key. `None` when the client abandoned its attempt before anything was
    /// sent, so that the key is free.
    pub(super) async fn replay_key(
        self: &Arc<Self>,
        request: &KeyedRequest,
        attempt: Attempt,
    ) -> Option<SignupResult> {
        let is_bound =
            attempt.key.as_ref().is_some_and(|key| request.binding.contains(&key.binding));
        if !is_bound {
            return Some(SignupResult::new(Outcome::KeyReused));
        }
        let result = match self.wait_for_release(attempt).await {
            Ok(Some(attempt)) => self.replay(request, &attempt).await.replay(),
            Ok(None) => SignupResult::new(Outcome::InProgress),
            // The tenant may have been called; an unreadable ledger cannot rule that out.
            Err(error) => SignupResult::because(Outcome::Unknown, error),
        };
        (!matches!(result.outcome, Outcome::Abandoned)).then_some(result)
    }

    /// Replays an attempt that this process remembers. `None` when there is nothing to replay: an
    /// operator deleted it, it turned out to have created nothing, or its user was deleted.
    pub(super) async fn replay_remembered(
        self: &Arc<Self>,
        request: &KeyedRequest,
        id: AttemptId,
    ) -> Option<SignupResult> {
        let attempt = match self.ledger.get(id).await {
            Ok(attempt) => attempt?,
            Err(error) => return Some(SignupResult::because(Outcome::Unknown, error).replay()),
        };
        let result = match attempt.state {
            AttemptState::NotCreated => return None,
            AttemptState::Created => match self.read_user(&attempt).await {
                Some(Ok(None)) => return None,
                Some(Ok(user)) => created(request, &attempt, user),
                Some(Err(_)) | None => created(request, &attempt, None),
            },
            AttemptState::Open | AttemptState::Exists | AttemptState::Unknown => {
                self.replay(request, &attempt).await
            }
        };
        Some(result.replay())
    }

    /// Waits until no request works on the attempt any more; `None` when that takes too long.
    async fn wait_for_release(&self, mut attempt: Attempt) -> Result<Option<Attempt>, LedgerError> {
        let deadline = Instant::now() + self.timeouts.duplicate_wait;
        loop {
            let is_leased =
                attempt.next_check_at.is_some_and(|until| until > self.context.clock.now());
            if attempt.state != AttemptState::Open || !is_leased {
                return Ok(Some(attempt));
            }
            if Instant::now() + POLL > deadline {
                return Ok(None);
            }
            sleep(POLL).await;
            match self.ledger.get(attempt.id).await? {
                Some(now) => attempt = now,
                // Deleted by an operator: there is nothing to wait for.
                None => return Ok(None),
            }
        }
    }

    /// Returns the result of a resolved attempt, and resumes an unresolved one.
    async fn replay(self: &Arc<Self>, request: &KeyedRequest, attempt: &Attempt) -> SignupResult {
        if attempt.state.is_resolved() {
            self.recorded_result(request, attempt).await
        } else {
            self.resume(request, attempt).await
        }
    }

    /// Returns the result that is recorded for an attempt.
    async fn recorded_result(&self, request: &KeyedRequest, attempt: &Attempt) -> SignupResult {
        match attempt.state {
            AttemptState::Created => {
                let user = self.read_user(attempt).await.and_then(Result::ok).flatten();
                created(request, attempt, user)
            }
            AttemptState::Exists => SignupResult::new(Outcome::EmailTaken),
            AttemptState::Open | AttemptState::Unknown => SignupResult::new(Outcome::Unknown),
            AttemptState::NotCreated => {
                let code = attempt.outcome_code.as_deref().unwrap_or_default();
                SignupResult::new(Outcome::not_created(code))
            }
        }
    }

    /// Reads the user that an earlier attempt created, as it is now; `None` when that takes too
    /// long.
    async fn read_user(&self, attempt: &Attempt) -> Option<Result<Option<User>, LookupError>> {
        let lookup = self.auth0.user(created_user_id(attempt), Priority::BestEffort);
        timeout(READ_TIMEOUT, lookup).await.ok()
    }

    /// Resumes an attempt that an earlier request left unresolved: this request carries the
    /// password again.
    async fn resume(self: &Arc<Self>, request: &KeyedRequest, attempt: &Attempt) -> SignupResult {
        let call = PreparedCall::from(attempt);
        let ended_at = attempt.connection_ended_at;
        let earlier_calls_ended =
            ended_at.is_some_and(|at| at + self.timeouts.absence_grace <= self.context.clock.now());
        let runner = AttemptRunner::resuming(self, request, &call, earlier_calls_ended);
        if self.pin_support.is_ignored() && !earlier_calls_ended {
            // Nothing is sent again, so the grace period must not start over.
            return match runner.look_up_by_email().await {
                Ok(Some(result)) => {
                    self.finish(&call, &result).await;
                    result
                }
                Ok(None) | Err(Inconclusive) => SignupResult::new(Outcome::Unknown),
            };
        }
        match self.mark_retrying(call.id, ended_at).await {
            Ok(true) => {
                let work = runner.resolve(SignupResult::left_unresolved());
                let result = runner.within_timeout(work).await;
                self.finish(&call, &result).await;
                result
            }
            // Resolved meanwhile, deleted by an operator, or resumed by another replica.
            Ok(false) => match self.wait_for_resolution(call.id).await {
                Ok(Some(attempt)) => self.recorded_result(request, &attempt).await,
                Ok(None) => SignupResult::new(Outcome::Unknown),
                Err(error) => SignupResult::because(Outcome::Unknown, error),
            },
            // Nothing was sent now, but the tenant may have acted on an earlier call.
            Err(error) => SignupResult::because(Outcome::Unknown, error),
        }
    }

    /// Records that a call of this attempt is about to be repeated. An absent user then proves
    /// nothing until that call has certainly ended, even if this process dies.
    ///
    /// `false` when the attempt is resolved, or another call was recorded since `ended_at` was
    /// read: of two replicas that try at once, one makes the call.
    async fn mark_retrying(
        &self,
        id: AttemptId,
        ended_at: Option<Duration>,
    ) -> Result<bool, LedgerError> {
        let finished_at = self.context.clock.now();
        let connection_ended_at = finished_at + self.timeouts.attempt;
        let finish = FinishAttempt {
            id,
            resolution: Resolution::Unknown { connection_ended_at },
            outcome_code: Outcome::Unknown.code(),
            auth0_request_id: None,
            finished_at,
            basis: Basis::NotFound { connection_ended_at: ended_at },
        };
        self.ledger.finish(finish).await
    }

    /// Waits until the attempt is resolved, and returns it as it is when that takes too long;
    /// `None` when it was deleted.
    async fn wait_for_resolution(&self, id: AttemptId) -> Result<Option<Attempt>, LedgerError> {
        let deadline = Instant::now() + self.timeouts.duplicate_wait;
        loop {
            let attempt = self.ledger.get(id).await?;
            let is_resolved = attempt.as_ref().is_none_or(|attempt| attempt.state.is_resolved());
            if is_resolved || Instant::now() + POLL > deadline {
                return Ok(attempt);
            }
            sleep(POLL).await;
        }
    }
}

/// The id of the user that an attempt created.
fn created_user_id(attempt: &Attempt) -> &str {
    attempt.auth0_user_id.as_deref().unwrap_or(attempt.user_id.as_str())
}

/// The result of an attempt that created a user; only its id and address if it could not be read.
fn created(request: &KeyedRequest, attempt: &Attempt, user: Option<User>) -> SignupResult {
    let known = || User::known(created_user_id(attempt), request.user.email.as_ref());
    user.unwrap_or_else(known).into()
}

impl From<&Attempt> for PreparedCall {
    /// The same call as the attempt's first one.
    fn from(attempt: &Attempt) -> Self {
        Self {
            id: attempt.id,
            user_id: attempt.user_id.clone(),
            started_at: attempt.started_at,
            terms: attempt.terms.clone(),
        }
    }
}
