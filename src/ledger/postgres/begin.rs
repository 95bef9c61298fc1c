//! The start of an attempt: the procedure `begin_attempt` in one round trip.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{Error, Row as _, query};

use super::connections::{Statement, is_statement_error};
use super::{Postgres, ledger_error, millis};
use crate::clock::TenantTime;
use crate::digest::{Digest, DigestPair};
use crate::domain::TermsVersion;
use crate::ledger::{BeginResult, KeyRecord, LedgerError, NewAttempt, PermitCharge};
use crate::limits::Limit;

/// The number of tries of an attempt whose key another call takes and frees meanwhile.
const TRIES: usize = 4;

const BEGIN: &str = "CALL begin_attempt($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, \
    $14, $15, $16, $17, NULL, NULL, NULL)";

impl Postgres {
    /// Starts an attempt.
    pub(super) async fn begin_attempt(
        &self,
        attempt: &mut NewAttempt,
    ) -> Result<BeginResult, LedgerError> {
        // The procedure locks rows in this order.
        attempt.key.records.sort_unstable_by_key(|record| record.key);
        attempt.key.records.dedup_by_key(|record| record.key);
        attempt.admission_cost.charges.sort_unstable_by_key(|charge| charge.bucket);
        for _ in 0..TRIES {
            let row = self.call_begin(attempt).await?;
            let result: String = row.try_get(0).map_err(ledger_error)?;
            match result.as_str() {
                "started" => return Ok(BeginResult::Started),
                "limited" => return rate_limited(&row, &attempt.admission_cost.charges),
                "proof_used" => return Ok(BeginResult::ProofAlreadyUsed),
                // Another attempt has the key.
                _ => {}
            }
            for record in &attempt.key.records {
                let key = DigestPair { current: record.key, previous: None };
                if let Some(existing) = self.look_up_key(&key).await?.attempt {
                    return Ok(BeginResult::Existing(Box::new(existing)));
                }
            }
            // Its key is free again; the permits are spent.
            attempt.admission_cost.charges.clear();
        }
        Err(LedgerError::unavailable(Contended))
    }

    /// Calls the procedure. Limits must not cost a sign-up: if it fails with them, it is called
    /// again without them.
    async fn call_begin(&self, attempt: &NewAttempt) -> Result<PgRow, LedgerError> {
        let charges = attempt.admission_cost.charges.as_slice();
        // An earlier try counts as charged.
        let mut run = self
            .connections
            .run(|is_repeat| statement(attempt, if is_repeat { &[] } else { charges }))
            .await;
        if let Err(error) = &run
            && is_statement_error(error)
            && !charges.is_empty()
        {
            let again = self.connections.run(|_| statement(attempt, &[])).await;
            if again.is_ok() {
                let cause: &dyn std::error::Error = error;
                tracing::warn!(
                    error = cause,
                    "the shared limits failed; this replica's own limits remain"
                );
            }
            run = again;
        }
        let row = run.map_err(ledger_error)?.rows.pop();
        row.ok_or(Error::RowNotFound).map_err(ledger_error)
    }
}

/// The call, with its parameters in order.
fn statement<'s>(attempt: &'s NewAttempt, charges: &'s [PermitCharge]) -> Statement<'s> {
    let NewAttempt { key, lease, admission_cost, .. } = attempt;
    let keys = |bytes: fn(&KeyRecord) -> &[u8]| key.records.iter().map(bytes).collect::<Vec<_>>();
    let proof = admission_cost.proof.as_ref();
    let numbers = |number: fn(&PermitCharge) -> i64| charges.iter().map(number).collect::<Vec<_>>();
    query(BEGIN)
        .bind(attempt.id.as_uuid())
        .bind(attempt.email.as_bytes())
        .bind(attempt.user_id.as_str())
        .bind(&attempt.request_id)
        .bind(attempt.terms.as_ref().map(TermsVersion::as_str))
        .bind(attempt.tenant_started_at.map(TenantTime::as_millis))
        .bind(lease.process)
        .bind(millis(lease.lasts))
        .bind(keys(|record| record.key.as_bytes()))
        .bind(keys(|record| record.binding.as_bytes()))
        .bind(millis(key.lifetime))
        .bind(proof.map(|proof| proof.proof.as_bytes()))
        .bind(proof.map(|proof| millis(proof.lasts)))
        .bind(charges.iter().map(|charge| charge.bucket.as_bytes()).collect::<Vec<_>>())
        .bind(numbers(|charge| micros(charge.rate.every)))
        .bind(numbers(|charge| charge.rate.burst.into()))
        .bind(lease.synced)
}

/// The result for the bucket whose permit comes back last.
fn rate_limited(row: &PgRow, charges: &[PermitCharge]) -> Result<BeginResult, LedgerError> {
    let bucket: [u8; 32] = row.try_get(1).map_err(ledger_error)?;
    let wait: i64 = row.try_get(2).map_err(ledger_error)?;
    let bucket = Digest::from_bytes(bucket);
    let limit = charges.iter().find(|charge| charge.bucket == bucket);
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
