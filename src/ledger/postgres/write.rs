//! The batch that starts and resolves attempts: one statement, one transaction, one round trip.

use std::collections::{HashMap, HashSet};

use sqlx::postgres::PgConnection;
use sqlx::{Error, query, query_as};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::admission_cost::{AdmissionCosts, ShortBucket};
use super::batch_worker::{self, BatchError, BatchJob};
use super::read::{by_keys_or_ids, bytes};
use super::statements::{FREE_EXPIRED, WRITE, WRITE_WITH_COSTS};
use crate::ledger::millis::millis;
use crate::ledger::{Attempt, BeginResult, FinishAttempt, LedgerError, NewAttempt};

/// Binds the parameters of new attempts and resolutions, in order.
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
            .bind(list($finishes, |finish| *finish.id.as_uuid()))
            .bind(list($finishes, |finish| finish.resolution.state().number()))
            .bind(list($finishes, |finish| finish.outcome_code))
            .bind(list($finishes, |finish| finish.resolution.user_id()))
            .bind(list($finishes, |finish| finish.auth0_request_id.as_deref()))
            .bind(list($finishes, |finish| millis(finish.finished_at)))
            .bind(list($finishes, |finish| finish.resolution.connection_ended_at().map(millis)))
            .bind(list($finishes, |finish| finish.next_check_at().map(millis)))
            .bind(list($finishes, FinishAttempt::expected_connection_ended_at))
    };
}

/// The number of tries of a new attempt whose key is neither free nor found: another call took or
/// freed the key between two statements.
const ROUNDS: usize = 4;

/// A new attempt or a resolution, and the channel to its caller.
#[derive(Debug)]
pub(super) enum WriteJob {
    Begin(Box<NewAttempt>, oneshot::Sender<Result<BeginResult, LedgerError>>),
    Finish(Box<FinishAttempt>, oneshot::Sender<Result<bool, LedgerError>>),
}

/// The result of a batch.
#[derive(Debug)]
pub(super) struct Written {
    /// The results of the new attempts that were not written, by their id.
    not_started: HashMap<Uuid, BeginResult>,
    /// The attempts whose resolution was written.
    finished: HashSet<Uuid>,
}

impl BatchJob for WriteJob {
    type Output = Written;

    async fn run(connection: &mut PgConnection, batch: &[Self]) -> Result<Written, BatchError> {
        let mut begins = Vec::with_capacity(batch.len());
        let mut finishes = Vec::with_capacity(batch.len());
        for job in batch {
            match job {
                Self::Begin(attempt, _) => begins.push(&**attempt),
                Self::Finish(finish, _) => finishes.push(&**finish),
            }
        }
        let costs = AdmissionCosts::from_attempts(&begins);
        // Every replica locks keys and rows in the same order, so that no two wait for each other.
        begins.sort_unstable_by_key(|attempt| attempt.key.as_ref().map(|key| key.key.current));
        finishes.sort_by_key(|finish| finish.id);
        let mut later = take_repeated(&mut finishes);

        let Round { started, mut finished, proofs_used, short } =
            write(connection, &begins, &finishes, &costs).await?;
        while !later.is_empty() {
            finishes = later;
            later = take_repeated(&mut finishes);
            let round = write(connection, &[], &finishes, &AdmissionCosts::default()).await?;
            finished.extend(round.finished);
        }
        let mut not_started = HashMap::new();
        if started.len() < begins.len() {
            for (id, (limit, retry_after)) in costs.rate_limited(&short) {
                not_started.insert(id, BeginResult::RateLimited { limit, retry_after });
            }
            begins.retain(|attempt| {
                let id = attempt.id.as_uuid();
                !started.contains(id) && !not_started.contains_key(id)
            });
            let with_used_proof = costs.with_used_proof(&proofs_used);
            not_started.extend(retry_or_explain(connection, begins, &with_used_proof).await?);
        }
        Ok(Written { not_started, finished })
    }

    fn reply(self, written: Result<&mut Written, LedgerError>) {
        // Ignored: the caller may no longer wait.
        match self {
            Self::Begin(attempt, tx) => {
                let result = written.map(|written| {
                    written.not_started.remove(attempt.id.as_uuid()).unwrap_or(BeginResult::Started)
                });
                let _sent = tx.send(result);
            }
            Self::Finish(finish, tx) => {
                let result = written.map(|written| written.finished.contains(finish.id.as_uuid()));
                let _sent = tx.send(result);
            }
        }
    }
}

/// Keeps the first resolution of each attempt and returns the others, for further statements: one
/// statement changes a row once. The resolutions are sorted by attempt.
fn take_repeated<'f>(finishes: &mut Vec<&'f FinishAttempt>) -> Vec<&'f FinishAttempt> {
    let mut later = Vec::new();
    finishes.dedup_by(|next, first| {
        let repeated = next.id == first.id;
        later.extend(repeated.then_some(*next));
        repeated
    });
    later
}

/// The rows that one statement wrote.
#[derive(Debug, Default)]
struct Round {
    started: HashSet<Uuid>,
    finished: HashSet<Uuid>,
    /// The attempts whose proof is used now.
    proofs_used: HashSet<Uuid>,
    /// The buckets with fewer permits than requests.
    short: Vec<ShortBucket>,
}

/// Writes everything and returns the rows that were written.
///
/// Limits must not cost a sign-up: if the statement fails with them and no proof has to be
/// recorded, it is sent again without them.
async fn write(
    connection: &mut PgConnection,
    begins: &[&NewAttempt],
    finishes: &[&FinishAttempt],
    costs: &AdmissionCosts<'_>,
) -> Result<Round, Error> {
    if costs.is_empty() {
        return write_free(connection, begins, finishes).await;
    }
    match write_with_costs(connection, begins, finishes, costs).await {
        Err(error)
            if costs.is_without_proofs()
                && batch_worker::is_statement_error(&error)
                && !batch_worker::is_retryable(&error, true) =>
        {
            let round = write_free(connection, begins, finishes).await?;
            let cause: &dyn std::error::Error = &error;
            tracing::warn!(
                error = cause,
                "the shared limits failed; this replica's own limits remain"
            );
            Ok(round)
        }
        written => written,
    }
}

async fn write_free(
    connection: &mut PgConnection,
    begins: &[&NewAttempt],
    finishes: &[&FinishAttempt],
) -> Result<Round, Error> {
    let query = bind!(query_as(WRITE), begins, finishes);
    let (started, finished): (Ids, Ids) = query.fetch_one(connection).await?;
    Ok(Round { started: set(started), finished: set(finished), ..Round::default() })
}

async fn write_with_costs(
    connection: &mut PgConnection,
    begins: &[&NewAttempt],
    finishes: &[&FinishAttempt],
    costs: &AdmissionCosts<'_>,
) -> Result<Round, Error> {
    let query = bind!(query_as(WRITE_WITH_COSTS), begins, finishes)
        .bind(column(costs.bucket_demands(), |demand| demand.0))
        .bind(column(costs.bucket_demands(), |demand| demand.1))
        .bind(column(costs.bucket_demands(), |demand| demand.2))
        .bind(column(costs.bucket_demands(), |demand| demand.3))
        .bind(column(costs.permit_requests(), |request| request.0))
        .bind(column(costs.permit_requests(), |request| request.1))
        .bind(column(costs.permit_requests(), |request| request.2))
        .bind(column(costs.proof_uses(), |used| used.0))
        .bind(column(costs.proof_uses(), |used| used.1))
        .bind(column(costs.proof_uses(), |used| used.2));
    let (started, finished, proofs_used, buckets, refused, ahead): CostRow =
        query.fetch_one(connection).await?;
    let numbers = refused.into_iter().flatten().zip(ahead.into_iter().flatten());
    let short = buckets.into_iter().flatten().zip(numbers);
    let short = short.map(|(bucket, (refused, ahead))| ShortBucket { bucket, refused, ahead });
    Ok(Round {
        started: set(started),
        finished: set(finished),
        proofs_used: set(proofs_used),
        short: short.collect(),
    })
}

/// Attempts started, attempts finished, attempts whose proof is used now; then of each short bucket
/// its id, the number of rejected requests, and the microseconds that it is spent ahead.
type CostRow = (Ids, Ids, Ids, Option<Vec<Vec<u8>>>, Option<Vec<i64>>, Option<Vec<i64>>);

/// Ids as the statement returns them; NULL for none.
type Ids = Option<Vec<Uuid>>;

fn set(ids: Ids) -> HashSet<Uuid> {
    ids.into_iter().flatten().collect()
}

/// Tries again to write these attempts, and returns the results of those that do not start. An
/// attempt without an entry is written.
async fn retry_or_explain(
    connection: &mut PgConnection,
    mut begins: Vec<&NewAttempt>,
    with_used_proof: &HashSet<Uuid>,
) -> Result<HashMap<Uuid, BeginResult>, BatchError> {
    let mut not_started = HashMap::new();
    for _ in 0..ROUNDS {
        let digests = begins.iter().filter_map(|attempt| Some(attempt.key.as_ref()?.key.iter()));
        let digests: Vec<_> = digests.flatten().map(bytes).collect();
        let ids = list(&begins, |attempt| *attempt.id.as_uuid());
        let found = by_keys_or_ids(connection, &digests, &ids).await?;
        begins.retain(|attempt| {
            // Written by an earlier try, whose reply was lost with its connection.
            if found.iter().any(|row| row.id == attempt.id) {
                return false;
            }
            let id = *attempt.id.as_uuid();
            if let Some(row) = found.iter().find(|row| holds(row, attempt)) {
                not_started.insert(id, BeginResult::Existing(Box::new(row.clone())));
            } else if with_used_proof.contains(&id) {
                not_started.insert(id, BeginResult::ProofAlreadyUsed);
            }
            !not_started.contains_key(&id)
        });
        if begins.is_empty() {
            return Ok(not_started);
        }
        query(FREE_EXPIRED)
            .bind(list(&begins, |attempt| attempt.key.as_ref().map(|key| bytes(&key.key.current))))
            .bind(list(&begins, |attempt| millis(attempt.started_at)))
            .execute(&mut *connection)
            .await?;
        // The first statement took the permits and proofs.
        let round = write(connection, &begins, &[], &AdmissionCosts::default()).await?;
        begins.retain(|attempt| !round.started.contains(attempt.id.as_uuid()));
    }
    if begins.is_empty() {
        Ok(not_started)
    } else {
        Err(LedgerError::unavailable(Contended).into())
    }
}

/// Other calls freed and took a key again before each lookup.
#[derive(Debug, thiserror::Error)]
#[error("too many calls compete for one idempotency key")]
struct Contended;

/// Returns whether this row holds the attempt's key and the key has not expired.
fn holds(row: &Attempt, attempt: &NewAttempt) -> bool {
    let (Some(stored), Some(new)) = (&row.key, &attempt.key) else { return false };
    new.key.contains(&stored.key) && stored.expires_at > attempt.started_at
}

/// One column of these tuples.
fn column<R, T>(rows: impl Iterator<Item = R>, column: impl Fn(R) -> T) -> Vec<T> {
    rows.map(column).collect()
}

/// One column of these rows.
fn list<'r, R, T>(rows: &[&'r R], column: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().copied().map(column).collect()
}
