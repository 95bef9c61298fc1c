//! What an answer says about the tenant's rate limit.
//!
//! `x-ratelimit-reset` is a second of the tenant's clock, so it means something only beside the
//! answer's own `Date`. Sources: Auth0's rate limit documents; `docs/auth0.md`.

use std::time::{Duration, UNIX_EPOCH};

use http::header::{AGE, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName};

/// The headers of one answer, each read when it is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct RateHeaders<'h>(&'h HeaderMap);

impl<'h> RateHeaders<'h> {
    /// The headers of this answer.
    pub(super) const fn of(headers: &'h HeaderMap) -> Self {
        Self(headers)
    }

    /// The size of the bucket and the whole permits left in it when the request was let in.
    ///
    /// `None` from a cache: its numbers are those of another request.
    pub(super) fn bucket(self) -> Option<(u32, u32)> {
        if self.0.contains_key(AGE) {
            return None;
        }
        let limit = self.number("x-ratelimit-limit")?.clamp(1, u32::MAX.into());
        let remaining = self.number("x-ratelimit-remaining")?.min(limit);
        Some((u32::try_from(limit).ok()?, u32::try_from(remaining).ok()?))
    }

    /// `Retry-After`, in seconds or as a date that is compared with `Date` or, without one, `now`.
    pub(super) fn retry_after(self, now: Option<Duration>) -> Option<Duration> {
        let told = self.number(RETRY_AFTER.as_str()).map(Duration::from_secs);
        told.or_else(|| {
            let until = self.date(&RETRY_AFTER)?;
            Some(until.saturating_sub(self.date(&DATE).or(now)?))
        })
    }

    /// From `Date` to the second at which at least one more permit is there; zero when that is past.
    ///
    /// `now` stands in for an absent `Date`; without either there is nothing to compare with.
    pub(super) fn reset_in(self, now: Option<Duration>) -> Option<Duration> {
        let reset = Duration::from_secs(self.number("x-ratelimit-reset")?);
        Some(reset.saturating_sub(self.date(&DATE).or(now)?))
    }

    /// When the tenant answered, by its own clock: `None` without a `Date`, and from a cache.
    pub(super) fn answered_at(self) -> Option<Duration> {
        self.date(&DATE).filter(|_| !self.0.contains_key(AGE))
    }

    /// A header that is a date, since the Unix epoch.
    fn date(self, name: &HeaderName) -> Option<Duration> {
        let date = self.0.get(name)?.to_str().ok()?;
        httpdate::parse_http_date(date).ok()?.duration_since(UNIX_EPOCH).ok()
    }

    /// A header that is a whole number.
    fn number(self, name: &str) -> Option<u64> {
        self.0.get(name)?.to_str().ok()?.trim().parse().ok()
    }
}
