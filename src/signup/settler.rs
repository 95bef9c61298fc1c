//! What finishes the attempts that a crash or an exhausted deadline left open.
//!
//! It has no password, so it only looks: a user of the pinned id means created; none, long enough
//! after the call's connection ended, means not created. Bounded, backing off, and one replica at a
//! time a row, by leases. It also removes what is older than the retention.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use super::Shared;
use crate::auth0::LookupError;
use crate::ledger::{Attempt, Find, Finish, LedgerError, State, Verdict};
use crate::telemetry::chain;

/// The pause between rounds, less up to a fifth: replicas do not look in step.
const ROUND: Duration = Duration::from_secs(5);

/// How long a row is leased for one look.
const LEASE: Duration = Duration::from_mins(1);

/// The most rows of a round. Each costs one look-up of the tenant's budget.
const ROUND_ROWS: usize = 20;

/// The wait after the first look that told nothing, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(10));

/// The most rows removed at once, and the pause before the next batch.
const SWEEP: (usize, Duration) = (500, Duration::from_millis(100));

/// How often old rows are looked for.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// Settles what requests left open.
#[derive(Debug)]
pub struct Settler {
    shared: Arc<Shared>,
    /// The application lacks `read:users`: learnt once, told once.
    forbidden: AtomicBool,
}

/// What a look tells.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    /// This is what came of it.
    Settled(Verdict, &'static str),
    /// Look again so much later.
    Later(Duration),
    /// Looking cannot tell.
    Never,
}

impl Settler {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared, forbidden: AtomicBool::new(false) }
    }

    /// Settles, round after round. Runs until it is dropped.
    ///
    /// `proof` is how long after a call's connection ended a look-up that finds no user proves
    /// that there will be none.
    pub async fn settle(self, proof: Duration) {
        self.learn_pin().await;
        loop {
            sleep(ROUND.mul_f64(rand::random_range(0.8..1.0))).await;
            if let Err(error) = self.round(proof).await {
                tracing::warn!(error = chain(&error), "attempts cannot be settled: {error}");
            }
        }
    }

    /// Learns from the last user that was created whether the connection keeps pinned ids: after
    /// a restart nothing else tells, and without it a look-up that finds nobody proves nothing.
    async fn learn_pin(&self) {
        let created = self.shared.ledger.find(Find::State(State::Created), 1).await;
        if let Some(last) = created.ok().and_then(|rows| rows.into_iter().next()) {
            self.shared.pin.learn(last.auth0_user_id.is_none());
        }
    }

    async fn round(&self, proof: Duration) -> Result<(), LedgerError> {
        let shared = &self.shared;
        let now = shared.clock.now();
        for attempt in shared.ledger.claim_open(shared.owner, now, LEASE, ROUND_ROWS).await? {
            let look = self.look(&attempt, proof).await;
            let now = shared.clock.now();
            let (verdict, code, next_look_at) = match look {
                Look::Settled(verdict, code) => (Some(verdict), code, None),
                // An orphan has to be marked once, or its time of proof would never begin.
                Look::Later(wait) => (orphaned(&attempt, now), "outcome_unknown", Some(now + wait)),
                Look::Never => (orphaned(&attempt, now), "outcome_unknown", None),
            };
            let settled = matches!(&verdict, Some(verdict) if verdict.state().is_settled());
            if let Some(verdict) = verdict {
                let id = attempt.id;
                let auth0_request_id = attempt.auth0_request_id.clone();
                // A user that was found is there. That none was counts only while nobody repeats
                // the call.
                let found = matches!(verdict, Verdict::Created { .. });
                let leased_by = (!found).then_some(shared.owner);
                let finish =
                    Finish { id, verdict, code, auth0_request_id, finished_at: now, leased_by };
                shared.ledger.finish(finish).await?;
            }
            if settled {
                tracing::info!(attempt = %attempt.id, code, "settled an attempt: {code}");
            } else {
                shared.ledger.release(attempt.id, shared.owner, next_look_at).await?;
            }
        }
        Ok(())
    }

    async fn look(&self, attempt: &Attempt, proof: Duration) -> Look {
        let shared = &self.shared;
        if shared.pin.is_ignored() || self.forbidden.load(Ordering::Relaxed) {
            return Look::Never;
        }
        match shared.auth0.user(attempt.user_id.as_str()).await {
            Ok(Some(_)) => Look::Settled(Verdict::Created { user_id: None }, "created"),
            Ok(None) => {
                let ended = attempt.connection_ended_at;
                let left = ended.map(|ended| (ended + proof).checked_sub(shared.clock.now()));
                match left {
                    // Not marked yet: the process that called may have died this very moment.
                    None => Look::Later(proof),
                    Some(Some(left)) if !left.is_zero() => Look::Later(left),
                    Some(_) if shared.pin.is_kept() => {
                        Look::Settled(Verdict::NotCreated, "upstream_unavailable")
                    }
                    Some(_) => Look::Later(backoff(attempt.looks)),
                }
            }
            Err(LookupError::Forbidden) => {
                if !self.forbidden.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        "the application lacks the scope read:users: outcomes that are unknown \
                         cannot be looked up"
                    );
                }
                Look::Never
            }
            Err(LookupError::Failed(_)) => Look::Later(backoff(attempt.looks)),
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
fn orphaned(attempt: &Attempt, now: Duration) -> Option<Verdict> {
    (attempt.state == State::Open).then_some(Verdict::Unknown { connection_ended_at: now })
}

/// The wait after so many looks that told nothing.
fn backoff(looks: u32) -> Duration {
    let doubled = BACKOFF.0.saturating_mul(2_u32.saturating_pow(looks.min(16)));
    doubled.min(BACKOFF.1)
}
