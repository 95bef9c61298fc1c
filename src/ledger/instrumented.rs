//! Counts and times the calls of either ledger.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    Attempt, AttemptId, AttemptState, BeginResult, ClaimDue, Find, FinishAttempt, KeyLookup, Lease,
    Ledger, LedgerError, NewAttempt, NextCheck, PendingAttempts, Retention, Swept, UrlChange,
};
use crate::clock::LedgerTime;
use crate::digest::DigestPair;
use crate::telemetry::{LedgerMetrics, OperationMetrics};

/// The interval at which the pending attempts are counted.
const COUNT_INTERVAL: Duration = Duration::from_secs(5);

/// Counts and times the calls of another ledger. The metrics are looked up once.
#[derive(Debug)]
pub struct InstrumentedLedger {
    ledger: Arc<dyn Ledger>,
    metrics: LedgerMetrics,
    now: OperationMetrics,
    begin: OperationMetrics,
    restart: OperationMetrics,
    take_over: OperationMetrics,
    give_back: OperationMetrics,
    free_key: OperationMetrics,
    record_once: OperationMetrics,
    delete_mark: OperationMetrics,
    finish: OperationMetrics,
    find_key: OperationMetrics,
    get: OperationMetrics,
    claim_due: OperationMetrics,
    release: OperationMetrics,
    sweep: OperationMetrics,
    find: OperationMetrics,
    delete_by_email: OperationMetrics,
    count_pending: OperationMetrics,
    heartbeat: OperationMetrics,
    keeps_user_ids: OperationMetrics,
    record_user_ids: OperationMetrics,
    ping: OperationMetrics,
}

impl InstrumentedLedger {
    /// Wraps this ledger.
    pub fn new(ledger: Arc<dyn Ledger>, metrics: &LedgerMetrics) -> Self {
        Self {
            ledger,
            metrics: metrics.clone(),
            now: metrics.operation("now"),
            begin: metrics.operation("begin"),
            restart: metrics.operation("restart"),
            take_over: metrics.operation("take_over"),
            give_back: metrics.operation("give_back"),
            free_key: metrics.operation("free_key"),
            record_once: metrics.operation("record_once"),
            delete_mark: metrics.operation("delete_mark"),
            finish: metrics.operation("finish"),
            find_key: metrics.operation("find_key"),
            get: metrics.operation("get"),
            claim_due: metrics.operation("claim_due"),
            release: metrics.operation("release"),
            sweep: metrics.operation("sweep"),
            find: metrics.operation("find"),
            delete_by_email: metrics.operation("delete_by_email"),
            count_pending: metrics.operation("count_pending"),
            heartbeat: metrics.operation("heartbeat"),
            keeps_user_ids: metrics.operation("keeps_user_ids"),
            record_user_ids: metrics.operation("record_user_ids"),
            ping: metrics.operation("ping"),
        }
    }
}

/// Counts the pending attempts at intervals, for the metrics of this ledger. Runs until it is
/// dropped.
pub async fn count_pending_regularly(ledger: Arc<dyn Ledger>) {
    loop {
        // Ignored: callers that need the ledger report the error themselves.
        drop(ledger.count_pending().await);
        sleep(COUNT_INTERVAL).await;
    }
}

/// Counts and times one call. One that its caller gives up has failed: the ledger was too slow.
async fn measure<T>(
    metrics: &OperationMetrics,
    call: impl Future<Output = Result<T, LedgerError>> + Send,
) -> Result<T, LedgerError> {
    let mut measured = MeasuredCall { metrics, started: Instant::now(), is_done: false };
    let result = call.await;
    measured.is_done = result.is_ok();
    result
}

/// A call under way, which counts when this is dropped.
struct MeasuredCall<'m> {
    metrics: &'m OperationMetrics,
    started: Instant,
    is_done: bool,
}

impl Drop for MeasuredCall<'_> {
    fn drop(&mut self) {
        self.metrics.call(self.is_done, self.started.elapsed());
    }
}

#[async_trait]
impl Ledger for InstrumentedLedger {
    async fn now(&self) -> Result<LedgerTime, LedgerError> {
        measure(&self.now, self.ledger.now()).await
    }

    async fn begin(&self, attempt: NewAttempt) -> Result<BeginResult, LedgerError> {
        measure(&self.begin, self.ledger.begin(attempt)).await
    }

    async fn restart(&self, id: AttemptId, lease: Lease) -> Result<Option<u8>, LedgerError> {
        measure(&self.restart, self.ledger.restart(id, lease)).await
    }

    async fn take_over(
        &self,
        id: AttemptId,
        lease: Lease,
        connection_ended_at: Option<LedgerTime>,
    ) -> Result<Option<LedgerTime>, LedgerError> {
        measure(&self.take_over, self.ledger.take_over(id, lease, connection_ended_at)).await
    }

    async fn give_back(
        &self,
        before: Attempt,
        taken_until: LedgerTime,
    ) -> Result<bool, LedgerError> {
        measure(&self.give_back, self.ledger.give_back(before, taken_until)).await
    }

    async fn free_key(&self, id: AttemptId, state: AttemptState) -> Result<(), LedgerError> {
        measure(&self.free_key, self.ledger.free_key(id, state)).await
    }

    async fn record_once(
        &self,
        id: AttemptId,
        mark: DigestPair,
        lasts: Duration,
    ) -> Result<bool, LedgerError> {
        measure(&self.record_once, self.ledger.record_once(id, mark, lasts)).await
    }

    async fn delete_mark(&self, id: AttemptId, mark: DigestPair) -> Result<(), LedgerError> {
        measure(&self.delete_mark, self.ledger.delete_mark(id, mark)).await
    }

    async fn finish(&self, finish: FinishAttempt) -> Result<bool, LedgerError> {
        let state = finish.resolution.state();
        let written = measure(&self.finish, self.ledger.finish(finish)).await?;
        if written && state.is_resolved() {
            self.metrics.resolved(state.name());
        }
        Ok(written)
    }

    async fn find_key(&self, key: &DigestPair) -> Result<KeyLookup, LedgerError> {
        measure(&self.find_key, self.ledger.find_key(key)).await
    }

    async fn get(&self, id: AttemptId) -> Result<Option<Attempt>, LedgerError> {
        measure(&self.get, self.ledger.get(id)).await
    }

    async fn claim_due(&self, claim: ClaimDue) -> Result<Vec<Attempt>, LedgerError> {
        let claimed = measure(&self.claim_due, self.ledger.claim_due(claim)).await?;
        self.metrics.claimed(claimed.len());
        Ok(claimed)
    }

    async fn release(
        &self,
        id: AttemptId,
        owner: Uuid,
        next_check: NextCheck,
    ) -> Result<(), LedgerError> {
        measure(&self.release, self.ledger.release(id, owner, next_check)).await
    }

    async fn sweep(&self, retention: Retention, batch: usize) -> Result<Swept, LedgerError> {
        let swept = measure(&self.sweep, self.ledger.sweep(retention, batch)).await?;
        let Swept { attempts, keys, proofs, buckets, cut: _ } = swept;
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

    async fn count_pending(&self) -> Result<PendingAttempts, LedgerError> {
        let pending = measure(&self.count_pending, self.ledger.count_pending()).await?;
        self.metrics.pending(pending.attempts, pending.oldest);
        Ok(pending)
    }

    async fn heartbeat(&self, process: Uuid) -> Result<LedgerTime, LedgerError> {
        measure(&self.heartbeat, self.ledger.heartbeat(process)).await
    }

    async fn keeps_user_ids(&self, connection: &DigestPair) -> Result<Option<bool>, LedgerError> {
        measure(&self.keeps_user_ids, self.ledger.keeps_user_ids(connection)).await
    }

    async fn record_user_ids(
        &self,
        connection: DigestPair,
        keeps: bool,
        replaces: bool,
    ) -> Result<(), LedgerError> {
        let record = self.ledger.record_user_ids(connection, keeps, replaces);
        measure(&self.record_user_ids, record).await
    }

    async fn ping(&self, synced: bool) -> Result<(), LedgerError> {
        measure(&self.ping, self.ledger.ping(synced)).await
    }

    async fn close(&self) {
        self.ledger.close().await;
    }

    async fn replace_url(&self, url: &SecretString) -> Result<UrlChange, LedgerError> {
        self.ledger.replace_url(url).await
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::timeout;

    use super::*;
    use crate::telemetry::Metrics;

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_given_up_has_failed() {
        let metrics = Metrics::new();
        let begin = metrics.ledger().operation("begin");
        let call = measure(&begin, pending::<Result<(), LedgerError>>());
        assert!(timeout(Duration::from_secs(3), call).await.is_err());
        let text = metrics.encode();
        assert!(text.contains("ledger_call_duration_seconds_sum{operation=\"begin\"} 3"), "{text}");
        let failed = "ledger_calls_total{operation=\"begin\",outcome=\"failed\"} 1";
        assert!(text.contains(failed), "{text}");
    }
}
