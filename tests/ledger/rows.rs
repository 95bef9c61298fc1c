//! Attempts and resolutions to record.

use std::sync::Arc;
use std::time::Duration;

use auth0_signup::clock::{LedgerTime, TenantTime};
use auth0_signup::digest::{Digest, DigestPair};
use auth0_signup::ledger::{
    AdmissionCost, Attempt, AttemptId, Basis, BeginResult, Binding, ClaimDue, FinishAttempt,
    KeyRecord, Lease, Ledger, NewAttempt, NewKey, NextCheck, PermitCharge, PinnedUserId, ProofUse,
    Resolution, Retention, Urgency,
};
use auth0_signup::limits::{Limit, Rate};
use uuid::Uuid;

use crate::backend::NOW;

/// The lifetime of a key.
pub(crate) const DAY: Duration = Duration::from_hours(24);

/// The first lease of an attempt.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// The longest wait for a check of an attempt.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_hours(48);

/// The process that works on attempts.
pub(crate) const PROCESS: Uuid = Uuid::from_u128(5);

/// The evidence of [`PROCESS`] for a result, on an attempt that no other process has had.
pub(crate) const WORKED: Basis = Basis::Worked {
    process: PROCESS,
    connection_ended_at: None,
    earlier_calls_end: None,
    restarts: 0,
};

/// Slow enough that no permit comes back while a test runs.
pub(crate) const SLOW: Rate = Rate { burst: 5, every: Duration::from_hours(1) };

/// A digest that differs for each number.
pub(crate) fn digest(number: u32) -> Digest {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Digest::from_bytes(bytes)
}

/// The key with this number, without a previous secret.
pub(crate) fn key(number: u32) -> DigestPair {
    DigestPair { current: digest(number), previous: None }
}

/// A time of the ledger.
pub(crate) fn time(at: Duration) -> LedgerTime {
    LedgerTime::from_epoch(at)
}

/// The binding that every key with this number has.
pub(crate) fn binding(number: u32) -> Binding {
    Binding::from_bytes([0xb1, number.to_be_bytes()[3]])
}

/// A key under one secret.
pub(crate) fn record(number: u32) -> KeyRecord {
    KeyRecord { key: digest(number), binding: binding(number) }
}

/// The work of [`PROCESS`].
pub(crate) fn lease() -> Lease {
    Lease { process: PROCESS, lasts: LEASE, synced: false }
}

/// A claim of at most this many attempts by an owner that works on none.
pub(crate) fn any_due(owner: Uuid, limit: usize) -> ClaimDue {
    ClaimDue { owner, under_way: Vec::new(), lease: LEASE, longest_wait: LONGEST_WAIT, limit }
}

/// The check after a failed one.
pub(crate) fn after_failure(after: Option<Duration>) -> NextCheck {
    NextCheck { after, counts_as_failed: true }
}

/// An attempt that has the keys with these numbers. Its id says that it starts at this time.
pub(crate) fn with_keys(numbers: &[u32], at: Duration) -> NewAttempt {
    NewAttempt {
        id: AttemptId::new(time(at)),
        email: digest(1),
        key: NewKey { records: numbers.iter().copied().map(record).collect(), lifetime: DAY },
        user_id: PinnedUserId::from_digest(&Digest::from_bytes(rand::random())),
        request_id: "request-1".to_owned(),
        terms: None,
        tenant_started_at: Some(TenantTime::from_epoch(at + Duration::from_secs(9))),
        lease: lease(),
        admission_cost: AdmissionCost::default(),
        urgency: Urgency::Awaited,
    }
}

/// An attempt with one key.
pub(crate) fn keyed(number: u32, at: Duration) -> NewAttempt {
    with_keys(&[number], at)
}

/// An attempt with a key that no other has.
pub(crate) fn unique(at: Duration) -> NewAttempt {
    let records = vec![KeyRecord { key: Digest::from_bytes(rand::random()), binding: binding(0) }];
    NewAttempt { key: NewKey { records, lifetime: DAY }, ..with_keys(&[], at) }
}

/// The cost of this proof, and no permit.
pub(crate) fn proof_only(proof: ProofUse) -> AdmissionCost {
    AdmissionCost { proof: Some(proof), ..AdmissionCost::default() }
}

/// An attempt that uses the proof with this number.
pub(crate) fn with_proof(number: u32) -> NewAttempt {
    let proof = ProofUse { proof: digest(number), lasts: Duration::from_mins(5) };
    NewAttempt { admission_cost: proof_only(proof), ..unique(NOW) }
}

/// An attempt that takes a permit of the bucket with this number.
pub(crate) fn with_permit(limit: Limit, bucket: u32, rate: Rate) -> NewAttempt {
    let charges = vec![PermitCharge { limit, bucket: digest(bucket), rate }];
    NewAttempt { admission_cost: AdmissionCost { charges, proof: None }, ..unique(NOW) }
}

/// Makes the resolution of an attempt.
pub(crate) type Finish = fn(AttemptId) -> FinishAttempt;

pub(crate) fn finish(
    id: AttemptId,
    resolution: Resolution,
    outcome_code: &'static str,
) -> FinishAttempt {
    let auth0_request_id = Some("auth0-request".to_owned());
    FinishAttempt {
        id,
        resolution,
        outcome_code,
        auth0_request_id,
        basis: Basis::Observed,
        urgency: Urgency::Awaited,
    }
}

pub(crate) fn created(id: AttemptId) -> FinishAttempt {
    finish(id, Resolution::Created { user_id: None }, "created")
}

pub(crate) fn not_created(id: AttemptId) -> FinishAttempt {
    finish(id, Resolution::NotCreated, "upstream_busy")
}

pub(crate) fn unknown(id: AttemptId) -> FinishAttempt {
    finish(id, Resolution::Unknown, "outcome_unknown")
}

pub(crate) fn restartable(id: AttemptId) -> FinishAttempt {
    finish(id, Resolution::Restartable, "upstream_busy")
}

/// The id of the attempt that already holds the key.
pub(crate) fn existing(result: &BeginResult) -> Option<AttemptId> {
    match result {
        BeginResult::Started | BeginResult::RateLimited { .. } | BeginResult::ProofAlreadyUsed => {
            None
        }
        BeginResult::Existing(attempt) => Some(attempt.id),
    }
}

pub(crate) async fn begin(ledger: &Arc<dyn Ledger>, attempt: &NewAttempt) -> BeginResult {
    ledger.begin(attempt.clone()).await.unwrap()
}

pub(crate) async fn get(ledger: &Arc<dyn Ledger>, id: AttemptId) -> Attempt {
    ledger.get(id).await.unwrap().unwrap()
}

/// The retention of attempts that are kept for this long.
pub(crate) fn kept_for(attempts: Duration) -> Retention {
    Retention { attempts, keys: DAY, proofs: DAY }
}

/// The attempt that holds a key.
pub(crate) async fn holder(ledger: &Arc<dyn Ledger>, key: &DigestPair) -> Option<Attempt> {
    ledger.find_key(key).await.unwrap().attempt
}
