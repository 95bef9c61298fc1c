//! The parts that statements share: columns, the conversion of rows, execution.
//!
//! In every statement that returns attempts, `?1` is the current time.

use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension as _, Params, Result, Row};
use uuid::Uuid;

use crate::ledger::attempt_row::AttemptRow;
use crate::ledger::{Attempt, AttemptId};

/// The columns in the order of [`AttemptRow`], of an attempt `a` and its key `k`.
macro_rules! columns {
    () => {
        "a.id, a.email_digest, k.binding, k.expires_at, a.user_id, a.auth0_user_id, a.request_id, \
         a.auth0_request_id, a.state, a.outcome_code, a.started_at, a.tenant_started_at, \
         a.finished_at, a.connection_ended_at, a.next_check_at, a.lease_owner, a.check_count, \
         a.worker, (SELECT seen_at FROM processes WHERE id = a.worker), a.restarts, \
         a.terms_version, ?1"
    };
}

/// Selects attempts, each with one of its living keys if it has any, or with one on this condition.
macro_rules! select_attempts {
    ($rest:literal) => {
        $crate::ledger::sqlite::rows::select_attempts!(with "AND k.expires_at > ?1", $rest)
    };
    (with $key:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $crate::ledger::sqlite::rows::columns!(),
            " FROM attempts a LEFT JOIN attempt_keys k ON k.key_digest = (SELECT min(key_digest) \
             FROM attempt_keys WHERE expires_at = a.key_expires_at AND attempt_id = a.id) ",
            $key,
            " ",
            $rest
        )
    };
}

pub(super) use {columns, select_attempts};

/// Runs a statement that changes rows and returns their number.
pub(super) fn execute(
    connection: &Connection,
    sql: &'static str,
    params: impl Params,
) -> Result<usize> {
    connection.prepare_cached(sql)?.execute(params)
}

/// Runs a statement that returns one attempt or none.
pub(super) fn one(
    connection: &Connection,
    sql: &'static str,
    params: impl Params,
) -> Result<Option<Attempt>> {
    connection.prepare_cached(sql)?.query_row(params, attempt).optional()
}

/// Runs a statement that returns any number of attempts.
pub(super) fn many(
    connection: &Connection,
    sql: &'static str,
    params: impl Params,
) -> Result<Vec<Attempt>> {
    connection.prepare_cached(sql)?.query_map(params, attempt)?.collect()
}

fn attempt(row: &Row<'_>) -> Result<Attempt> {
    let row = AttemptRow {
        id: Uuid::from_bytes(row.get(0)?),
        email_digest: row.get(1)?,
        binding: row.get(2)?,
        key_expires_at: row.get(3)?,
        user_id: row.get(4)?,
        auth0_user_id: row.get(5)?,
        request_id: row.get(6)?,
        auth0_request_id: row.get(7)?,
        state: row.get(8)?,
        outcome_code: row.get(9)?,
        started_at: row.get(10)?,
        tenant_started_at: row.get(11)?,
        finished_at: row.get(12)?,
        connection_ended_at: row.get(13)?,
        next_check_at: row.get(14)?,
        lease_owner: uuid(row, 15)?,
        check_count: row.get(16)?,
        worker: uuid(row, 17)?,
        worker_seen_at: row.get(18)?,
        restarts: row.get(19)?,
        terms_version: row.get(20)?,
        read_at: row.get(21)?,
    };
    row.parse().map_err(|invalid| Error::FromSqlConversionFailure(0, Type::Blob, Box::new(invalid)))
}

fn uuid(row: &Row<'_>, column: usize) -> Result<Option<Uuid>> {
    Ok(row.get::<_, Option<[u8; 16]>>(column)?.map(Uuid::from_bytes))
}

/// The form in which an id is stored.
pub(super) fn blob(id: &AttemptId) -> &[u8; 16] {
    id.as_uuid().as_bytes()
}
