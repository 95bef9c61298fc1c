//! The connections of a replica, and the calls that use them.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use secrecy::SecretString;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::Row;

use super::connector::{Connector, ServerConnection};
use super::errors::{ErrorClass, PostgresError};
use super::statement::{Session, Statement};
use crate::ledger::{Closed, UrlChange};

/// The most connections of a replica that are in use or idle, with the one that is left for heartbeats.
const MOST: usize = 6;

/// The most sessions of a replica, with those of calls that were given up. A server that is in the middle of a
/// commit ends them later, and never if the way to it is broken.
const MOST_SESSIONS: usize = 2 * MOST;

/// The most tries of a statement.
const TRIES: u32 = 3;

/// Time for which no connection is tried after the server has rejected one, but for heartbeats without any.
const REJECTED: Duration = Duration::from_millis(500);

/// The kinds of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallKind {
    Usual,
    /// Waits for no usual call. Uses the connection that was idle for the longest time, so that
    /// heartbeats find dead connections before other calls do.
    Heartbeat,
}

/// The rows that a statement returned.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) rows: Vec<Row>,
    /// True if an earlier try of the statement may have been executed.
    pub(super) is_repeat: bool,
}

/// Keeps a bounded number of connections open.
#[derive(Debug)]
pub(super) struct Connections {
    connector: Connector,
    session: Session,
    /// The options of a session.
    options: String,
    /// The longest duration of a call.
    timeout: Duration,
    /// One for each usual call that may run at once.
    turns: Semaphore,
    /// One for each connection that may be in use or idle.
    slots: Arc<Semaphore>,
    /// One for each session at the server.
    sessions: Arc<Semaphore>,
    idle: Mutex<Idle>,
    /// A connection became idle, or was closed.
    returned: Arc<Notify>,
    /// Held by the one heartbeat that may run.
    beat_turn: tokio::sync::Mutex<()>,
    /// True while it waits for a connection. It comes before other calls.
    beat_waits: AtomicBool,
}

/// The connections that are not in use. The last one was used last.
#[derive(Debug, Default)]
struct Idle {
    connections: VecDeque<OpenConnection>,
    /// The last failure to open another one, until one succeeds.
    last_failure: Option<ConnectFailure>,
}

/// A failure to open a connection.
#[derive(Debug)]
struct ConnectFailure {
    /// The time of the failure, or of the next try.
    at: Instant,
    /// The error, if a server was reached: then the next try would cost it a login.
    error: Option<Arc<PostgresError>>,
}

/// A connection and its slot.
#[derive(Debug)]
struct OpenConnection {
    // Dropped first.
    connection: ServerConnection,
    slot: Slot,
    /// The end of its last use.
    used_at: Instant,
}

impl OpenConnection {
    fn new(connection: ServerConnection, slot: Slot) -> Self {
        Self { connection, slot, used_at: Instant::now() }
    }
}

/// The slot of a connection, also while it is opened. Its end wakes the calls that wait for one.
#[derive(Debug)]
struct Slot {
    /// `Some` until this is dropped.
    permit: Option<OwnedSemaphorePermit>,
    returned: Arc<Notify>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        // First: who is woken takes it.
        self.permit = None;
        self.returned.notify_waiters();
    }
}

/// The wait of a heartbeat for a connection. When it ends, other calls may have the next idle one again.
struct BeatWait<'c>(&'c Connections);

impl Drop for BeatWait<'_> {
    fn drop(&mut self) {
        if self.0.beat_waits.swap(false, Ordering::SeqCst) {
            self.0.returned.notify_waiters();
        }
    }
}

impl Connections {
    /// Connects when the first statement is run. Calls last no longer than `timeout`. Their first
    /// try is repeated over another connection if the session's limit has passed.
    pub(super) fn new(connector: Connector, session: Session, timeout: Duration) -> Self {
        Self {
            connector,
            options: session.options(),
            session,
            timeout,
            turns: Semaphore::new(MOST - 1),
            slots: Arc::new(Semaphore::new(MOST)),
            sessions: Arc::new(Semaphore::new(MOST_SESSIONS)),
            idle: Mutex::default(),
            returned: Arc::default(),
            beat_turn: tokio::sync::Mutex::default(),
            beat_waits: AtomicBool::new(false),
        }
    }

    /// Uses another URL for new connections, as [`Connector::replace_url`] does.
    ///
    /// # Errors
    /// When the URL is invalid or does not work.
    pub(super) async fn replace_url(&self, url: &SecretString) -> Result<UrlChange, PostgresError> {
        let change = self.connector.replace_url(url).await?;
        if change == UrlChange::Replaced {
            self.end_of_failures();
        }
        Ok(change)
    }

    /// Runs a statement in a transaction of its own, and returns after its commit.
    ///
    /// It is repeated over another connection, once, if its connection is dead or silent, and over the
    /// same one on a conflict: three tries in all, which share one timeout.
    ///
    /// # Errors
    /// When the server cannot be reached in time, or rejects the statement.
    pub(super) async fn run(&self, statement: &Statement) -> Result<Rows, PostgresError> {
        self.run_or_repeat(|| statement, statement).await
    }

    /// Runs the statement that is chosen for each try, or `repeat` once an earlier try may have been executed.
    ///
    /// # Errors
    /// When the server cannot be reached in time, or rejects the statement.
    pub(super) async fn run_or_repeat<'s>(
        &self,
        choose: impl FnMut() -> &'s Statement + Send,
        repeat: &Statement,
    ) -> Result<Rows, PostgresError> {
        let deadline = Instant::now() + self.timeout;
        let run = async {
            let _turn = self.turns.acquire().await.map_err(|_| Closed)?;
            self.run_before(deadline, CallKind::Usual, choose, repeat).await
        };
        timeout_at(deadline, run).await.unwrap_or(Err(PostgresError::Silent(self.timeout)))
    }

    /// Runs the statement of a heartbeat within this time.
    ///
    /// # Errors
    /// When the server cannot be reached in time, or rejects the statement.
    pub(super) async fn beat(
        &self,
        statement: &Statement,
        limit: Duration,
    ) -> Result<Rows, PostgresError> {
        let deadline = Instant::now() + limit.min(self.timeout);
        let silent = || PostgresError::Silent(limit);
        let turn = timeout_at(deadline, self.beat_turn.lock()).await;
        let _turn = turn.map_err(|_| silent())?;
        let run = self.run_before(deadline, CallKind::Heartbeat, || statement, statement);
        timeout_at(deadline, run).await.unwrap_or_else(|_| Err(silent()))
    }

    async fn run_before<'s>(
        &self,
        deadline: Instant,
        kind: CallKind,
        mut choose: impl FnMut() -> &'s Statement + Send,
        repeat: &Statement,
    ) -> Result<Rows, PostgresError> {
        let (mut is_repeat, mut tries) = (false, 0);
        loop {
            tries += 1;
            let open = self.acquire(kind).await?;
            let sent_at = Instant::now();
            let left = deadline.saturating_duration_since(sent_at);
            let limit = match kind {
                CallKind::Usual if tries == 1 => left.min(self.session.limit),
                CallKind::Heartbeat if tries == 1 => left / 2,
                _ => left,
            };
            // The server ends the first try by the session's own limit.
            let server_limit = (tries > 1 || left < self.session.limit).then_some(limit);
            let statement = if is_repeat { repeat } else { choose() };
            open.connection.is_busy.store(true, Ordering::Relaxed);
            let run = statement.run(&open.connection, &self.session, server_limit);
            let run = timeout(limit, run).await;
            open.connection.is_busy.store(run.is_err(), Ordering::Relaxed);
            let error = match run.map_err(|_| PostgresError::Silent(limit)) {
                Ok(Ok(rows)) => {
                    self.keep(open);
                    return Ok(Rows { rows, is_repeat });
                }
                Ok(Err(error)) => error.into(),
                Err(error) => error,
            };
            match error.class() {
                ErrorClass::Connection => {
                    drop(open);
                    // The others are perhaps dead too, unless they were used meanwhile.
                    self.idle.lock().connections.retain(|other| other.used_at > sent_at);
                    if is_repeat || tries == TRIES {
                        return Err(error);
                    }
                    is_repeat = true;
                }
                ErrorClass::Transient => {
                    // A changed table invalidates prepared statements.
                    if !error.is("0A000") {
                        self.keep(open);
                    }
                    if tries == TRIES {
                        return Err(error);
                    }
                }
                ErrorClass::Statement => {
                    self.keep(open);
                    return Err(error);
                }
            }
        }
    }

    /// Returns an idle connection or a new one. If the server rejects a new one, waits for one of
    /// those that this replica has. If it has none, returns the error.
    async fn acquire(&self, kind: CallKind) -> Result<OpenConnection, PostgresError> {
        let _wait = (kind == CallKind::Heartbeat).then(|| BeatWait(self));
        loop {
            let mut returned = pin!(self.returned.notified());
            returned.as_mut().enable();
            if let Some(idle) = self.take_idle(kind) {
                return Ok(idle);
            }
            if let Some((slot, session)) = self.free_slot(kind)? {
                match self.connector.connect_own(&self.options, Some(Arc::new(session))).await {
                    Ok(connection) => {
                        self.end_of_failures();
                        return Ok(OpenConnection::new(connection, slot));
                    }
                    Err(error) => self.reject(error)?,
                }
            }
            if kind == CallKind::Heartbeat {
                self.beat_waits.store(true, Ordering::SeqCst);
            }
            returned.await;
        }
    }

    /// Records that a connection, which still has its slot, could not be opened. Returns the error if there are no
    /// others to wait for.
    fn reject(&self, error: PostgresError) -> Result<(), PostgresError> {
        let (at, is_last) = (Instant::now(), self.slots.available_permits() == MOST - 1);
        if !error.has_reached_server() {
            self.idle.lock().last_failure = Some(ConnectFailure { at, error: None });
            return if is_last { Err(error) } else { Ok(()) };
        }
        let error = Arc::new(error);
        self.idle.lock().last_failure =
            Some(ConnectFailure { at, error: Some(Arc::clone(&error)) });
        if is_last { Err(PostgresError::Rejected(error)) } else { Ok(()) }
    }

    /// Returns a slot for a new connection and its session, if there are both. While the server rejects
    /// more, only for the first, and the first only for a heartbeat: other calls get the error. When that time is
    /// over, one call tries. The last session is left for heartbeats.
    fn free_slot(
        &self,
        kind: CallKind,
    ) -> Result<Option<(Slot, OwnedSemaphorePermit)>, PostgresError> {
        if let Some(ConnectFailure { at, error }) = &mut self.idle.lock().last_failure {
            let is_first = self.slots.available_permits() == MOST;
            if at.elapsed() >= REJECTED {
                *at = Instant::now();
            } else if !is_first {
                return Ok(None);
            } else if let Some(error) = error
                && kind == CallKind::Usual
            {
                return Err(PostgresError::Rejected(Arc::clone(error)));
            }
        }
        if kind == CallKind::Usual && self.sessions.available_permits() == 1 {
            return Ok(None);
        }
        let Ok(session) = Arc::clone(&self.sessions).try_acquire_owned() else { return Ok(None) };
        match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(permit) => {
                let slot = Slot { permit: Some(permit), returned: Arc::clone(&self.returned) };
                Ok(Some((slot, session)))
            }
            Err(TryAcquireError::Closed) => Err(Closed.into()),
            Err(TryAcquireError::NoPermits) => Ok(None),
        }
    }

    /// Lets other calls open connections again.
    fn end_of_failures(&self) {
        if self.idle.lock().last_failure.take().is_some() {
            self.returned.notify_waiters();
        }
    }

    fn take_idle(&self, kind: CallKind) -> Option<OpenConnection> {
        let idle = &mut self.idle.lock().connections;
        idle.retain(|open| !open.connection.is_closed());
        // A heartbeat could get no other one.
        let is_last = idle.len() == 1 && self.sessions.available_permits() == 0;
        match kind {
            CallKind::Usual if !is_last && !self.beat_waits.load(Ordering::SeqCst) => {
                idle.pop_back()
            }
            CallKind::Usual => None,
            CallKind::Heartbeat => idle.pop_front(),
        }
    }

    fn keep(&self, mut open: OpenConnection) {
        if !self.turns.is_closed() {
            open.used_at = Instant::now();
            self.idle.lock().connections.push_back(open);
            self.returned.notify_waiters();
        }
    }

    /// Waits for the running calls and closes all connections in order. Later calls fail.
    pub(super) async fn close(&self) {
        let all = u32::try_from(MOST - 1).unwrap_or(u32::MAX);
        // Ignored: closed before.
        let _all = timeout(self.timeout, self.turns.acquire_many(all)).await;
        self.turns.close();
        self.slots.close();
        let idle = std::mem::take(&mut self.idle.lock().connections);
        for open in idle {
            let OpenConnection { connection, slot, used_at: _ } = open;
            connection.close().await;
            drop(slot);
        }
    }
}
