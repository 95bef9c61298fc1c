//! The shared ledger: any number of replicas on one PostgreSQL database.
//!
//! New attempts, resolutions and lookups go in batches through [`batch_worker`]s; rare calls go
//! through a small pool.

mod admission_cost;
mod batch_worker;
mod read;
mod server;
mod statements;
mod write;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection as _, Error, PgPool, query, query_as};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use self::batch_worker::{BatchJob, BatchWorker, QUEUE};
use self::read::{ReadJob, both, columns};
use self::server::Connector;
use self::write::WriteJob;
use super::migrations::{POSTGRES, pending, status};
use super::millis::millis;
use super::{
    Access, Attempt, AttemptId, BeginResult, Closed, Find, FinishAttempt, Ledger, LedgerError,
    Migration, NewAttempt, OpenError, PendingAttempts, ProofUse, Swept,
};
use crate::config::Synchronous;
use crate::digest::{Digest, DigestPair};
use crate::lifecycle::Lifecycle;
use crate::telemetry::BatchMetrics;

/// The most connections for rare calls: the reconciler, the sweeper, probes.
const POOL: u32 = 2;

/// The workers for lookups, which are batched and short.
const READERS: usize = 1;

const CLAIM_DUE: &str = concat!(
    "UPDATE attempts \
     SET next_check_at = $2, lease_owner = $3, check_count = check_count + 1 \
     WHERE id = ANY (ARRAY (SELECT id FROM attempts \
     WHERE next_check_at <= $1 AND next_check_at IS NOT NULL ORDER BY next_check_at \
     LIMIT $4 FOR UPDATE SKIP LOCKED)) RETURNING ",
    columns!()
);

const RELEASE: &str = "\
    UPDATE attempts SET next_check_at = $3, lease_owner = NULL \
    WHERE id = $1 AND lease_owner = $2 AND state IN (0, 3)";

const SWEEP_ATTEMPTS: &str = "\
    DELETE FROM attempts WHERE id = ANY (ARRAY \
    (SELECT id FROM attempts WHERE id < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED))";

const SWEEP_KEYS: &str = "\
    UPDATE attempts SET key_digest = NULL, binding_digest = NULL, key_expires_at = NULL \
    WHERE id = ANY (ARRAY (SELECT id FROM attempts \
    WHERE key_expires_at <= $1 AND key_expires_at IS NOT NULL \
    ORDER BY key_expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))";

const USE_PROOF: &str = "\
    INSERT INTO used_proofs (proof, attempt_id, expires_at) VALUES ($1, $2, $3) \
    ON CONFLICT (proof) DO NOTHING";

const SWEEP_PROOFS: &str = "\
    DELETE FROM used_proofs WHERE proof = ANY (ARRAY \
    (SELECT proof FROM used_proofs WHERE expires_at <= $1 \
    ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))";

/// Uses the server's clock, with which the rows were written. Reads the whole table, which holds
/// only the buckets that were used recently.
const SWEEP_BUCKETS: &str = "\
    DELETE FROM limits WHERE bucket = ANY (ARRAY \
    (SELECT bucket FROM limits WHERE tat < (extract(epoch FROM clock_timestamp()) * 1000000)::bigint \
    LIMIT $1 FOR UPDATE SKIP LOCKED))";

/// Sorts the ids: PostgreSQL has no `min` of UUIDs before version 18.
const COUNT_PENDING: &str = "\
    SELECT count(*), (array_agg(id ORDER BY id))[1] FROM \
    (SELECT id FROM attempts WHERE next_check_at IS NOT NULL ORDER BY next_check_at LIMIT $1) \
    AS pending";

const DELETE_BY_EMAIL: &str = "DELETE FROM attempts WHERE email_digest = ANY($1)";

const PING: &str = "UPDATE secret_checks SET seen_at = $2 WHERE value = $1";

/// The settings of a PostgreSQL ledger.
#[derive(Debug)]
pub struct PostgresOptions {
    /// Its URL.
    pub url: SecretString,
    /// The durability that a commit waits for.
    pub synchronous: Synchronous,
    /// Applies pending migrations.
    pub migrate: bool,
    /// The kind of process.
    pub access: Access,
    /// The number of batches written at once.
    pub writers: usize,
    /// The longest wait of a call for the database.
    pub timeout: Duration,
    /// Counts the batches that are written.
    pub batches: BatchMetrics,
}

/// The ledger in PostgreSQL.
#[derive(Debug)]
pub struct Postgres {
    writes: mpsc::Sender<WriteJob>,
    reads: mpsc::Sender<ReadJob>,
    workers: Workers,
    pool: PgPool,
    secret: Digest,
}

impl Postgres {
    /// Connects to the database and starts the workers, which end with the `lifecycle`.
    ///
    /// # Errors
    /// When it cannot be reached or was written with another secret.
    pub async fn open(
        options: PostgresOptions,
        secrets: DigestPair,
        now: Duration,
        lifecycle: &Lifecycle,
    ) -> Result<Self, OpenError> {
        let PostgresOptions { url, synchronous, migrate, access, writers, timeout, batches } =
            options;
        let connector = Connector::new(&url, synchronous, timeout).map_err(database_error)?;
        let for_pool = connector.clone();
        let pool = PgPoolOptions::new()
            .max_connections(POOL)
            .acquire_timeout(timeout)
            .after_connect(move |connection, _| {
                let connector = for_pool.clone();
                Box::pin(async move { connector.set_up(connection).await })
            })
            .connect_lazy_with(connector.options());
        let mut connection = pool.acquire().await.map_err(database_error)?;
        if migrate {
            server::migrate(&mut connection, now).await.map_err(database_error)?;
        } else {
            let applied = server::applied(&mut connection).await.map_err(database_error)?;
            let pending = pending(&POSTGRES, &applied).count();
            if pending > 0 {
                return Err(OpenError::Pending(pending));
            }
        }
        let renew = access == Access::Service;
        let known = server::recognise(&mut connection, &secrets, renew, now).await;
        if !known.map_err(database_error)? {
            return Err(OpenError::WrongSecret);
        }
        let workers = Workers::default();
        Ok(Self {
            writes: workers.start(&connector, writers, lifecycle, Some(&batches)),
            reads: workers.start(&connector, READERS, lifecycle, None),
            workers,
            pool,
            secret: secrets.current,
        })
    }

    /// Queues a job and waits for its result.
    async fn submit<J, T>(
        jobs: &mpsc::Sender<J>,
        job: impl FnOnce(oneshot::Sender<Result<T, LedgerError>>) -> J + Send,
    ) -> Result<T, LedgerError>
    where
        J: BatchJob,
        T: Send,
    {
        let (tx, rx) = oneshot::channel();
        let closed = || LedgerError::unavailable(Closed);
        jobs.send(job(tx)).await.map_err(|_| closed())?;
        rx.await.map_err(|_| closed())?
    }
}

/// The worker tasks.
#[derive(Debug, Default)]
struct Workers {
    running: TaskTracker,
    closing: CancellationToken,
}

impl Workers {
    /// Starts workers that share a queue, and returns its sender.
    fn start<J: BatchJob>(
        &self,
        connector: &Connector,
        count: usize,
        lifecycle: &Lifecycle,
        batches: Option<&BatchMetrics>,
    ) -> mpsc::Sender<J> {
        let (tx, rx) = mpsc::channel(QUEUE);
        let rx = Arc::new(Mutex::new(rx));
        for _ in 0..count {
            let (rx, closing) = (Arc::clone(&rx), self.closing.clone());
            let worker = BatchWorker::new(connector.clone(), rx, closing, batches.cloned());
            lifecycle.spawn_background(self.running.track_future(worker.run()));
        }
        tx
    }

    /// Waits until every queued job is done.
    async fn close(&self) {
        self.closing.cancel();
        self.running.close();
        self.running.wait().await;
    }
}

/// Returns every migration of this database with its status.
///
/// # Errors
/// When it cannot be read.
pub async fn migrations(
    url: &SecretString,
    timeout: Duration,
) -> Result<Vec<Migration>, OpenError> {
    let connector = Connector::new(url, Synchronous::Full, timeout).map_err(database_error)?;
    let mut connection = connector.connect().await.map_err(database_error)?;
    let applied = server::applied(&mut connection).await.map_err(database_error)?;
    close(connection).await;
    Ok(status(&POSTGRES, &applied))
}

/// Applies the pending migrations, all or none, and returns their number.
///
/// # Errors
/// When the database cannot be reached or a migration fails.
pub async fn migrate(
    url: &SecretString,
    timeout: Duration,
    now: Duration,
) -> Result<usize, OpenError> {
    let connector = Connector::new(url, Synchronous::Full, timeout).map_err(database_error)?;
    let mut connection = connector.connect().await.map_err(database_error)?;
    let applied = server::migrate(&mut connection, now).await.map_err(database_error)?;
    close(connection).await;
    Ok(applied)
}

/// Closes the connection in order, so that the server logs no lost client.
async fn close(connection: sqlx::PgConnection) {
    if let Err(error) = connection.close().await {
        let cause: &dyn std::error::Error = &error;
        tracing::debug!(error = cause, "the database closed the connection first");
    }
}

#[async_trait]
impl Ledger for Postgres {
    async fn begin(&self, attempt: NewAttempt) -> Result<BeginResult, LedgerError> {
        let attempt = Box::new(attempt);
        Self::submit(&self.writes, |tx| WriteJob::Begin(attempt, tx)).await
    }

    async fn finish(&self, finish: FinishAttempt) -> Result<bool, LedgerError> {
        let finish = Box::new(finish);
        Self::submit(&self.writes, |tx| WriteJob::Finish(finish, tx)).await
    }

    async fn find_key(
        &self,
        key: &DigestPair,
        now: Duration,
    ) -> Result<Option<Attempt>, LedgerError> {
        Self::submit(&self.reads, |tx| ReadJob::Key(*key, now, tx)).await
    }

    async fn get(&self, id: AttemptId) -> Result<Option<Attempt>, LedgerError> {
        Self::submit(&self.reads, |tx| ReadJob::Id(id, tx)).await
    }

    async fn claim_due(
        &self,
        owner: Uuid,
        now: Duration,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<Attempt>, LedgerError> {
        let claimed = query(CLAIM_DUE)
            .bind(millis(now))
            .bind(millis(now + lease))
            .bind(owner)
            .bind(count(limit))
            .fetch_all(&self.pool);
        read::attempts(&claimed.await.map_err(database_error)?)
    }

    async fn release(
        &self,
        id: AttemptId,
        owner: Uuid,
        next_check_at: Option<Duration>,
    ) -> Result<(), LedgerError> {
        let next = next_check_at.map(millis);
        let released = query(RELEASE).bind(*id.as_uuid()).bind(owner).bind(next);
        released.execute(&self.pool).await.map_err(database_error)?;
        Ok(())
    }

    async fn sweep(
        &self,
        now: Duration,
        keep: Duration,
        batch: usize,
    ) -> Result<Swept, LedgerError> {
        let oldest = AttemptId::floor(now.saturating_sub(keep));
        let attempts = query(SWEEP_ATTEMPTS).bind(oldest).bind(count(batch)).execute(&self.pool);
        let attempts = attempts.await.map_err(database_error)?.rows_affected();
        let keys = query(SWEEP_KEYS).bind(millis(now)).bind(count(batch)).execute(&self.pool);
        let keys = keys.await.map_err(database_error)?.rows_affected();
        let proofs = query(SWEEP_PROOFS).bind(millis(now)).bind(count(batch)).execute(&self.pool);
        let proofs = proofs.await.map_err(database_error)?.rows_affected();
        let buckets = query(SWEEP_BUCKETS).bind(count(batch)).execute(&self.pool);
        let buckets = buckets.await.map_err(database_error)?.rows_affected();
        Ok(Swept {
            attempts: rows(attempts),
            keys: rows(keys),
            proofs: rows(proofs),
            buckets: rows(buckets),
        })
    }

    async fn find(&self, by: Find, limit: usize) -> Result<Vec<Attempt>, LedgerError> {
        read::find(&self.pool, &by, count(limit)).await
    }

    async fn use_proof(&self, id: AttemptId, proof: ProofUse) -> Result<bool, LedgerError> {
        let ProofUse { proof, expires_at } = proof;
        let used = query(USE_PROOF)
            .bind(proof.as_bytes().as_slice())
            .bind(id.as_uuid())
            .bind(millis(expires_at))
            .execute(&self.pool);
        Ok(used.await.map_err(database_error)?.rows_affected() == 1)
    }

    async fn delete_by_email(&self, email: &DigestPair) -> Result<usize, LedgerError> {
        let deleted = query(DELETE_BY_EMAIL).bind(both(email)).execute(&self.pool).await;
        Ok(rows(deleted.map_err(database_error)?.rows_affected()))
    }

    async fn count_pending(&self, now: Duration) -> Result<PendingAttempts, LedgerError> {
        let counted =
            query_as(COUNT_PENDING).bind(count(PendingAttempts::MOST)).fetch_one(&self.pool);
        let (rows, oldest) = counted.await.map_err(database_error)?;
        Ok(PendingAttempts::new(rows, oldest, now))
    }

    async fn ping(&self, now: Duration) -> Result<(), LedgerError> {
        let secret = self.secret.as_bytes();
        let written = query(PING).bind(secret).bind(millis(now)).execute(&self.pool).await;
        match written.map_err(database_error)?.rows_affected() {
            0 => Err(LedgerError::unavailable(OpenError::WrongSecret)),
            _ => Ok(()),
        }
    }

    async fn close(&self) {
        self.workers.close().await;
        self.pool.close().await;
    }
}

fn database_error(error: Error) -> LedgerError {
    ledger_error(Arc::new(error))
}

/// A row that cannot be decoded means damage; every other error may pass.
fn ledger_error(error: Arc<Error>) -> LedgerError {
    match &*error {
        Error::ColumnDecode { .. } | Error::Decode(_) => LedgerError::Corrupt(error),
        _ => LedgerError::Unavailable(error),
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn rows(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
