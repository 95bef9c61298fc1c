//! The rate limit that a response reports.
//!
//! `x-ratelimit-reset` is a second of the tenant's clock, so it has a meaning only beside the
//! response's own `Date`. Sources: Auth0's rate limit documents; `docs/auth0.md`.

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

    /// `Retry-After`, in seconds or as a date, which is compared with `Date` or, without one,
    /// `now`.
    pub(super) fn retry_after(self, now: Option<Duration>) -> Option<Duration> {
        let seconds = self.number(RETRY_AFTER.as_str()).map(Duration::from_secs);
        seconds.or_else(|| {
            let until = self.date(&RETRY_AFTER)?;
            Some(until.saturating_sub(self.date(&DATE).or(now)?))
        })
    }

    /// The time from `Date` to the second at which at least one more permit is available; zero if
    /// that is past.
    ///
    /// `now` replaces an absent `Date`. Without either there is nothing to compare with.
    pub(super) fn reset_in(self, now: Option<Duration>) -> Option<Duration> {
        let reset = Duration::from_secs(self.number("x-ratelimit-reset")?);
        Some(reset.saturating_sub(self.date(&DATE).or(now)?))
    }

    /// The time of the response by the tenant's clock. `None` without a `Date`, and from a cache.
    pub(super) fn responded_at(self) -> Option<Duration> {
        self.date(&DATE).filter(|_| !self.0.contains_key(AGE))
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
