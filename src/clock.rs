//! Time as a parameter: code that reads the wall clock takes a [`Clock`].
//!
//! Elapsed time and deadlines use `tokio::time`, which is monotonic and which tests can pause. The
//! wall clock is for times that are shown. Times of other machines have types of their own,
//! [`LedgerTime`] and [`TenantTime`]: each is compared only with others of the same clock.

use std::fmt;
use std::ops::Add;
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

/// Defines a time by the clock of one machine, kept to the millisecond.
macro_rules! clock_time {
    ($(#[$docs:meta])* $name:ident) => {
        $(#[$docs])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u64);

        impl $name {
            /// A time since the Unix epoch, cut to the millisecond.
            pub fn from_epoch(since_epoch: Duration) -> Self {
                Self(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
            }

            /// A stored time; `None` for a negative number, which is never written.
            pub fn from_millis(millis: i64) -> Option<Self> {
                u64::try_from(millis).ok().map(Self)
            }

            /// Milliseconds since the Unix epoch, as the database stores them; saturates in the
            /// year 292 million.
            pub fn as_millis(self) -> i64 {
                i64::try_from(self.0).unwrap_or(i64::MAX)
            }

            /// The time since the Unix epoch.
            pub const fn since_epoch(self) -> Duration {
                Duration::from_millis(self.0)
            }

            /// The time since `earlier`, which the same clock showed; zero if that is later.
            #[must_use]
            pub const fn since(self, earlier: Self) -> Duration {
                Duration::from_millis(self.0.saturating_sub(earlier.0))
            }

            /// The time this long before; at the earliest the Unix epoch.
            #[must_use]
            pub fn before(self, by: Duration) -> Self {
                Self::from_epoch(self.since_epoch().saturating_sub(by))
            }
        }

        impl Add<Duration> for $name {
            type Output = Self;

            fn add(self, by: Duration) -> Self {
                Self::from_epoch(self.since_epoch().saturating_add(by))
            }
        }
    };
}

clock_time! {
    /// A time by the ledger's clock: the database server's, or this machine's for an embedded file.
    LedgerTime
}

clock_time! {
    /// A time by the tenant's clock, as its responses show it in `Date` and `created_at`.
    TenantTime
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
