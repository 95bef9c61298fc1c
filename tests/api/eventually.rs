//! Waiting for a condition: the one place where these tests poll.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// Time between two probes.
const PAUSE: Duration = Duration::from_millis(10);

/// Longest wait: far beyond what a busy machine needs, so that only an error uses it up.
const LIMIT: Duration = Duration::from_mins(1);

/// Waits until the probe returns a value. Panics with `what` if it never does.
pub(crate) async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let polled = timeout(LIMIT, async {
        loop {
            if let Some(value) = probe().await {
                return value;
            }
            sleep(PAUSE).await;
        }
    });
    polled.await.unwrap_or_else(|_| panic!("did not happen: {what}"))
}
