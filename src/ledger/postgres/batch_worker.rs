//! A task with a connection of its own that serves jobs in batches.
//!
//! A batch is whatever queued while the lanes of its kind were busy, and goes to the server in one
//! statement. A connection that turns out to be dead is replaced once before the jobs hear of it.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Error;
use sqlx::postgres::PgConnection;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::server::Server;
use crate::ledger::LedgerError;
use crate::telemetry::BatchMetrics;

/// The most jobs of one batch.
const BATCH: usize = 256;

/// How many jobs may queue before callers wait to hand theirs over.
pub(super) const QUEUE: usize = 4 * BATCH;

/// How often a batch is tried when others are in its way or its connection is dead.
const TRIES: usize = 3;

/// What a lane serves.
pub(super) trait BatchJob: Sized + Send + Sync + 'static {
    /// What came of a batch; each job finds its own answer in it.
    type Done: Send;

    /// Does all jobs at once.
    fn run(
        connection: &mut PgConnection,
        batch: &[Self],
    ) -> impl Future<Output = Result<Self::Done, Failure>> + Send;

    /// Answers the caller.
    fn answer(self, done: Result<&mut Self::Done, LedgerError>);
}

/// Why a batch was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// The database's own error.
    Database(Arc<Error>),
    /// What the database holds.
    Ledger(LedgerError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl Failure {
    /// As the caller hears it.
    fn error(&self) -> LedgerError {
        match self {
            Self::Database(error) => super::ledger_error(Arc::clone(error)),
            Self::Ledger(error) => error.clone(),
        }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

/// One lane. Lanes of a kind share their jobs.
pub(super) struct BatchWorker<J> {
    server: Server,
    jobs: Arc<Mutex<mpsc::Receiver<J>>>,
    closing: CancellationToken,
    connection: Option<PgConnection>,
    batches: Option<BatchMetrics>,
}

impl<J: BatchJob> BatchWorker<J> {
    /// A lane that connects when its first job comes.
    pub(super) const fn new(
        server: Server,
        jobs: Arc<Mutex<mpsc::Receiver<J>>>,
        closing: CancellationToken,
        batches: Option<BatchMetrics>,
    ) -> Self {
        Self { server, jobs, closing, connection: None, batches }
    }

    /// Serves until nobody hands jobs over any more, or until all that queued before the closing
    /// is done.
    pub(super) async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.receive(&mut batch).await > 0 {
            self.serve(&mut batch).await;
        }
        if let Some(connection) = self.connection {
            super::hang_up(connection).await;
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

    async fn serve(&mut self, batch: &mut Vec<J>) {
        if let Some(batches) = &self.batches {
            batches.batch(batch.len());
        }
        match self.attempt(batch).await {
            Ok(mut done) => batch.drain(..).for_each(|job| job.answer(Ok(&mut done))),
            // One job may hold what the server does not take: then it fails alone.
            Err(Failure::Database(error)) if is_statement(&error) && batch.len() > 1 => {
                for job in batch.drain(..) {
                    let mut done = self.attempt(std::slice::from_ref(&job)).await;
                    job.answer(done.as_mut().map_err(|failure| failure.error()));
                }
            }
            Err(failure) => {
                let error = failure.error();
                let cause: &dyn std::error::Error = &error;
                tracing::warn!(
                    error = cause,
                    jobs = batch.len(),
                    "a batch of the ledger was not done"
                );
                batch.drain(..).for_each(|job| job.answer(Err(error.clone())));
            }
        }
    }

    async fn attempt(&mut self, batch: &[J]) -> Result<J::Done, Failure> {
        let limit = self.server.timeout();
        let mut tries = 0;
        loop {
            tries += 1;
            let (mut connection, kept) = match self.connection.take() {
                Some(connection) => (connection, true),
                None => (self.server.connect().await?, false),
            };
            match within(limit, J::run(&mut connection, batch)).await {
                Ok(done) => {
                    self.connection = Some(connection);
                    return Ok(done);
                }
                Err(Failure::Database(error)) if tries < TRIES && may_pass(&error, kept) => {}
                Err(failure) => return Err(failure),
            }
        }
    }
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Failure>> + Send,
) -> Result<T, Failure> {
    timeout(limit, work).await.unwrap_or(Err(Error::PoolTimedOut.into()))
}

/// Whether the server took offence at a statement, not at the connection.
pub(super) fn is_statement(error: &Error) -> bool {
    matches!(error, Error::Database(error) if error.code().is_some_and(|code| !code.starts_with("57")))
}

/// Whether the same batch may succeed at once: others were in its way, or a connection that was
/// `kept` had died before. Batches can be repeated: an id that is there already is the batch's own.
pub(super) fn may_pass(error: &Error, kept: bool) -> bool {
    match error {
        Error::Io(_) | Error::Protocol(_) => kept,
        Error::Database(error) => match error.code().as_deref() {
            // Serialisation failure, deadlock.
            Some("40001" | "40P01") => true,
            // Shut down, crashed, starting, connection lost.
            Some("57P01" | "57P02" | "57P03" | "08006" | "08003") => kept,
            _ => false,
        },
        _ => false,
    }
}
