//! The use case: a [`NewUser`] in, an [`Outcome`] out, and never a doubt about it that can be
//! settled.
//!
//! Every attempt is written down before the tenant is called and closed after it; a repeated key
//! is answered from what was written. Knows Auth0's client and the ledger, and nothing of HTTP.

mod admission;
mod begin;
mod existing_account_notice;
mod in_flight;
mod outcome;
mod reconciler;
mod replay;
mod settle;
mod unresolved;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

pub use crate::ledger::AdmissionCost;
pub use crate::limits::{Limit, Rate};
pub use admission::{Admission, Rejection};
pub use outcome::{Done, Outcome};
pub use reconciler::Reconciler;
pub use unresolved::UnresolvedReason;

use self::in_flight::{InFlight, Join, told};
use self::settle::Pin;
use crate::auth0::{Client, Error, Transport};
use crate::clock::Clock;
use crate::domain::{IdempotencyKey, NewUser};
use crate::ledger::{DigestPair, Digests, Ledger};
use crate::lifecycle::Lifecycle;

/// How often a twin on another replica is looked at.
const POLL: Duration = Duration::from_millis(100);

/// The times that sign-ups keep.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
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
pub struct Signups(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    auth0: Arc<Client>,
    ledger: Arc<dyn Ledger>,
    digests: Arc<Digests>,
    clock: Arc<dyn Clock>,
    lifecycle: Lifecycle,
    times: Timeouts,
    recent: Arc<InFlight>,
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
pub struct Deps {
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
    pub times: Timeouts,
    /// Whether create calls pin the user's id.
    pub pin_user_id: bool,
    /// In whose name the owner of a known address is told of attempts to sign up with it; `None`:
    /// it is the caller who is told that the address is taken.
    pub owner_mail_client_id: Option<String>,
}

impl Signups {
    /// Signs people up with these parts.
    pub fn new(parts: Deps) -> Self {
        let Deps {
            auth0,
            ledger,
            digests,
            clock,
            lifecycle,
            times,
            pin_user_id,
            owner_mail_client_id,
        } = parts;
        Self(Arc::new(Inner {
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
        let person = KeyedRequest::new(&shared.digests, user, key, request_id);
        let slot = person.key.as_ref().map_or(person.binding.current, |key| key.current);
        let remember = person.key.is_none();
        let enter = || shared.recent.enter(slot, person.binding.current, remember, Instant::now());
        let (turn, known) = loop {
            match enter() {
                Join::KeyMismatch => return Done::new(Outcome::KeyReused),
                Join::Follower(outcome) => {
                    let until = deadline.min(Instant::now() + shared.times.twin_wait);
                    match timeout_at(until, told(outcome)).await {
                        // It was given up before this caller joined it: start afresh.
                        Ok(Done { outcome: Outcome::Abandoned, .. }) => {}
                        Ok(done) => return done.replay(),
                        Err(_) => return Done::new(Outcome::InProgress),
                    }
                }
                Join::Leader(turn) => break (turn, None),
                Join::Completed(turn, attempt) => break (turn, Some(attempt)),
            }
        };
        let (outcome, step) = (turn.subscribe(), turn.step().clone());
        let shared = Arc::clone(shared);
        let work = async move { shared.work(person, admission, turn, known).await };
        drop(self.0.lifecycle.spawn(work));
        match timeout_at(deadline, told(outcome)).await {
            Ok(done) => done,
            Err(_) if step.give_up() => Error::NotSent(Arc::new(Transport::OutOfTime)).into(),
            Err(_) => Error::Ambiguous(Arc::new(Transport::OutOfTime)).into(),
        }
    }

    /// What finishes attempts that nobody works on any more.
    pub fn settler(&self) -> Reconciler {
        Reconciler::new(Arc::clone(&self.0))
    }
}

/// A request with its digests.
#[derive(Debug)]
struct KeyedRequest {
    user: NewUser,
    request_id: String,
    email: DigestPair,
    binding: DigestPair,
    key: Option<DigestPair>,
}

impl KeyedRequest {
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
