//! What finishes the attempts that a crash or an exhausted deadline left open.
//!
//! It has no password, so it only check_count: a user of the pinned id means created; none, long enough
//! after the call's connection ended, means not created. Bounded, backing off, and one replica at a
//! time a row, by leases. It also removes what is older than the retention.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::{Inner, UnresolvedReason};
use crate::auth0::{LookupError, Priority};
use crate::ledger::{Attempt, AttemptState, Basis, Find, FinishAttempt, LedgerError, Resolution};
use crate::telemetry::chain;

/// The pause between rounds, less up to a fifth: replicas do not look in step.
const ROUND: Duration = Duration::from_secs(5);

/// How long the rows of a round are leased.
const LEASE: Duration = Duration::from_mins(1);

/// So long after its rows were leased a round check_count at no more of them: no look may outlive its
/// lease.
const LOOKING: Duration = Duration::from_secs(45);

/// The most rows of a round. Each costs one look-up of the tenant's budget.
const ROUND_ROWS: usize = 20;

/// The most rows removed at once, and the pause before the next batch.
const SWEEP: (usize, Duration) = (500, Duration::from_millis(100));

/// How often old rows are looked for.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// Settles what requests left open.
#[derive(Debug)]
pub struct Reconciler {
    shared: Arc<Inner>,
    /// The application lacks `read:users`: told once.
    forbidden: AtomicBool,
}

impl Reconciler {
    pub(super) const fn new(shared: Arc<Inner>) -> Self {
        Self { shared, forbidden: AtomicBool::new(false) }
    }

    /// Settles, round after round. Runs until it is dropped.
    pub async fn settle(self) {
        self.learn_pin().await;
        loop {
            sleep(ROUND.mul_f64(rand::random_range(0.8..1.0))).await;
            if let Err(error) = self.round().await {
                tracing::warn!(error = chain(&error), "attempts cannot be settled: {error}");
            }
        }
    }

    /// Learns from the last user that was created whether the connection keeps pinned ids: after a
    /// restart nothing else tells. Where it does, a look-up that finds nobody proves something; where
    /// it did not, a call must not be sent again until this process has seen an id kept.
    pub async fn learn_pin(&self) {
        let created = self.shared.ledger.find(Find::State(AttemptState::Created), 1).await;
        if let Ok([last, ..]) = created.as_deref() {
            self.shared.pin.recall(last.auth0_user_id.is_none());
        }
    }

    async fn round(&self) -> Result<(), LedgerError> {
        let shared = &self.shared;
        let now = shared.clock.now();
        let until = Instant::now() + LOOKING;
        for attempt in shared.ledger.claim_due(shared.owner, now, LEASE, ROUND_ROWS).await? {
            // An orphan is marked first, which also gives it back: the next round check_count at it.
            if let Some(mark) = orphaned(&attempt, shared.clock.now()) {
                self.write(&attempt, (mark, "outcome_unknown")).await?;
                continue;
            }
            let next_look = match timeout_at(until, self.look_and_write(&attempt)).await {
                Ok(looked) => match looked? {
                    None => continue,
                    Some(doubt) => doubt.next_look(attempt.check_count),
                },
                // Not this round: as soon as there is a next one.
                Err(_) => Some(Duration::ZERO),
            };
            let next_check_at = next_look.map(|wait| shared.clock.now() + wait);
            shared.ledger.release(attempt.id, shared.owner, next_check_at).await?;
        }
        Ok(())
    }

    /// Looks at one attempt now, due or not, and writes down what it finds; `None` when it is
    /// settled. For operators: [`Reconciler::learn_pin`] comes first.
    ///
    /// Takes no lease: at worst two look at one attempt, and find the same.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn settle_now(
        &self,
        attempt: &Attempt,
    ) -> Result<Option<UnresolvedReason>, LedgerError> {
        if attempt.state.is_resolved() {
            return Ok(None);
        }
        match UnresolvedReason::of_work(attempt, self.shared.clock.now()) {
            Some(work) => Ok(Some(work)),
            None => self.look_and_write(attempt).await,
        }
    }

    async fn look_and_write(
        &self,
        attempt: &Attempt,
    ) -> Result<Option<UnresolvedReason>, LedgerError> {
        let shared = &self.shared;
        let (settled, doubt) = match self.look(attempt).await {
            Ok(settled) => (Some(settled), None),
            Err(doubt) => (None, Some(doubt)),
        };
        // An orphan has to be marked once, or its time of proof would never begin.
        let orphan = || Some((orphaned(attempt, shared.clock.now())?, "outcome_unknown"));
        let Some((verdict, code)) = settled.or_else(orphan) else { return Ok(doubt) };
        let written = self.write(attempt, (verdict, code)).await?;
        if doubt.is_some() {
            return Ok(doubt);
        }
        if written {
            tracing::info!(attempt = %attempt.id, code, "settled an attempt: {code}");
            return Ok(None);
        }
        // Void: either it is settled by now, or a call of it is under way.
        let now = shared.ledger.get(attempt.id).await?;
        let settled = now.is_none_or(|attempt| attempt.state.is_resolved());
        Ok((!settled).then_some(UnresolvedReason::TakenUp))
    }

    /// Writes down what a look found; `false` when it was void.
    async fn write(
        &self,
        attempt: &Attempt,
        (verdict, code): (Resolution, &'static str),
    ) -> Result<bool, LedgerError> {
        let basis = match verdict {
            Resolution::Created { .. } => Basis::Observed,
            Resolution::Exists | Resolution::Unknown { .. } | Resolution::NotCreated => {
                Basis::NotFound { connection_ended_at: attempt.connection_ended_at }
            }
        };
        let finish = FinishAttempt {
            id: attempt.id,
            resolution: verdict,
            outcome_code: code,
            auth0_request_id: attempt.auth0_request_id.clone(),
            finished_at: self.shared.clock.now(),
            basis,
        };
        self.shared.ledger.finish(finish).await
    }

    /// What came of the attempt, with the outcome's code.
    async fn look(
        &self,
        attempt: &Attempt,
    ) -> Result<(Resolution, &'static str), UnresolvedReason> {
        let shared = &self.shared;
        let proof = shared.times.proof;
        if shared.pin.is_ignored() {
            return Err(UnresolvedReason::Unpinned);
        }
        match shared.auth0.user(attempt.user_id.as_str(), Priority::Background).await {
            Ok(Some(_)) => Ok((Resolution::Created { user_id: None }, "created")),
            Ok(None) => {
                let ended = attempt.connection_ended_at;
                let left = ended.map(|ended| (ended + proof).saturating_sub(shared.clock.now()));
                match left {
                    // Not marked yet: the process that called may have died this very moment.
                    None => Err(UnresolvedReason::TooEarly { left: proof }),
                    Some(left) if !left.is_zero() => Err(UnresolvedReason::TooEarly { left }),
                    Some(_) if shared.pin.is_kept() => {
                        Ok((Resolution::NotCreated, "upstream_unavailable"))
                    }
                    Some(_) => Err(UnresolvedReason::Unproven),
                }
            }
            Err(LookupError::Forbidden) => {
                if !self.forbidden.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        "the application lacks the scope read:users: outcomes that are unknown \
                         cannot be looked up"
                    );
                }
                Err(UnresolvedReason::Forbidden)
            }
            Err(LookupError::Failed(error)) => Err(UnresolvedReason::Failed(error)),
        }
    }

    /// Removes what is older than `retention`, batch by batch. Runs until it is dropped.
    pub async fn sweep(self, retention: Duration) {
        let (batch, pause) = SWEEP;
        loop {
            sleep(SWEEP_EVERY).await;
            loop {
                let now = self.shared.clock.now();
                match self.shared.ledger.sweep(now, retention, batch).await {
                    Ok(swept) if !swept.is_done(batch) => sleep(pause).await,
                    Ok(_) => break,
                    Err(error) => {
                        tracing::warn!(
                            error = chain(&error),
                            "old attempts cannot be removed: {error}"
                        );
                        break;
                    }
                }
            }
        }
    }
}

/// The mark of an attempt that was open without anybody working on it.
fn orphaned(attempt: &Attempt, now: Duration) -> Option<Resolution> {
    (attempt.state == AttemptState::Open)
        .then_some(Resolution::Unknown { connection_ended_at: now })
}
