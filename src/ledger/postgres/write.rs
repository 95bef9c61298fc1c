//! The batch that begins and ends attempts: one statement, one transaction, one round trip.

use std::collections::{HashMap, HashSet};

use sqlx::postgres::PgConnection;
use sqlx::{Error, query, query_as};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::admission_cost::{AdmissionCosts, Refused};
use super::batch_worker::{self, BatchJob, Failure};
use super::read::{by_keys_or_ids, bytes};
use super::statements::{FREE_EXPIRED, WRITE, WRITE_WITH_TOLLS};
use crate::ledger::attempt_row::millis;
use crate::ledger::{Attempt, BeginResult, FinishAttempt, LedgerError, NewAttempt};

/// Binds the parameters of beginnings and ends, in order.
macro_rules! bind {
    ($query:expr, $begins:ident, $finishes:ident) => {
        $query
            .bind(list($begins, |new| *new.id.as_uuid()))
            .bind(list($begins, |new| bytes(&new.email)))
            .bind(list($begins, |new| Some(bytes(&new.key.as_ref()?.key.current))))
            .bind(list($begins, |new| new.key.as_ref()?.key.previous.as_ref().map(bytes)))
            .bind(list($begins, |new| Some(bytes(&new.key.as_ref()?.binding))))
            .bind(list($begins, |new| Some(millis(new.key.as_ref()?.expires_at))))
            .bind(list($begins, |new| new.user_id.as_str()))
            .bind(list($begins, |new| new.request_id.as_str()))
            .bind(list($begins, |new| millis(new.started_at)))
            .bind(list($begins, |new| millis(new.leased_until)))
            .bind(list($begins, |new| Some(new.terms.as_ref()?.as_str())))
            .bind(list($finishes, |end| *end.id.as_uuid()))
            .bind(list($finishes, |end| end.verdict.state().number()))
            .bind(list($finishes, |end| end.outcome_code))
            .bind(list($finishes, |end| end.verdict.user_id()))
            .bind(list($finishes, |end| end.auth0_request_id.as_deref()))
            .bind(list($finishes, |end| millis(end.finished_at)))
            .bind(list($finishes, |end| end.verdict.connection_ended_at().map(millis)))
            .bind(list($finishes, |end| end.next_check_at().map(millis)))
            .bind(list($finishes, FinishAttempt::expected_connection_ended_at))
    };
}

/// How often beginnings whose key is neither free nor found are tried: the key was freed, or
/// taken, between two statements.
const ROUNDS: usize = 4;

/// A beginning or an end, and who waits for it.
#[derive(Debug)]
pub(super) enum Write {
    Begin(Box<NewAttempt>, oneshot::Sender<Result<BeginResult, LedgerError>>),
    FinishAttempt(Box<FinishAttempt>, oneshot::Sender<Result<bool, LedgerError>>),
}

/// What came of a batch.
#[derive(Debug)]
pub(super) struct Written {
    /// What beginnings met that were not written, by their id.
    met: HashMap<Uuid, BeginResult>,
    /// The attempts whose end was written.
    ended: HashSet<Uuid>,
}

impl BatchJob for Write {
    type Done = Written;

    async fn run(connection: &mut PgConnection, batch: &[Self]) -> Result<Written, Failure> {
        let mut begins = Vec::with_capacity(batch.len());
        let mut finishes = Vec::with_capacity(batch.len());
        for write in batch {
            match write {
                Self::Begin(attempt, _) => begins.push(&**attempt),
                Self::FinishAttempt(finish, _) => finishes.push(&**finish),
            }
        }
        let tolls = AdmissionCosts::of(&begins);
        // Every replica takes keys and rows in the same order, so that no two wait for each other.
        begins.sort_unstable_by_key(|attempt| attempt.key.as_ref().map(|key| key.key.current));
        finishes.sort_by_key(|finish| finish.id);
        let mut later = take_repeated(&mut finishes);

        let Round { begun, mut ended, redeemed, short } =
            write(connection, &begins, &finishes, &tolls).await?;
        while !later.is_empty() {
            finishes = later;
            later = take_repeated(&mut finishes);
            ended
                .extend(write(connection, &[], &finishes, &AdmissionCosts::default()).await?.ended);
        }
        let mut met = HashMap::new();
        if begun.len() < begins.len() {
            for (id, (limit, retry_after)) in tolls.limited(&short) {
                met.insert(id, BeginResult::RateLimited { limit, retry_after });
            }
            begins.retain(|attempt| {
                let id = attempt.id.as_uuid();
                !begun.contains(id) && !met.contains_key(id)
            });
            met.extend(resolve(connection, begins, &tolls.redeemed_before(&redeemed)).await?);
        }
        Ok(Written { met, ended })
    }

    fn answer(self, done: Result<&mut Written, LedgerError>) {
        // A caller that went away hears nothing.
        match self {
            Self::Begin(attempt, tell) => {
                let id = attempt.id.as_uuid();
                let begun =
                    done.map(|written| written.met.remove(id).unwrap_or(BeginResult::Started));
                let _told = tell.send(begun);
            }
            Self::FinishAttempt(finish, tell) => {
                let _told =
                    tell.send(done.map(|written| written.ended.contains(finish.id.as_uuid())));
            }
        }
    }
}

/// Leaves the first end of each attempt and gives the others, for statements of their own: one
/// statement changes a row once. The ends are sorted.
fn take_repeated<'f>(finishes: &mut Vec<&'f FinishAttempt>) -> Vec<&'f FinishAttempt> {
    let mut later = Vec::new();
    finishes.dedup_by(|next, first| {
        let repeated = next.id == first.id;
        later.extend(repeated.then_some(*next));
        repeated
    });
    later
}

/// What one statement wrote.
#[derive(Debug, Default)]
struct Round {
    begun: HashSet<Uuid>,
    ended: HashSet<Uuid>,
    /// The attempts whose proof was taken.
    redeemed: HashSet<Uuid>,
    /// The buckets that did not have a permit for everyone.
    short: Vec<Refused>,
}

/// Writes all and says what was written.
///
/// The limits are not worth a sign-up: when the statement fails with them and no proof has to be
/// kept, it goes without them.
async fn write(
    connection: &mut PgConnection,
    begins: &[&NewAttempt],
    finishes: &[&FinishAttempt],
    tolls: &AdmissionCosts<'_>,
) -> Result<Round, Error> {
    if tolls.is_empty() {
        return write_without(connection, begins, finishes).await;
    }
    match write_with(connection, begins, finishes, tolls).await {
        Err(error)
            if tolls.is_without_proofs()
                && batch_worker::is_statement(&error)
                && !batch_worker::may_pass(&error, true) =>
        {
            let round = write_without(connection, begins, finishes).await?;
            let cause: &dyn std::error::Error = &error;
            tracing::warn!(error = cause, "the shared limits failed; this replica's own remain");
            Ok(round)
        }
        written => written,
    }
}

async fn write_without(
    connection: &mut PgConnection,
    begins: &[&NewAttempt],
    finishes: &[&FinishAttempt],
) -> Result<Round, Error> {
    let query = bind!(query_as(WRITE), begins, finishes);
    let (begun, ended): (Ids, Ids) = query.fetch_one(connection).await?;
    Ok(Round { begun: set(begun), ended: set(ended), ..Round::default() })
}

async fn write_with(
    connection: &mut PgConnection,
    begins: &[&NewAttempt],
    finishes: &[&FinishAttempt],
    tolls: &AdmissionCosts<'_>,
) -> Result<Round, Error> {
    let query = bind!(query_as(WRITE_WITH_TOLLS), begins, finishes)
        .bind(column(tolls.asked(), |asked| asked.0))
        .bind(column(tolls.asked(), |asked| asked.1))
        .bind(column(tolls.asked(), |asked| asked.2))
        .bind(column(tolls.asked(), |asked| asked.3))
        .bind(column(tolls.places(), |place| place.0))
        .bind(column(tolls.places(), |place| place.1))
        .bind(column(tolls.places(), |place| place.2))
        .bind(column(tolls.proofs(), |proof| proof.0))
        .bind(column(tolls.proofs(), |proof| proof.1))
        .bind(column(tolls.proofs(), |proof| proof.2));
    let (begun, ended, redeemed, buckets, counts, aheads): TollRow =
        query.fetch_one(connection).await?;
    let numbers = counts.into_iter().flatten().zip(aheads.into_iter().flatten());
    let short = buckets.into_iter().flatten().zip(numbers);
    let short = short.map(|(bucket, (count, ahead))| Refused { bucket, count, ahead }).collect();
    Ok(Round { begun: set(begun), ended: set(ended), redeemed: set(redeemed), short })
}

/// BeginResult, ended, redeemed; the buckets that ran short, how many each refused, how far each is ahead.
type TollRow = (Ids, Ids, Ids, Option<Vec<Vec<u8>>>, Option<Vec<i64>>, Option<Vec<i64>>);

/// Ids as the statement gives them; NULL for none.
type Ids = Option<Vec<Uuid>>;

fn set(ids: Ids) -> HashSet<Uuid> {
    ids.into_iter().flatten().collect()
}

/// What the beginnings that were not written met, by the id of the beginning. Those not in it are
/// written.
async fn resolve(
    connection: &mut PgConnection,
    mut begins: Vec<&NewAttempt>,
    redeemed_before: &HashSet<Uuid>,
) -> Result<HashMap<Uuid, BeginResult>, Failure> {
    let mut met = HashMap::new();
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
            let id = *attempt.id.as_uuid();
            if let Some(row) = found.iter().find(|row| holds(row, attempt)) {
                met.insert(id, BeginResult::Existing(Box::new(row.clone())));
            } else if redeemed_before.contains(&id) {
                met.insert(id, BeginResult::ProofAlreadyUsed);
            }
            !met.contains_key(&id)
        });
        if begins.is_empty() {
            return Ok(met);
        }
        query(FREE_EXPIRED)
            .bind(list(&begins, |attempt| attempt.key.as_ref().map(|key| bytes(&key.key.current))))
            .bind(list(&begins, |attempt| millis(attempt.started_at)))
            .execute(&mut *connection)
            .await?;
        // What they had to give was taken by the first statement.
        let begun = write(connection, &begins, &[], &AdmissionCosts::default()).await?.begun;
        begins.retain(|attempt| !begun.contains(attempt.id.as_uuid()));
    }
    if begins.is_empty() { Ok(met) } else { Err(LedgerError::unavailable(Contended).into()) }
}

/// A key was freed and taken again each time it was looked for.
#[derive(Debug, thiserror::Error)]
#[error("a key changes hands too quickly")]
struct Contended;

/// Whether this row has the attempt's key, alive.
fn holds(row: &Attempt, attempt: &NewAttempt) -> bool {
    let (Some(kept), Some(new)) = (&row.key, &attempt.key) else { return false };
    new.key.contains(&kept.key) && kept.expires_at > attempt.started_at
}

fn column<R, T>(rows: impl Iterator<Item = R>, column: impl Fn(R) -> T) -> Vec<T> {
    rows.map(column).collect()
}

/// One column of these rows.
fn list<'r, R, T>(rows: &[&'r R], column: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().copied().map(column).collect()
}
