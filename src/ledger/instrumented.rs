//! A ledger whose calls are counted and timed, whatever database it is.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    Attempt, AttemptId, AttemptState, BeginResult, DigestPair, Find, FinishAttempt, Ledger,
    LedgerError, NewAttempt, PendingAttempts, ProofUse, Swept,
};
use crate::clock::Clock;
use crate::telemetry::{LedgerMetrics, OperationMetrics};

/// How often the unsettled attempts are counted.
const COUNTED_EVERY: Duration = Duration::from_secs(5);

/// Counts the calls of another ledger.
#[derive(Debug)]
pub struct InstrumentedLedger {
    ledger: Arc<dyn Ledger>,
    metrics: LedgerMetrics,
    begin: OperationMetrics,
    use_proof: OperationMetrics,
    finish: OperationMetrics,
    find_key: OperationMetrics,
    get: OperationMetrics,
    claim: OperationMetrics,
    release: OperationMetrics,
    sweep: OperationMetrics,
    find: OperationMetrics,
    forget: OperationMetrics,
    unsettled: OperationMetrics,
    check: OperationMetrics,
}

impl InstrumentedLedger {
    /// Counts the calls of this one.
    pub fn new(ledger: Arc<dyn Ledger>, metrics: &LedgerMetrics) -> Self {
        Self {
            ledger,
            metrics: metrics.clone(),
            begin: metrics.operation("begin"),
            use_proof: metrics.operation("use_proof"),
            finish: metrics.operation("finish"),
            find_key: metrics.operation("find_key"),
            get: metrics.operation("get"),
            claim: metrics.operation("claim"),
            release: metrics.operation("release"),
            sweep: metrics.operation("sweep"),
            find: metrics.operation("find"),
            forget: metrics.operation("forget"),
            unsettled: metrics.operation("unsettled"),
            check: metrics.operation("check"),
        }
    }
}

/// Counts the unsettled attempts now and then, for the metrics of this ledger. Runs until it is
/// dropped.
pub async fn count_pending_regularly(ledger: Arc<dyn Ledger>, clock: Arc<dyn Clock>) {
    loop {
        // That the ledger cannot be read is told by whoever needs it.
        drop(ledger.count_pending(clock.now()).await);
        sleep(COUNTED_EVERY).await;
    }
}

/// The verdict as the metrics have it; `None` while there is none.
const fn label(state: AttemptState) -> Option<&'static str> {
    match state {
        AttemptState::Created => Some("created"),
        AttemptState::Exists => Some("exists"),
        AttemptState::NotCreated => Some("not_created"),
        AttemptState::Open | AttemptState::Unknown => None,
    }
}

/// Counts what a call comes to.
async fn metered<T>(
    metrics: &OperationMetrics,
    call: impl Future<Output = Result<T, LedgerError>> + Send,
) -> Result<T, LedgerError> {
    let began = Instant::now();
    let answer = call.await;
    metrics.call(answer.is_ok(), began.elapsed());
    answer
}

#[async_trait]
impl Ledger for InstrumentedLedger {
    async fn begin(&self, attempt: NewAttempt) -> Result<BeginResult, LedgerError> {
        metered(&self.begin, self.ledger.begin(attempt)).await
    }

    async fn use_proof(&self, id: AttemptId, redemption: ProofUse) -> Result<bool, LedgerError> {
        metered(&self.use_proof, self.ledger.use_proof(id, redemption)).await
    }

    async fn finish(&self, finish: FinishAttempt) -> Result<bool, LedgerError> {
        let verdict = finish.verdict.state();
        let written = metered(&self.finish, self.ledger.finish(finish)).await?;
        if written && let Some(verdict) = label(verdict) {
            self.metrics.resolved(verdict);
        }
        Ok(written)
    }

    async fn find_key(
        &self,
        key: &DigestPair,
        now: Duration,
    ) -> Result<Option<Attempt>, LedgerError> {
        metered(&self.find_key, self.ledger.find_key(key, now)).await
    }

    async fn get(&self, id: AttemptId) -> Result<Option<Attempt>, LedgerError> {
        metered(&self.get, self.ledger.get(id)).await
    }

    async fn claim_due(
        &self,
        owner: Uuid,
        now: Duration,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<Attempt>, LedgerError> {
        let claimed = metered(&self.claim, self.ledger.claim_due(owner, now, lease, limit)).await?;
        self.metrics.claimed(claimed.len());
        Ok(claimed)
    }

    async fn release(
        &self,
        id: AttemptId,
        owner: Uuid,
        next_check_at: Option<Duration>,
    ) -> Result<(), LedgerError> {
        metered(&self.release, self.ledger.release(id, owner, next_check_at)).await
    }

    async fn sweep(
        &self,
        now: Duration,
        keep: Duration,
        batch: usize,
    ) -> Result<Swept, LedgerError> {
        let swept = metered(&self.sweep, self.ledger.sweep(now, keep, batch)).await?;
        let Swept { attempts, keys, proofs, buckets } = swept;
        let swept =
            [("attempts", attempts), ("keys", keys), ("proofs", proofs), ("buckets", buckets)];
        self.metrics.swept(swept);
        Ok(Swept { attempts, keys, proofs, buckets })
    }

    async fn find(&self, by: Find, limit: usize) -> Result<Vec<Attempt>, LedgerError> {
        metered(&self.find, self.ledger.find(by, limit)).await
    }

    async fn delete_by_email(&self, email: &DigestPair) -> Result<usize, LedgerError> {
        metered(&self.forget, self.ledger.delete_by_email(email)).await
    }

    async fn count_pending(&self, now: Duration) -> Result<PendingAttempts, LedgerError> {
        let unsettled = metered(&self.unsettled, self.ledger.count_pending(now)).await?;
        self.metrics.unsettled(unsettled.attempts, unsettled.oldest);
        Ok(unsettled)
    }

    async fn ping(&self, now: Duration) -> Result<(), LedgerError> {
        metered(&self.check, self.ledger.ping(now)).await
    }

    async fn close(&self) {
        self.ledger.close().await;
    }
}
