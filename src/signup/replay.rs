//! A sign-up that was begun before: its answer again, or the work on it taken up again.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::begin::Made;
use super::outcome::{Done, Outcome};
use super::settle::{Attempting, Settled, Undecided};
use super::{POLL, Person, Shared};
use crate::auth0::{Class, Error, Transport, User};
use crate::ledger::{Attempt, AttemptId, Basis, Finish, LedgerError, State, Verdict};

/// How long reading a user that is known to exist may take: what is known of it is answer enough.
const READ: Duration = Duration::from_secs(2);

impl Shared {
    /// Answers a key that is written down already; `None` when its attempt was given up by its
    /// caller before anything was sent, so that the key is free.
    pub(super) async fn known(&self, person: &Person, attempt: Attempt) -> Option<Done> {
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
    /// tell again: an operator made the ledger forget it, or it was found to have made nothing.
    pub(super) async fn again(&self, person: &Person, id: AttemptId) -> Option<Done> {
        match self.ledger.get(id).await {
            Ok(attempt) => {
                let attempt = attempt.filter(|attempt| attempt.state != State::NotCreated)?;
                Some(self.replay(person, &attempt).await.replay())
            }
            Err(error) => Some(Done::because(Outcome::Unknown, error).replay()),
        }
    }

    /// The attempt once nobody works on it any more; `None` when that takes too long.
    async fn awaited(&self, mut attempt: Attempt) -> Result<Option<Attempt>, LedgerError> {
        let deadline = Instant::now() + self.times.twin_wait;
        loop {
            let leased = attempt.due_at.is_some_and(|until| until > self.clock.now());
            if attempt.state != State::Open || !leased {
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
    async fn replay(&self, person: &Person, attempt: &Attempt) -> Done {
        if attempt.state.is_settled() {
            self.told_before(person, attempt).await
        } else {
            self.take_up(person, attempt).await
        }
    }

    /// What is written down of an attempt.
    async fn told_before(&self, person: &Person, attempt: &Attempt) -> Done {
        match attempt.state {
            State::Created => self.created(person, attempt).await,
            State::Exists => Done::new(Outcome::EmailTaken),
            State::Open | State::Unknown => Done::new(Outcome::Unknown),
            State::NotCreated => {
                let code = attempt.code.as_deref().unwrap_or_default();
                Done::new(Outcome::not_created(code))
            }
        }
    }

    /// The user that an earlier attempt made, as it is now; without `read:users` what is known of
    /// it.
    async fn created(&self, person: &Person, attempt: &Attempt) -> Done {
        let id = attempt.auth0_user_id.as_deref().unwrap_or(attempt.user_id.as_str());
        let read = timeout(READ, self.auth0.user(id, Class::Lookup)).await;
        let user = read.ok().and_then(Result::ok).flatten();
        let user = user.unwrap_or_else(|| User::known(id, person.user.email.as_ref()));
        Done::new(Outcome::Created(Arc::new(user)))
    }

    /// Settles an attempt that an earlier request left unknown, now that its password is here.
    async fn take_up(&self, person: &Person, attempt: &Attempt) -> Done {
        let made = Made::from(attempt);
        let ended_at = attempt.connection_ended_at;
        let in_doubt = AtomicBool::new(true);
        let is_quiet = ended_at.is_some_and(|ended| ended + self.times.proof <= self.clock.now());
        let attempting = Attempting { is_quiet, ..self.attempting(person, &made, &in_doubt) };
        if self.pin.is_ignored() && !is_quiet {
            // Nothing is sent again: what proves that nobody is there must not begin anew.
            return match attempting.by_email().await {
                Ok(Some(settled)) => self.finish(made.id, settled).await,
                Ok(None) | Err(Undecided) => Done::new(Outcome::Unknown),
            };
        }
        match self.reopen(made.id).await {
            Ok(true) => {}
            // Settled in the meantime, or forgotten by an operator.
            Ok(false) => {
                return match self.ledger.get(made.id).await {
                    Ok(Some(attempt)) => self.told_before(person, &attempt).await,
                    Ok(None) => Done::new(Outcome::Unknown),
                    Err(error) => Done::because(Outcome::Unknown, error),
                };
            }
            // An earlier call may have been acted on: that this one was not sent tells nothing.
            Err(error) => return Done::because(Outcome::Unknown, error),
        }
        let why = Error::Unclear(Arc::new(Transport::Earlier));
        let work = timeout(self.times.attempt, attempting.resume(why));
        let settled = work.await.unwrap_or_else(|_| Settled::out_of_time(&in_doubt));
        self.finish(made.id, settled).await
    }

    /// Writes down that a call of this attempt is about to be made again, so that finding nobody
    /// proves nothing until that call has surely ended, even if this process dies. `false` when
    /// the attempt is settled.
    async fn reopen(&self, id: AttemptId) -> Result<bool, LedgerError> {
        let finished_at = self.clock.now();
        let connection_ended_at = finished_at + self.times.attempt;
        let verdict = Verdict::Unknown { connection_ended_at };
        let code = Outcome::Unknown.code();
        let finish =
            Finish { id, verdict, code, auth0_request_id: None, finished_at, basis: Basis::Seen };
        self.ledger.finish(finish).await
    }
}

impl From<&Attempt> for Made {
    fn from(attempt: &Attempt) -> Self {
        Self {
            id: attempt.id,
            user_id: attempt.user_id.clone(),
            begun_at: attempt.begun_at,
            terms: attempt.terms.clone(),
        }
    }
}
