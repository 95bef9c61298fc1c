//! The tasks of one emulator, tracked so that stopping it leaves none running.

use std::future::Future;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The running tasks of one emulator.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks {
    /// Counts the tasks still running.
    tracker: TaskTracker,
    /// Cancels the tasks.
    stop: CancellationToken,
}

impl Tasks {
    /// Runs `future` until it completes or the emulator stops. In the latter case the output is
    /// `None`.
    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let stop = self.stop.clone();
        self.tracker.spawn(async move { stop.run_until_cancelled(future).await })
    }

    /// Cancels every task.
    pub(crate) fn cancel(&self) {
        self.stop.cancel();
        self.tracker.close();
    }

    /// Waits until every task has ended.
    pub(crate) async fn ended(&self) {
        self.tracker.wait().await;
    }
}
