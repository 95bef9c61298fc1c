//! Times as both databases store them: milliseconds since the Unix epoch.

use std::time::Duration;

/// Converts a time; saturates in the year 292 million.
pub(super) fn millis(at: Duration) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

/// Converts a stored time; `None` for a negative number, which is never written.
pub(super) fn from_millis(millis: i64) -> Option<Duration> {
    u64::try_from(millis).map(Duration::from_millis).ok()
}
