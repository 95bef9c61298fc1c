//! The use case: a [`NewUser`] in, an [`Outcome`] out, and never a doubt about it that can be
//! settled.
//!
//! Every attempt is written down before the tenant is called and closed after it; a repeated key
//! is answered from what was written. Knows Auth0's client and the ledger, and nothing of HTTP.

mod admission;
mod doubt;
mod outcome;
mod owner_mail;
mod recent;
mod replay;
mod settle;
mod settler;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};
use uuid::Uuid;

pub use crate::ledger::{Limit, Rate, Toll};
pub use admission::{Admission, Refusal};
pub use doubt::Doubt;
pub use outcome::{Done, Outcome};
pub use settler::Settler;

use self::recent::{Entered, Made, Recent, Turn, told};
use self::settle::{Attempting, Pin, Settled};
use crate::auth0::{Client, Error, Transport};
use crate::clock::Clock;
use crate::domain::{IdempotencyKey, NewUser};
use crate::ledger::{
    AttemptId, Basis, Begun, Candidates, Digests, Finish, Ledger, LedgerError, NewAttempt, NewKey,
    PinnedUserId,
};
use crate::lifecycle::Lifecycle;
use crate::telemetry::chain;

/// How often an outcome that the ledger does not take is offered to it again, in all.
const FINISH_TRIES: u32 = 5;

/// How often a twin on another replica is looked at.
const POLL: Duration = Duration::from_millis(100);

/// The times that sign-ups keep.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// How long an idempotency key replays its outcome.
    pub key_lifetime: Duration,
    /// How long a request waits for a twin.
    pub twin_wait: Duration,
    /// A call that surely was not sent is not tried again so long after the attempt began.
    pub retry: Duration,
    /// How long the work on an attempt may take in all; what is open then is unknown.
    pub attempt: Duration,
    /// So long after the attempt began this process surely has ended its work on it.
    pub lease: Duration,
    /// So long after a call's connection ended a look that finds no user proves that there will be
    /// none.
    pub proof: Duration,
}

/// Signs people up. Cheap to clone; clones share everything.
#[derive(Debug, Clone)]
pub struct Signups(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    auth0: Arc<Client>,
    ledger: Arc<dyn Ledger>,
    digests: Arc<Digests>,
    clock: Arc<dyn Clock>,
    lifecycle: Lifecycle,
    times: Times,
    recent: Arc<Recent>,
    pin: Pin,
    owner_mail_client_id: Option<String>,
    /// This process, as the owner of leases.
    owner: Uuid,
}

/// What a caller asks for.
#[derive(Debug)]
pub struct Request {
    /// Who is to be signed up.
    pub user: NewUser,
    /// The caller's key, if it gave one.
    pub key: Option<IdempotencyKey>,
    /// The request's id.
    pub request_id: String,
    /// Whether a new attempt may begin.
    pub admission: Admission,
}

/// What [`Signups`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// The tenant.
    pub auth0: Arc<Client>,
    /// Where attempts are written down.
    pub ledger: Arc<dyn Ledger>,
    /// The keyed digests of this deployment.
    pub digests: Arc<Digests>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// What a stop waits for.
    pub lifecycle: Lifecycle,
    /// The times that sign-ups keep.
    pub times: Times,
    /// Whether create calls pin the user's id.
    pub pin_user_id: bool,
    /// In whose name the owner of a known address is told of attempts to sign up with it; `None`:
    /// it is the caller who is told that the address is taken.
    pub owner_mail_client_id: Option<String>,
}

impl Signups {
    /// Signs people up with these parts.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            auth0,
            ledger,
            digests,
            clock,
            lifecycle,
            times,
            pin_user_id,
            owner_mail_client_id,
        } = parts;
        Self(Arc::new(Shared {
            auth0,
            ledger,
            digests,
            clock,
            lifecycle,
            times,
            recent: Arc::default(),
            pin: Pin::new(pin_user_id),
            owner_mail_client_id,
            owner: Uuid::from_bytes(rand::random()),
        }))
    }

    /// Signs the person up, or tells what came of it before.
    ///
    /// From the moment that the attempt is written down the work runs in a task of its own that a
    /// stop waits for; dropping the returned future (the caller hung up, a deadline passed) does
    /// not cancel it. At the deadline the caller is told what is sure: that nothing was sent, nor
    /// will be, or else that the outcome is not known.
    pub async fn create(&self, request: Request, deadline: Instant) -> Done {
        let shared = &self.0;
        let Request { user, key, request_id, admission } = request;
        let person = Person::new(&shared.digests, user, key, request_id);
        let slot = person.key.as_ref().map_or(person.binding.current, |key| key.current);
        let remember = person.key.is_none();
        let enter = || shared.recent.enter(slot, person.binding.current, remember, Instant::now());
        let (turn, earlier) = loop {
            match enter() {
                Entered::Other => return Done::new(Outcome::KeyReused),
                Entered::Kept(done) => return done.replay(),
                Entered::Running(outcome) => {
                    let until = deadline.min(Instant::now() + shared.times.twin_wait);
                    match timeout_at(until, told(outcome)).await {
                        // It was given up before this caller joined it: start afresh.
                        Ok(Done { outcome: Outcome::Abandoned, .. }) => {}
                        Ok(done) => return done.replay(),
                        Err(_) => return Done::new(Outcome::InProgress),
                    }
                }
                Entered::First(turn) => break (turn, None),
                Entered::Unsettled(turn, made) => break (turn, Some(made)),
            }
        };
        let (outcome, step) = (turn.subscribe(), turn.step().clone());
        let shared = Arc::clone(shared);
        let work = async move { shared.work(person, admission, turn, earlier).await };
        drop(self.0.lifecycle.spawn(work));
        match timeout_at(deadline, told(outcome)).await {
            Ok(done) => done,
            Err(_) if step.give_up() => Error::NotSent(Arc::new(Transport::OutOfTime)).into(),
            Err(_) => Error::Unclear(Arc::new(Transport::OutOfTime)).into(),
        }
    }

    /// What finishes attempts that nobody works on any more.
    pub fn settler(&self) -> Settler {
        Settler::new(Arc::clone(&self.0))
    }
}

/// A request with its digests.
#[derive(Debug)]
struct Person {
    user: NewUser,
    request_id: String,
    email: Candidates,
    binding: Candidates,
    key: Option<Candidates>,
}

impl Person {
    fn new(
        digests: &Digests,
        user: NewUser,
        key: Option<IdempotencyKey>,
        request_id: String,
    ) -> Self {
        Self {
            email: digests.email(user.email.as_ref()),
            binding: digests.binding(user.email.as_ref(), user.password.secret()),
            key: key.map(|key| digests.idempotency_key(key.expose())),
            user,
            request_id,
        }
    }
}

impl Shared {
    /// Does what the turn is for, and tells all who wait.
    async fn work(
        self: &Arc<Self>,
        person: Person,
        admission: Admission,
        turn: Turn,
        earlier: Option<Made>,
    ) {
        let (done, made) = match earlier {
            // Boxed, as below: what is rare is not to make every task of a sign-up larger.
            Some(made) => (Box::pin(self.take_up(&person, &made)).await.replay(), Some(made)),
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
        turn.tell(done, made, Instant::now());
    }

    /// Answers a known key, or begins a new attempt.
    async fn first(
        self: &Arc<Self>,
        person: &Person,
        admission: Admission,
        turn: &Turn,
    ) -> (Done, Option<Made>) {
        if person.key.is_none() {
            turn.step().is_new();
        }
        if let Some(key) = &person.key {
            match self.ledger.find_key(key, self.clock.now()).await {
                Ok(None) => {}
                Ok(Some(attempt)) => {
                    let done = Box::pin(self.known(person, attempt)).await;
                    // Given up by its caller on another replica: the key is free.
                    if !matches!(done.outcome, Outcome::Abandoned) {
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
        let toll = match admitted {
            Ok(toll) => toll,
            Err(outcome) => return (Done::new(outcome), None),
        };
        let made = Made::new(self.clock.now());
        match self.ledger.begin(self.new_attempt(person, &made, toll)).await {
            Ok(Begun::New) => {
                turn.step().is_new();
                // While nothing is sent, a caller that goes away takes its place in the line along.
                let admitted = tokio::select! {
                    admitted = self.auth0.admit() => admitted.map_err(Settled::refused),
                    () = turn.deserted() => Err(Settled::abandoned()),
                };
                let settled = match admitted {
                    Ok(pass) if turn.step().may_send() => {
                        let in_doubt = AtomicBool::new(false);
                        let attempting = self.attempting(person, &made, &in_doubt);
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
                (done, Some(made))
            }
            Ok(Begun::Known(attempt)) => (Box::pin(self.known(person, *attempt)).await, None),
            Ok(Begun::Limited { limit, retry_after }) => {
                let refusal = Refusal::Limited { limit, retry_after };
                (Done::new(Outcome::Refused(refusal)), None)
            }
            Ok(Begun::Redeemed) => (Done::new(Outcome::Refused(Refusal::ProofUsed)), None),
            Err(error) => (error.into(), None),
        }
    }
}

impl Shared {
    fn attempting<'a>(
        &'a self,
        person: &'a Person,
        made: &'a Made,
        in_doubt: &'a AtomicBool,
    ) -> Attempting<'a> {
        Attempting {
            auth0: &self.auth0,
            ledger: &*self.ledger,
            clock: &*self.clock,
            id: made.id,
            email: &person.email,
            pin: &self.pin,
            user: &person.user,
            user_id: &made.user_id,
            request_id: &person.request_id,
            begun_at: made.begun_at,
            in_doubt,
            is_quiet: false,
            deadline: Instant::now() + self.times.retry,
        }
    }

    fn new_attempt(&self, person: &Person, made: &Made, toll: Toll) -> NewAttempt {
        NewAttempt {
            id: made.id,
            email: person.email.current,
            key: person.key.map(|key| NewKey {
                key,
                binding: person.binding.current,
                expires_at: made.begun_at + self.times.key_lifetime,
            }),
            user_id: made.user_id.clone(),
            request_id: person.request_id.clone(),
            begun_at: made.begun_at,
            leased_until: made.begun_at + self.times.lease,
            toll,
        }
    }

    /// Writes down what came of an attempt. The caller is told the truth even when the ledger
    /// cannot be written; the row then stays open and the settler finds the same truth.
    async fn finish(&self, id: AttemptId, settled: Settled) -> Done {
        let Settled { done, verdict, auth0_request_id } = settled;
        let finished_at = self.clock.now();
        let finish = Finish {
            id,
            verdict: verdict.verdict(finished_at),
            code: done.outcome.code(),
            auth0_request_id,
            finished_at,
            basis: Basis::Seen,
        };
        let mut pause = POLL;
        for _ in 1..FINISH_TRIES {
            match self.ledger.finish(finish.clone()).await {
                Ok(_) => return done,
                Err(LedgerError::Unavailable(_)) => sleep(pause).await,
                Err(LedgerError::Corrupt(_)) => break,
            }
            pause *= 2;
        }
        if let Err(error) = self.ledger.finish(finish).await {
            tracing::error!(
                attempt = %id,
                error = chain(&error),
                "an outcome could not be written down; the settler will look it up"
            );
        }
        done
    }
}

impl Made {
    fn new(now: Duration) -> Self {
        Self { id: AttemptId::new(now), user_id: PinnedUserId::random(), begun_at: now }
    }
}
