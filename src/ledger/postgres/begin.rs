//! The start of an attempt: the function `start_attempt` in one round trip.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_postgres::Row;

use super::connections::Rows;
use super::statement::{End, Statement, bytes, statement};
use super::{Postgres, rows};
use crate::clock::TenantTime;
use crate::config::Synchronous;
use crate::ledger::{BeginResult, KeyRecord, LedgerError, NewAttempt, PermitCharge, millis};
use crate::limits::Limit;
use crate::telemetry::LogGate;

/// The number of tries of an attempt whose key another call takes and frees meanwhile.
const TRIES: usize = 4;

/// Time for which no start charges the shared limits after they have failed: a start waits half a second for
/// a locked table, and few can wait at once.
const LIMITS_PAUSE: Duration = Duration::from_secs(2);

/// Bounds the lines about shared limits that fail, of which an outage has one for each attempt.
static LIMITS_LOG: LogGate = LogGate::new();

const START: &str = "SELECT result, limited_bucket, limited_for, limits_error FROM start_attempt(\
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";

/// Decides whether a start charges the shared limits: none does for [`LIMITS_PAUSE`] after they have failed,
/// then one tries. Holds the end of the pause.
#[derive(Debug, Default)]
pub(super) struct SharedLimits(Mutex<Option<Instant>>);

impl SharedLimits {
    /// Returns whether a start charges them now.
    fn are_charged(&self, now: Instant) -> bool {
        match &mut *self.0.lock() {
            None => true,
            Some(paused_until) if now < *paused_until => false,
            Some(paused_until) => {
                *paused_until = now + LIMITS_PAUSE;
                true
            }
        }
    }

    /// Records whether they failed when they were charged.
    fn record(&self, have_failed: bool, now: Instant) {
        *self.0.lock() = have_failed.then(|| now + LIMITS_PAUSE);
    }
}

impl Postgres {
    /// Starts an attempt.
    pub(super) async fn begin_attempt(
        &self,
        mut attempt: NewAttempt,
    ) -> Result<BeginResult, LedgerError> {
        // The function locks rows in this order.
        attempt.key.records.sort_unstable_by_key(|record| record.key);
        attempt.key.records.dedup_by_key(|record| record.key);
        attempt.admission_cost.charges.sort_unstable_by_key(|charge| charge.bucket);
        for _ in 0..TRIES {
            let rows = self.start(&attempt).await?;
            match rows::value::<String>(&rows, 0)?.as_str() {
                "started" => return Ok(BeginResult::Started),
                "limited" => return rate_limited(&rows, &attempt.admission_cost.charges),
                "proof_used" => return Ok(BeginResult::ProofAlreadyUsed),
                // Another attempt has the key.
                _ => {}
            }
            let keys = attempt.key.records.iter().map(|record| bytes(&record.key)).collect();
            if let Some(existing) = self.look_up_key(keys).await?.attempt {
                return Ok(BeginResult::Existing(Box::new(existing)));
            }
            // Its key is free again; the permits are perhaps spent.
            attempt.admission_cost.charges.clear();
        }
        Err(LedgerError::unavailable(Contended))
    }

    /// Calls the function. A repeated call charges nothing: the first one counts as charged.
    async fn start(&self, attempt: &NewAttempt) -> Result<Vec<Row>, LedgerError> {
        let is_synced = attempt.lease.synced
            || self.synchronous == Synchronous::Full
            || attempt.admission_cost.proof.is_some();
        let end = if is_synced { End::CommitThenSync } else { End::CommitUnsynced };
        let first = start_statement(attempt, &attempt.admission_cost.charges).end(end);
        let repeat = start_statement(attempt, &[]).end(end);
        let has_charges = !attempt.admission_cost.charges.is_empty();
        let mut is_charged = false;
        // Another start may have found that the limits fail while this one's first try waited for them.
        let choose = || {
            is_charged = has_charges && self.shared_limits.are_charged(Instant::now());
            if is_charged { &first } else { &repeat }
        };
        let Rows { rows, is_repeat } = self.connections.run_or_repeat(choose, &repeat).await?;
        if is_charged && !is_repeat {
            let error: Option<String> = rows::value(&rows, 3)?;
            // A start whose key is taken may have ended before it charged anything.
            if error.is_some() || rows::value::<String>(&rows, 0)? != "existing" {
                self.shared_limits.record(error.is_some(), Instant::now());
            }
            if let Some(error) = error
                && LIMITS_LOG.is_due()
            {
                tracing::warn!(error, "the shared limits failed; this replica's own limits remain");
            }
        }
        Ok(rows)
    }
}

/// The call, with its parameters in order.
fn start_statement(attempt: &NewAttempt, charges: &[PermitCharge]) -> Statement {
    let NewAttempt { key, lease, admission_cost, .. } = attempt;
    let keys = |bytes: fn(&KeyRecord) -> &[u8]| {
        key.records.iter().map(|record| bytes(record).to_vec()).collect::<Vec<_>>()
    };
    let proof = admission_cost.proof.as_ref();
    let numbers = |number: fn(&PermitCharge) -> i64| charges.iter().map(number).collect::<Vec<_>>();
    statement(START)
        .bind(*attempt.id.as_uuid())
        .bind(bytes(&attempt.email))
        .bind(attempt.user_id.as_str().to_owned())
        .bind(attempt.request_id.clone())
        .bind(attempt.terms.as_ref().map(|terms| terms.as_str().to_owned()))
        .bind(attempt.tenant_started_at.map(TenantTime::as_millis))
        .bind(lease.process)
        .bind(millis(lease.lasts))
        .bind(keys(|record| record.key.as_bytes()))
        .bind(keys(|record| record.binding.as_bytes()))
        .bind(millis(key.lifetime))
        .bind(proof.map(|proof| bytes(&proof.proof)))
        .bind(proof.map(|proof| millis(proof.lasts)))
        .bind(charges.iter().map(|charge| bytes(&charge.bucket)).collect::<Vec<_>>())
        .bind(numbers(|charge| micros(charge.rate.every)))
        .bind(numbers(|charge| charge.rate.burst.into()))
}

/// The result for the bucket whose permit comes back last.
fn rate_limited(rows: &[Row], charges: &[PermitCharge]) -> Result<BeginResult, LedgerError> {
    let bucket: Vec<u8> = rows::value(rows, 1)?;
    let wait: i64 = rows::value(rows, 2)?;
    let limit = charges.iter().find(|charge| charge.bucket.as_bytes().as_slice() == bucket);
    Ok(BeginResult::RateLimited {
        limit: limit.map_or(Limit::Service, |charge| charge.limit),
        retry_after: Duration::from_micros(u64::try_from(wait).unwrap_or_default()),
    })
}

/// Whole microseconds, at least one.
fn micros(every: Duration) -> i64 {
    i64::try_from(every.as_micros()).unwrap_or(i64::MAX).max(1)
}

/// Other calls took and freed a key before each lookup.
#[derive(Debug, thiserror::Error)]
#[error("too many calls compete for one idempotency key")]
struct Contended;
