//! The shared ledger: any number of replicas on one PostgreSQL database.
//!
//! Every statement has a transaction of its own, and most calls are one statement. The server's clock is
//! the only one.

mod begin;
mod connections;
mod connector;
mod errors;
mod inspect;
mod migrate;
mod probe;
mod rows;
mod start;
mod statement;
mod statements;
mod tls;

use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::types::FromSqlOwned;
use uuid::Uuid;

use self::begin::SharedLimits;
use self::connections::{Connections, Rows};
use self::connector::Connector;
pub use self::errors::PostgresError;
pub(super) use self::inspect::inspect;
use self::probe::try_attempt;
use self::start::{Preparation, Prepared};
use self::statement::{End, Session, Statement, both, statement};
use super::migrations::{POSTGRES, status};
use super::{
    AHEAD_MARGIN, Access, Attempt, AttemptId, AttemptState, BeginResult, ClaimDue, Find,
    FinishAttempt, HEARTBEAT_LAPSE, KeyLookup, Lease, Ledger, LedgerError, Migration, NewAttempt,
    NextCheck, OpenError, PendingAttempts, RESTARTS, Retention, Swept, UrlChange, millis,
    row_count,
};
use crate::clock::LedgerTime;
use crate::config::{LedgerSettings, Synchronous};
use crate::digest::{Digest, DigestPair};
use crate::telemetry::chain;

/// The longest heartbeat: after a failed one there is time for another before the lapse.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_millis(700);

/// The longest call of an operator's command, which may read many rows.
const COMMAND_TIMEOUT: Duration = Duration::from_mins(5);

/// The tries that fit into the time of a service's call.
const PARTS: u32 = 3;

/// Time without a heartbeat after which a process is forgotten.
const FORGET_PROCESS: Duration = Duration::from_hours(24);

const PENDING_INDEX: &str =
    "an index is still pending, and lookups of attempts are slow: run `auth0-signup migrate`";

/// The ledger in PostgreSQL.
#[derive(Debug)]
pub(super) struct Postgres {
    connections: Connections,
    synchronous: Synchronous,
    secret: Digest,
    timeout: Duration,
    shared_limits: SharedLimits,
    /// Builds the pending indexes, until it is dropped.
    _indexes: JoinSet<()>,
}

impl Postgres {
    /// Connects to the database at `url`.
    ///
    /// # Errors
    /// When it cannot be reached or was written with another secret.
    pub(super) async fn open(
        url: &SecretString,
        settings: &LedgerSettings,
        access: Access,
        secrets: DigestPair,
    ) -> Result<Self, OpenError> {
        let LedgerSettings { synchronous, migrate, timeout, .. } = *settings;
        let connector = Connector::new(url, timeout)?;
        let renew_secrets = access == Access::Service;
        let start = Preparation { migrate, secrets: Some(&secrets), renew_secrets };
        let Prepared { schema, pending, pending_indexes, is_known, .. } =
            start.run(&connector).await?;
        if pending > 0 {
            return Err(OpenError::Pending(pending + pending_indexes));
        }
        if !is_known {
            return Err(OpenError::WrongSecret);
        }
        let mut indexes = JoinSet::new();
        let (timeout, limit) = match access {
            Access::Service => {
                connector.warn_if_insecure();
                if pending_indexes > 0 && migrate {
                    let (connector, schema) = (Connector::new(url, timeout)?, schema.clone());
                    indexes.spawn(async move { build(&connector, &schema).await });
                } else if pending_indexes > 0 {
                    tracing::warn!("{PENDING_INDEX}");
                }
                (timeout, timeout / PARTS)
            }
            Access::Cli => {
                let timeout = timeout.max(COMMAND_TIMEOUT);
                (timeout, timeout)
            }
        };
        let session = Session { schema, synchronous, limit };
        let connections = Connections::new(connector, session, timeout);
        Ok(Self {
            connections,
            synchronous,
            secret: secrets.current,
            timeout,
            shared_limits: SharedLimits::default(),
            _indexes: indexes,
        })
    }

    async fn run(&self, statement: Statement) -> Result<Rows, LedgerError> {
        Ok(self.connections.run(&statement).await?)
    }

    /// Limits calls that need several statements to the time of one.
    async fn within<T>(
        &self,
        call: impl Future<Output = Result<T, LedgerError>> + Send,
    ) -> Result<T, LedgerError> {
        let call = timeout(self.timeout, call).await;
        call.unwrap_or_else(|_| Err(PostgresError::Silent(self.timeout).into()))
    }

    /// Runs a statement that changes an attempt only in a certain state. Returns the value of its row; `None` if it
    /// returned no row or NULL, because it changed nothing. If the reply to a first try was lost, that try may have
    /// changed the attempt: then returns what `find` sees of that in the attempt.
    async fn change<T: FromSqlOwned + Send>(
        &self,
        id: AttemptId,
        statement: Statement,
        find: impl Fn(&Attempt) -> Option<T> + Send + Sync,
    ) -> Result<Option<T>, LedgerError> {
        let Rows { rows, is_repeat } = self.run(statement).await?;
        let changed = if rows.is_empty() { None } else { rows::value(&rows, 0)? };
        if changed.is_some() || !is_repeat {
            return Ok(changed);
        }
        Ok(self.get(id).await?.as_ref().and_then(find))
    }

    /// Runs a statement and returns the number in the first column of its row. After a lost reply the rows that
    /// the first try has changed are missing from it.
    async fn count(&self, statement: Statement) -> Result<usize, LedgerError> {
        rows::count(&self.run(statement).await?.rows)
    }

    /// Looks up the attempt that holds one of these keys, preferably the first.
    async fn look_up_key(&self, keys: Vec<Vec<u8>>) -> Result<KeyLookup, LedgerError> {
        let found = self.run(statement(rows::HAS_KEY).bind(keys.clone())).await?.rows;
        let now = rows::time(&found, 0)?;
        let attempt = if rows::value(&found, 1)? {
            // It may have been freed meanwhile.
            let found = self.run(statement(rows::FIND_KEY).bind(keys)).await?;
            rows::attempts(&found.rows)?.pop()
        } else {
            None
        };
        Ok(KeyLookup { now, attempt })
    }
}

/// Builds the pending indexes while the service runs.
async fn build(connector: &Connector, schema: &str) {
    match migrate::build_indexes(connector, schema).await {
        Ok(count) => tracing::info!(count, "the pending indexes are built"),
        Err(error) => tracing::warn!(error = chain(&error), "{PENDING_INDEX}"),
    }
}

/// Returns every migration of this database with its status.
///
/// # Errors
/// When it cannot be read.
pub(super) async fn migrations(
    url: &SecretString,
    timeout: Duration,
) -> Result<Vec<Migration>, OpenError> {
    let connector = Connector::new(url, timeout)?;
    let connection = connector.connect().await?;
    let client = &connection.client;
    let applied = migrate::applied(client, &migrate::schema(client).await?).await?;
    connection.close().await;
    Ok(status(&POSTGRES, &applied))
}

/// Applies the pending migrations and returns their number.
///
/// # Errors
/// When the database cannot be reached or a migration fails. Those before it stay applied.
pub(super) async fn migrate(url: &SecretString, timeout: Duration) -> Result<usize, OpenError> {
    let connector = Connector::new(url, timeout)?;
    let start = Preparation { migrate: true, secrets: None, renew_secrets: false };
    let Prepared { schema, applied, .. } = start.run(&connector).await?;
    let indexes = migrate::build_indexes(&connector, &schema).await?;
    Ok(applied + indexes)
}

#[async_trait]
impl Ledger for Postgres {
    async fn now(&self) -> Result<LedgerTime, LedgerError> {
        rows::time(&self.run(statement("SELECT ledger_now()")).await?.rows, 0)
    }

    async fn begin(&self, attempt: NewAttempt) -> Result<BeginResult, LedgerError> {
        self.within(self.begin_attempt(attempt)).await
    }

    async fn restart(&self, id: AttemptId, lease: Lease) -> Result<Option<u8>, LedgerError> {
        let restart = statement(statements::RESTART)
            .bind(*id.as_uuid())
            .bind(lease.process)
            .bind(millis(lease.lasts))
            .bind(i16::from(RESTARTS))
            .end(end_of(lease));
        let find = |attempt: &Attempt| {
            let is_ours = attempt.state == AttemptState::Open && works_on(lease.process, attempt);
            is_ours.then(|| i16::from(attempt.restarts))
        };
        let restarts = self.within(self.change(id, restart, find)).await?;
        Ok(restarts.map(|restarts| u8::try_from(restarts).unwrap_or(RESTARTS)))
    }

    async fn take_over(
        &self,
        id: AttemptId,
        lease: Lease,
        connection_ended_at: Option<LedgerTime>,
    ) -> Result<Option<LedgerTime>, LedgerError> {
        let take_over = statement(statements::TAKE_OVER)
            .bind(*id.as_uuid())
            .bind(lease.process)
            .bind(millis(lease.lasts))
            .bind(connection_ended_at.map_or(-1, LedgerTime::as_millis))
            .end(end_of(lease));
        let find = |attempt: &Attempt| {
            let is_ours =
                attempt.state == AttemptState::Unknown && works_on(lease.process, attempt);
            attempt.connection_ended_at.filter(|_| is_ours).map(LedgerTime::as_millis)
        };
        let ends_at = self.within(self.change(id, take_over, find)).await?;
        Ok(ends_at.and_then(LedgerTime::from_millis))
    }

    async fn give_back(
        &self,
        before: Attempt,
        taken_until: LedgerTime,
    ) -> Result<bool, LedgerError> {
        let give_back = statement(statements::GIVE_BACK)
            .bind(*before.id.as_uuid())
            .bind(taken_until.as_millis())
            .bind(before.state.number())
            .bind(before.outcome_code)
            .bind(before.finished_at.map(LedgerTime::as_millis))
            .bind(before.worker.map(|worker| worker.process))
            .bind(before.next_check_at.map(LedgerTime::as_millis))
            .bind(before.connection_ended_at.map(LedgerTime::as_millis));
        let find = |attempt: &Attempt| {
            let is_ours = (attempt.state, attempt.connection_ended_at)
                == (before.state, before.connection_ended_at);
            is_ours.then_some(true)
        };
        Ok(self.within(self.change(before.id, give_back, find)).await?.is_some())
    }

    async fn free_key(&self, id: AttemptId, state: AttemptState) -> Result<(), LedgerError> {
        let free = statement(statements::FREE_KEY)
            .bind(*id.as_uuid())
            .bind(state.number())
            .bind(i16::from(RESTARTS));
        self.run(free).await.map(drop)
    }

    async fn record_once(
        &self,
        id: AttemptId,
        mark: DigestPair,
        lasts: Duration,
    ) -> Result<bool, LedgerError> {
        let marks = both(&mark);
        let count = marks.len();
        let record =
            statement(statements::RECORD_ONCE).bind(marks).bind(*id.as_uuid()).bind(millis(lasts));
        // Fewer if another attempt recorded one at the same moment.
        Ok(self.run(record.end(End::CommitThenSync)).await?.rows.len() == count)
    }

    async fn delete_mark(&self, id: AttemptId, mark: DigestPair) -> Result<(), LedgerError> {
        let delete = statement(statements::DELETE_MARK).bind(both(&mark)).bind(*id.as_uuid());
        self.run(delete).await.map(drop)
    }

    async fn finish(&self, finish: FinishAttempt) -> Result<bool, LedgerError> {
        let FinishAttempt { id, resolution, outcome_code, auth0_request_id, basis, urgency: _ } =
            finish;
        let statement = statement(statements::FINISH)
            .bind(*id.as_uuid())
            .bind(resolution.state().number())
            .bind(outcome_code)
            .bind(resolution.user_id().map(str::to_owned))
            .bind(auth0_request_id)
            .bind(basis.expected_connection_ended_at())
            .bind(basis.expected_worker())
            .bind(resolution.frees_key())
            .bind(basis.expected_restarts().map(i16::from))
            .bind(basis.earlier_calls_end());
        let find = |attempt: &Attempt| {
            let is_ours = attempt.state == resolution.state()
                && attempt.outcome_code.as_deref() == Some(outcome_code);
            is_ours.then_some(true)
        };
        Ok(self.within(self.change(id, statement, find)).await?.is_some())
    }

    async fn find_key(&self, key: &DigestPair) -> Result<KeyLookup, LedgerError> {
        self.within(self.look_up_key(both(key))).await
    }

    async fn get(&self, id: AttemptId) -> Result<Option<Attempt>, LedgerError> {
        let found = self.run(statement(rows::GET).bind(*id.as_uuid())).await?;
        Ok(rows::attempts(&found.rows)?.pop())
    }

    async fn claim_due(&self, claim: ClaimDue) -> Result<Vec<Attempt>, LedgerError> {
        let ClaimDue { owner, under_way, lease, longest_wait, limit } = claim;
        let claim = statement(rows::CLAIM_DUE)
            .bind(owner)
            .bind(millis(lease))
            .bind(row_count(limit))
            .bind(under_way.iter().map(|id| *id.as_uuid()).collect::<Vec<_>>())
            .bind(millis(HEARTBEAT_LAPSE))
            .bind(millis(longest_wait));
        rows::attempts(&self.run(claim).await?.rows)
    }

    async fn release(
        &self,
        id: AttemptId,
        owner: Uuid,
        next_check: NextCheck,
    ) -> Result<(), LedgerError> {
        let release = statement(statements::RELEASE)
            .bind(*id.as_uuid())
            .bind(owner)
            .bind(next_check.after.map(millis))
            .bind(i32::from(next_check.counts_as_failed));
        // A lost release is repeated by the next round.
        self.run(release.end(End::CommitUnsynced)).await.map(drop)
    }

    async fn sweep(&self, retention: Retention, batch: usize) -> Result<Swept, LedgerError> {
        let Retention { attempts: keep, keys, proofs } = retention;
        let now = self.now().await?;
        let (oldest, newest) = (AttemptId::floor(now.before(keep)), AttemptId::floor(now + keep));
        let batch = row_count(batch);
        // A lost sweep is repeated by the next one.
        let sweep = |sql| statement(sql).bind(batch).end(End::CommitUnsynced);
        let processes = statement(statements::SWEEP_PROCESSES)
            .bind(millis(FORGET_PROCESS))
            .bind(millis(HEARTBEAT_LAPSE));
        self.run(processes.end(End::CommitUnsynced)).await?;
        let cut = |sql, longest| sweep(sql).bind(millis(longest)).bind(millis(AHEAD_MARGIN));
        let cut = self.count(cut(statements::CUT_KEYS, keys)).await?
            + self.count(cut(statements::CUT_PROOFS, proofs)).await?;
        let old = self.count(sweep(statements::SWEEP_ATTEMPTS).bind(oldest)).await?;
        let ahead = self.count(sweep(statements::SWEEP_ATTEMPTS_AHEAD).bind(newest)).await?;
        Ok(Swept {
            attempts: old + ahead,
            keys: self.count(sweep(statements::SWEEP_KEYS)).await?,
            proofs: self.count(sweep(statements::SWEEP_PROOFS)).await?,
            buckets: self.count(sweep(statements::SWEEP_BUCKETS)).await?,
            cut,
        })
    }

    async fn find(&self, by: Find, limit: usize) -> Result<Vec<Attempt>, LedgerError> {
        let find = |sql| statement(sql).bind(row_count(limit));
        let find = match by {
            Find::All => find(rows::FIND_ALL),
            Find::State(state) => find(rows::FIND_STATE).bind(state.number()),
            Find::RequestId(id) => find(rows::FIND_REQUEST).bind(id),
            Find::Email(email) => find(rows::FIND_EMAIL).bind(both(&email)),
            Find::User(email, user_id) => find(rows::FIND_USER)
                .bind(both(&email))
                .bind(user_id.connection_id().to_owned())
                .bind(user_id.as_str().to_owned()),
        };
        rows::attempts(&self.run(find).await?.rows)
    }

    async fn delete_by_email(&self, email: &DigestPair) -> Result<usize, LedgerError> {
        // What is forgotten stays forgotten, whatever the setting.
        let delete = statement(statements::DELETE_BY_EMAIL).bind(both(email));
        let Rows { rows, is_repeat } = self.run(delete.end(End::CommitThenSync)).await?;
        match rows::count(&rows)? {
            0 if is_repeat => Err(LedgerError::unavailable(ReplyLost)),
            count => Ok(count),
        }
    }

    async fn count_pending(&self) -> Result<PendingAttempts, LedgerError> {
        let limit = row_count(PendingAttempts::MOST);
        let counted = self.run(statement(statements::COUNT_PENDING).bind(limit)).await?.rows;
        let now = rows::time(&counted, 0)?;
        Ok(PendingAttempts::new(rows::value(&counted, 1)?, rows::value(&counted, 2)?, now))
    }

    async fn heartbeat(&self, process: Uuid) -> Result<LedgerTime, LedgerError> {
        let beat = statement(statements::HEARTBEAT).bind(process).end(End::CommitUnsynced);
        rows::time(&self.connections.beat(&beat, HEARTBEAT_TIMEOUT).await?.rows, 0)
    }

    async fn keeps_user_ids(&self, connection: &DigestPair) -> Result<Option<bool>, LedgerError> {
        let known = self.run(statement(statements::KEEPS_USER_IDS).bind(both(connection))).await?;
        if known.rows.is_empty() { Ok(None) } else { rows::value(&known.rows, 0).map(Some) }
    }

    async fn record_user_ids(
        &self,
        connection: DigestPair,
        keeps: bool,
        replaces: bool,
    ) -> Result<(), LedgerError> {
        let record = statement(statements::RECORD_USER_IDS)
            .bind(both(&connection))
            .bind(keeps)
            .bind(replaces);
        self.run(record).await.map(drop)
    }

    async fn ping(&self, synced: bool) -> Result<(), LedgerError> {
        let mut attempt = try_attempt(Some(&self.secret));
        if synced || self.synchronous == Synchronous::Full {
            attempt = attempt.end(End::RollbackThenSync);
        }
        if rows::value(&self.run(attempt).await?.rows, 0)? {
            Ok(())
        } else {
            Err(LedgerError::unavailable(OpenError::WrongSecret))
        }
    }

    async fn close(&self) {
        self.connections.close().await;
    }

    async fn replace_url(&self, url: &SecretString) -> Result<UrlChange, LedgerError> {
        Ok(self.connections.replace_url(url).await?)
    }
}

/// The end of a transaction that takes an attempt for a process.
const fn end_of(lease: Lease) -> End {
    if lease.synced { End::CommitThenSync } else { End::Commit }
}

/// A statement that deletes was perhaps executed twice.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error(
    "a reply of PostgreSQL was lost, and the number of the attempts that are removed is unknown; run the command \
     again to be sure that none is left"
)]
struct ReplyLost;

/// Returns whether this process works on an attempt for a request.
fn works_on(process: Uuid, attempt: &Attempt) -> bool {
    attempt.worker.is_some_and(|worker| worker.process == process)
}
