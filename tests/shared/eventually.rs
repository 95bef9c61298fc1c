//! Waiting for a condition: the one place where these tests poll.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// The pause after the first probe; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// The longest pause between two probes. A probe may be a sign-up, of which an address has fifty.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Longest wait: far beyond what a busy machine needs, so that only an error uses it up.
const LIMIT: Duration = Duration::from_mins(1);

/// Waits until the probe returns a value. Panics with `what` if it never does.
pub(crate) async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let polled = timeout(LIMIT, async {
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(value) = probe().await {
                return value;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    });
    polled.await.unwrap_or_else(|_| panic!("did not happen: {what}"))
}
