//! Counts and times the calls of either ledger.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    Attempt, AttemptId, AttemptState, BeginResult, Find, FinishAttempt, Ledger, LedgerError,
    NewAttempt, PendingAttempts, ProofUse, Swept,
};
use crate::clock::Clock;
use crate::digest::DigestPair;
use crate::telemetry::{LedgerMetrics, OperationMetrics};

/// The interval at which the pending attempts are counted.
const COUNT_INTERVAL: Duration = Duration::from_secs(5);

/// Counts and times the calls of another ledger. The metrics are looked up once.
#[derive(Debug)]
pub struct InstrumentedLedger {
    ledger: Arc<dyn Ledger>,
    metrics: LedgerMetrics,
    begin: OperationMetrics,
    use_proof: OperationMetrics,
    finish: OperationMetrics,
    find_key: OperationMetrics,
    get: OperationMetrics,
    claim_due: OperationMetrics,
    release: OperationMetrics,
    sweep: OperationMetrics,
    find: OperationMetrics,
    delete_by_email: OperationMetrics,
    count_pending: OperationMetrics,
    ping: OperationMetrics,
}

impl InstrumentedLedger {
    /// Wraps this ledger.
    pub fn new(ledger: Arc<dyn Ledger>, metrics: &LedgerMetrics) -> Self {
        Self {
            ledger,
            metrics: metrics.clone(),
            begin: metrics.operation("begin"),
            use_proof: metrics.operation("use_proof"),
            finish: metrics.operation("finish"),
            find_key: metrics.operation("find_key"),
            get: metrics.operation("get"),
            claim_due: metrics.operation("claim_due"),
            release: metrics.operation("release"),
            sweep: metrics.operation("sweep"),
            find: metrics.operation("find"),
            delete_by_email: metrics.operation("delete_by_email"),
            count_pending: metrics.operation("count_pending"),
            ping: metrics.operation("ping"),
        }
    }
}

/// Counts the pending attempts at intervals, for the metrics of this ledger. Runs until it is
/// dropped.
pub async fn count_pending_regularly(ledger: Arc<dyn Ledger>, clock: Arc<dyn Clock>) {
    loop {
        // Ignored: callers that need the ledger report the error themselves.
        drop(ledger.count_pending(clock.now()).await);
        sleep(COUNT_INTERVAL).await;
    }
}

/// The resolution in the metrics' labels; `None` while there is none.
const fn result_label(state: AttemptState) -> Option<&'static str> {
    match state {
        AttemptState::Created | AttemptState::Exists | AttemptState::NotCreated => {
            Some(state.name())
        }
        AttemptState::Open | AttemptState::Unknown => None,
    }
}

/// Counts and times one call.
async fn measure<T>(
    metrics: &OperationMetrics,
    call: impl Future<Output = Result<T, LedgerError>> + Send,
) -> Result<T, LedgerError> {
    let started = Instant::now();
    let result = call.await;
    metrics.call(result.is_ok(), started.elapsed());
    result
}

#[async_trait]
impl Ledger for InstrumentedLedger {
    async fn begin(&self, attempt: NewAttempt) -> Result<BeginResult, LedgerError> {
        measure(&self.begin, self.ledger.begin(attempt)).await
    }

    async fn use_proof(&self, id: AttemptId, proof: ProofUse) -> Result<bool, LedgerError> {
        measure(&self.use_proof, self.ledger.use_proof(id, proof)).await
    }

    async fn finish(&self, finish: FinishAttempt) -> Result<bool, LedgerError> {
        let state = finish.resolution.state();
        let written = measure(&self.finish, self.ledger.finish(finish)).await?;
        if written && let Some(result) = result_label(state) {
            self.metrics.resolved(result);
        }
        Ok(written)
    }

    async fn find_key(
        &self,
        key: &DigestPair,
        now: Duration,
    ) -> Result<Option<Attempt>, LedgerError> {
        measure(&self.find_key, self.ledger.find_key(key, now)).await
    }

    async fn get(&self, id: AttemptId) -> Result<Option<Attempt>, LedgerError> {
        measure(&self.get, self.ledger.get(id)).await
    }

    async fn claim_due(
        &self,
        owner: Uuid,
        now: Duration,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<Attempt>, LedgerError> {
        let claimed =
            measure(&self.claim_due, self.ledger.claim_due(owner, now, lease, limit)).await?;
        self.metrics.claimed(claimed.len());
        Ok(claimed)
    }

    async fn release(
        &self,
        id: AttemptId,
        owner: Uuid,
        next_check_at: Option<Duration>,
    ) -> Result<(), LedgerError> {
        measure(&self.release, self.ledger.release(id, owner, next_check_at)).await
    }

    async fn sweep(
        &self,
        now: Duration,
        keep: Duration,
        batch: usize,
    ) -> Result<Swept, LedgerError> {
        let swept = measure(&self.sweep, self.ledger.sweep(now, keep, batch)).await?;
        let Swept { attempts, keys, proofs, buckets } = swept;
        let by_kind =
            [("attempts", attempts), ("keys", keys), ("proofs", proofs), ("buckets", buckets)];
        self.metrics.deleted(by_kind);
        Ok(swept)
    }

    async fn find(&self, by: Find, limit: usize) -> Result<Vec<Attempt>, LedgerError> {
        measure(&self.find, self.ledger.find(by, limit)).await
    }

    async fn delete_by_email(&self, email: &DigestPair) -> Result<usize, LedgerError> {
        measure(&self.delete_by_email, self.ledger.delete_by_email(email)).await
    }

    async fn count_pending(&self, now: Duration) -> Result<PendingAttempts, LedgerError> {
        let pending = measure(&self.count_pending, self.ledger.count_pending(now)).await?;
        self.metrics.pending(pending.attempts, pending.oldest);
        Ok(pending)
    }

    async fn ping(&self, now: Duration) -> Result<(), LedgerError> {
        measure(&self.ping, self.ledger.ping(now)).await
    }

    async fn close(&self) {
        self.ledger.close().await;
    }
}
