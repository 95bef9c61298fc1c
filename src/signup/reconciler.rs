//! Reconciliation of the attempts that a crash or an exhausted deadline left open.
//!
//! The reconciler has no password, so it only looks up: a user with the pinned id means created;
//! none, long enough after the call's connection closed, means not created. It is bounded, backs
//! off, and leases each row to one replica at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::address_lookup::{CLOCK_BOUND, MAX_RIVALS};
use super::outcome::{Outcome, SignupResult};
use super::unresolved::LONGEST_BACKOFF;
use super::{Inner, UnresolvedReason};
use crate::auth0::{LookupError, Priority, UserById};
use crate::clock::{LedgerTime, TenantTime};
use crate::digest::DigestPair;
use crate::ledger::{
    Attempt, AttemptState, Basis, ClaimDue, Find, FinishAttempt, LedgerError, NextCheck,
    Resolution, Urgency,
};
use crate::telemetry::chain;

/// The pause between rounds, less up to a fifth so that replicas do not work in step.
const ROUND: Duration = Duration::from_secs(5);

/// The lease of a round's rows.
const LEASE: Duration = Duration::from_mins(1);

/// Time after the start of the lease at which a round stops its lookups, so that none outlives its
/// lease.
const LOOKUP_WINDOW: Duration = Duration::from_secs(45);

/// The most rows of a round. Each costs one lookup of the tenant's budget.
const ROUND_ROWS: usize = 20;

/// Resolves the attempts that requests left open.
#[derive(Debug)]
pub struct Reconciler {
    service: Arc<Inner>,
    /// True once the missing scope `read:users` was logged; it is logged only once.
    forbidden: AtomicBool,
}

impl Reconciler {
    /// Creates the reconciler of this service's ledger.
    pub(super) const fn new(service: Arc<Inner>) -> Self {
        Self { service, forbidden: AtomicBool::new(false) }
    }

    /// Resolves attempts round after round. Logs a failure once, until a round succeeds. Runs until it
    /// is dropped.
    pub async fn run(self) {
        let mut is_failing = false;
        loop {
            sleep(ROUND.mul_f64(rand::random_range(0.8..1.0))).await;
            let round = self.round().await;
            if let Err(error) = &round
                && !is_failing
            {
                tracing::warn!(error = chain(error), "attempts cannot be reconciled: {error}");
            }
            is_failing = round.is_err();
        }
    }

    /// Checks one round of the attempts that are due.
    async fn round(&self) -> Result<(), LedgerError> {
        let Inner { ledger, heartbeat, active_attempts, timeouts, .. } = &*self.service;
        let owner = heartbeat.process();
        let longest_wait = LONGEST_BACKOFF.max(timeouts.lease + timeouts.absence_grace) + LEASE;
        let until = Instant::now() + LOOKUP_WINDOW;
        let claim = ClaimDue {
            owner,
            under_way: active_attempts.ids(),
            lease: LEASE,
            longest_wait,
            limit: ROUND_ROWS,
        };
        let due = ledger.claim_due(claim).await?;
        for attempt in due {
            // An orphan is marked first, which also releases it: the next round looks it up.
            if attempt.state == AttemptState::Open {
                self.record(&attempt, Outcome::Unknown).await?;
                continue;
            }
            let next_check = match timeout_at(until, self.check(&attempt)).await {
                Ok(checked) => {
                    let Some(reason) = checked? else { continue };
                    plan_check(&attempt, &reason)
                }
                // Too late for this round: the next one checks it first.
                Err(_) => NextCheck { after: Some(Duration::ZERO), counts_as_failed: false },
            };
            ledger.release(attempt.id, owner, next_check).await?;
        }
        Ok(())
    }

    /// Checks one attempt now, due or not, and records the result. Returns the reason that
    /// the attempt is still unresolved; `None` when it is resolved. For operators.
    ///
    /// Takes no lease: at worst two processes check one attempt, and find the same.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn reconcile(
        &self,
        attempt: &Attempt,
    ) -> Result<Option<UnresolvedReason>, LedgerError> {
        if attempt.state.is_resolved() {
            return Ok(None);
        }
        match UnresolvedReason::under_way(attempt) {
            Some(under_way) => Ok(Some(under_way)),
            None => self.check(attempt).await,
        }
    }

    /// Looks one attempt up and records its outcome, if the lookup is conclusive.
    async fn check(&self, attempt: &Attempt) -> Result<Option<UnresolvedReason>, LedgerError> {
        let outcome = match self.look_up(attempt).await {
            Ok(outcome) => outcome,
            Err(reason) => {
                // An orphan has to be marked once, or its grace period would never start.
                if attempt.state == AttemptState::Open {
                    self.record(attempt, Outcome::Unknown).await?;
                    if let Some(marked) = self.service.ledger.get(attempt.id).await? {
                        // Starts to count the grace period by this process's clock.
                        self.service.absence_left(&marked);
                    }
                }
                return Ok(Some(reason));
            }
        };
        let code = outcome.code();
        if self.record(attempt, outcome).await? {
            tracing::info!(attempt = %attempt.id, code, "resolved an attempt: {code}");
            return Ok(None);
        }
        // Void: either it is resolved by now, or a call of it is under way.
        let now = self.service.ledger.get(attempt.id).await?;
        let is_resolved = now.is_none_or(|attempt| attempt.state.is_resolved());
        Ok((!is_resolved).then_some(UnresolvedReason::Resumed))
    }

    /// Records the outcome that a check found; `false` when it was void.
    async fn record(&self, attempt: &Attempt, outcome: Outcome) -> Result<bool, LedgerError> {
        let outcome_code = outcome.code();
        let resolution = SignupResult::new(outcome).resolution(&attempt.user_id);
        let Some(resolution) = resolution else { return Ok(false) };
        let basis = match resolution {
            Resolution::Created { .. } => Basis::Observed,
            Resolution::Exists
            | Resolution::Unknown
            | Resolution::NotCreated
            | Resolution::Restartable => {
                Basis::NotFound { connection_ended_at: attempt.connection_ended_at }
            }
        };
        let finish = FinishAttempt {
            id: attempt.id,
            resolution,
            outcome_code,
            // The recorded one stays.
            auth0_request_id: None,
            basis,
            urgency: Urgency::Awaited,
        };
        self.service.ledger.finish(finish).await
    }

    /// Returns whether another attempt may have created this user: one that pinned the same id, as an earlier one
    /// of the same sign-up or another form without a key does. An attempt that pinned another id has only met the
    /// user, which this attempt created. If there are too many to compare, one of them may have.
    async fn has_rival(
        &self,
        attempt: &Attempt,
        found: &UserById,
    ) -> Result<bool, UnresolvedReason> {
        let email = DigestPair { current: attempt.email, previous: None };
        let find = Find::User(email, found.user.user_id.clone());
        let attempts = self.service.ledger.find(find, MAX_RIVALS).await;
        let attempts = attempts.map_err(UnresolvedReason::LedgerFailed)?;
        let is_rival = |other: &Attempt| {
            other.id != attempt.id
                && other.state == AttemptState::Created
                && other.auth0_user_id.is_none()
                && may_have_created(other, attempt, found.created_at)
        };
        Ok(attempts.len() == MAX_RIVALS || attempts.iter().any(is_rival))
    }

    /// Looks up the user with the pinned id.
    async fn look_up(&self, attempt: &Attempt) -> Result<Outcome, UnresolvedReason> {
        let Inner { auth0, context, pin_support, timeouts, .. } = &*self.service;
        // First: it also starts to count the grace period.
        let left = self.service.absence_left(attempt);
        if pin_support.is_ignored() {
            return Err(UnresolvedReason::Unpinned);
        }
        match auth0.user(&attempt.user_id.to_user_id(), Priority::Background).await {
            Ok(Some(found)) => {
                let is_own = found.user.email.as_ref().is_none_or(|email| {
                    context.digests.email(&email.to_lowercase()).contains(&attempt.email)
                });
                if !is_own {
                    Err(UnresolvedReason::AnotherAddress)
                } else if self.has_rival(attempt, &found).await? {
                    Err(UnresolvedReason::Contested)
                } else {
                    Ok(Outcome::Created(Arc::new(found.user)))
                }
            }
            Ok(None) => match left {
                // Not marked yet: the process that called may have died just now.
                None => Err(UnresolvedReason::TooEarly { left: timeouts.absence_grace }),
                Some(left) if !left.is_zero() => Err(UnresolvedReason::TooEarly { left }),
                Some(_) if pin_support.is_kept() => Ok(Outcome::Unreachable { retry_after: None }),
                Some(_) => Err(UnresolvedReason::Unproven),
            },
            Err(LookupError::Forbidden) => {
                if !self.forbidden.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        "the application lacks the scope read:users: unknown outcomes cannot be \
                         looked up"
                    );
                }
                Err(UnresolvedReason::Forbidden)
            }
            Err(LookupError::Failed(error)) => Err(UnresolvedReason::LookupFailed(error)),
        }
    }
}

/// Returns the next check of an unresolved attempt. Logs if there is none: the gauges leave the attempt
/// out from now on.
fn plan_check(attempt: &Attempt, reason: &UnresolvedReason) -> NextCheck {
    let next = reason.next_check(attempt.check_count);
    if next.after.is_none() {
        tracing::warn!(
            attempt = %attempt.id,
            "an attempt stays unknown and is not checked again: {reason}"
        );
    }
    next
}

/// Returns whether the rival of an attempt may have created the user: it started before the user was created,
/// and had not ended by then.
fn may_have_created(rival: &Attempt, attempt: &Attempt, created_at: Option<TenantTime>) -> bool {
    let Some(created_at) = created_at else { return true };
    let at = |time| tenant_time(rival, time).or_else(|| tenant_time(attempt, time));
    let had_ended =
        rival.finished_at.and_then(at).is_some_and(|ended_at| ended_at + CLOCK_BOUND <= created_at);
    let started_later =
        at(rival.started_at).is_some_and(|started_at| created_at + CLOCK_BOUND <= started_at);
    !had_ended && !started_later
}

/// The tenant's time at a time of the ledger, by the two times at which an attempt started.
fn tenant_time(attempt: &Attempt, at: LedgerTime) -> Option<TenantTime> {
    let Attempt { started_at, tenant_started_at, .. } = attempt;
    let (later, earlier) = (at.since(*started_at), started_at.since(at));
    tenant_started_at.map(|started_at| (started_at + later).before(earlier))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth0::User;
    use crate::ledger::Binding;
    use crate::signup::call::PreparedCall;
    use crate::signup::test_service::{self, TestService};

    /// An attempt that started and ended at these seconds of the ledger. The tenant's clock is 1,000 s ahead.
    fn attempt(started: u64, ended: u64, knows_tenant: bool) -> Attempt {
        let time = |seconds| LedgerTime::from_epoch(Duration::from_secs(seconds));
        Attempt {
            tenant_started_at: knows_tenant.then(|| tenant(started)),
            finished_at: Some(time(ended)),
            ..test_service::attempt(AttemptState::Created, time(started))
        }
    }

    fn tenant(seconds: u64) -> TenantTime {
        TenantTime::from_epoch(Duration::from_secs(seconds + 1_000))
    }

    #[test]
    fn a_rival_that_had_ended_or_not_started_has_created_no_user() {
        let own = attempt(200, 210, true);
        for knows_tenant in [true, false] {
            let rival = |started, ended| attempt(started, ended, knows_tenant);
            for (rival, created_at, expected) in [
                (rival(100, 101), 201, false),
                (rival(100, 199), 201, false),
                // Within the bound of the clocks.
                (rival(100, 200), 201, true),
                (rival(199, 205), 201, true),
                (rival(203, 205), 201, false),
                (rival(202, 205), 201, true),
            ] {
                let may_have = may_have_created(&rival, &own, Some(tenant(created_at)));
                assert_eq!(may_have, expected, "{:?} {created_at}", rival.started_at);
                assert!(may_have_created(&rival, &own, None));
            }
        }
        let unknown = attempt(200, 210, false);
        assert!(may_have_created(&attempt(100, 101, false), &unknown, Some(tenant(201))));
    }

    #[tokio::test]
    async fn too_many_rivals_leave_an_attempt_contested() {
        let service = TestService::start().await;
        let ledger = &service.inner().ledger;
        let request = service.request(None);
        let now = ledger.now().await.unwrap();
        let call = PreparedCall::new(service.inner(), &request, now);
        let found = UserById {
            user: User::known(call.user_id.to_user_id(), "ada@example.com"),
            created_at: None,
        };
        let record = async |call: &PreparedCall| {
            service.record(&request, call, Binding::from_bytes([1, 2])).await;
        };
        record(&call).await;
        for attempts in 2..=MAX_RIVALS {
            let rival = PreparedCall::new(service.inner(), &request, now);
            record(&PreparedCall { user_id: call.user_id.clone(), ..rival }).await;
            let attempt = ledger.get(call.id).await.unwrap().unwrap();
            let has_rival = service.signups.reconciler().has_rival(&attempt, &found).await;
            assert_eq!(has_rival.unwrap(), attempts == MAX_RIVALS, "{attempts}");
        }
    }
}
