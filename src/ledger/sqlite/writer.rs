//! The only thread that writes.
//!
//! A batch holds the jobs that queued while the last commit ran: a single write waits for no other,
//! and many concurrent writes share one commit. Callers get their results after the commit. A
//! failing job fails alone. If the transaction fails, all of its jobs fail, and the next batch
//! opens the file again.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::thread;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::file::connect;
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

/// The failure that a write must survive before its caller gets the result. Matters only if
/// `ledger.synchronous` is `full`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Durability {
    /// A crash of the process. For facts that can be determined again: if a power loss takes a
    /// resolution, the attempt is open and will be looked up.
    ProcessCrash,
    /// A loss of power. For facts that cannot be determined again: that an attempt was started.
    PowerLoss,
}

/// Queues jobs for the thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct SqliteWriter(mpsc::Sender<Message>);

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
        batches: BatchMetrics,
    ) -> io::Result<Self> {
        let (tx, rx) = mpsc::channel(QUEUE);
        let connection = Some(connection);
        let thread = LedgerThread {
            connection,
            path,
            synchronous,
            current_synchronous: synchronous,
            batches,
        };
        thread::Builder::new().name("ledger".into()).spawn(move || {
            let closed = thread.run(rx);
            drop(lock);
            if let Some(closed) = closed {
                // Ignored: the caller of `close` may no longer wait.
                let _sent = closed.send(());
            }
        })?;
        Ok(Self(tx))
    }

    /// Runs `work` inside a transaction and returns after its commit.
    ///
    /// # Errors
    /// When it fails, when the transaction does, or when the ledger is closed.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (tx, rx) = oneshot::channel();
        let job = move |connection: Result<&Connection, &LedgerError>| -> Reply {
            let result = connection
                .map_err(LedgerError::clone)
                .and_then(|connection| work(connection).map_err(LedgerError::from));
            Box::new(move |committed| {
                let result =
                    result.and_then(|value| committed.map(|()| value).map_err(Clone::clone));
                // Ignored: the caller may no longer wait.
                let _sent = tx.send(result);
            })
        };
        let closed = || LedgerError::unavailable(Closed);
        self.0.send(Message::Job(Box::new(job), durability)).await.map_err(|_| closed())?;
        rx.await.map_err(|_| closed())?
    }

    /// Waits until every queued job is written and the file is closed.
    pub(super) async fn close(&self) {
        let (tx, rx) = oneshot::channel();
        if self.0.send(Message::Close(tx)).await.is_ok() {
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
    batches: BatchMetrics,
}

impl LedgerThread {
    /// Runs until a `Close` message, whose channel it returns, or until every sender is dropped.
    fn run(mut self, mut messages: mpsc::Receiver<Message>) -> Option<oneshot::Sender<()>> {
        let mut batch = Vec::with_capacity(BATCH);
        let mut jobs = Vec::with_capacity(BATCH);
        while messages.blocking_recv_many(&mut batch, BATCH) > 0 {
            let mut close = None;
            let mut durability = Durability::ProcessCrash;
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
        for reply in replies {
            reply(committed.as_ref());
        }
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
            Durability::PowerLoss => self.synchronous,
            Durability::ProcessCrash => Synchronous::Normal,
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
