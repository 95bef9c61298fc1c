//! A task that runs jobs in batches over its own connection.
//!
//! A batch holds the jobs that queued while the workers were busy, and goes to the server in one
//! statement. A dead connection is replaced once before the jobs fail.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Error;
use sqlx::postgres::PgConnection;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::server::Connector;
use crate::ledger::LedgerError;
use crate::telemetry::BatchMetrics;

/// The most jobs of one batch.
const BATCH: usize = 256;

/// The number of jobs that may queue before callers have to wait.
pub(super) const QUEUE: usize = 4 * BATCH;

/// The number of tries of a batch that meets a conflict or a dead connection.
const TRIES: usize = 3;

/// A job of a batch.
pub(super) trait BatchJob: Sized + Send + Sync + 'static {
    /// The result of a batch, in which each job finds its own.
    type Output: Send;

    /// Runs all jobs in one batch.
    fn run(
        connection: &mut PgConnection,
        batch: &[Self],
    ) -> impl Future<Output = Result<Self::Output, BatchError>> + Send;

    /// Sends the caller the job's result.
    fn reply(self, output: Result<&mut Self::Output, LedgerError>);
}

/// A failed batch.
#[derive(Debug)]
pub(super) enum BatchError {
    /// The database's own error.
    Database(Arc<Error>),
    /// An error that does not depend on the connection: damaged rows, a contended key.
    Ledger(LedgerError),
}

impl From<Error> for BatchError {
    fn from(error: Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl BatchError {
    /// The error that each caller gets.
    fn to_ledger_error(&self) -> LedgerError {
        match self {
            Self::Database(error) => super::ledger_error(Arc::clone(error)),
            Self::Ledger(error) => error.clone(),
        }
    }
}

impl From<LedgerError> for BatchError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

/// One worker. Workers of a kind share a queue.
pub(super) struct BatchWorker<J> {
    connector: Connector,
    jobs: Arc<Mutex<mpsc::Receiver<J>>>,
    closing: CancellationToken,
    connection: Option<PgConnection>,
    batches: Option<BatchMetrics>,
}

impl<J: BatchJob> BatchWorker<J> {
    /// A worker that connects when its first job arrives.
    pub(super) const fn new(
        connector: Connector,
        jobs: Arc<Mutex<mpsc::Receiver<J>>>,
        closing: CancellationToken,
        batches: Option<BatchMetrics>,
    ) -> Self {
        Self { connector, jobs, closing, connection: None, batches }
    }

    /// Runs until every sender is dropped, or until the jobs queued before `closing` are done.
    pub(super) async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.receive(&mut batch).await > 0 {
            self.process(&mut batch).await;
        }
        if let Some(connection) = self.connection {
            super::close(connection).await;
        }
    }

    async fn receive(&self, batch: &mut Vec<J>) -> usize {
        let mut jobs = self.jobs.lock().await;
        tokio::select! {
            received = jobs.recv_many(batch, BATCH) => return received,
            () = self.closing.cancelled() => jobs.close(),
        }
        jobs.recv_many(batch, BATCH).await
    }

    async fn process(&mut self, batch: &mut Vec<J>) {
        if let Some(batches) = &self.batches {
            batches.batch(batch.len());
        }
        match self.run_batch(batch).await {
            Ok(mut output) => batch.drain(..).for_each(|job| job.reply(Ok(&mut output))),
            // One job may hold a value that the server rejects: then it fails alone.
            Err(BatchError::Database(error)) if is_statement_error(&error) && batch.len() > 1 => {
                for job in batch.drain(..) {
                    let mut output = self.run_batch(std::slice::from_ref(&job)).await;
                    job.reply(output.as_mut().map_err(|error| error.to_ledger_error()));
                }
            }
            Err(error) => {
                let error = error.to_ledger_error();
                let cause: &dyn std::error::Error = &error;
                tracing::warn!(error = cause, jobs = batch.len(), "a batch of the ledger failed");
                batch.drain(..).for_each(|job| job.reply(Err(error.clone())));
            }
        }
    }

    async fn run_batch(&mut self, batch: &[J]) -> Result<J::Output, BatchError> {
        let limit = self.connector.timeout();
        let mut tries = 0;
        loop {
            tries += 1;
            let (mut connection, reused) = match self.connection.take() {
                Some(connection) => (connection, true),
                None => (self.connector.connect().await?, false),
            };
            match within(limit, J::run(&mut connection, batch)).await {
                Ok(output) => {
                    self.connection = Some(connection);
                    return Ok(output);
                }
                Err(BatchError::Database(error))
                    if tries < TRIES && is_retryable(&error, reused) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, BatchError>> + Send,
) -> Result<T, BatchError> {
    timeout(limit, work).await.unwrap_or(Err(Error::PoolTimedOut.into()))
}

/// Returns whether the server rejected a statement, not the connection.
pub(super) fn is_statement_error(error: &Error) -> bool {
    matches!(error, Error::Database(error) if error.code().is_some_and(|code| !code.starts_with("57")))
}

/// Returns whether the same batch may succeed at once: it met a conflict, or a `reused` connection
/// had died before. Batches can be repeated: an id that exists already is the batch's own.
pub(super) fn is_retryable(error: &Error, reused: bool) -> bool {
    match error {
        Error::Io(_) | Error::Protocol(_) => reused,
        Error::Database(error) => match error.code().as_deref() {
            // Serialisation failure, deadlock.
            Some("40001" | "40P01") => true,
            // Shut down, crashed, starting, connection lost.
            Some("57P01" | "57P02" | "57P03" | "08006" | "08003") => reused,
            _ => false,
        },
        _ => false,
    }
}
