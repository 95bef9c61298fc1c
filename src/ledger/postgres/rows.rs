//! The statements that look attempts up, and the conversion of their rows.

use tokio_postgres::types::FromSqlOwned;
use tokio_postgres::{Error, Row};

use crate::clock::LedgerTime;
use crate::ledger::attempt_row::AttemptRow;
use crate::ledger::{Attempt, LedgerError};

/// Selects attempts `a` with their key `k`, their worker `p` and the ledger's time `clock.now`. The
/// columns are in the order of [`AttemptRow`].
macro_rules! select_attempts {
    ($joins:expr, $rest:expr) => {
        concat!(
            "SELECT a.id, a.email_digest, k.binding, k.expires_at, a.user_id, a.auth0_user_id, \
             a.request_id, a.auth0_request_id, a.state, a.outcome_code, a.started_at, \
             a.tenant_started_at, a.finished_at, a.connection_ended_at, a.next_check_at, \
             a.lease_owner, a.check_count, a.worker, p.seen_at, a.restarts, a.terms_version, \
             clock.now \
             FROM (SELECT ledger_now() AS now OFFSET 0) AS clock ",
            $joins,
            " LEFT JOIN processes p ON p.id = a.worker ",
            $rest
        )
    };
    (from $source:expr, $rest:expr) => {
        select_attempts!(from $source, with "AND expires_at > clock.now", $rest)
    };
    (from $source:expr, with $key:expr, $rest:expr) => {
        select_attempts!(
            concat!(
                "CROSS JOIN ",
                $source,
                " a LEFT JOIN LATERAL (SELECT binding, expires_at FROM attempt_keys \
                 WHERE attempt_id = a.id ",
                $key,
                " LIMIT 1) k ON true"
            ),
            $rest
        )
    };
}

/// Returns the ledger's time, and whether an attempt holds a key: the usual case, in which none
/// does, is worth a short plan.
pub(super) const HAS_KEY: &str = "\
    SELECT ledger_now(), EXISTS (SELECT FROM attempt_keys \
    WHERE key_digest = ANY ($1) AND expires_at > (SELECT ledger_now()))";

/// Returns the attempt that holds a key, with the key's row of the current secret if there is one.
pub(super) const FIND_KEY: &str = select_attempts!(
    "JOIN (attempt_keys k JOIN attempts a ON a.id = k.attempt_id) \
     ON k.key_digest = ANY ($1) AND k.expires_at > clock.now",
    "ORDER BY k.key_digest <> $1[1] LIMIT 1"
);

pub(super) const GET: &str = select_attempts!(from "attempts", "WHERE a.id = $1");

/// Locks rows by the time of their check, except for those that the owner works on, and those of other
/// living processes.
macro_rules! select_due {
    ($when:literal, $limit:literal) => {
        concat!(
            "SELECT id FROM attempts a \
             WHERE ",
            $when,
            " AND next_check_at IS NOT NULL \
             AND id <> ALL ($4) \
             AND (worker = $1 OR NOT EXISTS (SELECT FROM processes p \
               WHERE p.id = a.worker AND abs((SELECT ledger_now()) - seen_at) < $5)) \
             ORDER BY next_check_at LIMIT ",
            $limit,
            " FOR UPDATE SKIP LOCKED"
        )
    };
}

/// The rows whose lease is over, the longest due first, then those whose check is too far ahead.
pub(super) const CLAIM_DUE: &str = concat!(
    "WITH due AS MATERIALIZED (",
    select_due!("next_check_at <= (SELECT ledger_now())", "$3"),
    "), ahead AS MATERIALIZED (",
    select_due!("next_check_at > (SELECT ledger_now()) + $6", "(SELECT $3 - count(*) FROM due)"),
    "), claimed AS (UPDATE attempts \
     SET next_check_at = ledger_now() + $2, lease_owner = $1, worker = NULL \
     WHERE id = ANY (ARRAY (SELECT id FROM due UNION ALL SELECT id FROM ahead)) RETURNING *) ",
    select_attempts!(from "claimed", "")
);

pub(super) const FIND_ALL: &str = select_attempts!(from "attempts", "ORDER BY a.id DESC LIMIT $1");

pub(super) const FIND_STATE: &str =
    select_attempts!(from "attempts", "WHERE a.state = $2 ORDER BY a.id DESC LIMIT $1");

/// The rows are selected before they are sorted: all rows would otherwise perhaps be read by id.
pub(super) const FIND_REQUEST: &str = select_attempts!(
    from "(SELECT * FROM attempts WHERE request_id = $2 OFFSET 0)",
    "ORDER BY a.id DESC LIMIT $1"
);

pub(super) const FIND_EMAIL: &str = select_attempts!(
    from "(SELECT * FROM attempts WHERE email_digest = ANY ($2) OFFSET 0)",
    "ORDER BY a.id DESC LIMIT $1"
);

pub(super) const FIND_USER: &str = select_attempts!(
    from "(SELECT * FROM attempts WHERE email_digest = ANY ($2) \
      AND (user_id = $3 OR auth0_user_id IN ($3, $4)) OFFSET 0)",
    with "",
    "ORDER BY a.id DESC LIMIT $1"
);

/// Converts rows to attempts.
pub(super) fn attempts(rows: &[Row]) -> Result<Vec<Attempt>, LedgerError> {
    rows.iter().map(attempt).collect()
}

/// Converts a value of the first row, which every statement that this is used for returns.
pub(super) fn value<T: FromSqlOwned>(rows: &[Row], column: usize) -> Result<T, LedgerError> {
    let row = rows.first().ok_or_else(|| LedgerError::corrupt(NoRow))?;
    row.try_get(column).map_err(LedgerError::corrupt)
}

/// Converts the number in the first column of the first row.
pub(super) fn count(rows: &[Row]) -> Result<usize, LedgerError> {
    let count: i64 = value(rows, 0)?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// Converts a time of the ledger in the first row.
pub(super) fn time(rows: &[Row], column: usize) -> Result<LedgerTime, LedgerError> {
    LedgerTime::from_millis(value(rows, column)?).ok_or_else(|| LedgerError::corrupt(NoRow))
}

/// A statement returned no row, or no time.
#[derive(Debug, thiserror::Error)]
#[error("PostgreSQL returned an unexpected result")]
struct NoRow;

fn attempt(row: &Row) -> Result<Attempt, LedgerError> {
    attempt_row(row).map_err(LedgerError::corrupt)?.parse().map_err(LedgerError::corrupt)
}

fn attempt_row(row: &Row) -> Result<AttemptRow, Error> {
    Ok(AttemptRow {
        id: row.try_get(0)?,
        email_digest: row.try_get(1)?,
        binding: row.try_get(2)?,
        key_expires_at: row.try_get(3)?,
        user_id: row.try_get(4)?,
        auth0_user_id: row.try_get(5)?,
        request_id: row.try_get(6)?,
        auth0_request_id: row.try_get(7)?,
        state: row.try_get::<_, i16>(8)?.into(),
        outcome_code: row.try_get(9)?,
        started_at: row.try_get(10)?,
        tenant_started_at: row.try_get(11)?,
        finished_at: row.try_get(12)?,
        connection_ended_at: row.try_get(13)?,
        next_check_at: row.try_get(14)?,
        lease_owner: row.try_get(15)?,
        check_count: row.try_get::<_, i32>(16)?.into(),
        worker: row.try_get(17)?,
        worker_seen_at: row.try_get(18)?,
        restarts: row.try_get::<_, i16>(19)?.into(),
        terms_version: row.try_get(20)?,
        read_at: row.try_get(21)?,
    })
}
