//! Signs users up exactly once.
//!
//! Each attempt is recorded in the ledger when it starts and resolved after Auth0 was called, so a lost
//! response never leaves the outcome unknown for longer than it takes to look the user up. A
//! repeated idempotency key returns the recorded outcome. The id of the user is computed from the
//! sign-up, so its outcome is also known after the ledger lost the row. Depends on `auth0` and
//! `ledger`; knows nothing about HTTP.

mod active_attempts;
mod address_lookup;
mod admission;
mod call;
mod ended_calls;
mod existing_account_notice;
mod heartbeat;
mod identity;
mod in_flight;
mod ledger_wait;
mod outcome;
mod pin_support;
mod reconciler;
mod record;
mod rejection;
mod replay;
mod resolve;
mod run;
mod sweeper;
mod taken_addresses;
#[cfg(test)]
mod test_service;
mod unresolved;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

pub use crate::ledger::AdmissionCost;
pub use admission::{Admission, Admitted, ResultRecorder};
pub use outcome::{Outcome, SignupResult};
pub use reconciler::Reconciler;
pub use rejection::Rejection;
pub use unresolved::UnresolvedReason;

use self::active_attempts::ActiveAttempts;
use self::ended_calls::EndedCalls;
use self::heartbeat::{AliveSince, Heartbeat};
pub use self::identity::Connection;
use self::identity::KeyedRequest;
use self::in_flight::{InFlight, Join, wait_for_outcome};
use self::ledger_wait::LedgerWait;
use self::pin_support::PinSupport;
use self::taken_addresses::TakenAddresses;
use crate::auth0::Client;
use crate::context::Context;
use crate::domain::{IdempotencyKey, NewUser};
use crate::ledger::{Lease, Ledger, LedgerError};
use crate::telemetry::in_active_trace;

/// The most attempts that are released at once after their start failed.
const MOST_RELEASES: usize = 256;

/// Signs users up. Cheap to clone; clones share everything.
#[derive(Debug, Clone)]
pub struct Signups(Arc<Inner>);

/// The state that clones of [`Signups`] share.
#[derive(Debug)]
struct Inner {
    auth0: Arc<Client>,
    ledger: Arc<dyn Ledger>,
    context: Context,
    timeouts: Timeouts,
    in_flight: Arc<InFlight>,
    active_attempts: ActiveAttempts,
    connection: Connection,
    pin_support: PinSupport,
    ended_calls: EndedCalls,
    taken_addresses: TakenAddresses,
    heartbeat: Heartbeat,
    /// Bounds the tasks that release attempts whose start failed.
    releases: Arc<Semaphore>,
    hides_existence: bool,
    has_replicas: bool,
    notice_client_id: Option<String>,
}

/// Dependencies of [`Signups`].
#[derive(Debug)]
pub struct Deps {
    /// The clock, the digests, and the lifecycle whose shutdown waits for attempts under way.
    pub context: Context,
    /// The tenant.
    pub auth0: Arc<Client>,
    /// The ledger that attempts are recorded in.
    pub ledger: Arc<dyn Ledger>,
    /// The timeouts of attempts and keys.
    pub timeouts: Timeouts,
    /// The connection that users are created in.
    pub connection: Connection,
    /// True if create calls pin the user's id.
    pub pin_user_id: bool,
    /// True if a new and a known address get the same response. A lookup that only the ledger needs
    /// then runs after the response.
    pub hides_existence: bool,
    /// True if other processes may serve from the ledger.
    pub has_replicas: bool,
    /// The application in whose name the owner of an existing account is notified of a sign-up with
    /// its address; `None` sends no notice.
    pub notice_client_id: Option<String>,
}

/// Timeouts of attempts and idempotency keys.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Lifetime of an idempotency key: its outcome is replayed until then.
    pub key_lifetime: Duration,
    /// The longest wait of a duplicate request for the result of the first one.
    pub duplicate_wait: Duration,
    /// Time from the start of an attempt during which an unsent call is retried.
    pub retry_window: Duration,
    /// The longest work on an attempt; an outcome that is still open then is unknown.
    pub attempt: Duration,
    /// Time from the start of an attempt after which this process has certainly stopped work on it.
    pub lease: Duration,
    /// Grace period after a call's connection closed. A lookup that finds no user after it proves
    /// that the call created none.
    pub absence_grace: Duration,
    /// The longest wait of a sign-up for the ledger, over its calls other than the polling of another
    /// replica's attempt.
    pub ledger: Duration,
}

/// A request to sign a user up.
#[derive(Debug)]
pub struct Request {
    /// The user to create.
    pub user: NewUser,
    /// The client's idempotency key, if it sent one.
    pub key: Option<IdempotencyKey>,
    /// The request's id.
    pub request_id: String,
    /// True for a form of the built-in page. Each has its own key, so a user who opens it in two tabs
    /// sends two: with one address and password, within ten minutes, they are one sign-up.
    pub is_own_form: bool,
}

impl Signups {
    /// Creates the service with no sign-ups under way.
    pub fn new(deps: Deps) -> Self {
        let Deps {
            auth0,
            ledger,
            context,
            timeouts,
            connection,
            pin_user_id,
            hides_existence,
            has_replicas,
            notice_client_id,
        } = deps;
        Self(Arc::new(Inner {
            auth0,
            ledger,
            context,
            timeouts,
            in_flight: Arc::default(),
            active_attempts: ActiveAttempts::default(),
            connection,
            pin_support: PinSupport::new(pin_user_id),
            ended_calls: EndedCalls::default(),
            taken_addresses: TakenAddresses::default(),
            heartbeat: Heartbeat::new(Uuid::from_bytes(rand::random())),
            releases: Arc::new(Semaphore::new(MOST_RELEASES)),
            hides_existence,
            has_replicas,
            notice_client_id,
        }))
    }

    /// Reads what the ledger knows about the connection, and shows this process as alive for the
    /// first time. Called before the first request.
    pub async fn prepare(&self) {
        self.0.beat().await;
        self.0.keeps_user_ids(&LedgerWait::new(self.0.timeouts.ledger)).await;
    }

    /// Shows this process as alive at regular intervals. Runs until it is dropped.
    pub async fn show_alive(self) {
        self.0.show_alive().await;
    }

    /// Signs the user up, or returns the result of an earlier identical request. `admission` decides
    /// whether a new attempt may start.
    ///
    /// The attempt runs in its own task, which shutdown waits for: dropping this future does not
    /// cancel it. If `deadline` passes first, the outcome is [`Outcome::Unreachable`] when nothing
    /// was sent and nothing will be, by this process or another, otherwise [`Outcome::Unknown`].
    pub async fn create(
        &self,
        request: Request,
        admission: Admission,
        deadline: Instant,
    ) -> SignupResult {
        let inner = &self.0;
        let ledger_wait = LedgerWait::new(inner.timeouts.ledger);
        let request = KeyedRequest::new(&inner.context.digests, request, ledger_wait);
        let leader = loop {
            match inner.in_flight.join(&request) {
                Join::KeyMismatch => return SignupResult::new(Outcome::KeyReused),
                Join::Follower(outcome) => {
                    let until = deadline.min(Instant::now() + inner.timeouts.duplicate_wait);
                    match timeout_at(until, wait_for_outcome(outcome)).await {
                        // Abandoned before anything was sent: start over.
                        Ok(SignupResult { outcome: Outcome::Abandoned, .. }) => {}
                        Ok(result) => return result.replay(),
                        Err(_) => return SignupResult::new(Outcome::InProgress),
                    }
                }
                Join::Leader(leader) => break leader,
            }
        };
        let (outcome, send_state) = (leader.subscribe(), leader.send_state().clone());
        let alive = inner.heartbeat.alive_since();
        let inner = Arc::clone(inner);
        // Boxed: it has kilobytes, which every function on the way to the task would copy.
        let run = Box::pin(async move {
            inner.run_and_announce(request, admission, leader).await;
        });
        drop(self.0.context.lifecycle.spawn(in_active_trace(run)));
        if let Ok(result) = timeout_at(deadline, wait_for_outcome(outcome)).await {
            return result;
        }
        // In this order: nothing is sent from here on. Before, another process may have sent the call once
        // this one counted as dead.
        let is_unsent = send_state.give_up() && !self.0.may_be_taken_over(alive);
        SignupResult::out_of_time(!is_unsent)
    }

    /// Checks that the ledger can record the start of an attempt.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn ping_ledger(&self) -> Result<(), LedgerError> {
        self.0.ledger.ping(self.0.lease().synced).await
    }

    /// Returns the reconciler of attempts that no request works on any more.
    pub fn reconciler(&self) -> Reconciler {
        Reconciler::new(Arc::clone(&self.0))
    }
}

impl Inner {
    /// The lease of this process on an attempt that it starts.
    fn lease(&self) -> Lease {
        let synced = !self.can_find_users();
        Lease { process: self.heartbeat.process(), lasts: self.timeouts.lease, synced }
    }

    /// Returns whether another process may have taken over an attempt of this one, which was alive then.
    fn may_be_taken_over(&self, alive: Option<AliveSince>) -> bool {
        self.has_replicas && self.heartbeat.has_lapsed_since(alive)
    }

    /// Returns whether a user that an attempt created is found again without the attempt's row.
    fn can_find_users(&self) -> bool {
        self.pin_support.is_kept() && self.auth0.may_read_users()
    }
}
