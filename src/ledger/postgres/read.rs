//! Reads: single rows in batches, many rows for operators, and the columns of a row.

use std::time::Duration;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Error, PgPool, Row as _, query};
use tokio::sync::oneshot;

use super::batch_worker::{BatchError, BatchJob};
use crate::digest::{Digest, DigestPair};
use crate::ledger::attempt_row::AttemptRow;
use crate::ledger::{Attempt, AttemptId, Find, LedgerError};

/// The columns in the order of [`AttemptRow`].
macro_rules! columns {
    () => {
        "id, email_digest, key_digest, binding_digest, key_expires_at, user_id, auth0_user_id, \
         request_id, auth0_request_id, state, outcome_code, started_at, finished_at, connection_ended_at, \
         next_check_at, lease_owner, check_count, terms_version"
    };
}
pub(super) use columns;

const BY_KEYS_OR_IDS: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM attempts WHERE key_digest = ANY($1) AND key_digest IS NOT NULL UNION SELECT ",
    columns!(),
    " FROM attempts WHERE id = ANY($2)"
);

const ALL: &str = concat!("SELECT ", columns!(), " FROM attempts ORDER BY id DESC LIMIT $1");

const BY_STATE: &str =
    concat!("SELECT ", columns!(), " FROM attempts WHERE state = $2 ORDER BY id DESC LIMIT $1");

const BY_REQUEST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM attempts WHERE request_id = $2 ORDER BY id DESC LIMIT $1"
);

const BY_EMAIL: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM attempts WHERE email_digest = ANY($2) ORDER BY id DESC LIMIT $1"
);

/// A lookup of one row, and the channel to its caller.
#[derive(Debug)]
pub(super) enum ReadJob {
    Key(DigestPair, Duration, oneshot::Sender<Result<Option<Attempt>, LedgerError>>),
    Id(AttemptId, oneshot::Sender<Result<Option<Attempt>, LedgerError>>),
}

impl BatchJob for ReadJob {
    type Output = Vec<Attempt>;

    async fn run(
        connection: &mut PgConnection,
        batch: &[Self],
    ) -> Result<Vec<Attempt>, BatchError> {
        let mut keys = Vec::with_capacity(batch.len());
        let mut ids = Vec::new();
        for job in batch {
            match job {
                Self::Key(key, ..) => keys.extend(key.iter().map(bytes)),
                Self::Id(id, _) => ids.push(*id.as_uuid()),
            }
        }
        by_keys_or_ids(connection, &keys, &ids).await
    }

    fn reply(self, found: Result<&mut Vec<Attempt>, LedgerError>) {
        let pick = |found: &mut Vec<Attempt>, matches: &dyn Fn(&Attempt) -> bool| {
            found.iter().find(|row| matches(row)).cloned()
        };
        // Ignored: the caller may no longer wait.
        let _sent = match self {
            Self::Key(wanted, now, tx) => tx.send(found.map(|found| {
                pick(found, &|row| {
                    let key = row.key.as_ref();
                    key.is_some_and(|key| wanted.contains(&key.key) && key.expires_at > now)
                })
            })),
            Self::Id(id, tx) => tx.send(found.map(|found| pick(found, &|row| row.id == id))),
        };
    }
}

/// Returns the attempts with one of these keys, expired or not, and those with one of these ids.
pub(super) async fn by_keys_or_ids(
    connection: &mut PgConnection,
    keys: &[[u8; 32]],
    ids: &[uuid::Uuid],
) -> Result<Vec<Attempt>, BatchError> {
    let rows = query(BY_KEYS_OR_IDS).bind(keys).bind(ids).fetch_all(connection).await?;
    Ok(attempts(&rows)?)
}

/// Returns the latest matches, newest first.
pub(super) async fn find(
    pool: &PgPool,
    by: &Find,
    limit: i64,
) -> Result<Vec<Attempt>, LedgerError> {
    let rows = match by {
        Find::All => query(ALL).bind(limit).fetch_all(pool).await,
        Find::State(state) => {
            query(BY_STATE).bind(limit).bind(state.number()).fetch_all(pool).await
        }
        Find::RequestId(id) => query(BY_REQUEST).bind(limit).bind(id).fetch_all(pool).await,
        Find::Email(email) => query(BY_EMAIL).bind(limit).bind(both(email)).fetch_all(pool).await,
    };
    attempts(&rows.map_err(super::database_error)?)
}

/// The current and the previous digest.
pub(super) fn both(pair: &DigestPair) -> Vec<[u8; 32]> {
    pair.iter().map(bytes).collect()
}

pub(super) const fn bytes(digest: &Digest) -> [u8; 32] {
    *digest.as_bytes()
}

/// Converts rows to attempts.
pub(super) fn attempts(rows: &[PgRow]) -> Result<Vec<Attempt>, LedgerError> {
    let attempt = |row| {
        attempt_row(row).map_err(super::database_error)?.parse().map_err(LedgerError::corrupt)
    };
    rows.iter().map(attempt).collect()
}

fn attempt_row(row: &PgRow) -> Result<AttemptRow, Error> {
    Ok(AttemptRow {
        id: row.try_get(0)?,
        email_digest: row.try_get(1)?,
        key_digest: row.try_get(2)?,
        binding_digest: row.try_get(3)?,
        key_expires_at: row.try_get(4)?,
        user_id: row.try_get(5)?,
        auth0_user_id: row.try_get(6)?,
        request_id: row.try_get(7)?,
        auth0_request_id: row.try_get(8)?,
        state: row.try_get::<i16, _>(9)?.into(),
        outcome_code: row.try_get(10)?,
        started_at: row.try_get(11)?,
        finished_at: row.try_get(12)?,
        connection_ended_at: row.try_get(13)?,
        next_check_at: row.try_get(14)?,
        lease_owner: row.try_get(15)?,
        check_count: row.try_get::<i32, _>(16)?.into(),
        terms_version: row.try_get(17)?,
    })
}
