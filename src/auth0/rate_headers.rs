//! The rate limit that a response reports, and its times.
//!
//! `x-ratelimit-reset` is a second of the tenant's clock, so it has a meaning only beside the
//! response's own `Date`: [`wait`](super::wait) judges it. Sources: Auth0's rate limit documents;
//! `docs/auth0.md`.

use std::time::{Duration, UNIX_EPOCH};

use http::header::{AGE, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName};

/// The headers of one response, each parsed on access.
#[derive(Debug, Clone, Copy)]
pub(super) struct RateHeaders<'h>(&'h HeaderMap);

impl<'h> RateHeaders<'h> {
    /// Wraps the headers of a response.
    pub(super) const fn new(headers: &'h HeaderMap) -> Self {
        Self(headers)
    }

    /// The size of the bucket and the whole permits left in it when the request was admitted.
    ///
    /// `None` for a response from a cache, whose numbers are those of another request.
    pub(super) fn bucket(self) -> Option<(u32, u32)> {
        if self.0.contains_key(AGE) {
            return None;
        }
        let limit = self.number("x-ratelimit-limit")?.clamp(1, u32::MAX.into());
        let remaining = self.number("x-ratelimit-remaining")?.min(limit);
        Some((u32::try_from(limit).ok()?, u32::try_from(remaining).ok()?))
    }

    /// `Retry-After` as a date.
    pub(super) fn retry_after_date(self) -> Option<Duration> {
        self.date(&RETRY_AFTER)
    }

    /// `Retry-After` as a number.
    pub(super) fn retry_after_number(self) -> Option<u64> {
        self.number(RETRY_AFTER.as_str())
    }

    /// `x-ratelimit-reset`: the time at which at least one more permit is available.
    pub(super) fn reset_number(self) -> Option<u64> {
        self.number("x-ratelimit-reset")
    }

    /// `Date`, since the Unix epoch: for a response from a cache, the time of the original one.
    pub(super) fn generated_at(self) -> Option<Duration> {
        self.date(&DATE)
    }

    /// The time that the response spent in a cache.
    pub(super) fn age(self) -> Duration {
        Duration::from_secs(self.number(AGE.as_str()).unwrap_or(0))
    }

    /// The time of the response by the tenant's clock. `None` without a `Date`, and from a cache.
    pub(super) fn responded_at(self) -> Option<Duration> {
        self.generated_at().filter(|_| !self.0.contains_key(AGE))
    }

    /// Parses a header as a date, since the Unix epoch.
    fn date(self, name: &HeaderName) -> Option<Duration> {
        let date = self.0.get(name)?.to_str().ok()?;
        httpdate::parse_http_date(date).ok()?.duration_since(UNIX_EPOCH).ok()
    }

    /// Parses a header as a whole number.
    fn number(self, name: &str) -> Option<u64> {
        self.0.get(name)?.to_str().ok()?.trim().parse().ok()
    }
}
