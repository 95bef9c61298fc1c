//! Replay of a sign-up that started before.
//!
//! A resolved attempt is *replayed*: its recorded result is returned. One for which the tenant did
//! nothing is *restarted*. An unresolved one is *resumed*: this process takes it over, looks its user
//! up, and may *repeat* its call.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::Inner;
use super::call::{AttemptRunner, PreparedCall};
use super::identity::KeyedRequest;
use super::in_flight::Leader;
use super::outcome::{Outcome, SignupResult};
use crate::auth0::{LookupError, Priority, User};
use crate::clock::LedgerTime;
use crate::ledger::{Attempt, AttemptId, AttemptState, Basis, Lease, LedgerError, RESTARTS};

/// Interval at which an attempt of another replica is polled.
const POLL: Duration = Duration::from_millis(100);

/// The longest lookup of a user that is known to exist. After it, only id and address are replayed.
const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// The part of a lease beyond the attempt: covers the reply to the write that takes it.
pub(super) const TAKE_OVER_MARGIN: Duration = Duration::from_secs(5);

/// The user that an earlier attempt created, as it is now.
enum CurrentUser {
    /// The user exists.
    Found(User),
    /// The user was deleted.
    Deleted,
    /// The lookup failed or took too long.
    Unread,
}

impl Inner {
    /// Replays a recorded key. Returns the call of its attempt if that was restartable and has started
    /// again, or `None` if the key is free or its attempt has changed: it has to be looked up again. `Err`
    /// is the result of the request.
    pub(super) async fn replay_key(
        self: &Arc<Self>,
        request: &KeyedRequest,
        attempt: Attempt,
        leader: &Leader,
    ) -> Result<Option<PreparedCall>, SignupResult> {
        let is_bound = attempt.key.as_ref().is_some_and(|key| request.is_bound(key));
        if !is_bound {
            // A restartable attempt keeps its key for its own form only.
            return match attempt.state {
                AttemptState::NotCreated => self.free_key(request, &attempt).await,
                _ => Err(SignupResult::new(Outcome::KeyReused)),
            };
        }
        if attempt.state == AttemptState::NotCreated {
            return self.restart(request, &attempt).await;
        }
        let result = match self.wait_for_worker(Some(attempt)).await {
            Ok(Some(attempt)) => match attempt.state {
                AttemptState::NotCreated if is_abandoned(&attempt) => {
                    return self.restart(request, &attempt).await;
                }
                AttemptState::Created => {
                    return self.replay_created(request, &attempt, leader).await;
                }
                // Recorded while the clock was ahead, nobody knows when: the address may be free by now.
                AttemptState::Exists if attempt.started_at > attempt.read_at => {
                    return self.free_key(request, &attempt).await;
                }
                AttemptState::Exists => {
                    // Auth0 may not have accepted the earlier request for a mail.
                    self.notify_existing_account(request, attempt.id);
                    recorded_end(&attempt)
                }
                AttemptState::NotCreated => recorded_end(&attempt),
                AttemptState::Open | AttemptState::Unknown => self.resume(request, &attempt).await,
            },
            Ok(None) => SignupResult::new(Outcome::InProgress),
            // The tenant may have been called; an unreadable ledger cannot rule that out.
            Err(error) => SignupResult::because(Outcome::Unknown, error),
        };
        Err(result.replay())
    }

    /// Starts a restartable attempt again.
    async fn restart(
        &self,
        request: &KeyedRequest,
        attempt: &Attempt,
    ) -> Result<Option<PreparedCall>, SignupResult> {
        let call = PreparedCall::from_attempt(self, attempt);
        let restart = self.ledger.restart(attempt.id, self.lease());
        match request.ledger_wait.limit(restart).await? {
            Some(restarts) => Ok(Some(PreparedCall { restarts, ..call })),
            None if attempt.restarts < RESTARTS => Ok(None),
            None => self.free_key(request, attempt).await,
        }
    }

    /// Frees the key of an attempt, unless a request has started it again meanwhile.
    async fn free_key(
        &self,
        request: &KeyedRequest,
        attempt: &Attempt,
    ) -> Result<Option<PreparedCall>, SignupResult> {
        let free = self.ledger.free_key(attempt.id, attempt.state);
        request.ledger_wait.limit(free).await?;
        Ok(None)
    }

    /// Replays an attempt that created a user, as the user is now. If it was deleted, the key is
    /// free.
    ///
    /// Where the response shows no user, it does not wait for the lookup. A user that was deleted
    /// is then created again after the response.
    async fn replay_created(
        &self,
        request: &KeyedRequest,
        attempt: &Attempt,
        leader: &Leader,
    ) -> Result<Option<PreparedCall>, SignupResult> {
        if self.hides_existence {
            leader.announce(request, created(request, attempt, None).replay());
        }
        let user = match self.read_user(request, attempt).await {
            CurrentUser::Found(user) => Some(user),
            CurrentUser::Deleted => return self.free_key(request, attempt).await,
            CurrentUser::Unread => None,
        };
        Err(created(request, attempt, user).replay())
    }

    /// Waits until no other living process works on the attempt, and returns it as it is then. `None`
    /// when that takes too long, or an operator has deleted it.
    ///
    /// This process is not waited for: here, a request with the same key joins the running one
    /// ([`InFlight`](super::in_flight::InFlight)). Its attempt whose start was recorded late, or whose
    /// result is not recorded yet, is resumed.
    async fn wait_for_worker(
        &self,
        mut attempt: Option<Attempt>,
    ) -> Result<Option<Attempt>, LedgerError> {
        let deadline = Instant::now() + self.timeouts.duplicate_wait;
        while let Some(current) = &attempt
            && self.is_at_work_elsewhere(current)
        {
            if Instant::now() + POLL > deadline {
                return Ok(None);
            }
            let id = current.id;
            sleep(POLL).await;
            attempt = self.ledger.get(id).await?;
        }
        Ok(attempt)
    }

    /// Returns whether another living process works on the attempt.
    fn is_at_work_elsewhere(&self, attempt: &Attempt) -> bool {
        attempt.leased_worker().is_some_and(|(worker, _)| {
            worker.is_alive && worker.process != self.heartbeat.process()
        })
    }

    /// Reads the user that an earlier attempt created. One that is linked to another profile is
    /// found by address only.
    async fn read_user(&self, request: &KeyedRequest, attempt: &Attempt) -> CurrentUser {
        let user_id = attempt.created_user_id();
        let lookup = async {
            if let Some(found) = self.auth0.user(&user_id, Priority::BestEffort).await? {
                return Ok(Some(found.user));
            }
            let email = request.user.email.as_ref();
            let found = self.auth0.users_by_email(email, Priority::BestEffort).await?;
            let mut users = found.users.into_iter().map(|found| found.user);
            Ok::<_, LookupError>(users.find(|user| user.user_id == user_id))
        };
        match timeout(READ_TIMEOUT, lookup).await {
            Ok(Ok(Some(user))) => CurrentUser::Found(user),
            Ok(Ok(None)) => CurrentUser::Deleted,
            Ok(Err(_)) | Err(_) => CurrentUser::Unread,
        }
    }

    /// Resumes an attempt that an earlier request left unresolved: this request carries the
    /// password again.
    async fn resume(self: &Arc<Self>, request: &KeyedRequest, attempt: &Attempt) -> SignupResult {
        let call = PreparedCall::from_attempt(self, attempt);
        let absence_is_proof = self.absence_left(attempt).is_some_and(|left| left.is_zero());
        let runner = AttemptRunner::resuming(self, request, &call, absence_is_proof);
        if absence_is_proof || self.keeps_user_ids(&request.ledger_wait).await {
            self.take_over(attempt, &runner).await
        } else {
            self.look_up_only(attempt, &runner).await
        }
    }

    /// Resumes an attempt by lookups alone. Nothing is sent again, so the grace period must not start
    /// over: this process does not take the attempt over.
    async fn look_up_only(
        self: &Arc<Self>,
        attempt: &Attempt,
        runner: &AttemptRunner<'_>,
    ) -> SignupResult {
        // Until the grace period ends, clients who come back cause lookups only, and these leave the
        // limit to sign-ups.
        let work = runner.resolve_by_address(SignupResult::left_unresolved(), Priority::Check);
        let result = runner.within_timeout(work).await;
        if !matches!(result.outcome, Outcome::Unknown) {
            let connection_ended_at = attempt.connection_ended_at;
            let basis = Basis::NotFound { connection_ended_at };
            return self.finish_first(runner.request, runner.call, result, basis).await;
        }
        result
    }

    /// Takes an attempt over, and looks its user up or repeats its call.
    async fn take_over(
        self: &Arc<Self>,
        attempt: &Attempt,
        runner: &AttemptRunner<'_>,
    ) -> SignupResult {
        let (request, call) = (runner.request, runner.call);
        // An absent user proves nothing from here until the repeated call has certainly ended, even
        // if this process dies.
        let lasts = self.timeouts.attempt + TAKE_OVER_MARGIN;
        let lease = Lease { lasts, ..self.lease() };
        let take_over = self.ledger.take_over(call.id, lease, attempt.connection_ended_at);
        match request.ledger_wait.limit(take_over).await {
            Ok(Some(ends_at)) => self.repeat(attempt, runner, ends_at).await,
            Ok(None) => self.result_elsewhere(request, call.id).await,
            // Nothing was sent now, but the tenant may have acted on an earlier call.
            Err(error) => SignupResult::because(Outcome::Unknown, error),
        }
    }

    /// Resolves an attempt that this process has taken over, whose repeated call is recorded to end at
    /// this time.
    async fn repeat(
        self: &Arc<Self>,
        attempt: &Attempt,
        runner: &AttemptRunner<'_>,
        ends_at: LedgerTime,
    ) -> SignupResult {
        let (request, call) = (runner.request, runner.call);
        let work = runner.resolve(SignupResult::left_unresolved());
        let result = runner.within_timeout(work).await;
        if matches!(result.outcome, Outcome::Unknown) && !runner.is_unanswered() {
            // Otherwise the grace period would start over each time that a client comes back, and the
            // result of a process that was only slow would be void.
            let give_back = self.ledger.give_back(attempt.clone(), ends_at);
            // Ignored: then the attempt counts as under way until the end of the lease.
            drop(request.ledger_wait.limit(give_back).await);
            result
        } else {
            // A process that counted as dead may still work on its call, until its lease ends.
            let earlier_calls_end = attempt.connection_ended_at.or(attempt.next_check_at);
            let basis = self.worked(call, Some(ends_at), earlier_calls_end);
            self.finish_first(request, call, result, basis).await
        }
    }

    /// Returns the result of an attempt that was resolved meanwhile, deleted by an operator, or taken over by
    /// another process, once that has ended its work.
    pub(super) async fn result_elsewhere(
        &self,
        request: &KeyedRequest,
        id: AttemptId,
    ) -> SignupResult {
        let current = async { self.wait_for_worker(self.ledger.get(id).await?).await };
        match current.await {
            Ok(Some(attempt)) => self.recorded_result(request, &attempt).await,
            Ok(None) => SignupResult::new(Outcome::InProgress),
            Err(error) => SignupResult::because(Outcome::Unknown, error),
        }
    }

    /// Returns the result that is recorded for an attempt.
    async fn recorded_result(&self, request: &KeyedRequest, attempt: &Attempt) -> SignupResult {
        if attempt.state != AttemptState::Created {
            return recorded_end(attempt);
        }
        if self.hides_existence {
            return created(request, attempt, None);
        }
        let user = match self.read_user(request, attempt).await {
            CurrentUser::Found(user) => Some(user),
            CurrentUser::Deleted | CurrentUser::Unread => None,
        };
        created(request, attempt, user)
    }
}

/// The result that is recorded for an attempt that created no user, or is unresolved.
fn recorded_end(attempt: &Attempt) -> SignupResult {
    SignupResult::new(match attempt.state {
        AttemptState::Exists => Outcome::EmailTaken,
        AttemptState::NotCreated => {
            Outcome::not_created(attempt.outcome_code.as_deref().unwrap_or_default())
        }
        AttemptState::Created | AttemptState::Open | AttemptState::Unknown => Outcome::Unknown,
    })
}

/// Returns whether every client of an attempt disconnected before anything was sent.
fn is_abandoned(attempt: &Attempt) -> bool {
    attempt.outcome_code.as_deref() == Some(Outcome::Abandoned.code())
}

/// The result of an attempt that created a user; only its id and address if it could not be read.
fn created(request: &KeyedRequest, attempt: &Attempt, user: Option<User>) -> SignupResult {
    let known = || User::known(attempt.created_user_id(), request.user.email.as_ref());
    user.unwrap_or_else(known).into()
}
