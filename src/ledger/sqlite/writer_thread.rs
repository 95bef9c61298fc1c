//! The only thread that writes.
//!
//! A batch holds the jobs that queued while the last commit ran: a single write waits for no other,
//! and many concurrent writes share one commit. Jobs that no response waits for do not start a batch:
//! they join the next one. Callers get their results after the commit. A failing job fails alone. If
//! the transaction or its sync fails, all of its jobs fail, and the next batch opens the file again. A
//! batch that ended in a file that is no longer at its path has failed too.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant as StdInstant};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::connection::{LedgerConnection, SHORT_WAIT};
use super::guard::FileGuard;
use super::job::{BATCH, BatchJob, BatchNeeds, Durability, JobEnd, Message, Shared};
use super::log_sync::LogSync;
use super::rows::execute;
use super::streak::Streak;
use crate::ledger::LedgerError;
use crate::telemetry::{BatchMetrics, chain};

/// Another job of the same batch caused a rollback of the transaction.
#[derive(Debug, thiserror::Error)]
#[error("the database rolled the whole batch back")]
struct RolledBack;

/// A commit is in the log, and may not be on the disk.
#[derive(Debug, thiserror::Error)]
#[error("the write-ahead log of the ledger could not be synced")]
struct SyncFailed(#[source] io::Error);

/// A sync of the log failed, and a reader prevents that its content is moved to the database instead.
#[derive(Debug, thiserror::Error)]
#[error("the write-ahead log of the ledger could not be synced, and is in use")]
struct Unsynced;

/// The state of the thread.
pub(super) struct WriterThread {
    pub(super) connection: Option<LedgerConnection>,
    pub(super) shared: Arc<Mutex<Shared>>,
    pub(super) guard: Arc<FileGuard>,
    pub(super) log_sync: Arc<LogSync>,
    pub(super) batches: BatchMetrics,
}

impl WriterThread {
    /// Runs until a `Close` message, whose channel it returns, or until every sender is dropped.
    pub(super) fn run(
        &mut self,
        mut messages: mpsc::Receiver<Message>,
    ) -> Option<oneshot::Sender<()>> {
        let mut batch = Vec::with_capacity(BATCH);
        let mut jobs: Vec<BatchJob> = Vec::with_capacity(BATCH);
        let mut truncations = Vec::new();
        while messages.blocking_recv_many(&mut batch, BATCH) > 0 {
            let mut close = None;
            let mut shared = self.shared.lock();
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
        let mut shared = self.shared.lock();
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
            Durability::Soon => self.log_sync.request(),
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
                "the write-ahead log of the displaced ledger cannot be emptied"
            );
        }
    }

    fn truncate_log(&mut self, wait: Duration) -> Result<bool, LedgerError> {
        Ok(self.connect(Instant::now() + wait)?.truncate_log(wait)?)
    }

    /// Closes the file, synced. The last connection to close also syncs the database.
    pub(super) fn close(&mut self) {
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
        execute(connection, "BEGIN IMMEDIATE", [])?;
        Ok(connection)
    }
}

fn commit(
    connection: &LedgerConnection,
    needs: &BatchNeeds,
    log_sync: &LogSync,
) -> Result<(), LedgerError> {
    execute(connection, "COMMIT", [])?;
    if needs.durability == Durability::Synced {
        connection.sync_log().map_err(|error| {
            log_sync.record_failure();
            LedgerError::unavailable(SyncFailed(error))
        })?;
    }
    Ok(())
}
