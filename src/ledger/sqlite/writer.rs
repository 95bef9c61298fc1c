//! The only thread that writes.
//!
//! A batch holds the jobs that queued while the last commit ran: a single write waits for no other,
//! and many concurrent writes share one commit. Jobs that no response waits for do not start a batch:
//! they join the next one. Callers get their results after the commit. A failing job fails alone. If
//! the transaction or its sync fails, all of its jobs fail, and the next batch opens the file again. A
//! batch that ended in a file that is no longer at its path has failed too.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as StdInstant};
use std::{io, mem, thread};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout_at};

use super::TimedOut;
use super::connection::{LedgerConnection, SHORT_WAIT};
use super::guard::FileGuard;
use super::job::{BatchJob, BatchNeeds, Durability, JobEnd, UnawaitedJob};
use super::log_sync::LogSync;
use super::streak::Streak;
use crate::clock::{Clock, LedgerTime};
use crate::config::Synchronous;
use crate::ledger::{Closed, LedgerError};
use crate::telemetry::{BatchMetrics, chain};

/// The most jobs that a transaction is started for: bounds the wait of a job behind others.
const BATCH: usize = 256;

/// The number of jobs that may queue before callers have to wait, and of those that may wait to join a batch.
const QUEUE: usize = 4 * BATCH;

/// The longest wait of a job for a batch that it can join.
const JOIN_WAIT: Duration = Duration::from_millis(20);

/// What the callers and the thread share.
#[derive(Debug, Default)]
struct Shared {
    /// The jobs that wait for a batch to join.
    joining: Vec<BatchJob>,
    /// True while a batch for them is scheduled.
    is_scheduled: bool,
    streak: Streak,
    /// True once the last batch was taken.
    is_closed: bool,
}

enum Message {
    Job(BatchJob),
    /// A batch for the jobs that wait for one.
    Join,
    /// Empty the log, and wait this long for readers.
    TruncateLog(Duration, oneshot::Sender<Result<bool, LedgerError>>),
    Close(oneshot::Sender<()>),
}

/// Queues jobs for the thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct SqliteWriter {
    messages: mpsc::Sender<Message>,
    shared: Arc<Mutex<Shared>>,
    /// The number of jobs that nobody waits for and that no batch has ended with.
    unawaited: Arc<AtomicUsize>,
    guard: Arc<FileGuard>,
    synchronous: Synchronous,
    timeout: Duration,
    clock: Arc<dyn Clock>,
}

impl SqliteWriter {
    /// Starts the thread, which releases the guard once the file is closed. A call ends after
    /// `timeout`.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub(super) fn start(
        connection: LedgerConnection,
        guard: Arc<FileGuard>,
        synchronous: Synchronous,
        timeout: Duration,
        clock: Arc<dyn Clock>,
        batches: BatchMetrics,
    ) -> io::Result<Self> {
        let (tx, rx) = mpsc::channel(QUEUE);
        let log_sync = Arc::new(LogSync::start(guard.log_path())?);
        // The start has written too.
        log_sync.request();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let mut thread = LedgerThread {
            connection: Some(connection),
            shared: Arc::clone(&shared),
            guard: Arc::clone(&guard),
            log_sync,
            batches,
        };
        thread::Builder::new().name("ledger".into()).spawn(move || {
            let closed = thread.run(rx);
            thread.close();
            if let Some(closed) = closed {
                // Ignored: the caller of `close` may no longer wait.
                let _sent = closed.send(());
            }
        })?;
        let unawaited = Arc::default();
        Ok(Self { messages: tx, shared, unawaited, guard, synchronous, timeout, clock })
    }

    /// Runs `work` inside a transaction, at the time of that moment, and returns after its commit.
    ///
    /// # Errors
    /// When it fails, when the transaction does, when the ledger is closed, or after the timeout.
    /// Then a job that has not started never does.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Connection, LedgerTime) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (job, reply) = self.create_job(durability, work);
        self.run_job(job, reply).await
    }

    /// Runs `work` with the next batch, or by itself if none comes within [`JOIN_WAIT`]. For results that
    /// nobody waits for.
    ///
    /// # Errors
    /// Those of [`Self::run`].
    pub(super) async fn run_with_next<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, LedgerTime) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (job, reply) = self.create_job(Durability::Soon, work);
        let deadline = job.deadline;
        // While the thread is stuck, the queue bounds what waits for it.
        match self.join(job)? {
            Some(job) => self.run_job(job, reply).await,
            None => self.wait_until(deadline, reply).await,
        }
    }

    /// Runs `work` at the time `now` with the next batch, or by itself if none comes within [`JOIN_WAIT`], and
    /// waits for nothing. Returns `work` if it has to be waited for: `may_join` says no, there is no load, or
    /// the thread does not keep up. `may_join` is called once, for one job at a time and in their order.
    pub(super) fn try_run_unawaited<T, W>(
        &self,
        now: LedgerTime,
        may_join: impl FnOnce() -> bool,
        work: W,
    ) -> Result<(), W>
    where
        W: FnOnce(&Connection, LedgerTime) -> rusqlite::Result<T> + Send + 'static,
    {
        let mut shared = lock(&self.shared);
        if !may_join() || !self.accepts_unawaited(&shared) {
            return Err(work);
        }
        let (unawaited, guard) = (UnawaitedJob::new(&self.unawaited), Arc::clone(&self.guard));
        let transact = move |connection: Result<&Connection, &LedgerError>| -> JobEnd {
            // Its attempt meets an error of the batch when its result is written.
            let result = connection.map(|connection| work(connection, now));
            let succeeded = matches!(result, Ok(Ok(_)));
            if let Ok(Err(error)) = result {
                guard.report_damage(&error.into());
            }
            JobEnd { succeeded, reply: Box::new(move |_| drop(unawaited)) }
        };
        let deadline = Instant::now() + self.timeout;
        let job = BatchJob { transact: Box::new(transact), durability: Durability::Soon, deadline };
        self.push(&mut shared, job);
        Ok(())
    }

    /// Returns whether batches succeed one after the other and the thread keeps up.
    fn accepts_unawaited(&self, shared: &Shared) -> bool {
        let queued = self.messages.max_capacity() - self.messages.capacity();
        !shared.is_closed
            && shared.streak.is_reliable(StdInstant::now())
            && shared.joining.len() < QUEUE
            && queued < BATCH
            && !self.guard.has_problem()
            && !self.guard.has_bad_page()
    }

    /// Waits until every job that nobody waits for has run.
    ///
    /// # Errors
    /// Those of [`Self::run`].
    pub(super) async fn flush(&self) -> Result<(), LedgerError> {
        if self.unawaited.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        self.run(Durability::Unsynced, |_, _| Ok(())).await
    }

    /// Lets a job wait for a batch. Returns it if too many wait.
    fn join(&self, job: BatchJob) -> Result<Option<BatchJob>, LedgerError> {
        let mut shared = lock(&self.shared);
        if shared.is_closed {
            return Err(LedgerError::unavailable(Closed));
        }
        if shared.joining.len() >= QUEUE {
            return Ok(Some(job));
        }
        self.push(&mut shared, job);
        Ok(None)
    }

    fn push(&self, shared: &mut Shared, job: BatchJob) {
        shared.joining.push(job);
        if !mem::replace(&mut shared.is_scheduled, true) {
            self.schedule_batch();
        }
    }

    /// Starts a batch after [`JOIN_WAIT`], unless the waiting jobs have joined another one.
    #[expect(
        clippy::disallowed_methods,
        reason = "the last batch takes the jobs of a task that shutdown drops"
    )]
    fn schedule_batch(&self) {
        let (messages, shared) = (self.messages.clone(), Arc::clone(&self.shared));
        tokio::spawn(async move {
            sleep(JOIN_WAIT).await;
            let is_needed = {
                let mut shared = lock(&shared);
                shared.is_scheduled = false;
                !shared.joining.is_empty()
            };
            if is_needed {
                // Ignored: a thread that has ended has taken every job before.
                drop(messages.send(Message::Join).await);
            }
        });
    }

    async fn run_job<T>(
        &self,
        job: BatchJob,
        reply: oneshot::Receiver<Result<T, LedgerError>>,
    ) -> Result<T, LedgerError> {
        let deadline = job.deadline;
        let replied = async {
            // Ignored: the end of the message ends its reply.
            drop(self.messages.send(Message::Job(job)).await);
            reply.await
        };
        self.wait_until(deadline, replied).await
    }

    /// Waits for the reply to a job until its deadline. Without a reply the ledger is closed.
    async fn wait_until<T>(
        &self,
        deadline: Instant,
        replied: impl Future<Output = Result<Result<T, LedgerError>, oneshot::error::RecvError>>,
    ) -> Result<T, LedgerError> {
        let result = match timeout_at(deadline, replied).await {
            Ok(replied) => replied.unwrap_or_else(|_| Err(LedgerError::unavailable(Closed))),
            Err(_) => Err(LedgerError::unavailable(TimedOut)),
        };
        result.inspect_err(|error| self.guard.report_damage(error))
    }

    /// A job that runs `work` at the time of that moment, and the receiver of its result.
    fn create_job<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Connection, LedgerTime) -> rusqlite::Result<T> + Send + 'static,
    ) -> (BatchJob, oneshot::Receiver<Result<T, LedgerError>>) {
        let (tx, rx) = oneshot::channel();
        let clock = Arc::clone(&self.clock);
        let transact = move |connection: Result<&Connection, &LedgerError>| -> JobEnd {
            if tx.is_closed() {
                return JobEnd { succeeded: true, reply: Box::new(|_| ()) };
            }
            let result = connection.map_err(LedgerError::clone).and_then(|connection| {
                let now = LedgerTime::from_epoch(clock.now());
                work(connection, now).map_err(LedgerError::from)
            });
            let succeeded = result.is_ok();
            let reply = Box::new(move |committed: Result<&(), &LedgerError>| {
                let result =
                    result.and_then(|value| committed.map(|()| value).map_err(Clone::clone));
                // Ignored: the caller may no longer wait.
                let _sent = tx.send(result);
            });
            JobEnd { succeeded, reply }
        };
        let (durability, deadline) = (self.resolve(durability), Instant::now() + self.timeout);
        (BatchJob { transact: Box::new(transact), durability, deadline }, rx)
    }

    /// Replaces [`Durability::AsSet`] by what is set.
    pub(super) const fn resolve(&self, durability: Durability) -> Durability {
        match (durability, self.synchronous) {
            (Durability::AsSet, Synchronous::Full) => Durability::Synced,
            (Durability::AsSet, Synchronous::Normal) => Durability::Soon,
            (Durability::Unsynced | Durability::Soon | Durability::Synced, _) => durability,
        }
    }

    /// Moves the log to the database and empties it, so that nothing that was deleted is left in it.
    /// Returns `false` if a reader prevents it for longer than `wait`.
    ///
    /// # Errors
    /// When the files cannot be written, or the ledger is closed.
    pub(super) async fn truncate_log(&self, wait: Duration) -> Result<bool, LedgerError> {
        let (tx, rx) = oneshot::channel();
        // Ignored: the end of the message ends its reply.
        drop(self.messages.send(Message::TruncateLog(wait, tx)).await);
        rx.await.unwrap_or_else(|_| Err(LedgerError::unavailable(Closed)))
    }

    /// Waits until every queued job is written and the file is closed.
    pub(super) async fn close(&self) {
        let (tx, rx) = oneshot::channel();
        if self.messages.send(Message::Close(tx)).await.is_ok() {
            // An error also means that the thread has ended.
            drop(rx.await);
        }
    }
}

/// Another job of the same batch caused a rollback of the transaction.
#[derive(Debug, thiserror::Error)]
#[error("the database rolled the whole batch back")]
struct RolledBack;

/// A commit is in the log, and may not be on the disk.
#[derive(Debug, thiserror::Error)]
#[error("the log of the ledger could not be synced")]
struct SyncFailed(#[source] io::Error);

/// A sync of the log failed, and a reader prevents that its content is moved to the database instead.
#[derive(Debug, thiserror::Error)]
#[error("the log of the ledger could not be synced, and is in use")]
struct Unsynced;

/// The state of the thread.
struct LedgerThread {
    connection: Option<LedgerConnection>,
    shared: Arc<Mutex<Shared>>,
    guard: Arc<FileGuard>,
    log_sync: Arc<LogSync>,
    batches: BatchMetrics,
}

impl LedgerThread {
    /// Runs until a `Close` message, whose channel it returns, or until every sender is dropped.
    fn run(&mut self, mut messages: mpsc::Receiver<Message>) -> Option<oneshot::Sender<()>> {
        let mut batch = Vec::with_capacity(BATCH);
        let mut jobs: Vec<BatchJob> = Vec::with_capacity(BATCH);
        let mut truncations = Vec::new();
        while messages.blocking_recv_many(&mut batch, BATCH) > 0 {
            let mut close = None;
            let mut shared = lock(&self.shared);
            // First: what nobody waits for comes before what follows on it.
            jobs.append(&mut shared.joining);
            shared.is_closed = batch.iter().any(|message| matches!(message, Message::Close(_)));
            drop(shared);
            for message in batch.drain(..) {
                match message {
                    Message::Job(job) => jobs.push(job),
                    Message::Join => {}
                    Message::TruncateLog(wait, tx) => truncations.push((wait, tx)),
                    Message::Close(tx) => close = Some(tx),
                }
            }
            if !jobs.is_empty() {
                self.transact(&mut jobs);
            }
            for (wait, tx) in truncations.drain(..) {
                // Ignored: the caller may no longer wait.
                let _sent = tx.send(self.truncate_log(wait));
            }
            if close.is_some() {
                return close;
            }
        }
        None
    }

    /// Runs all jobs in one transaction, then sends the replies.
    fn transact(&mut self, jobs: &mut Vec<BatchJob>) {
        let (needs, started_at) = (&BatchNeeds::new(jobs), StdInstant::now());
        self.batches.batch(jobs.len());
        let (mut replies, mut all_succeeded) = (Vec::with_capacity(jobs.len()), true);
        let (guard, log_sync) = (Arc::clone(&self.guard), Arc::clone(&self.log_sync));
        let committed = match self.begin(needs) {
            Ok(connection) => {
                let (mut intact, database) = (Ok(()), &**connection);
                for job in jobs.drain(..) {
                    let JobEnd { succeeded, reply } =
                        (job.transact)(intact.as_ref().map(|()| database));
                    replies.push(reply);
                    all_succeeded &= succeeded;
                    // Some errors, such as a full disk, end the transaction inside a statement.
                    if intact.is_ok() && connection.is_autocommit() {
                        intact = Err(LedgerError::unavailable(RolledBack));
                    }
                }
                let committed = intact.and_then(|()| commit(connection, needs, &log_sync));
                // Checked last: the file that holds the commit is the one at its path.
                committed.and_then(|()| guard.check())
            }
            Err(error) => {
                replies.extend(jobs.drain(..).map(|job| (job.transact)(Err(&error)).reply));
                Err(error)
            }
        };
        let mut shared = lock(&self.shared);
        shared.streak = match committed {
            Ok(()) if all_succeeded => shared.streak.add(started_at, StdInstant::now()),
            Ok(()) | Err(_) => Streak::default(),
        };
        drop(shared);
        if let Err(error) = &committed {
            // Each of its callers reports it, and a full disk fails two heartbeats a second.
            tracing::debug!(error = chain(error), jobs = replies.len(), "a batch failed");
            self.disconnect();
        }
        match needs.durability {
            // It was synced after the commit, or nothing has to be.
            Durability::Synced | Durability::Unsynced => {}
            Durability::Soon | Durability::AsSet => self.log_sync.request(),
        }
        for reply in replies {
            reply(committed.as_ref());
        }
    }

    /// Drops the connection, which rolls back an open transaction. The next batch opens a new one.
    ///
    /// If another file is at the path, the log is emptied into the open file first: beside the other
    /// one it would be taken for its log.
    fn disconnect(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if !self.guard.has_problem() {
            return;
        }
        if self.guard.is_overwritten() {
            self.guard.set_log_aside();
        } else if let Err(error) = connection.truncate_log(SHORT_WAIT) {
            tracing::debug!(
                error = chain(&error),
                "the log of the displaced ledger cannot be emptied"
            );
        }
    }

    fn truncate_log(&mut self, wait: Duration) -> Result<bool, LedgerError> {
        Ok(self.connect(Instant::now() + wait)?.truncate_log(wait)?)
    }

    /// Closes the file, synced. The last connection to close also syncs the database.
    fn close(&mut self) {
        self.log_sync.sync();
        self.connection = None;
        self.guard.release();
    }

    /// Returns the connection, which is opened if the last one failed.
    fn connect(&mut self, deadline: Instant) -> Result<&LedgerConnection, LedgerError> {
        let connection = if let Some(connection) = self.connection.take() {
            connection
        } else {
            let wait = deadline.saturating_duration_since(Instant::now());
            LedgerConnection::open(&self.guard, wait)?
        };
        Ok(self.connection.insert(connection))
    }

    /// Moves the log to the database, and empties it, after a failed sync: what later commits append would end
    /// with what is missing before them.
    fn repair_log(&mut self, deadline: Instant) -> Result<(), LedgerError> {
        if !self.log_sync.take_failure() {
            return Ok(());
        }
        let connection = self.connect(deadline);
        let truncated = connection.and_then(|it| Ok(it.truncate_log(SHORT_WAIT)?));
        // Also if the file cannot be opened now.
        if !matches!(truncated, Ok(true)) {
            self.log_sync.record_failure();
        }
        if truncated? { Ok(()) } else { Err(LedgerError::unavailable(Unsynced)) }
    }

    /// Opens a transaction that may write. Waits for other processes until the deadline.
    fn begin(&mut self, needs: &BatchNeeds) -> Result<&LedgerConnection, LedgerError> {
        if self.connection.is_some() {
            self.guard.last_check()?;
        }
        self.repair_log(needs.deadline)?;
        let connection = self.connect(needs.deadline)?;
        // Takes the write lock here, not at the first write, so that busy_timeout applies.
        connection.busy_timeout(needs.deadline.saturating_duration_since(Instant::now()))?;
        execute(connection, "BEGIN IMMEDIATE")?;
        Ok(connection)
    }
}

/// The shared state, also after a panic elsewhere: each change leaves it consistent.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn commit(
    connection: &LedgerConnection,
    needs: &BatchNeeds,
    log_sync: &LogSync,
) -> Result<(), LedgerError> {
    execute(connection, "COMMIT")?;
    if needs.durability == Durability::Synced {
        connection.sync_log().map_err(|error| {
            log_sync.record_failure();
            LedgerError::unavailable(SyncFailed(error))
        })?;
    }
    Ok(())
}

fn execute(connection: &Connection, sql: &'static str) -> Result<(), LedgerError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}
