//! The queue of the thread that writes: where a call becomes a job, and waits for its reply or does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant as StdInstant};
use std::{io, mem, thread};

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout_at};

use super::TimedOut;
use super::connection::LedgerConnection;
use super::guard::FileGuard;
use super::job::{BATCH, BatchJob, Durability, JobEnd, Message, Shared, UnawaitedJob};
use super::log_sync::LogSync;
use super::writer_thread::WriterThread;
use crate::clock::{Clock, LedgerTime};
use crate::ledger::{Closed, LedgerError};
use crate::telemetry::BatchMetrics;

/// The number of jobs that may queue before callers have to wait, and of those that may wait to join a batch.
const QUEUE: usize = 4 * BATCH;

/// The longest wait of a job for a batch that it can join.
const JOIN_WAIT: Duration = Duration::from_millis(20);

/// Queues jobs for the thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct SqliteWriter {
    messages: mpsc::Sender<Message>,
    shared: Arc<Mutex<Shared>>,
    /// The number of jobs that nobody waits for and that no batch has ended with.
    unawaited: Arc<AtomicUsize>,
    guard: Arc<FileGuard>,
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
        timeout: Duration,
        clock: Arc<dyn Clock>,
        batches: BatchMetrics,
    ) -> io::Result<Self> {
        let (tx, rx) = mpsc::channel(QUEUE);
        let log_sync = Arc::new(LogSync::start(guard.log_path())?);
        // The start has written too.
        log_sync.request();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let mut thread = WriterThread {
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
        Ok(Self { messages: tx, shared, unawaited, guard, timeout, clock })
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
    /// waits for nothing. Returns `work` if it has to be waited for: `register` says so, there is no load, or
    /// the thread does not keep up.
    ///
    /// `register` is called once for every job, in their order. It returns whether this one may join.
    pub(super) fn try_run_unawaited<T, W>(
        &self,
        now: LedgerTime,
        register: impl FnOnce() -> bool,
        work: W,
    ) -> Result<(), W>
    where
        W: FnOnce(&Connection, LedgerTime) -> rusqlite::Result<T> + Send + 'static,
    {
        let mut shared = self.shared.lock();
        let may_join = register();
        if !may_join || !self.accepts_unawaited(&shared) {
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
        let mut shared = self.shared.lock();
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
                let mut shared = shared.lock();
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
        self.send(job.deadline, Message::Job(job), reply).await
    }

    /// Queues a message, and waits for the reply to it until the deadline.
    async fn send<T>(
        &self,
        deadline: Instant,
        message: Message,
        reply: oneshot::Receiver<Result<T, LedgerError>>,
    ) -> Result<T, LedgerError> {
        let replied = async {
            // Ignored: the end of the message ends its reply.
            drop(self.messages.send(message).await);
            reply.await
        };
        self.wait_until(deadline, replied).await
    }

    /// Waits for a reply until the deadline. If it can no longer come, the ledger is closed.
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
        let deadline = Instant::now() + self.timeout;
        (BatchJob { transact: Box::new(transact), durability, deadline }, rx)
    }

    /// Moves the log to the database and empties it, so that nothing that was deleted is left in it.
    /// Returns `false` if a reader prevents it for longer than `wait`.
    ///
    /// # Errors
    /// When the files cannot be written, the ledger is closed, or after the timeout.
    pub(super) async fn truncate_log(&self, wait: Duration) -> Result<bool, LedgerError> {
        let (tx, rx) = oneshot::channel();
        let message = Message::TruncateLog(wait, tx);
        self.send(Instant::now() + self.timeout, message, rx).await
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

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::PathBuf;

    use tokio::time::timeout;

    use super::*;
    use crate::clock::SystemClock;
    use crate::telemetry::LedgerMetrics;

    /// A writer of a file with an empty table, and its folder.
    async fn writer(timeout: Duration) -> (SqliteWriter, PathBuf) {
        let folder = std::env::temp_dir().join(format!("writer-{:016x}", rand::random::<u64>()));
        fs::create_dir(&folder).unwrap();
        let path = folder.join("signup.db");
        File::create_new(&path).unwrap();
        let guard = Arc::new(FileGuard::new(&path, None).unwrap());
        let connection = LedgerConnection::open(&guard, timeout).unwrap();
        let (clock, batches) = (Arc::new(SystemClock), LedgerMetrics::default().batches());
        let writer = SqliteWriter::start(connection, guard, timeout, clock, batches).unwrap();
        let table = |database: &Connection, _| database.execute_batch("CREATE TABLE written (x)");
        writer.run(Durability::Unsynced, table).await.unwrap();
        (writer, folder)
    }

    fn insert(database: &Connection, _: LedgerTime) -> rusqlite::Result<usize> {
        database.execute("INSERT INTO written VALUES (1)", [])
    }

    async fn count(writer: &SqliteWriter) -> i64 {
        let count = |database: &Connection, _| {
            database.query_row("SELECT count(*) FROM written", [], |row| row.get(0))
        };
        writer.run(Durability::Unsynced, count).await.unwrap()
    }

    /// As on a disk that hangs.
    #[tokio::test]
    async fn calls_end_in_time_while_the_thread_hangs() {
        let (writer, folder) = writer(Duration::from_millis(300)).await;
        let (release, hang) = std::sync::mpsc::channel::<()>();
        let hung = writer.run(Durability::Unsynced, move |_, _| Ok(hang.recv().is_err()));
        let calls = async { tokio::join!(hung, writer.truncate_log(Duration::ZERO)) };
        let (hung, truncated) = timeout(Duration::from_secs(20), calls).await.expect("an end");
        assert!(hung.is_err() && truncated.is_err(), "{hung:?}, {truncated:?}");
        drop(release);
        writer.close().await;
        fs::remove_dir_all(&folder).unwrap();
    }

    /// As a full disk does.
    #[tokio::test]
    async fn a_job_after_one_that_ended_the_transaction_writes_nothing() {
        let (writer, folder) = writer(Duration::from_mins(1)).await;
        let ends = writer.run_with_next(|database, _| database.execute_batch("ROLLBACK"));
        let follows = writer.run_with_next(insert);
        let (ends, follows) = tokio::join!(ends, follows);
        assert!(ends.is_err() && follows.is_err(), "{ends:?}, {follows:?}");
        assert_eq!(count(&writer).await, 0);
        writer.run(Durability::Unsynced, insert).await.unwrap();
        assert_eq!(count(&writer).await, 1);
        writer.close().await;
        fs::remove_dir_all(&folder).unwrap();
    }

    #[tokio::test]
    async fn a_job_is_not_waited_for_while_batches_succeed_in_a_row() {
        let (writer, folder) = writer(Duration::from_mins(1)).await;
        let now = LedgerTime::from_epoch(Duration::ZERO);
        assert!(writer.try_run_unawaited(now, || true, insert).is_err(), "no load");
        // The last batch ends in a while: no pause of this test ends the streak.
        let (start, end) = (StdInstant::now(), StdInstant::now() + Duration::from_mins(1));
        let streak = (0..200).fold(writer.shared.lock().streak, |it, _| it.add(start, end));
        writer.shared.lock().streak = streak;
        assert!(writer.try_run_unawaited(now, || false, insert).is_err(), "it may not join");
        assert!(writer.try_run_unawaited(now, || true, insert).is_ok());
        writer.flush().await.unwrap();
        assert_eq!(count(&writer).await, 1);
        writer.close().await;
        fs::remove_dir_all(&folder).unwrap();
    }
}
