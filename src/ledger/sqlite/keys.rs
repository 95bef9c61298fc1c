//! The statements for idempotency keys.

use rusqlite::{Connection, Result, params};

use super::rows::{blob, columns, execute, one};
use crate::clock::LedgerTime;
use crate::digest::{Digest, DigestPair};
use crate::ledger::{Attempt, AttemptId, AttemptState, NewAttempt};

/// The usual case, in which no attempt holds a key, is worth a short statement.
const HAS_KEY: &str = "SELECT 1 FROM attempt_keys WHERE key_digest = ?1 AND expires_at > ?2";

const BY_KEY: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM attempt_keys k JOIN attempts a ON a.id = k.attempt_id \
     WHERE k.key_digest = ?2 AND k.expires_at > ?1"
);

/// Replaces a key that has expired.
const RECORD: &str = "\
    INSERT INTO attempt_keys (key_digest, attempt_id, binding, expires_at) \
    VALUES (?1, ?2, ?3, ?4) ON CONFLICT (key_digest) DO UPDATE \
    SET attempt_id = ?2, binding = ?3, expires_at = ?4";

const FREE: &str = "\
    DELETE FROM attempt_keys WHERE (expires_at, attempt_id) = \
    (SELECT key_expires_at, id FROM attempts WHERE id = ?1 AND state = ?2)";

/// The attempt that holds a key, under the current secret or the previous one.
pub(super) fn find_pair(
    connection: &Connection,
    now: LedgerTime,
    key: &DigestPair,
) -> Result<Option<Attempt>> {
    for digest in key.iter() {
        if let Some(attempt) = find(connection, now, digest)? {
            return Ok(Some(attempt));
        }
    }
    Ok(None)
}

/// The attempt that holds a key, unless the key has expired.
pub(super) fn find(
    connection: &Connection,
    now: LedgerTime,
    key: &Digest,
) -> Result<Option<Attempt>> {
    let (key, at) = (key.as_bytes(), now.as_millis());
    if !connection.prepare_cached(HAS_KEY)?.exists(params![key, at])? {
        return Ok(None);
    }
    one(connection, BY_KEY, params![at, key])
}

/// The time at which the keys of an attempt expire.
pub(super) fn expires_at(now: LedgerTime, attempt: &NewAttempt) -> i64 {
    (now + attempt.key.lifetime).as_millis()
}

/// Records the keys of an attempt, which no other attempt holds.
pub(super) fn record(connection: &Connection, now: LedgerTime, attempt: &NewAttempt) -> Result<()> {
    let expires_at = expires_at(now, attempt);
    let mut statement = connection.prepare_cached(RECORD)?;
    for record in &attempt.key.records {
        let (key, binding) = (record.key.as_bytes(), record.binding.as_bytes());
        statement.execute(params![key, blob(&attempt.id), binding, expires_at])?;
    }
    Ok(())
}

/// Frees the keys of an attempt, unless it has left this state.
pub(super) fn free(connection: &Connection, id: AttemptId, state: AttemptState) -> Result<()> {
    execute(connection, FREE, params![blob(&id), state.number()])?;
    Ok(())
}
