//! The statements for leases, deletion, searches, processes and connections.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Result, params};
use uuid::Uuid;

use super::attempts;
use super::rows::{blob, execute, many, select_attempts};
use crate::clock::LedgerTime;
use crate::digest::{Digest, DigestPair};
use crate::ledger::{
    AHEAD_MARGIN, Attempt, AttemptId, ClaimDue, Find, HEARTBEAT_LAPSE, NextCheck, PendingAttempts,
    Retention, Swept, millis, row_count,
};

/// Finds attempts by the time of their check, except for those of living processes other than `?2`.
macro_rules! select_due {
    ($when:literal) => {
        concat!(
            "SELECT id FROM (SELECT id FROM attempts a WHERE ",
            $when,
            " AND (worker IS NULL OR worker = ?2 OR NOT EXISTS (SELECT 1 FROM processes \
             WHERE id = a.worker AND abs(?1 - seen_at) < ?3)) ORDER BY next_check_at LIMIT ?4)"
        )
    };
}

/// Finds the attempts whose lease is over, then those whose check is too far ahead.
const DUE: &str =
    concat!(select_due!("next_check_at <= ?1"), " UNION ALL ", select_due!("next_check_at > ?5"));

/// The request that had the attempt before has certainly ended. If its process stayed recorded, later
/// requests would wait for it until the next check, for as long as it is alive.
const LEASE: &str = "\
    UPDATE attempts SET next_check_at = ?2, lease_owner = ?3, worker = NULL WHERE id = ?1";

const RELEASE: &str = "\
    UPDATE attempts SET next_check_at = ?3, lease_owner = NULL, check_count = check_count + ?4 \
    WHERE id = ?1 AND lease_owner = ?2 AND state IN (0, 3)";

const SWEEP_KEYS_OF_ATTEMPTS: &str = "\
    DELETE FROM attempt_keys WHERE (expires_at, attempt_id) IN \
    (SELECT key_expires_at, id FROM attempts WHERE id < ?1 ORDER BY id LIMIT ?2)";

const SWEEP_ATTEMPTS: &str = "\
    DELETE FROM attempts WHERE id IN (SELECT id FROM attempts WHERE id < ?1 ORDER BY id LIMIT ?2)";

/// An attempt whose time is far ahead. One that has a key or a check left may still be asked for.
const SWEEP_ATTEMPTS_AHEAD: &str = "\
    DELETE FROM attempts WHERE id IN (SELECT id FROM attempts a WHERE id > ?1 \
    AND next_check_at IS NULL AND NOT EXISTS (SELECT 1 FROM attempt_keys \
    WHERE expires_at = a.key_expires_at AND attempt_id = a.id) ORDER BY id DESC LIMIT ?2)";

const KEYS_AHEAD: &str = "\
    SELECT DISTINCT attempt_id FROM attempt_keys WHERE expires_at > ?1 LIMIT ?2";

const CUT_KEYS: &str = "\
    UPDATE attempt_keys SET expires_at = ?2 \
    WHERE (expires_at, attempt_id) = (SELECT key_expires_at, id FROM attempts WHERE id = ?1)";

const CUT_KEYS_OF_ATTEMPT: &str = "UPDATE attempts SET key_expires_at = ?2 WHERE id = ?1";

const CUT_PROOFS: &str = "\
    UPDATE used_proofs SET expires_at = ?2 WHERE proof IN \
    (SELECT proof FROM used_proofs WHERE expires_at > ?1 ORDER BY expires_at LIMIT ?3)";

const SWEEP_KEYS: &str = "\
    DELETE FROM attempt_keys WHERE (expires_at, attempt_id, key_digest) IN \
    (SELECT expires_at, attempt_id, key_digest FROM attempt_keys WHERE expires_at <= ?1 \
    ORDER BY expires_at LIMIT ?2)";

const SWEEP_PROOFS: &str = "\
    DELETE FROM used_proofs WHERE proof IN \
    (SELECT proof FROM used_proofs WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";

const ALL: &str = select_attempts!("ORDER BY a.id DESC LIMIT ?2");

const BY_STATE: &str = select_attempts!("WHERE a.state = ?3 ORDER BY a.id DESC LIMIT ?2");

const BY_REQUEST: &str = select_attempts!("WHERE a.request_id = ?3 ORDER BY a.id DESC LIMIT ?2");

const BY_EMAIL: &str =
    select_attempts!("WHERE a.email_digest IN (?3, ?4) ORDER BY a.id DESC LIMIT ?2");

const BY_USER: &str = select_attempts!(
    with "",
    "WHERE a.email_digest IN (?3, ?4) AND (a.user_id = ?5 OR a.auth0_user_id IN (?5, ?6)) \
     ORDER BY a.id DESC LIMIT ?2"
);

const DELETE_KEYS_BY_EMAIL: &str = "\
    DELETE FROM attempt_keys WHERE (expires_at, attempt_id) IN \
    (SELECT key_expires_at, id FROM attempts WHERE email_digest IN (?1, ?2))";

/// A notice to the owner of an address is recorded under the digest of the address.
const DELETE_NOTICES_BY_EMAIL: &str = "DELETE FROM used_proofs WHERE proof IN (?1, ?2)";

/// The proof of a challenge stays used, but no longer names its attempt.
const DETACH_PROOFS_BY_EMAIL: &str = "\
    UPDATE used_proofs SET attempt_id = zeroblob(16) WHERE attempt_id IN \
    (SELECT id FROM attempts WHERE email_digest IN (?1, ?2))";

const DELETE_BY_EMAIL: &str = "DELETE FROM attempts WHERE email_digest IN (?1, ?2)";

/// Reads only the index of `next_check_at`, which also holds the ids.
const COUNT_PENDING: &str = "\
    SELECT count(*), min(id) FROM \
    (SELECT id FROM attempts WHERE next_check_at IS NOT NULL ORDER BY next_check_at LIMIT ?1)";

const HEARTBEAT: &str = "\
    INSERT INTO processes (id, seen_at) VALUES (?1, ?2) \
    ON CONFLICT (id) DO UPDATE SET seen_at = ?2";

const KEEPS_USER_IDS: &str = "SELECT keeps_user_ids FROM connections WHERE digest = ?1";

const RECORD_USER_IDS: &str = "\
    INSERT INTO connections (digest, keeps_user_ids) VALUES (?1, ?2) \
    ON CONFLICT (digest) DO UPDATE SET keeps_user_ids = ?2 WHERE ?3";

const PING: &str = "UPDATE secret_checks SET seen_at = ?2 WHERE value = ?1";

/// Finds the attempts that an earlier process was working on when it ended.
const RELEASE_ORPHANS: &str = "\
    UPDATE attempts SET next_check_at = ?1 \
    WHERE next_check_at > ?1 AND (state = 0 OR worker IS NOT NULL OR lease_owner IS NOT NULL)";

pub(super) fn claim_due(
    connection: &Connection,
    now: LedgerTime,
    claim: &ClaimDue,
) -> Result<Vec<Attempt>> {
    let ClaimDue { owner, under_way, lease, longest_wait, limit } = claim;
    let most = row_count(limit.saturating_add(under_way.len()));
    let (at, ahead) = (now.as_millis(), (now + *longest_wait).as_millis());
    let mut statement = connection.prepare_cached(DUE)?;
    let due = statement
        .query_map(params![at, owner.as_bytes(), millis(HEARTBEAT_LAPSE), most, ahead], |row| {
            Ok(AttemptId::from(Uuid::from_bytes(row.get(0)?)))
        })?
        .collect::<Result<Vec<_>>>()?;
    let free = due.into_iter().filter(|id| !under_way.contains(id)).take(*limit);
    let until = (now + *lease).as_millis();
    let rows = free.map(|id| {
        execute(connection, LEASE, params![blob(&id), until, owner.as_bytes()])?;
        attempts::get(connection, now, id)
    });
    rows.filter_map(Result::transpose).collect()
}

pub(super) fn release(
    connection: &Connection,
    now: LedgerTime,
    id: AttemptId,
    owner: Uuid,
    next_check: NextCheck,
) -> Result<()> {
    let NextCheck { after, counts_as_failed } = next_check;
    let next_check_at = after.map(|wait| (now + wait).as_millis());
    let params = params![blob(&id), owner.as_bytes(), next_check_at, counts_as_failed];
    execute(connection, RELEASE, params)?;
    Ok(())
}

pub(super) fn sweep(
    connection: &Connection,
    now: LedgerTime,
    retention: Retention,
    batch: usize,
) -> Result<Swept> {
    let batch = row_count(batch);
    let cut = cut_keys(connection, now, retention.keys, batch)?
        + cut_proofs(connection, now, retention.proofs, batch)?;
    let oldest = AttemptId::floor(now.before(retention.attempts));
    let newest = AttemptId::floor(now + retention.attempts);
    let (oldest, newest, now) = (oldest.as_bytes(), newest.as_bytes(), now.as_millis());
    execute(connection, SWEEP_KEYS_OF_ATTEMPTS, params![oldest, batch])?;
    let old = execute(connection, SWEEP_ATTEMPTS, params![oldest, batch])?;
    let ahead = execute(connection, SWEEP_ATTEMPTS_AHEAD, params![newest, batch])?;
    let keys = execute(connection, SWEEP_KEYS, params![now, batch])?;
    let proofs = execute(connection, SWEEP_PROOFS, params![now, batch])?;
    Ok(Swept { attempts: old + ahead, keys, proofs, buckets: 0, cut })
}

/// Cuts the lifetimes of keys that were written while the clock was ahead. Returns their number.
fn cut_keys(
    connection: &Connection,
    now: LedgerTime,
    longest: Duration,
    batch: i64,
) -> Result<usize> {
    let expires_at = now + longest;
    let too_late = (expires_at + AHEAD_MARGIN).as_millis();
    let ids = connection
        .prepare_cached(KEYS_AHEAD)?
        .query_map(params![too_late, batch], |row| row.get(0))?
        .collect::<Result<Vec<[u8; 16]>>>()?;
    let mut count = 0;
    for id in &ids {
        let cut = params![id, expires_at.as_millis()];
        count += execute(connection, CUT_KEYS, cut)?;
        execute(connection, CUT_KEYS_OF_ATTEMPT, cut)?;
    }
    Ok(count)
}

/// Cuts the lifetimes of proofs that were written while the clock was ahead. Returns their number.
fn cut_proofs(
    connection: &Connection,
    now: LedgerTime,
    longest: Duration,
    batch: i64,
) -> Result<usize> {
    let expires_at = now + longest;
    let too_late = expires_at + AHEAD_MARGIN;
    execute(connection, CUT_PROOFS, params![too_late.as_millis(), expires_at.as_millis(), batch])
}

pub(super) fn find(
    connection: &Connection,
    now: LedgerTime,
    by: &Find,
    limit: usize,
) -> Result<Vec<Attempt>> {
    let (now, limit) = (now.as_millis(), row_count(limit));
    match by {
        Find::All => many(connection, ALL, params![now, limit]),
        Find::State(state) => many(connection, BY_STATE, params![now, limit, state.number()]),
        Find::RequestId(id) => many(connection, BY_REQUEST, params![now, limit, id]),
        Find::Email(email) => {
            let (current, previous) = both(email);
            many(connection, BY_EMAIL, params![now, limit, current, previous])
        }
        Find::User(email, user_id) => {
            let (current, previous) = both(email);
            let (id, full_id) = (user_id.connection_id(), user_id.as_str());
            many(connection, BY_USER, params![now, limit, current, previous, id, full_id])
        }
    }
}

/// The digests under the current secret and the previous one, as parameters.
fn both(pair: &DigestPair) -> (&[u8; 32], Option<&[u8; 32]>) {
    (pair.current.as_bytes(), pair.previous.as_ref().map(Digest::as_bytes))
}

pub(super) fn delete_by_email(connection: &Connection, email: &DigestPair) -> Result<usize> {
    let params = both(email);
    execute(connection, DELETE_KEYS_BY_EMAIL, params)?;
    execute(connection, DELETE_NOTICES_BY_EMAIL, params)?;
    execute(connection, DETACH_PROOFS_BY_EMAIL, params)?;
    execute(connection, DELETE_BY_EMAIL, params)
}

pub(super) fn count_pending(connection: &Connection, now: LedgerTime) -> Result<PendingAttempts> {
    connection.prepare_cached(COUNT_PENDING)?.query_row([row_count(PendingAttempts::MOST)], |row| {
        let oldest = row.get::<_, Option<[u8; 16]>>(1)?.map(Uuid::from_bytes);
        Ok(PendingAttempts::new(row.get(0)?, oldest, now))
    })
}

pub(super) fn heartbeat(
    connection: &Connection,
    now: LedgerTime,
    process: Uuid,
) -> Result<LedgerTime> {
    execute(connection, HEARTBEAT, params![process.as_bytes(), now.as_millis()])?;
    Ok(now)
}

pub(super) fn keeps_user_ids(
    connection: &Connection,
    digests: &DigestPair,
) -> Result<Option<bool>> {
    let mut statement = connection.prepare_cached(KEEPS_USER_IDS)?;
    for digest in digests.iter() {
        let keeps = statement.query_row([digest.as_bytes()], |row| row.get(0)).optional()?;
        if keeps.is_some() {
            return Ok(keeps);
        }
    }
    Ok(None)
}

pub(super) fn record_user_ids(
    connection: &Connection,
    digests: &DigestPair,
    keeps: bool,
    replaces: bool,
) -> Result<()> {
    for digest in digests.iter() {
        execute(connection, RECORD_USER_IDS, params![digest.as_bytes(), keeps, replaces])?;
    }
    Ok(())
}

/// Writes. Returns `false` if the secret recorded at the start is gone.
pub(super) fn ping(connection: &Connection, now: LedgerTime, secret: &Digest) -> Result<bool> {
    Ok(execute(connection, PING, params![secret.as_bytes(), now.as_millis()])? == 1)
}

/// Releases what earlier processes worked on, all of which have ended: this one has the lock.
pub(super) fn take_over_file(connection: &Connection, now: LedgerTime) -> Result<()> {
    connection.execute("DELETE FROM processes", [])?;
    connection.execute(RELEASE_ORPHANS, [now.as_millis()])?;
    Ok(())
}
