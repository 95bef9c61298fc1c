//! The lifecycle of the process: the tasks that run, and the order of a shutdown.
//!
//! A shutdown waits for the tasks that run a sign-up or finish what it began, and at most two seconds for a probe's check
//! of the ledger. The server has ended its connections by then. A closed tab or a handler's deadline never cancels a
//! sign-up.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::SetOnce;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The state of the process between start and shutdown. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    /// The deadline of a shutdown that has started.
    drain_deadline: Arc<SetOnce<Instant>>,
    stopped: CancellationToken,
    failed: CancellationToken,
    work: TaskTracker,
}

impl Lifecycle {
    /// A running process.
    pub fn new() -> Self {
        Self::default()
    }

    /// Spawns work that a shutdown waits for and nothing cancels.
    pub fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.work.spawn(work)
    }

    /// Spawns a task that runs until the process stops, and that may be cancelled at any await.
    ///
    /// If the task panics, the process stops, since it would otherwise continue without that task.
    #[expect(clippy::disallowed_methods, reason = "a panic stops the process")]
    pub fn spawn_background(&self, task: impl Future<Output = ()> + Send + 'static) {
        let (stopped, failed) = (self.stopped.clone(), self.failed.clone());
        tokio::spawn(async move {
            let on_panic = failed.drop_guard();
            tokio::select! {
                () = stopped.cancelled() => {}
                () = task => {}
            }
            drop(on_panic.disarm());
        });
    }

    /// Makes the process unready. The work that runs has this long to end.
    pub fn begin_draining(&self, limit: Duration) {
        // Ignored: of two calls the first counts.
        drop(self.drain_deadline.set(Instant::now() + limit));
    }

    /// Returns whether a shutdown has started.
    pub fn is_draining(&self) -> bool {
        self.drain_deadline.initialized()
    }

    /// Waits until a shutdown starts, and returns the time until which it waits for work.
    pub async fn drain_deadline(&self) -> Instant {
        *self.drain_deadline.wait().await
    }

    /// Waits until a background task has panicked.
    pub async fn failed(&self) {
        self.failed.cancelled().await;
    }

    /// Returns whether a background task has panicked.
    pub fn has_failed(&self) -> bool {
        self.failed.is_cancelled()
    }

    /// Waits until all work is done. Called once no more work comes.
    pub async fn drained(&self) {
        self.work.close();
        self.work.wait().await;
    }

    /// Stops the background tasks.
    pub fn stop(&self) {
        self.stopped.cancel();
    }
}
