//! Time as a parameter: code that reads the wall clock takes a [`Clock`].
//!
//! Durations and deadlines use `tokio::time`, which tests can pause. The wall clock is for times
//! that are shown, or compared with another machine's.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// A source of wall-clock time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The current time since the Unix epoch; zero before it.
    fn now(&self) -> Duration;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// Formats a time since the Unix epoch by RFC 3339, in UTC and with a fixed width.
pub fn utc(at: Duration) -> String {
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    let Ok(time) = OffsetDateTime::from_unix_timestamp(seconds) else {
        return "out of range".to_owned();
    };
    let (hour, minute, second) = time.to_hms();
    format!("{}T{hour:02}:{minute:02}:{second:02}.{:03}Z", time.date(), at.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rfc_3339_with_a_fixed_width() {
        let time = utc(Duration::from_millis(1_790_000_000_007));
        assert_eq!(time, "2026-09-21T14:13:20.007Z");
        assert_eq!(utc(Duration::ZERO), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc(Duration::MAX), "out of range");
    }
}
