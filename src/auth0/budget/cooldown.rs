//! What a 429 does: nothing is sent before the told time, then one request to see, then carefully
//! on. Pure: time is a parameter.

use std::time::Duration;

use tokio::time::Instant;

use super::bucket::{Grant, Turn};
use crate::auth0::rate_headers::RateHeaders;

/// The wait after a 429 that tells none: the first, doubled by each further one, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// The longest `Retry-After` that is obeyed to the end: the longest that Auth0 documents.
const LONGEST: Duration = Duration::from_hours(24);

/// The longest `x-ratelimit-reset` that is believed. No plan's bucket takes longer for a permit, so
/// more means that two clocks were mixed up.
const LONGEST_RESET: Duration = Duration::from_mins(1);

/// How long it makes wary, counted from the time when the next request may be sent.
const WARY: Duration = Duration::from_mins(1);

/// Whether requests may be sent at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// As the bucket has it.
    Open,
    /// Not before this moment.
    Blocked(Instant),
    /// One request, to see whether the tenant takes any again: its number once it is sent.
    Probing(Option<u64>),
}

/// The hold that 429s put on the bucket.
#[derive(Debug)]
pub(super) struct Hold {
    /// What may be sent.
    mode: Mode,
    /// 429s in a row.
    refusals: u32,
    /// When the last of them came.
    refused_at: Option<Instant>,
    /// How long care is taken.
    wary_until: Option<Instant>,
}

impl Hold {
    /// None.
    pub(super) const fn new() -> Self {
        Self { mode: Mode::Open, refusals: 0, refused_at: None, wary_until: None }
    }

    /// When the next request may be sent, if that is not for the bucket to say.
    pub(super) fn turn(&mut self, now: Instant) -> Option<Turn> {
        match self.mode {
            Mode::Open => None,
            Mode::Blocked(until) if now < until => Some(Turn::At(until)),
            Mode::Blocked(_) => {
                self.mode = Mode::Probing(None);
                Some(Turn::Now)
            }
            Mode::Probing(None) => Some(Turn::Now),
            Mode::Probing(Some(_)) => Some(Turn::AfterProbe),
        }
    }

    /// Whether the bucket alone decides.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.mode, Mode::Open)
    }

    /// Whether nothing may be sent before a time that was told.
    pub(super) const fn is_blocked(&self) -> bool {
        matches!(self.mode, Mode::Blocked(_))
    }

    /// How long that is from now.
    pub(super) fn left(&self, now: Instant) -> Duration {
        match self.mode {
            Mode::Blocked(until) => until.saturating_duration_since(now),
            Mode::Open | Mode::Probing(_) => Duration::ZERO,
        }
    }

    /// Whether the tenant refused something lately.
    pub(super) fn is_wary(&self, now: Instant) -> bool {
        self.wary_until.is_some_and(|until| now < until)
    }

    /// A request is sent.
    pub(super) fn sent(&mut self, number: u64) {
        if self.mode == Mode::Probing(None) {
            self.mode = Mode::Probing(Some(number));
        }
    }

    /// A request was answered, and not with a 429.
    pub(super) fn taken(&mut self, grant: Grant) {
        if self.mode == Mode::Probing(Some(grant.number)) {
            self.mode = Mode::Open;
        }
        if self.mode == Mode::Open {
            self.refusals = 0;
        }
    }

    /// A request got no answer: if it was the probe, the next one is.
    pub(super) fn lost(&mut self, grant: Grant) {
        if self.mode == Mode::Probing(Some(grant.number)) {
            self.mode = Mode::Probing(None);
        }
    }

    /// A request was answered with a 429. Returns when the next may be sent.
    pub(super) fn refused(
        &mut self,
        grant: Grant,
        headers: RateHeaders<'_>,
        now: Instant,
    ) -> Instant {
        // Requests that were under way when the first one was refused are the same refusal.
        if self.refused_at.is_none_or(|at| grant.sent_at >= at) {
            self.refusals = self.refusals.saturating_add(1);
            self.refused_at = Some(now);
        }
        let mut until = now + self.wait(headers).min(LONGEST);
        if let Mode::Blocked(already) = self.mode {
            until = until.max(already);
        }
        self.mode = Mode::Blocked(until);
        self.wary_until = Some(until + WARY);
        until
    }

    /// How long a 429 tells to wait, else a back-off.
    fn wait(&self, headers: RateHeaders<'_>) -> Duration {
        let told = headers.retry_after(None).or_else(|| reset_in(headers));
        told.filter(|wait| !wait.is_zero()).unwrap_or_else(|| {
            let doublings = self.refusals.saturating_sub(1).min(16);
            BACKOFF.0.saturating_mul(1 << doublings).min(BACKOFF.1)
        })
    }
}

/// `x-ratelimit-reset` as a wait, if it can be one.
pub(super) fn reset_in(headers: RateHeaders<'_>) -> Option<Duration> {
    headers.reset_in(None).filter(|reset| *reset <= LONGEST_RESET)
}
