//! Start to stop: which tasks run, which of them a stop waits for, and in what order it happens.
//!
//! A stop waits for the tasks that carry a sign-up, not for connections: a closed tab or a
//! handler's deadline never cancels one.

use std::future::Future;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The state of the process between start and stop. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    draining: CancellationToken,
    stopped: CancellationToken,
    failed: CancellationToken,
    work: TaskTracker,
}

impl Lifecycle {
    /// Running.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs work that a stop waits for and nothing cancels.
    pub fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.work.spawn(work)
    }

    /// Runs a task that goes on until the process stops and may end at any await.
    ///
    /// One that panics stops the process: it would otherwise go on without what the task keeps up.
    #[expect(clippy::disallowed_methods, reason = "this is the tracked place that spawns")]
    pub fn spawn_background(&self, task: impl Future<Output = ()> + Send + 'static) {
        let (stopped, failed) = (self.stopped.clone(), self.failed.clone());
        tokio::spawn(async move {
            let failing = failed.drop_guard();
            tokio::select! {
                () = stopped.cancelled() => {}
                () = task => {}
            }
            drop(failing.disarm());
        });
    }

    /// From now on the process is unready.
    pub fn begin_draining(&self) {
        self.draining.cancel();
    }

    /// Whether a stop has begun.
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Waits until a stop has begun.
    pub async fn draining(&self) {
        self.draining.cancelled().await;
    }

    /// Waits until a background task has panicked.
    pub async fn failed(&self) {
        self.failed.cancelled().await;
    }

    /// Waits until all work is done; takes no more.
    pub async fn drained(&self) {
        self.work.close();
        self.work.wait().await;
    }

    /// Ends the background tasks.
    pub fn stop(&self) {
        self.stopped.cancel();
    }
}
