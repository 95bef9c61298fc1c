//! The time that one sign-up waits for the ledger.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::ledger::LedgerError;

/// The shortest limit of a call, whatever the calls before it took.
const SHORTEST: Duration = Duration::from_millis(200);

/// A limit for the ledger calls of one sign-up together, so that a slow ledger delays its response
/// once and not at each call. The calls run one after another.
#[derive(Debug)]
pub(super) struct LedgerWait {
    limit: Duration,
    spent_us: AtomicU64,
}

impl LedgerWait {
    /// A limit of which nothing is spent.
    pub(super) const fn new(limit: Duration) -> Self {
        Self { limit, spent_us: AtomicU64::new(0) }
    }

    /// Waits for a call while time is left. What it writes may be written even so.
    ///
    /// # Errors
    /// Those of the call, and [`LedgerError::Unavailable`] when the time is over.
    pub(super) async fn limit<T>(
        &self,
        call: impl Future<Output = Result<T, LedgerError>>,
    ) -> Result<T, LedgerError> {
        let spent = Duration::from_micros(self.spent_us.load(Ordering::Relaxed));
        let left = self.limit.saturating_sub(spent).max(SHORTEST);
        let started_at = Instant::now();
        let result = timeout(left, call).await;
        let took = u64::try_from(started_at.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.spent_us.fetch_add(took, Ordering::Relaxed);
        result.unwrap_or_else(|_| Err(LedgerError::unavailable(LedgerTooSlow(self.limit))))
    }
}

/// The calls of a sign-up took too long together.
#[derive(Debug, thiserror::Error)]
#[error("the ledger took more than {0:?} of one sign-up")]
struct LedgerTooSlow(Duration);

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_calls_share_one_limit() {
        let wait = LedgerWait::new(Duration::from_secs(3));
        let call = |millis| async move {
            sleep(Duration::from_millis(millis)).await;
            Ok(millis)
        };
        let started_at = Instant::now();
        assert_eq!(wait.limit(call(2_000)).await.unwrap(), 2_000);
        assert!(wait.limit(call(2_000)).await.is_err());
        assert!(started_at.elapsed() < Duration::from_millis(3_010));
        // A ledger that works again is still used.
        assert_eq!(wait.limit(call(100)).await.unwrap(), 100);
        assert!(wait.limit(call(300)).await.is_err());
    }
}
