//! A sign-up that was begun before: its answer again, or the work on it taken up again.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::begin::PreparedCall;
use super::outcome::{Done, Outcome};
use super::settle::{AttemptRunner, Settled, Undecided};
use super::{Inner, KeyedRequest, POLL};
use crate::auth0::{Error, LookupError, Priority, Transport, User};
use crate::ledger::{
    Attempt, AttemptId, AttemptState, Basis, FinishAttempt, LedgerError, Resolution,
};

/// How long reading a user that is known to exist may take: what is known of it is answer enough.
const READ: Duration = Duration::from_secs(2);

impl Inner {
    /// Answers a key that is written down already; `None` when its attempt was given up by its
    /// caller before anything was sent, so that the key is free.
    pub(super) async fn known(
        self: &Arc<Self>,
        person: &KeyedRequest,
        attempt: Attempt,
    ) -> Option<Done> {
        let bound = attempt.key.as_ref().is_some_and(|key| person.binding.contains(&key.binding));
        if !bound {
            return Some(Done::new(Outcome::KeyReused));
        }
        let done = match self.awaited(attempt).await {
            Ok(Some(attempt)) => self.replay(person, &attempt).await.replay(),
            Ok(None) => Done::new(Outcome::InProgress),
            // Somebody may have called the tenant: that the ledger cannot be read tells nothing.
            Err(error) => Done::because(Outcome::Unknown, error),
        };
        (!matches!(done.outcome, Outcome::Abandoned)).then_some(done)
    }

    /// Answers a request that this process remembers by its attempt; `None` when there is nothing to
    /// tell again: an operator made the ledger forget it, it was found to have made nothing, or the
    /// user that it made was deleted.
    pub(super) async fn again(
        self: &Arc<Self>,
        person: &KeyedRequest,
        id: AttemptId,
    ) -> Option<Done> {
        match self.ledger.get(id).await {
            Ok(attempt) => {
                let attempt =
                    attempt.filter(|attempt| attempt.state != AttemptState::NotCreated)?;
                if attempt.state != AttemptState::Created {
                    return Some(self.replay(person, &attempt).await.replay());
                }
                let user = match self.read(&attempt).await {
                    Some(Ok(None)) => return None,
                    Some(Ok(user)) => user,
                    Some(Err(_)) | None => None,
                };
                Some(created(person, &attempt, user).replay())
            }
            Err(error) => Some(Done::because(Outcome::Unknown, error).replay()),
        }
    }

    /// The attempt once nobody works on it any more; `None` when that takes too long.
    async fn awaited(&self, mut attempt: Attempt) -> Result<Option<Attempt>, LedgerError> {
        let deadline = Instant::now() + self.times.twin_wait;
        loop {
            let leased = attempt.next_check_at.is_some_and(|until| until > self.clock.now());
            if attempt.state != AttemptState::Open || !leased {
                return Ok(Some(attempt));
            }
            if Instant::now() + POLL > deadline {
                return Ok(None);
            }
            sleep(POLL).await;
            match self.ledger.get(attempt.id).await? {
                Some(now) => attempt = now,
                // Forgotten by an operator: there is nothing to wait for.
                None => return Ok(None),
            }
        }
    }

    /// What a settled attempt is answered with; an unsettled one is taken up again.
    async fn replay(self: &Arc<Self>, person: &KeyedRequest, attempt: &Attempt) -> Done {
        if attempt.state.is_resolved() {
            self.told_before(person, attempt).await
        } else {
            self.take_up(person, attempt).await
        }
    }

    /// What is written down of an attempt.
    async fn told_before(&self, person: &KeyedRequest, attempt: &Attempt) -> Done {
        match attempt.state {
            AttemptState::Created => {
                let user = self.read(attempt).await.and_then(Result::ok).flatten();
                created(person, attempt, user)
            }
            AttemptState::Exists => Done::new(Outcome::EmailTaken),
            AttemptState::Open | AttemptState::Unknown => Done::new(Outcome::Unknown),
            AttemptState::NotCreated => {
                let code = attempt.outcome_code.as_deref().unwrap_or_default();
                Done::new(Outcome::not_created(code))
            }
        }
    }

    /// The user that an earlier attempt made, as it is now; `None` when that takes too long.
    async fn read(&self, attempt: &Attempt) -> Option<Result<Option<User>, LookupError>> {
        timeout(READ, self.auth0.user(made_user(attempt), Priority::BestEffort)).await.ok()
    }

    /// Settles an attempt that an earlier request left unknown, now that its password is here.
    async fn take_up(self: &Arc<Self>, person: &KeyedRequest, attempt: &Attempt) -> Done {
        let made = PreparedCall::from(attempt);
        let ended_at = attempt.connection_ended_at;
        let in_doubt = AtomicBool::new(true);
        let is_quiet = ended_at.is_some_and(|ended| ended + self.times.proof <= self.clock.now());
        let attempting = AttemptRunner { is_quiet, ..self.attempting(person, &made, &in_doubt) };
        if self.pin.is_ignored() && !is_quiet {
            // Nothing is sent again: what proves that nobody is there must not begin anew.
            return match attempting.by_email().await {
                Ok(Some(settled)) => self.finish(made.id, settled).await,
                Ok(None) | Err(Undecided) => Done::new(Outcome::Unknown),
            };
        }
        match self.reopen(made.id, ended_at).await {
            Ok(true) => {}
            // Settled in the meantime, forgotten by an operator, or taken up by another replica.
            Ok(false) => {
                return match self.settled(made.id).await {
                    Ok(Some(attempt)) => self.told_before(person, &attempt).await,
                    Ok(None) => Done::new(Outcome::Unknown),
                    Err(error) => Done::because(Outcome::Unknown, error),
                };
            }
            // An earlier call may have been acted on: that this one was not sent tells nothing.
            Err(error) => return Done::because(Outcome::Unknown, error),
        }
        let why = Error::Ambiguous(Arc::new(Transport::PreviousAttempt));
        let work = timeout(self.times.attempt, attempting.resume(why));
        let settled = work.await.unwrap_or_else(|_| Settled::out_of_time(&in_doubt));
        self.finish(made.id, settled).await
    }

    /// Writes down that a call of this attempt is about to be made again, so that finding nobody
    /// proves nothing until that call has surely ended, even if this process dies. `false` when
    /// the attempt is settled, or another call was written down since `ended_at` was read: of two
    /// replicas that come at once, one makes the call.
    async fn reopen(&self, id: AttemptId, ended_at: Option<Duration>) -> Result<bool, LedgerError> {
        let finished_at = self.clock.now();
        let connection_ended_at = finished_at + self.times.attempt;
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

    /// The attempt once it is settled, or as it is when that takes too long; `None` when it was
    /// forgotten.
    async fn settled(&self, id: AttemptId) -> Result<Option<Attempt>, LedgerError> {
        let deadline = Instant::now() + self.times.twin_wait;
        loop {
            let attempt = self.ledger.get(id).await?;
            let is_settled = attempt.as_ref().is_none_or(|attempt| attempt.state.is_resolved());
            if is_settled || Instant::now() + POLL > deadline {
                return Ok(attempt);
            }
            sleep(POLL).await;
        }
    }
}

/// The id of the user that an attempt made.
fn made_user(attempt: &Attempt) -> &str {
    attempt.auth0_user_id.as_deref().unwrap_or(attempt.user_id.as_str())
}

/// An earlier attempt's user; what is known of it where it could not be read.
fn created(person: &KeyedRequest, attempt: &Attempt, user: Option<User>) -> Done {
    let known = || User::known(made_user(attempt), person.user.email.as_ref());
    Done::new(Outcome::Created(Arc::new(user.unwrap_or_else(known))))
}

impl From<&Attempt> for PreparedCall {
    fn from(attempt: &Attempt) -> Self {
        Self {
            id: attempt.id,
            user_id: attempt.user_id.clone(),
            started_at: attempt.started_at,
            terms: attempt.terms.clone(),
        }
    }
}
