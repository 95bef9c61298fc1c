//! Time as a parameter: what reads the wall clock takes a [`Clock`].
//!
//! Durations and deadlines use `tokio::time`, which tests can pause; the wall clock is for what is
//! shown or compared with another machine's.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A source of wall-clock time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Now, since the Unix epoch. Zero before it.
    fn now(&self) -> Duration;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}
