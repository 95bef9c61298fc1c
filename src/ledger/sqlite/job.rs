//! The messages to the thread that writes: jobs, each a part of a transaction with its needs and its reply.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::streak::Streak;
use crate::ledger::LedgerError;

/// The most jobs that a transaction is started for: bounds the wait of a job behind others.
pub(super) const BATCH: usize = 256;

/// The failure that a write survives when its caller gets the result. Each survives a crash of the
/// process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Durability {
    /// Never synced for its own sake. For signs of life, which a loss of power ends anyway.
    Unsynced,
    /// Synced within a second. For facts that can be determined again: if a power loss takes a
    /// resolution, the attempt is open and will be looked up.
    Soon,
    /// Survives a loss of power. For facts that can never be determined again.
    Synced,
}

/// Runs inside the transaction, or gets the error that prevents it.
pub(super) type TransactionJob =
    Box<dyn FnOnce(Result<&Connection, &LedgerError>) -> JobEnd + Send>;

/// The end of a job's work.
pub(super) struct JobEnd {
    pub(super) succeeded: bool,
    pub(super) reply: Reply,
}

/// Sends the caller its result once the commit has succeeded or failed.
pub(super) type Reply = Box<dyn FnOnce(Result<&(), &LedgerError>)>;

/// A job with its needs.
pub(super) struct BatchJob {
    pub(super) transact: TransactionJob,
    pub(super) durability: Durability,
    /// The time at which its caller stops waiting.
    pub(super) deadline: Instant,
}

impl fmt::Debug for BatchJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchJob").finish_non_exhaustive()
    }
}

/// The needs of the jobs of a batch.
pub(super) struct BatchNeeds {
    pub(super) durability: Durability,
    /// The time at which the last of the callers stops waiting.
    pub(super) deadline: Instant,
}

impl BatchNeeds {
    pub(super) fn new(jobs: &[BatchJob]) -> Self {
        let needs = Self { durability: Durability::Unsynced, deadline: Instant::now() };
        jobs.iter().fold(needs, |needs, job| Self {
            durability: needs.durability.max(job.durability),
            deadline: needs.deadline.max(job.deadline),
        })
    }
}

/// The state that the callers and the thread share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The jobs that wait for a batch to join.
    pub(super) joining: Vec<BatchJob>,
    /// True while a batch for them is scheduled.
    pub(super) is_scheduled: bool,
    pub(super) streak: Streak,
    /// True once the last batch was taken.
    pub(super) is_closed: bool,
}

/// A message to the thread.
pub(super) enum Message {
    Job(BatchJob),
    /// A batch for the jobs that wait for one.
    Join,
    /// Empty the log, and wait this long for readers.
    TruncateLog(Duration, oneshot::Sender<Result<bool, LedgerError>>),
    Close(oneshot::Sender<()>),
}

/// Counts a job that nobody waits for until it is dropped.
#[derive(Debug)]
pub(super) struct UnawaitedJob(Arc<AtomicUsize>);

impl UnawaitedJob {
    pub(super) fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }
}

impl Drop for UnawaitedJob {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
