//! The batch that begins and ends attempts: one statement, one transaction, one round trip.

use std::collections::{HashMap, HashSet};

use sqlx::postgres::PgConnection;
use sqlx::{Error, query, query_as};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::lane::{Failure, Job};
use super::read::{by_keys_or_ids, bytes};
use crate::ledger::stored::millis;
use crate::ledger::{Attempt, Begun, Finish, LedgerError, NewAttempt};

/// Both parts see the rows as they were before the statement. So a beginning that meets a key which
/// is in the same batch, be it taken or freed there, is resolved afterwards.
///
/// An end that was written already is written again: its answer was lost with a connection.
const WRITE: &str = "\
    WITH begun AS ( \
      INSERT INTO attempts (id, email_digest, key_digest, binding_digest, key_expires_at, \
        user_id, request_id, state, begun_at, due_at) \
      SELECT id, email_digest, key_digest, binding_digest, key_expires_at, \
        user_id, request_id, 0, begun_at, due_at \
      FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bigint[], \
        $7::text[], $8::text[], $9::bigint[], $10::bigint[]) \
        AS new (id, email_digest, key_digest, previous_digest, binding_digest, key_expires_at, \
        user_id, request_id, begun_at, due_at) \
      WHERE NOT EXISTS (SELECT FROM attempts known WHERE known.key_digest = new.previous_digest \
        AND known.key_digest IS NOT NULL AND known.key_expires_at > new.begun_at) \
      ON CONFLICT DO NOTHING \
      RETURNING id \
    ), ended AS ( \
      UPDATE attempts a SET state = f.state, code = f.code, auth0_user_id = f.auth0_user_id, \
        auth0_request_id = coalesce(f.auth0_request_id, a.auth0_request_id), \
        finished_at = f.finished_at, \
        connection_ended_at = greatest(f.connection_ended_at, a.connection_ended_at), \
        due_at = f.due_at, owner = NULL, \
        key_digest = CASE WHEN f.state <> 4 THEN a.key_digest END, \
        binding_digest = CASE WHEN f.state <> 4 THEN a.binding_digest END, \
        key_expires_at = CASE WHEN f.state <> 4 THEN a.key_expires_at END \
      FROM unnest($11::uuid[], $12::smallint[], $13::text[], $14::text[], $15::text[], \
        $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[]) \
        AS f (id, state, code, auth0_user_id, auth0_request_id, finished_at, \
        connection_ended_at, due_at, held) \
      WHERE a.id = f.id AND ((a.state IN (0, 3) OR (f.state = 1 AND a.state = 4)) \
        AND (f.held IS NULL OR coalesce(a.connection_ended_at, -1) = f.held) \
        OR (f.state = a.state AND f.finished_at = a.finished_at)) \
      RETURNING a.id \
    ) \
    SELECT (SELECT array_agg(id) FROM begun), (SELECT array_agg(id) FROM ended)";

const FREE_EXPIRED: &str = "\
    UPDATE attempts a SET key_digest = NULL, binding_digest = NULL, key_expires_at = NULL \
    FROM unnest($1::bytea[], $2::bigint[]) AS new (key_digest, begun_at) \
    WHERE a.key_digest = new.key_digest AND a.key_digest IS NOT NULL \
      AND a.key_expires_at <= new.begun_at";

/// How often beginnings whose key is neither free nor found are tried: the key was freed, or
/// taken, between two statements.
const ROUNDS: usize = 4;

/// A beginning or an end, and who waits for it.
#[derive(Debug)]
pub(super) enum Write {
    Begin(Box<NewAttempt>, oneshot::Sender<Result<Begun, LedgerError>>),
    Finish(Box<Finish>, oneshot::Sender<Result<bool, LedgerError>>),
}

/// What came of a batch.
#[derive(Debug)]
pub(super) struct Written {
    /// The attempts whose keys other beginnings have taken already, by the id of the latter.
    known: HashMap<Uuid, Attempt>,
    /// The attempts whose end was written.
    ended: HashSet<Uuid>,
}

impl Job for Write {
    type Done = Written;

    async fn run(connection: &mut PgConnection, batch: &[Self]) -> Result<Written, Failure> {
        let mut begins = Vec::with_capacity(batch.len());
        let mut finishes = Vec::with_capacity(batch.len());
        for write in batch {
            match write {
                Self::Begin(attempt, _) => begins.push(&**attempt),
                Self::Finish(finish, _) => finishes.push(&**finish),
            }
        }
        // Every replica takes keys and rows in the same order, so that no two wait for each other.
        begins.sort_unstable_by_key(|attempt| attempt.key.as_ref().map(|key| key.key.current));
        finishes.sort_by_key(|finish| finish.id);
        let mut later = take_repeated(&mut finishes);

        let (begun, mut ended) = write(connection, &begins, &finishes).await?;
        while !later.is_empty() {
            finishes = later;
            later = take_repeated(&mut finishes);
            ended.extend(write(connection, &[], &finishes).await?.1);
        }
        let known = if begun.len() == begins.len() {
            HashMap::new()
        } else {
            begins.retain(|attempt| !begun.contains(attempt.id.as_uuid()));
            resolve(connection, begins).await?
        };
        Ok(Written { known, ended })
    }

    fn answer(self, done: Result<&mut Written, LedgerError>) {
        // A caller that went away hears nothing.
        match self {
            Self::Begin(attempt, tell) => {
                let begun = done.map(|written| match written.known.remove(attempt.id.as_uuid()) {
                    Some(known) => Begun::Known(Box::new(known)),
                    None => Begun::New,
                });
                let _told = tell.send(begun);
            }
            Self::Finish(finish, tell) => {
                let _told =
                    tell.send(done.map(|written| written.ended.contains(finish.id.as_uuid())));
            }
        }
    }
}

/// Leaves the first end of each attempt and gives the others, for statements of their own: one
/// statement changes a row once. The ends are sorted.
fn take_repeated<'f>(finishes: &mut Vec<&'f Finish>) -> Vec<&'f Finish> {
    let mut later = Vec::new();
    finishes.dedup_by(|next, first| {
        let repeated = next.id == first.id;
        later.extend(repeated.then_some(*next));
        repeated
    });
    later
}

/// Writes all and says which were written: `(begun, ended)`.
async fn write(
    connection: &mut PgConnection,
    begins: &[&NewAttempt],
    finishes: &[&Finish],
) -> Result<(HashSet<Uuid>, HashSet<Uuid>), Error> {
    let (begun, ended): (Option<Vec<Uuid>>, Option<Vec<Uuid>>) = query_as(WRITE)
        .bind(list(begins, |new| *new.id.as_uuid()))
        .bind(list(begins, |new| bytes(&new.email)))
        .bind(list(begins, |new| Some(bytes(&new.key.as_ref()?.key.current))))
        .bind(list(begins, |new| new.key.as_ref()?.key.previous.as_ref().map(bytes)))
        .bind(list(begins, |new| Some(bytes(&new.key.as_ref()?.binding))))
        .bind(list(begins, |new| Some(millis(new.key.as_ref()?.expires_at))))
        .bind(list(begins, |new| new.user_id.as_str()))
        .bind(list(begins, |new| new.request_id.as_str()))
        .bind(list(begins, |new| millis(new.begun_at)))
        .bind(list(begins, |new| millis(new.leased_until)))
        .bind(list(finishes, |end| *end.id.as_uuid()))
        .bind(list(finishes, |end| end.verdict.state().number()))
        .bind(list(finishes, |end| end.code))
        .bind(list(finishes, |end| end.verdict.user_id()))
        .bind(list(finishes, |end| end.auth0_request_id.as_deref()))
        .bind(list(finishes, |end| millis(end.finished_at)))
        .bind(list(finishes, |end| end.verdict.connection_ended_at().map(millis)))
        .bind(list(finishes, |end| end.due_at().map(millis)))
        .bind(list(finishes, Finish::held))
        .fetch_one(connection)
        .await?;
    let set = |ids: Option<Vec<Uuid>>| ids.into_iter().flatten().collect();
    Ok((set(begun), set(ended)))
}

/// What the beginnings that were not written met: the attempts that hold their keys, by the id of
/// the beginning. Those not in it are written.
async fn resolve(
    connection: &mut PgConnection,
    mut begins: Vec<&NewAttempt>,
) -> Result<HashMap<Uuid, Attempt>, Failure> {
    let mut known = HashMap::new();
    for _ in 0..ROUNDS {
        let digests = begins.iter().filter_map(|attempt| Some(attempt.key.as_ref()?.key.iter()));
        let digests: Vec<_> = digests.flatten().map(bytes).collect();
        let ids = list(&begins, |attempt| *attempt.id.as_uuid());
        let found = by_keys_or_ids(connection, &digests, &ids).await?;
        begins.retain(|attempt| {
            // Written by an earlier try, whose answer was lost with its connection.
            if found.iter().any(|row| row.id == attempt.id) {
                return false;
            }
            let holder = found.iter().find(|row| holds(row, attempt));
            known.extend(holder.map(|row| (*attempt.id.as_uuid(), row.clone())));
            holder.is_none()
        });
        if begins.is_empty() {
            return Ok(known);
        }
        query(FREE_EXPIRED)
            .bind(list(&begins, |attempt| attempt.key.as_ref().map(|key| bytes(&key.key.current))))
            .bind(list(&begins, |attempt| millis(attempt.begun_at)))
            .execute(&mut *connection)
            .await?;
        let (begun, _) = write(connection, &begins, &[]).await?;
        begins.retain(|attempt| !begun.contains(attempt.id.as_uuid()));
    }
    if begins.is_empty() { Ok(known) } else { Err(LedgerError::unavailable(Contended).into()) }
}

/// A key was freed and taken again each time it was looked for.
#[derive(Debug, thiserror::Error)]
#[error("a key changes hands too quickly")]
struct Contended;

/// Whether this row has the attempt's key, alive.
fn holds(row: &Attempt, attempt: &NewAttempt) -> bool {
    let (Some(kept), Some(new)) = (&row.key, &attempt.key) else { return false };
    new.key.contains(&kept.key) && kept.expires_at > attempt.begun_at
}

/// One column of these rows.
fn list<'r, R, T>(rows: &[&'r R], column: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().copied().map(column).collect()
}
