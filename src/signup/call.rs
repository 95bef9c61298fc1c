//! The create call of one attempt: its content, and the rules for sending it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::{Instant, sleep, timeout};

use super::Inner;
use super::active_attempts::ActiveAttempt;
use super::heartbeat::AliveSince;
use super::identity::KeyedRequest;
use super::outcome::{Outcome, SignupResult};
use crate::auth0::{Acceptance, CallPermit, CreateUserError, Priority};
use crate::clock::{LedgerTime, TenantTime};
use crate::domain::TermsVersion;
use crate::ledger::{Attempt, AttemptId, PinnedUserId};

/// The most tries of a call that was not sent, or that the tenant asked to send later.
const TRIES: u32 = 3;

/// The pause before the second try of an unsent call or of a lookup; doubled before a third.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// The parts of a create call that are fixed before it is first sent, so that it can be repeated.
#[derive(Debug)]
pub(super) struct PreparedCall {
    /// The attempt that the call belongs to.
    pub(super) id: AttemptId,
    /// The id that the call pins.
    pub(super) user_id: PinnedUserId,
    /// The start of the attempt.
    pub(super) started_at: LedgerTime,
    /// The tenant's time at the start, if it was known.
    pub(super) tenant_started_at: Option<TenantTime>,
    /// The terms that were accepted with the sign-up.
    pub(super) terms: Option<TermsVersion>,
    /// The number of times that the attempt had started again.
    pub(super) restarts: u8,
    /// A time before this process took the attempt, at which it was alive.
    pub(super) alive: Option<AliveSince>,
    /// Keeps the reconciler from the attempt.
    pub(super) active: ActiveAttempt,
}

impl PreparedCall {
    /// The call of a new attempt, whose user id is computed from the request. Made before the attempt
    /// is recorded.
    pub(super) fn new(service: &Inner, request: &KeyedRequest, now: LedgerTime) -> Self {
        let Inner { context, connection, auth0, heartbeat, active_attempts, .. } = service;
        let (id, tenant_now) = (AttemptId::new(now), auth0.tenant_now());
        Self {
            id,
            user_id: request.user_id(&context.digests, connection, now, tenant_now),
            started_at: now,
            tenant_started_at: tenant_now,
            terms: request.user.terms.clone(),
            restarts: 0,
            alive: heartbeat.alive_since(),
            active: active_attempts.add(id),
        }
    }

    /// The same call as the attempt's first one. Made before this process takes the attempt.
    pub(super) fn from_attempt(service: &Inner, attempt: &Attempt) -> Self {
        Self {
            id: attempt.id,
            user_id: attempt.user_id.clone(),
            started_at: attempt.started_at,
            tenant_started_at: attempt.tenant_started_at,
            terms: attempt.terms.clone(),
            restarts: attempt.restarts,
            alive: service.heartbeat.alive_since(),
            active: service.active_attempts.add(attempt.id),
        }
    }
}

/// The work of one attempt at the tenant, within its timeout.
#[derive(Debug)]
pub(super) struct AttemptRunner<'a> {
    pub(super) service: &'a Arc<Inner>,
    pub(super) request: &'a KeyedRequest,
    pub(super) call: &'a PreparedCall,
    /// True if an earlier request started the attempt.
    pub(super) is_resumed: bool,
    /// True if a lookup that finds no user proves that earlier calls of this attempt created none: their
    /// grace period is over.
    pub(super) absence_is_proof: bool,
    /// The start of this work.
    pub(super) started_at: Instant,
    /// True if the tenant may still be working on a call of this request.
    may_still_run: AtomicBool,
    /// True once this work has started to send a call, unless the call was not sent or was rejected.
    is_unanswered: AtomicBool,
    /// True once a call has met a user, who may be this sign-up's own.
    met_user: AtomicBool,
}

impl<'a> AttemptRunner<'a> {
    /// A runner of an attempt on whose calls the tenant certainly has not acted.
    pub(super) fn new(
        service: &'a Arc<Inner>,
        request: &'a KeyedRequest,
        call: &'a PreparedCall,
    ) -> Self {
        Self {
            service,
            request,
            call,
            is_resumed: false,
            absence_is_proof: false,
            started_at: Instant::now(),
            may_still_run: AtomicBool::new(false),
            is_unanswered: AtomicBool::new(false),
            met_user: AtomicBool::new(false),
        }
    }

    /// A runner of an attempt that an earlier request left unresolved.
    pub(super) fn resuming(
        service: &'a Arc<Inner>,
        request: &'a KeyedRequest,
        call: &'a PreparedCall,
        absence_is_proof: bool,
    ) -> Self {
        let new = Self::new(service, request, call);
        let may_still_run = AtomicBool::new(!absence_is_proof);
        Self { is_resumed: true, absence_is_proof, may_still_run, ..new }
    }

    /// Sends the create call with this permit, and resolves it if its response is lost.
    pub(super) async fn call_and_resolve(&self, permit: CallPermit) -> SignupResult {
        self.within_timeout(async {
            let result = self.create(Some(permit), Priority::Create).await;
            match result.outcome {
                Outcome::Unknown => Box::pin(self.resolve(result)).await,
                // The response is the same for a new address, so it does not wait for the lookup.
                Outcome::EmailTaken if self.service.hides_existence => result.unchecked(),
                Outcome::EmailTaken | Outcome::UsernameTaken => {
                    Box::pin(self.check_conflict(result)).await
                }
                _ => result,
            }
        })
        .await
    }

    /// Returns whether the tenant may still be working on a call of this attempt.
    pub(super) fn may_still_run(&self) -> bool {
        self.may_still_run.load(Ordering::Relaxed)
    }

    /// Returns whether the tenant may have acted on a call of this attempt, as far as is known.
    pub(super) fn may_have_acted(&self) -> bool {
        self.is_resumed || self.is_unanswered()
    }

    /// Returns whether the tenant may have acted on a call of this work, as far as is known: it was
    /// sent, and no response rejected it.
    pub(super) fn is_unanswered(&self) -> bool {
        self.is_unanswered.load(Ordering::Relaxed)
    }

    /// Records that a call has met a user, whom a lookup has yet to identify.
    pub(super) fn meet_user(&self) {
        self.met_user.store(true, Ordering::Relaxed);
    }

    /// Returns the result of this work, or that the attempt ran out of time.
    pub(super) fn within_timeout(
        &self,
        work: impl Future<Output = SignupResult>,
    ) -> impl Future<Output = SignupResult> {
        // Not `async`: that would hold the work twice, as an argument and while it runs.
        timeout(self.service.timeouts.attempt, work).map(|result| {
            let is_open = || self.may_have_acted() || self.met_user.load(Ordering::Relaxed);
            result.unwrap_or_else(|_| SignupResult::out_of_time(is_open()))
        })
    }

    /// Checks that no other process has resumed the attempt. If this one counted as dead meanwhile,
    /// the row has to show that it still works on it.
    async fn check_worker(&self) -> Result<(), SignupResult> {
        let Self { service, request, call, .. } = self;
        if !service.heartbeat.has_lapsed_since(call.alive) {
            return Ok(());
        }
        let attempt = match request.ledger_wait.limit(service.ledger.get(call.id)).await {
            Ok(attempt) => attempt,
            Err(error) => return Err(SignupResult::from(error).restartable()),
        };
        let is_own = attempt.is_some_and(|attempt| {
            let worker = attempt.worker.map(|worker| worker.process);
            !attempt.state.is_resolved() && worker == Some(service.heartbeat.process())
        });
        if is_own { Ok(()) } else { Err(SignupResult::taken_over()) }
    }

    /// The time after which nothing is tried again.
    pub(super) fn retry_until(&self) -> Instant {
        self.started_at + self.service.timeouts.retry_window
    }

    /// Makes the create call. Retries it only when the tenant certainly did not act on it: it was
    /// not sent, or the tenant had no room for it. Without a permit, waits for one of this priority.
    pub(super) async fn create(
        &self,
        mut permit: Option<CallPermit>,
        priority: Priority,
    ) -> SignupResult {
        let Self { service, request, call, .. } = self;
        let user_id = service.pin_support.is_pinning().then(|| call.user_id.as_str());
        // The time in the id is the same in every call of the attempt.
        let at = call.id.created_at().unwrap_or(call.started_at).since_epoch();
        let terms = call.terms.as_ref().map(|version| Acceptance { version, at });
        let mut pause = PAUSE;
        let mut tries = 1;
        loop {
            let permit = match permit.take() {
                Some(permit) => permit,
                // A call that is not admitted is not retried: admission itself waits.
                None => match service.auth0.admit(priority).await {
                    Ok(permit) => permit,
                    Err(error) => return error.into(),
                },
            };
            if let Err(result) = self.check_worker().await {
                return result;
            }
            let was_unanswered = self.is_unanswered.swap(true, Ordering::Relaxed);
            let created = service.auth0.create_user(
                &request.user,
                user_id,
                terms,
                &request.request_id,
                permit,
            );
            let error = match created.await {
                Ok(created) => {
                    service.taken_addresses.remove(&request.email.current);
                    let is_kept = created.user.user_id == call.user_id.to_user_id();
                    service.learn_pin_support(is_kept);
                    return created.into();
                }
                Err(error) => error,
            };
            if let CreateUserError::Ambiguous(cause) = &error {
                self.may_still_run.fetch_or(cause.may_still_run(), Ordering::Relaxed);
                service.taken_addresses.remove(&request.email.current);
                return error.into();
            }
            self.is_unanswered.store(was_unanswered, Ordering::Relaxed);
            let wait = match &error {
                CreateUserError::NotSent(_) => pause,
                // Admission already waits as long as the tenant asked for.
                CreateUserError::RateLimited { .. } => Duration::ZERO,
                CreateUserError::EmailTaken
                | CreateUserError::UsernameTaken
                | CreateUserError::UsernameRejected
                | CreateUserError::PasswordRejected(_)
                | CreateUserError::InvalidBody
                | CreateUserError::Misconfigured(_)
                | CreateUserError::Ambiguous(_) => return error.into(),
            };
            if tries == TRIES || Instant::now() + wait >= self.retry_until() {
                return error.into();
            }
            sleep(wait).await;
            tries += 1;
            pause *= 2;
        }
    }
}
