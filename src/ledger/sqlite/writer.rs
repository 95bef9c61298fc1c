//! The only thread that writes.
//!
//! A batch holds the jobs that queued while the last commit ran: a single write waits for no other,
//! and many concurrent writes share one commit. Callers get their results after the commit. A
//! failing job fails alone. If the transaction fails, all of its jobs fail, and the next batch
//! opens the file again.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::file::connect;
use super::log_sync::LogSync;
use crate::clock::{Clock, LedgerTime};
use crate::config::Synchronous;
use crate::ledger::{Closed, LedgerError};
use crate::telemetry::BatchMetrics;

/// The most jobs of one transaction: bounds the damage of a failed commit, and the wait of a job
/// behind others.
const BATCH: usize = 256;

/// The number of jobs that may queue before callers have to wait.
const QUEUE: usize = 4 * BATCH;

/// Runs inside the transaction, or gets the error that prevents it. Returns the reply to the
/// caller.
type TransactionJob = Box<dyn FnOnce(Result<&Connection, &LedgerError>) -> Reply + Send>;

/// Sends the caller its result once the commit has succeeded or failed.
type Reply = Box<dyn FnOnce(Result<&(), &LedgerError>)>;

enum Message {
    Job(TransactionJob, Durability),
    Close(oneshot::Sender<()>),
}

/// The failure that a write survives when its caller gets the result. Each survives a crash of the
/// process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Durability {
    /// Never synced for its own sake. For signs of life, which a loss of power ends anyway.
    Unsynced,
    /// Synced within a second. For facts that can be determined again: if a power loss takes a
    /// resolution, the attempt is open and will be looked up.
    Soon,
    /// [`Self::Synced`] or [`Self::Soon`], as `ledger.synchronous` says.
    AsSet,
    /// Survives a loss of power, whatever the setting. For facts that can never be determined
    /// again.
    Synced,
}

/// Queues jobs for the thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct SqliteWriter {
    messages: mpsc::Sender<Message>,
    synchronous: Synchronous,
    clock: Arc<dyn Clock>,
}

impl SqliteWriter {
    /// Starts the thread, which holds `lock` until the file is closed.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub(super) fn start(
        connection: Connection,
        path: PathBuf,
        synchronous: Synchronous,
        lock: Option<File>,
        clock: Arc<dyn Clock>,
        batches: BatchMetrics,
    ) -> io::Result<Self> {
        let (tx, rx) = mpsc::channel(QUEUE);
        let log_sync = LogSync::start(&path)?;
        // The start has written too.
        log_sync.request();
        let mut thread = LedgerThread {
            connection: Some(connection),
            path,
            synchronous,
            current_synchronous: synchronous,
            log_sync,
            batches,
        };
        thread::Builder::new().name("ledger".into()).spawn(move || {
            let closed = thread.run(rx);
            thread.close();
            drop(lock);
            if let Some(closed) = closed {
                // Ignored: the caller of `close` may no longer wait.
                let _sent = closed.send(());
            }
        })?;
        Ok(Self { messages: tx, synchronous, clock })
    }

    /// Runs `work` inside a transaction, at the time of that moment, and returns after its commit.
    ///
    /// # Errors
    /// When it fails, when the transaction does, or when the ledger is closed.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Connection, LedgerTime) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (tx, rx) = oneshot::channel();
        let clock = Arc::clone(&self.clock);
        let job = move |connection: Result<&Connection, &LedgerError>| -> Reply {
            let result = connection.map_err(LedgerError::clone).and_then(|connection| {
                let now = LedgerTime::from_epoch(clock.now());
                work(connection, now).map_err(LedgerError::from)
            });
            Box::new(move |committed| {
                let result =
                    result.and_then(|value| committed.map(|()| value).map_err(Clone::clone));
                // Ignored: the caller may no longer wait.
                let _sent = tx.send(result);
            })
        };
        let closed = || LedgerError::unavailable(Closed);
        let durability = match (durability, self.synchronous) {
            (Durability::AsSet, Synchronous::Full) => Durability::Synced,
            (Durability::AsSet, Synchronous::Normal) => Durability::Soon,
            (Durability::Unsynced | Durability::Soon | Durability::Synced, _) => durability,
        };
        let message = Message::Job(Box::new(job), durability);
        self.messages.send(message).await.map_err(|_| closed())?;
        rx.await.map_err(|_| closed())?
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

/// The state of the thread.
struct LedgerThread {
    connection: Option<Connection>,
    path: PathBuf,
    synchronous: Synchronous,
    /// The connection's current setting.
    current_synchronous: Synchronous,
    log_sync: LogSync,
    batches: BatchMetrics,
}

impl LedgerThread {
    /// Runs until a `Close` message, whose channel it returns, or until every sender is dropped.
    fn run(&mut self, mut messages: mpsc::Receiver<Message>) -> Option<oneshot::Sender<()>> {
        let mut batch = Vec::with_capacity(BATCH);
        let mut jobs = Vec::with_capacity(BATCH);
        while messages.blocking_recv_many(&mut batch, BATCH) > 0 {
            let mut close = None;
            let mut durability = Durability::Unsynced;
            for message in batch.drain(..) {
                match message {
                    Message::Job(job, needed) => {
                        durability = durability.max(needed);
                        jobs.push(job);
                    }
                    Message::Close(tx) => close = Some(tx),
                }
            }
            self.transact(&mut jobs, durability);
            if close.is_some() {
                return close;
            }
        }
        None
    }

    /// Runs all jobs in one transaction, then sends the replies.
    fn transact(&mut self, jobs: &mut Vec<TransactionJob>, durability: Durability) {
        self.batches.batch(jobs.len());
        let mut replies = Vec::with_capacity(jobs.len());
        let committed = match self.begin(durability) {
            Ok(connection) => {
                let mut intact = Ok(());
                for job in jobs.drain(..) {
                    replies.push(job(intact.as_ref().map(|()| connection)));
                    // Some errors, such as a full disk, end the transaction inside a statement.
                    if intact.is_ok() && connection.is_autocommit() {
                        intact = Err(LedgerError::unavailable(RolledBack));
                    }
                }
                intact.and_then(|()| execute(connection, "COMMIT"))
            }
            Err(error) => {
                replies.extend(jobs.drain(..).map(|job| job(Err(&error))));
                Err(error)
            }
        };
        if let Err(error) = &committed {
            let cause: &dyn std::error::Error = error;
            tracing::warn!(
                error = cause,
                jobs = replies.len(),
                "a batch of the ledger was not written"
            );
            // Dropping the connection rolls back the rest, and the next batch opens a new one.
            self.connection = None;
        }
        match durability {
            // Their own commit has synced it, or nothing has to be.
            Durability::Synced | Durability::Unsynced => {}
            Durability::Soon | Durability::AsSet => self.log_sync.request(),
        }
        for reply in replies {
            reply(committed.as_ref());
        }
    }

    /// Closes the file, synced. The last connection to close also syncs the database.
    fn close(&mut self) {
        self.log_sync.sync();
        self.connection = None;
    }

    /// Opens a transaction that may write.
    fn begin(&mut self, durability: Durability) -> Result<&Connection, LedgerError> {
        let connection = if let Some(connection) = self.connection.take() {
            connection
        } else {
            self.current_synchronous = self.synchronous;
            connect(&self.path, self.synchronous)?
        };
        let connection = self.connection.insert(connection);
        let wanted = match durability {
            Durability::Synced => Synchronous::Full,
            Durability::Unsynced | Durability::Soon | Durability::AsSet => Synchronous::Normal,
        };
        if wanted != self.current_synchronous {
            // Takes effect only between transactions.
            execute(
                connection,
                match wanted {
                    Synchronous::Full => "PRAGMA synchronous = FULL",
                    Synchronous::Normal => "PRAGMA synchronous = NORMAL",
                },
            )?;
            self.current_synchronous = wanted;
        }
        // Takes the write lock here, not at the first write, so that busy_timeout applies.
        execute(connection, "BEGIN IMMEDIATE")?;
        Ok(connection)
    }
}

fn execute(connection: &Connection, sql: &'static str) -> Result<(), LedgerError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}
