//! Every SQL statement for SQLite, and the conversion of its rows.
//!
//! Functions on a connection; the [`writer`](super::writer) opens and commits the transaction.

use std::time::Duration;

use rusqlite::types::Type;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Params, Result, Row, params};
use uuid::Uuid;

use crate::digest::{Digest, DigestPair};
use crate::domain::TermsVersion;
use crate::ledger::attempt_row::AttemptRow;
use crate::ledger::millis::millis;
use crate::ledger::{
    Attempt, AttemptId, AttemptState, BeginResult, Find, FinishAttempt, NewAttempt,
    PendingAttempts, ProofUse, Resolution, Swept,
};

/// The columns in the order of [`AttemptRow`].
macro_rules! columns {
    () => {
        "id, email_digest, key_digest, binding_digest, key_expires_at, user_id, auth0_user_id, \
         request_id, auth0_request_id, state, outcome_code, started_at, finished_at, connection_ended_at, \
         next_check_at, lease_owner, check_count, terms_version"
    };
}

const INSERT: &str = "\
    INSERT INTO attempts (id, email_digest, key_digest, binding_digest, key_expires_at, user_id, \
    request_id, state, started_at, next_check_at, terms_version) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?10) \
    ON CONFLICT (key_digest) WHERE key_digest IS NOT NULL DO NOTHING";

const USE_PROOF: &str = "\
    INSERT INTO used_proofs (proof, attempt_id, expires_at) VALUES (?1, ?2, ?3) \
    ON CONFLICT DO NOTHING";

const BY_KEY: &str =
    concat!("SELECT ", columns!(), " FROM attempts WHERE key_digest = ?1 AND key_expires_at > ?2");

const FREE_EXPIRED: &str = "\
    UPDATE attempts SET key_digest = NULL, binding_digest = NULL, key_expires_at = NULL \
    WHERE key_digest = ?1 AND key_expires_at <= ?2";

/// Omits the key's columns: SQLite rewrites the index of every column that is named here.
const FINISH: &str = "\
    UPDATE attempts SET state = ?2, outcome_code = ?3, auth0_user_id = ?4, \
    auth0_request_id = coalesce(?5, auth0_request_id), finished_at = ?6, \
    connection_ended_at = coalesce(max(?7, connection_ended_at), ?7, connection_ended_at), \
    next_check_at = ?8, lease_owner = NULL \
    WHERE id = ?1 AND (state IN (0, 3) OR (?2 = 1 AND state IN (2, 4))) \
    AND (?9 IS NULL OR coalesce(connection_ended_at, -1) = ?9)";

const FREE_KEY: &str = "\
    UPDATE attempts SET key_digest = NULL, binding_digest = NULL, key_expires_at = NULL \
    WHERE id = ?1 AND key_digest IS NOT NULL";

const BY_ID: &str = concat!("SELECT ", columns!(), " FROM attempts WHERE id = ?1");

const CLAIM_DUE: &str = concat!(
    "UPDATE attempts \
     SET next_check_at = ?2, lease_owner = ?3, check_count = check_count + 1 WHERE id IN \
     (SELECT id FROM attempts WHERE next_check_at <= ?1 ORDER BY next_check_at LIMIT ?4) RETURNING ",
    columns!()
);

const RELEASE: &str = "\
    UPDATE attempts SET next_check_at = ?3, lease_owner = NULL \
    WHERE id = ?1 AND lease_owner = ?2 AND state IN (0, 3)";

const SWEEP_ATTEMPTS: &str = "\
    DELETE FROM attempts WHERE id IN (SELECT id FROM attempts WHERE id < ?1 ORDER BY id LIMIT ?2)";

const SWEEP_KEYS: &str = "\
    UPDATE attempts SET key_digest = NULL, binding_digest = NULL, key_expires_at = NULL \
    WHERE id IN (SELECT id FROM attempts WHERE key_expires_at <= ?1 LIMIT ?2)";

const SWEEP_PROOFS: &str = "\
    DELETE FROM used_proofs WHERE proof IN \
    (SELECT proof FROM used_proofs WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";

const ALL: &str = concat!("SELECT ", columns!(), " FROM attempts ORDER BY id DESC LIMIT ?1");

const BY_STATE: &str =
    concat!("SELECT ", columns!(), " FROM attempts WHERE state = ?2 ORDER BY id DESC LIMIT ?1");

const BY_REQUEST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM attempts WHERE request_id = ?2 ORDER BY id DESC LIMIT ?1"
);

const BY_EMAIL: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM attempts WHERE email_digest IN (?2, ?3) ORDER BY id DESC LIMIT ?1"
);

/// Reads only the index of `next_check_at`, which also holds the ids.
const COUNT_PENDING: &str = "\
    SELECT count(*), min(id) FROM \
    (SELECT id FROM attempts WHERE next_check_at IS NOT NULL ORDER BY next_check_at LIMIT ?1)";

const DELETE: &str = "DELETE FROM attempts WHERE id = ?1";

const PING: &str = "UPDATE secret_checks SET seen_at = ?2 WHERE value = ?1";

/// Finds the attempts that an earlier process was working on when it ended.
const RELEASE_ORPHANS: &str = "\
    UPDATE attempts SET next_check_at = ?1 \
    WHERE next_check_at > ?1 AND (state = 0 OR lease_owner IS NOT NULL)";

/// Ignores permit charges: the file has one process, which keeps its limits in memory.
pub(super) fn begin(connection: &Connection, attempt: &NewAttempt) -> Result<BeginResult> {
    if let Some(proof) = &attempt.admission_cost.proof {
        // A repeated request must not use a proof.
        let key = attempt.key.as_ref().map(|key| &key.key);
        let existing = key.map(|key| find_key(connection, key, attempt.started_at)).transpose()?;
        if let Some(existing) = existing.flatten() {
            return Ok(BeginResult::Existing(Box::new(existing)));
        }
        if !use_proof(connection, &attempt.id, proof)? {
            return Ok(BeginResult::ProofAlreadyUsed);
        }
    }
    if let Some(key) = &attempt.key {
        if let Some(previous) = &key.key.previous
            && let Some(existing) = find_living(connection, previous, attempt.started_at)?
        {
            return Ok(BeginResult::Existing(Box::new(existing)));
        }
        if insert(connection, attempt)? {
            return Ok(BeginResult::Started);
        }
        if let Some(existing) = find_living(connection, &key.key.current, attempt.started_at)? {
            return Ok(BeginResult::Existing(Box::new(existing)));
        }
        let digest = key.key.current.as_bytes();
        cached(connection, FREE_EXPIRED)?.execute(params![digest, millis(attempt.started_at)])?;
    }
    insert(connection, attempt)?;
    Ok(BeginResult::Started)
}

/// Uses a proof. Returns `false` if it was used before.
pub(super) fn use_proof(connection: &Connection, id: &AttemptId, proof: &ProofUse) -> Result<bool> {
    let ProofUse { proof, expires_at } = proof;
    let params = params![proof.as_bytes(), blob(id), millis(*expires_at)];
    Ok(cached(connection, USE_PROOF)?.execute(params)? == 1)
}

/// Returns `false` if the key is taken.
fn insert(connection: &Connection, attempt: &NewAttempt) -> Result<bool> {
    let key = attempt.key.as_ref();
    let rows = cached(connection, INSERT)?.execute(params![
        blob(&attempt.id),
        attempt.email.as_bytes(),
        key.map(|key| key.key.current.as_bytes()),
        key.map(|key| key.binding.as_bytes()),
        key.map(|key| millis(key.expires_at)),
        attempt.user_id.as_str(),
        attempt.request_id,
        millis(attempt.started_at),
        millis(attempt.leased_until),
        attempt.terms.as_ref().map(TermsVersion::as_str),
    ])?;
    Ok(rows == 1)
}

fn find_living(connection: &Connection, key: &Digest, now: Duration) -> Result<Option<Attempt>> {
    one(connection, BY_KEY, params![key.as_bytes(), millis(now)])
}

pub(super) fn find_key(
    connection: &Connection,
    key: &DigestPair,
    now: Duration,
) -> Result<Option<Attempt>> {
    for digest in key.iter() {
        if let Some(attempt) = find_living(connection, digest, now)? {
            return Ok(Some(attempt));
        }
    }
    Ok(None)
}

pub(super) fn finish(connection: &Connection, finish: &FinishAttempt) -> Result<bool> {
    let rows = cached(connection, FINISH)?.execute(params![
        blob(&finish.id),
        finish.resolution.state().number(),
        finish.outcome_code,
        finish.resolution.user_id(),
        finish.auth0_request_id,
        millis(finish.finished_at),
        finish.resolution.connection_ended_at().map(millis),
        finish.next_check_at().map(millis),
        finish.expected_connection_ended_at(),
    ])?;
    if rows == 1 && finish.resolution == Resolution::NotCreated {
        cached(connection, FREE_KEY)?.execute([blob(&finish.id)])?;
    }
    Ok(rows == 1)
}

pub(super) fn get(connection: &Connection, id: AttemptId) -> Result<Option<Attempt>> {
    one(connection, BY_ID, [blob(&id)])
}

pub(super) fn claim_due(
    connection: &Connection,
    owner: Uuid,
    now: Duration,
    lease: Duration,
    limit: usize,
) -> Result<Vec<Attempt>> {
    let until = millis(now + lease);
    many(connection, CLAIM_DUE, params![millis(now), until, owner.as_bytes(), count(limit)])
}

pub(super) fn release(
    connection: &Connection,
    id: AttemptId,
    owner: Uuid,
    next_check_at: Option<Duration>,
) -> Result<()> {
    let next = next_check_at.map(millis);
    cached(connection, RELEASE)?.execute(params![blob(&id), owner.as_bytes(), next])?;
    Ok(())
}

pub(super) fn sweep(
    connection: &Connection,
    now: Duration,
    keep: Duration,
    batch: usize,
) -> Result<Swept> {
    let oldest = AttemptId::floor(now.saturating_sub(keep));
    let batch = count(batch);
    let attempts =
        cached(connection, SWEEP_ATTEMPTS)?.execute(params![oldest.as_bytes(), batch])?;
    let keys = cached(connection, SWEEP_KEYS)?.execute(params![millis(now), batch])?;
    let proofs = cached(connection, SWEEP_PROOFS)?.execute(params![millis(now), batch])?;
    Ok(Swept { attempts, keys, proofs, buckets: 0 })
}

pub(super) fn find(connection: &Connection, by: &Find, limit: usize) -> Result<Vec<Attempt>> {
    let limit = count(limit);
    match by {
        Find::All => many(connection, ALL, [limit]),
        Find::State(state) => many(connection, BY_STATE, params![limit, state.number()]),
        Find::RequestId(id) => many(connection, BY_REQUEST, params![limit, id]),
        Find::Email(DigestPair { current, previous }) => {
            let previous = previous.as_ref().map(Digest::as_bytes);
            many(connection, BY_EMAIL, params![limit, current.as_bytes(), previous])
        }
    }
}

pub(super) fn delete(connection: &Connection, ids: &[AttemptId]) -> Result<usize> {
    let mut statement = cached(connection, DELETE)?;
    ids.iter().map(|id| statement.execute([blob(id)])).sum()
}

pub(super) fn count_pending(connection: &Connection, now: Duration) -> Result<PendingAttempts> {
    cached(connection, COUNT_PENDING)?.query_row([count(PendingAttempts::MOST)], |row| {
        let oldest = row.get::<_, Option<[u8; 16]>>(1)?.map(Uuid::from_bytes);
        Ok(PendingAttempts::new(row.get(0)?, oldest, now))
    })
}

/// Writes. Returns `false` if the secret recorded at the start is gone.
pub(super) fn ping(connection: &Connection, secret: &Digest, now: Duration) -> Result<bool> {
    let rows = cached(connection, PING)?.execute(params![secret.as_bytes(), millis(now)])?;
    Ok(rows == 1)
}

pub(super) fn release_orphans(connection: &Connection, now: Duration) -> Result<usize> {
    connection.execute(RELEASE_ORPHANS, [millis(now)])
}

fn cached<'c>(connection: &'c Connection, sql: &'static str) -> Result<CachedStatement<'c>> {
    connection.prepare_cached(sql)
}

fn one(connection: &Connection, sql: &'static str, params: impl Params) -> Result<Option<Attempt>> {
    cached(connection, sql)?.query_row(params, attempt).optional()
}

fn many(connection: &Connection, sql: &'static str, params: impl Params) -> Result<Vec<Attempt>> {
    cached(connection, sql)?.query_map(params, attempt)?.collect()
}

fn attempt(row: &Row<'_>) -> Result<Attempt> {
    let row = AttemptRow {
        id: Uuid::from_bytes(row.get(0)?),
        email_digest: row.get(1)?,
        key_digest: row.get(2)?,
        binding_digest: row.get(3)?,
        key_expires_at: row.get(4)?,
        user_id: row.get(5)?,
        auth0_user_id: row.get(6)?,
        request_id: row.get(7)?,
        auth0_request_id: row.get(8)?,
        state: row.get(9)?,
        outcome_code: row.get(10)?,
        started_at: row.get(11)?,
        finished_at: row.get(12)?,
        connection_ended_at: row.get(13)?,
        next_check_at: row.get(14)?,
        lease_owner: row.get::<_, Option<[u8; 16]>>(15)?.map(Uuid::from_bytes),
        check_count: row.get(16)?,
        terms_version: row.get(17)?,
    };
    row.parse().map_err(|invalid| {
        rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, Box::new(invalid))
    })
}

fn blob(id: &AttemptId) -> &[u8; 16] {
    id.as_uuid().as_bytes()
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Checks the numbers that the statements contain.
const _: () = {
    assert!(AttemptState::Open.number() == 0 && AttemptState::Created.number() == 1);
    assert!(AttemptState::Unknown.number() == 3 && AttemptState::NotCreated.number() == 4);
};
