//! The shared ledger: any number of replicas on one PostgreSQL database.
//!
//! Every call is one statement in a transaction of its own. The server's clock is the only one.

mod begin;
mod connections;
mod rows;
mod server;
mod statements;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use sqlx::{Error, Row as _, query};
use uuid::Uuid;

use self::connections::{Connections, FOR_CALLS, Rows, Statement, close};
use self::server::Connector;
use super::migrations::{POSTGRES, pending, status};
use super::{
    Access, Attempt, AttemptId, AttemptState, BeginResult, Find, FinishAttempt, KeyLookup, Lease,
    Ledger, LedgerError, Migration, NewAttempt, OpenError, PendingAttempts, ProofUse, RESTARTS,
    Swept,
};
use crate::clock::LedgerTime;
use crate::config::Synchronous;
use crate::digest::{Digest, DigestPair};

/// The longest heartbeat: after a failed one there is time for another before the lapse.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_millis(700);

/// Time without a heartbeat after which a process is forgotten.
const FORGET_PROCESS: Duration = Duration::from_hours(24);

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
    /// The longest duration of a call.
    pub timeout: Duration,
}

/// The ledger in PostgreSQL.
#[derive(Debug)]
pub struct Postgres {
    connections: Connections,
    /// Separate, so that heartbeats do not wait for other calls.
    for_heartbeats: Connections,
    secret: Digest,
}

impl Postgres {
    /// Connects to the database.
    ///
    /// # Errors
    /// When it cannot be reached or was written with another secret.
    pub async fn open(options: PostgresOptions, secrets: DigestPair) -> Result<Self, OpenError> {
        let PostgresOptions { url, synchronous, migrate, access, timeout } = options;
        let connector = Connector::new(&url, synchronous, timeout).map_err(ledger_error)?;
        let mut connection = connector.connect().await.map_err(ledger_error)?;
        if migrate {
            server::migrate(&mut connection).await.map_err(ledger_error)?;
        } else {
            let applied = server::applied(&mut connection).await.map_err(ledger_error)?;
            let pending = pending(&POSTGRES, &applied).count();
            if pending > 0 {
                return Err(OpenError::Pending(pending));
            }
        }
        let renew = access == Access::Service;
        let known = server::recognise(&mut connection, &secrets, renew).await;
        close(connection).await;
        if !known.map_err(ledger_error)? {
            return Err(OpenError::WrongSecret);
        }
        let for_heartbeats = timeout.min(HEARTBEAT_TIMEOUT);
        Ok(Self {
            for_heartbeats: Connections::new(connector.clone(), 1, for_heartbeats),
            connections: Connections::new(connector, FOR_CALLS, timeout),
            secret: secrets.current,
        })
    }

    async fn run<'s>(
        &self,
        statement: impl Fn(bool) -> Statement<'s> + Send + Sync,
    ) -> Result<Rows, LedgerError> {
        self.connections.run(statement).await.map_err(ledger_error)
    }

    /// Runs a statement that changes an attempt only in a certain state, and returns whether it
    /// did. A lost reply leaves that open; then the row shows whether `is_ours` was written.
    async fn change<'s>(
        &self,
        id: AttemptId,
        statement: impl Fn() -> Statement<'s> + Send + Sync,
        is_ours: impl Fn(&Attempt) -> bool + Send + Sync,
    ) -> Result<bool, LedgerError> {
        let Rows { rows, is_repeat } = self.run(|_| statement()).await?;
        if !rows.is_empty() || !is_repeat {
            return Ok(!rows.is_empty());
        }
        Ok(self.get(id).await?.as_ref().is_some_and(is_ours))
    }

    /// Runs a statement and returns the number in the first column of its row.
    async fn count<'s>(
        &self,
        statement: impl Fn() -> Statement<'s> + Send + Sync,
    ) -> Result<usize, LedgerError> {
        let count: i64 = first(&self.run(|_| statement()).await?)?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    async fn look_up_key(&self, key: &DigestPair) -> Result<KeyLookup, LedgerError> {
        rows::key_lookup(&self.run(|_| query(rows::FIND_KEY).bind(both(key))).await?.rows)
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
    let connector = Connector::new(url, Synchronous::Full, timeout).map_err(ledger_error)?;
    let mut connection = connector.connect().await.map_err(ledger_error)?;
    let applied = server::applied(&mut connection).await.map_err(ledger_error)?;
    close(connection).await;
    Ok(status(&POSTGRES, &applied))
}

/// Applies the pending migrations, all or none, and returns their number.
///
/// # Errors
/// When the database cannot be reached or a migration fails.
pub async fn migrate(url: &SecretString, timeout: Duration) -> Result<usize, OpenError> {
    let connector = Connector::new(url, Synchronous::Full, timeout).map_err(ledger_error)?;
    let mut connection = connector.connect().await.map_err(ledger_error)?;
    let applied = server::migrate(&mut connection).await.map_err(ledger_error)?;
    close(connection).await;
    Ok(applied)
}

#[async_trait]
impl Ledger for Postgres {
    async fn now(&self) -> Result<LedgerTime, LedgerError> {
        time(&self.run(|_| query("SELECT ledger_now()")).await?)
    }

    async fn begin(&self, mut attempt: NewAttempt) -> Result<BeginResult, LedgerError> {
        self.begin_attempt(&mut attempt).await
    }

    async fn restart(&self, id: AttemptId, lease: Lease) -> Result<bool, LedgerError> {
        let restart = || {
            let statement =
                query(statements::RESTART).bind(id.as_uuid().to_owned()).bind(lease.process);
            statement.bind(millis(lease.lasts)).bind(i16::from(RESTARTS)).bind(lease.synced)
        };
        let is_ours = |attempt: &Attempt| {
            attempt.state == AttemptState::Open && works_on(lease.process, attempt)
        };
        self.change(id, restart, is_ours).await
    }

    async fn take_over(
        &self,
        id: AttemptId,
        lease: Lease,
        connection_ended_at: Option<LedgerTime>,
    ) -> Result<bool, LedgerError> {
        let expected = connection_ended_at.map_or(-1, LedgerTime::as_millis);
        let take_over = || {
            let statement =
                query(statements::TAKE_OVER).bind(id.as_uuid().to_owned()).bind(lease.process);
            statement.bind(millis(lease.lasts)).bind(expected).bind(lease.synced)
        };
        let is_ours = |attempt: &Attempt| {
            attempt.state == AttemptState::Unknown && works_on(lease.process, attempt)
        };
        self.change(id, take_over, is_ours).await
    }

    async fn free_key(&self, id: AttemptId, state: AttemptState) -> Result<(), LedgerError> {
        let free = || query(statements::FREE_KEY).bind(*id.as_uuid()).bind(state.number());
        self.run(|_| free()).await?;
        Ok(())
    }

    async fn use_proof(&self, id: AttemptId, proof: ProofUse) -> Result<bool, LedgerError> {
        let used = self.run(|_| {
            let statement = query("SELECT use_proof($1, $2, $3)").bind(bytes(&proof.proof));
            statement.bind(*id.as_uuid()).bind(millis(proof.lasts))
        });
        first(&used.await?)
    }

    async fn finish(&self, finish: FinishAttempt) -> Result<bool, LedgerError> {
        let FinishAttempt { id, resolution, outcome_code, auth0_request_id, basis } = &finish;
        let statement = || {
            query(statements::FINISH)
                .bind(id.as_uuid())
                .bind(resolution.state().number())
                .bind(outcome_code)
                .bind(resolution.user_id())
                .bind(auth0_request_id.as_deref())
                .bind(basis.expected_connection_ended_at())
                .bind(resolution.frees_key())
                .bind(basis.expected_worker())
        };
        let is_ours = |attempt: &Attempt| {
            attempt.state == resolution.state()
                && attempt.outcome_code.as_deref() == Some(*outcome_code)
        };
        self.change(*id, statement, is_ours).await
    }

    async fn find_key(&self, key: &DigestPair) -> Result<KeyLookup, LedgerError> {
        self.look_up_key(key).await
    }

    async fn get(&self, id: AttemptId) -> Result<Option<Attempt>, LedgerError> {
        let found = self.run(|_| query(rows::GET).bind(*id.as_uuid())).await?;
        Ok(rows::attempts(&found.rows)?.pop())
    }

    async fn claim_due(
        &self,
        owner: Uuid,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<Attempt>, LedgerError> {
        let statement =
            || query(rows::CLAIM_DUE).bind(owner).bind(millis(lease)).bind(number(limit));
        rows::attempts(&self.run(|_| statement()).await?.rows)
    }

    async fn release(
        &self,
        id: AttemptId,
        owner: Uuid,
        next_check_in: Option<Duration>,
        failed: bool,
    ) -> Result<(), LedgerError> {
        let released = self.run(|_| {
            let statement = query(statements::RELEASE).bind(*id.as_uuid()).bind(owner);
            statement.bind(next_check_in.map(millis)).bind(i32::from(failed))
        });
        released.await.map(drop)
    }

    async fn sweep(&self, keep: Duration, batch: usize) -> Result<Swept, LedgerError> {
        let oldest = AttemptId::floor(self.now().await?.before(keep));
        let batch = number(batch);
        let forget = millis(FORGET_PROCESS);
        self.run(|_| query(statements::SWEEP_PROCESSES).bind(forget)).await?;
        Ok(Swept {
            attempts: self
                .count(|| query(statements::SWEEP_ATTEMPTS).bind(oldest).bind(batch))
                .await?,
            keys: self.count(|| query(statements::SWEEP_KEYS).bind(batch)).await?,
            proofs: self.count(|| query(statements::SWEEP_PROOFS).bind(batch)).await?,
            buckets: self.count(|| query(statements::SWEEP_BUCKETS).bind(batch)).await?,
        })
    }

    async fn find(&self, by: Find, limit: usize) -> Result<Vec<Attempt>, LedgerError> {
        let limit = number(limit);
        let found = self.run(|_| match &by {
            Find::All => query(rows::FIND_ALL).bind(limit),
            Find::State(state) => query(rows::FIND_STATE).bind(limit).bind(state.number()),
            Find::RequestId(id) => query(rows::FIND_REQUEST).bind(limit).bind(id),
            Find::Email(email) => query(rows::FIND_EMAIL).bind(limit).bind(both(email)),
            Find::User(email, user_id) => {
                query(rows::FIND_USER).bind(limit).bind(both(email)).bind(user_id)
            }
        });
        rows::attempts(&found.await?.rows)
    }

    async fn delete_by_email(&self, email: &DigestPair) -> Result<usize, LedgerError> {
        self.count(|| query(statements::DELETE_BY_EMAIL).bind(both(email))).await
    }

    async fn count_pending(&self) -> Result<PendingAttempts, LedgerError> {
        let limit = number(PendingAttempts::MOST);
        let counted = self.run(|_| query(statements::COUNT_PENDING).bind(limit)).await?;
        let now = time(&counted)?;
        let row = counted.rows.first().ok_or_else(|| ledger_error(Error::RowNotFound))?;
        let rows = row.try_get(1).map_err(ledger_error)?;
        let oldest = row.try_get(2).map_err(ledger_error)?;
        Ok(PendingAttempts::new(rows, oldest, now))
    }

    async fn heartbeat(&self, process: Uuid) -> Result<LedgerTime, LedgerError> {
        let beat = self.for_heartbeats.run(|_| query(statements::HEARTBEAT).bind(process));
        time(&beat.await.map_err(ledger_error)?)
    }

    async fn keeps_user_ids(&self, connection: &DigestPair) -> Result<Option<bool>, LedgerError> {
        let known = self.run(|_| query(statements::KEEPS_USER_IDS).bind(both(connection))).await?;
        if known.rows.is_empty() { Ok(None) } else { first(&known).map(Some) }
    }

    async fn record_user_ids(&self, connection: &Digest, keeps: bool) -> Result<(), LedgerError> {
        let record = || query(statements::RECORD_USER_IDS).bind(bytes(connection)).bind(keeps);
        self.run(|_| record()).await.map(drop)
    }

    async fn ping(&self) -> Result<(), LedgerError> {
        let written = self.run(|_| query(statements::PING).bind(bytes(&self.secret))).await?;
        if written.rows.is_empty() {
            return Err(LedgerError::unavailable(OpenError::WrongSecret));
        }
        Ok(())
    }

    async fn close(&self) {
        self.for_heartbeats.close().await;
        self.connections.close().await;
    }
}

/// Returns whether this process works on an attempt for a request.
fn works_on(process: Uuid, attempt: &Attempt) -> bool {
    attempt.worker.is_some_and(|worker| worker.process == process)
}

/// The first column of the first row.
fn first<T>(rows: &Rows) -> Result<T, LedgerError>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let row = rows.rows.first().ok_or(Error::RowNotFound);
    row.and_then(|row| row.try_get(0)).map_err(ledger_error)
}

/// The time in the first column of the first row.
fn time(rows: &Rows) -> Result<LedgerTime, LedgerError> {
    let row = rows.rows.first().ok_or_else(|| ledger_error(Error::RowNotFound))?;
    rows::time(row, 0)
}

/// A row that cannot be decoded means damage; every other error may pass.
fn ledger_error(error: Error) -> LedgerError {
    match error {
        Error::ColumnDecode { .. } | Error::Decode(_) => LedgerError::Corrupt(Arc::new(error)),
        _ => LedgerError::Unavailable(Arc::new(error)),
    }
}

/// The current and the previous digest.
fn both(pair: &DigestPair) -> Vec<[u8; 32]> {
    pair.iter().map(bytes).collect()
}

const fn bytes(digest: &Digest) -> [u8; 32] {
    *digest.as_bytes()
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn number(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}
