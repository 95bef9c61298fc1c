//! The one thread that writes.
//!
//! A batch is whatever queued while the last commit ran: alone, a write waits for nobody; in a
//! crowd, one commit serves all that wait. Jobs are answered after the commit. A job that fails
//! fails alone; when the transaction fails, all of its jobs do, and the next batch opens the file
//! anew.

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

/// The most jobs of one transaction: it bounds what a failed commit takes with it, and how long a
/// job waits behind others.
const BATCH: usize = 256;

/// How many jobs may queue before callers wait to hand theirs over.
const QUEUE: usize = 4 * BATCH;

/// What is to be done inside the transaction, or told why it cannot be; says how to answer.
type BatchJob = Box<dyn FnOnce(Result<&Connection, &LedgerError>) -> Answer + Send>;

/// Answers the caller once it is known how the transaction ended.
type Answer = Box<dyn FnOnce(Result<&(), &LedgerError>)>;

enum Message {
    BatchJob(BatchJob, Durability),
    Close(oneshot::Sender<()>),
}

/// What a write has to survive before it is told as done, where `ledger.synchronous` is `full`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Durability {
    /// The end of the process. For what can be found out again: an end that the power takes leaves
    /// an attempt open, which is looked up.
    ProcessCrash,
    /// A loss of power. For what nobody could find out again: that an attempt was begun.
    PowerLoss,
}

/// Hands jobs to the thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Writer(mpsc::Sender<Message>);

impl Writer {
    /// Starts the thread. It keeps `lock` until the file is closed.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(
        connection: Connection,
        path: PathBuf,
        synchronous: Synchronous,
        lock: Option<File>,
        batches: BatchMetrics,
    ) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let connection = Some(connection);
        let thread = Thread { connection, path, synchronous, syncs: synchronous, batches };
        thread::Builder::new().name("ledger".into()).spawn(move || {
            let closed = thread.run(receiver);
            drop(lock);
            if let Some(tell) = closed {
                // Whoever closed it may have gone meanwhile.
                let _told = tell.send(());
            }
        })?;
        Ok(Self(sender))
    }

    /// Does this inside a transaction and returns after its commit.
    ///
    /// # Errors
    /// When it fails, when the transaction does, or when the ledger is closed.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        lasting: Durability,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (tell, told) = oneshot::channel();
        let job = move |connection: Result<&Connection, &LedgerError>| -> Answer {
            let done = connection
                .map_err(LedgerError::clone)
                .and_then(|connection| work(connection).map_err(LedgerError::from));
            Box::new(move |committed| {
                let answer = done.and_then(|done| committed.map(|()| done).map_err(Clone::clone));
                // A caller that went away hears nothing.
                let _told = tell.send(answer);
            })
        };
        let closed = || LedgerError::unavailable(Closed);
        self.0.send(Message::BatchJob(Box::new(job), lasting)).await.map_err(|_| closed())?;
        told.await.map_err(|_| closed())?
    }

    /// Returns when all that is queued is written and the file is closed.
    pub(super) async fn close(&self) {
        let (tell, closed) = oneshot::channel();
        if self.0.send(Message::Close(tell)).await.is_ok() {
            // An error says as well that the thread has ended.
            drop(closed.await);
        }
    }
}

/// The transaction was rolled back because of another job of the same batch.
#[derive(Debug, thiserror::Error)]
#[error("the database rolled the whole batch back")]
struct RolledBack;

/// What the thread owns.
struct Thread {
    connection: Option<Connection>,
    path: PathBuf,
    synchronous: Synchronous,
    /// What the connection does at a commit now.
    syncs: Synchronous,
    batches: BatchMetrics,
}

impl Thread {
    /// Runs until it is told to close, and then says whom to tell, or until nobody is left.
    fn run(mut self, mut messages: mpsc::Receiver<Message>) -> Option<oneshot::Sender<()>> {
        let mut batch = Vec::with_capacity(BATCH);
        let mut jobs = Vec::with_capacity(BATCH);
        while messages.blocking_recv_many(&mut batch, BATCH) > 0 {
            let mut close = None;
            let mut lasting = Durability::ProcessCrash;
            for message in batch.drain(..) {
                match message {
                    Message::BatchJob(job, needed) => {
                        lasting = lasting.max(needed);
                        jobs.push(job);
                    }
                    Message::Close(tell) => close = Some(tell),
                }
            }
            self.transact(&mut jobs, lasting);
            if close.is_some() {
                return close;
            }
        }
        None
    }

    /// Does all jobs in one transaction, then answers them.
    fn transact(&mut self, jobs: &mut Vec<BatchJob>, lasting: Durability) {
        self.batches.batch(jobs.len());
        let mut answers = Vec::with_capacity(jobs.len());
        let committed = match self.begin(lasting) {
            Ok(connection) => {
                let mut intact = Ok(());
                for job in jobs.drain(..) {
                    answers.push(job(intact.as_ref().map(|()| connection)));
                    // A full disk and the like end the transaction inside a statement.
                    if intact.is_ok() && connection.is_autocommit() {
                        intact = Err(LedgerError::unavailable(RolledBack));
                    }
                }
                intact.and_then(|()| execute(connection, "COMMIT"))
            }
            Err(error) => {
                answers.extend(jobs.drain(..).map(|job| job(Err(&error))));
                Err(error)
            }
        };
        if let Err(error) = &committed {
            let cause: &dyn std::error::Error = error;
            tracing::warn!(
                error = cause,
                jobs = answers.len(),
                "a batch of the ledger was not written"
            );
            // Dropping the connection rolls back what is left, and the next batch starts afresh.
            self.connection = None;
        }
        for answer in answers {
            answer(committed.as_ref());
        }
    }

    /// An open transaction that may write.
    fn begin(&mut self, lasting: Durability) -> Result<&Connection, LedgerError> {
        let connection = if let Some(connection) = self.connection.take() {
            connection
        } else {
            self.syncs = self.synchronous;
            connect(&self.path, self.synchronous)?
        };
        let connection = self.connection.insert(connection);
        let wanted = match lasting {
            Durability::PowerLoss => self.synchronous,
            Durability::ProcessCrash => Synchronous::Normal,
        };
        if wanted != self.syncs {
            // Takes hold only between transactions.
            execute(
                connection,
                match wanted {
                    Synchronous::Full => "PRAGMA synchronous = FULL",
                    Synchronous::Normal => "PRAGMA synchronous = NORMAL",
                },
            )?;
            self.syncs = wanted;
        }
        // Taking the write lock here, not at the first write, is what busy_timeout waits for.
        execute(connection, "BEGIN IMMEDIATE")?;
        Ok(connection)
    }
}

fn execute(connection: &Connection, sql: &'static str) -> Result<(), LedgerError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}
