//! The statements that start an attempt, work on it and resolve it.
//!
//! Functions on a connection; the [`writer`](super::writer) opens and commits the transaction.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::keys;
use super::rows::{blob, execute, one, select_attempts};
use crate::clock::{LedgerTime, TenantTime};
use crate::digest::{Digest, DigestPair};
use crate::domain::TermsVersion;
use crate::ledger::{
    Attempt, AttemptId, BeginResult, FinishAttempt, Lease, NewAttempt, ProofUse, RESTARTS,
};

const INSERT: &str = "\
    INSERT INTO attempts (id, email_digest, user_id, request_id, state, started_at, \
    tenant_started_at, next_check_at, worker, terms_version, key_expires_at) \
    VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?7, ?8, ?9, ?10)";

const PROOF_IS_USED: &str = "SELECT 1 FROM used_proofs WHERE proof = ?1";

const USE_PROOF: &str = "\
    INSERT INTO used_proofs (proof, attempt_id, expires_at) VALUES (?1, ?2, ?3) \
    ON CONFLICT DO NOTHING";

const MARK_IS_RECORDED: &str = "SELECT 1 FROM used_proofs WHERE proof = ?1 AND expires_at > ?2";

/// Replaces one that has expired.
const RECORD_MARK: &str = "\
    INSERT INTO used_proofs (proof, attempt_id, expires_at) VALUES (?1, ?2, ?3) \
    ON CONFLICT (proof) DO UPDATE SET attempt_id = ?2, expires_at = ?3";

const DELETE_MARK: &str = "DELETE FROM used_proofs WHERE proof = ?1 AND attempt_id = ?2";

const BY_ID: &str = select_attempts!("WHERE a.id = ?2");

const RESTART: &str = "\
    UPDATE attempts SET state = 0, restarts = restarts + 1, worker = ?3, next_check_at = ?4, \
    outcome_code = NULL, finished_at = NULL, connection_ended_at = NULL \
    WHERE id = ?2 AND state = 4 AND restarts < ?5 AND key_expires_at > ?1 AND EXISTS \
    (SELECT 1 FROM attempt_keys WHERE expires_at = attempts.key_expires_at AND attempt_id = ?2) \
    RETURNING restarts";

/// Takes the lease from the reconciler too, so that the end of its check changes nothing. Each call has an
/// end of its own, also if the end of the one before was written while the clock was ahead.
const TAKE_OVER: &str = "\
    UPDATE attempts SET state = 3, outcome_code = 'outcome_unknown', finished_at = ?1, \
    worker = ?3, lease_owner = NULL, \
    connection_ended_at = max(?4, coalesce(connection_ended_at + 1, 0)), \
    next_check_at = max(?4, coalesce(connection_ended_at + 1, 0)) \
    WHERE id = ?2 AND state IN (0, 3) AND coalesce(connection_ended_at, -1) = ?5 \
    RETURNING connection_ended_at";

const GIVE_BACK: &str = "\
    UPDATE attempts SET state = ?3, outcome_code = ?4, finished_at = ?5, worker = ?6, \
    next_check_at = ?7, connection_ended_at = ?8 \
    WHERE id = ?1 AND state = 3 AND connection_ended_at = ?2";

/// An unknown outcome (3) is due at the end of its calls; any other is not checked again. The call has just
/// ended; those before it may end later.
const FINISH: &str = "\
    UPDATE attempts SET state = ?3, outcome_code = ?4, auth0_user_id = ?5, \
    auth0_request_id = coalesce(?6, auth0_request_id), finished_at = ?1, \
    connection_ended_at = \
    iif(?3 = 3, max(?1, coalesce(?10 + 1, connection_ended_at, 0)), connection_ended_at), \
    next_check_at = iif(?3 = 3, max(?1, coalesce(?10 + 1, connection_ended_at, 0)), NULL), \
    worker = NULL, lease_owner = NULL \
    WHERE id = ?2 AND (state IN (0, 3) OR (?3 = 1 AND state IN (2, 4))) \
    AND (?7 IS NULL OR coalesce(connection_ended_at, -1) = ?7) AND (?8 IS NULL OR worker = ?8) \
    AND (?9 IS NULL OR restarts = ?9)";

/// Ignores permit charges: the file has one process, which keeps its limits in memory.
pub(super) fn begin(
    connection: &Connection,
    now: LedgerTime,
    attempt: &NewAttempt,
) -> Result<BeginResult> {
    for record in &attempt.key.records {
        if let Some(existing) = keys::find(connection, now, &record.key)? {
            return Ok(BeginResult::Existing(Box::new(existing)));
        }
    }
    let proof = attempt.admission_cost.proof.as_ref();
    if let Some(proof) = proof
        && proof_is_used(connection, &proof.proof)?
    {
        return Ok(BeginResult::ProofAlreadyUsed);
    }
    insert(connection, now, attempt)?;
    keys::record(connection, now, attempt)?;
    // Last: a statement that fails before it must not cost the proof.
    if let Some(proof) = proof {
        use_proof(connection, now, &attempt.id, proof)?;
    }
    Ok(BeginResult::Started)
}

fn insert(connection: &Connection, now: LedgerTime, attempt: &NewAttempt) -> Result<()> {
    let params = params![
        blob(&attempt.id),
        attempt.email.as_bytes(),
        attempt.user_id.as_str(),
        attempt.request_id,
        now.as_millis(),
        attempt.tenant_started_at.map(TenantTime::as_millis),
        (now + attempt.lease.lasts).as_millis(),
        attempt.lease.process.as_bytes(),
        attempt.terms.as_ref().map(TermsVersion::as_str),
        keys::expires_at(now, attempt),
    ];
    execute(connection, INSERT, params)?;
    Ok(())
}

fn proof_is_used(connection: &Connection, proof: &Digest) -> Result<bool> {
    connection.prepare_cached(PROOF_IS_USED)?.exists([proof.as_bytes()])
}

/// Records a mark under both secrets. Returns `false` if it is recorded under one of them and has not expired.
pub(super) fn record_once(
    connection: &Connection,
    now: LedgerTime,
    id: &AttemptId,
    mark: &DigestPair,
    lasts: Duration,
) -> Result<bool> {
    for digest in mark.iter() {
        let mut is_recorded = connection.prepare_cached(MARK_IS_RECORDED)?;
        if is_recorded.exists(params![digest.as_bytes(), now.as_millis()])? {
            return Ok(false);
        }
    }
    let expires_at = (now + lasts).as_millis();
    for digest in mark.iter() {
        execute(connection, RECORD_MARK, params![digest.as_bytes(), blob(id), expires_at])?;
    }
    Ok(true)
}

/// Deletes a mark that this attempt recorded, under both secrets.
pub(super) fn delete_mark(
    connection: &Connection,
    id: &AttemptId,
    mark: &DigestPair,
) -> Result<()> {
    for digest in mark.iter() {
        execute(connection, DELETE_MARK, params![digest.as_bytes(), blob(id)])?;
    }
    Ok(())
}

/// Uses a proof that is not used yet.
fn use_proof(
    connection: &Connection,
    now: LedgerTime,
    id: &AttemptId,
    proof: &ProofUse,
) -> Result<()> {
    let expires_at = (now + proof.lasts).as_millis();
    execute(connection, USE_PROOF, params![proof.proof.as_bytes(), blob(id), expires_at])?;
    Ok(())
}

pub(super) fn get(
    connection: &Connection,
    now: LedgerTime,
    id: AttemptId,
) -> Result<Option<Attempt>> {
    one(connection, BY_ID, params![now.as_millis(), blob(&id)])
}

pub(super) fn restart(
    connection: &Connection,
    now: LedgerTime,
    id: AttemptId,
    lease: Lease,
) -> Result<Option<u8>> {
    let until = (now + lease.lasts).as_millis();
    let params = params![now.as_millis(), blob(&id), lease.process.as_bytes(), until, RESTARTS];
    connection.prepare_cached(RESTART)?.query_row(params, |row| row.get(0)).optional()
}

pub(super) fn take_over(
    connection: &Connection,
    now: LedgerTime,
    id: AttemptId,
    lease: Lease,
    connection_ended_at: Option<LedgerTime>,
) -> Result<Option<LedgerTime>> {
    let until = (now + lease.lasts).as_millis();
    let expected = connection_ended_at.map_or(-1, LedgerTime::as_millis);
    let process = lease.process.as_bytes();
    let params = params![now.as_millis(), blob(&id), process, until, expected];
    let mut statement = connection.prepare_cached(TAKE_OVER)?;
    let ends_at = statement.query_row(params, |row| row.get(0)).optional()?;
    Ok(ends_at.and_then(LedgerTime::from_millis))
}

pub(super) fn give_back(
    connection: &Connection,
    before: &Attempt,
    taken_until: LedgerTime,
) -> Result<bool> {
    let params = params![
        blob(&before.id),
        taken_until.as_millis(),
        before.state.number(),
        before.outcome_code,
        before.finished_at.map(LedgerTime::as_millis),
        before.worker.map(|worker| worker.process.into_bytes()),
        before.next_check_at.map(LedgerTime::as_millis),
        before.connection_ended_at.map(LedgerTime::as_millis),
    ];
    Ok(execute(connection, GIVE_BACK, params)? == 1)
}

pub(super) fn finish(
    connection: &Connection,
    now: LedgerTime,
    finish: &FinishAttempt,
) -> Result<bool> {
    let params = params![
        now.as_millis(),
        blob(&finish.id),
        finish.resolution.state().number(),
        finish.outcome_code,
        finish.resolution.user_id(),
        finish.auth0_request_id,
        finish.basis.expected_connection_ended_at(),
        finish.basis.expected_worker().map(uuid::Uuid::into_bytes),
        finish.basis.expected_restarts(),
        finish.basis.earlier_calls_end(),
    ];
    let is_written = execute(connection, FINISH, params)? == 1;
    if is_written && finish.resolution.frees_key() {
        keys::free(connection, finish.id, finish.resolution.state())?;
    }
    Ok(is_written)
}
