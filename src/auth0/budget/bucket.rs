//! A mirror of the tenant's token bucket, corrected by every answer. Pure: time is a parameter.
//!
//! The mirror loses a permit with every request sent and fills at the learned rate. Each request
//! carries away what the mirror held right after it; its answer says what the tenant held at that
//! moment, and the difference is the mirror's error, however late the answer comes. An answer to an
//! older request than one answered before says nothing new. No clock but this machine's monotonic
//! one takes part.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

use super::Class;
use super::refill::{Answer, Refill};
use crate::auth0::rate_headers::RateHeaders;
use crate::config::BudgetSettings;

/// Permits kept back for what the mirror cannot see: requests that overtake one another and those
/// of another replica.
const CUSHION: f64 = 0.5;

/// The wait after a 429 that tells none: the first, doubled by each further one, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// The longest `x-ratelimit-reset` that is believed. No plan's bucket takes longer for a permit, so
/// more means that two clocks were mixed up.
const LONGEST_RESET: Duration = Duration::from_mins(1);

/// The longest `Retry-After` that is obeyed to the end: the longest that Auth0 documents.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// The shortest wait, which is as exact as the runtime's timer.
const TICK: Duration = Duration::from_millis(1);

/// How long a 429 makes wary.
const WARY: Duration = Duration::from_mins(1);

/// While wary, what the bucket holds too much is not spent at once but over this time: longer than
/// most answers take, so that replicas see what the others take before all of it is gone.
const SPENDING: Duration = Duration::from_secs(2);

/// How far apart two requests are sent that surely arrive in this order.
const OVERTAKING: Duration = Duration::from_millis(200);

/// What the tenant has told of its bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knowledge {
    /// No answer yet: a small bucket is presumed.
    Nothing,
    /// It tells its bucket.
    Told,
    /// It answers without telling any: nothing is held back.
    Silent,
}

/// Whether requests may be sent at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// As the bucket has it.
    Open,
    /// Not before this moment, after a 429.
    Blocked(Instant),
    /// One request, to see whether the tenant takes any again: its number once it is sent.
    Probing(Option<u64>),
}

/// When the next request may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Now.
    Now,
    /// Then, as far as is known.
    At(Instant),
    /// When another request is answered.
    AfterProbe,
}

/// A request that was let go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grant {
    /// Its number, counted from 1.
    number: u64,
    /// When it was let go.
    sent_at: Instant,
    /// What the mirror held after it, less all corrections until then.
    left: f64,
    /// The last request that it cannot have overtaken on the way.
    after: u64,
}

/// The mirror.
#[derive(Debug)]
pub(super) struct Bucket {
    /// The share of the limit that creates leave to others.
    reserve: f64,
    /// The size of the bucket that is presumed.
    presumed: f64,
    known: Knowledge,
    mode: Mode,
    limit: f64,
    /// Permits left at `at`.
    level: f64,
    at: Instant,
    refill: Refill,
    /// The sum of all corrections.
    corrections: f64,
    /// How many requests were let go.
    sent: u64,
    /// How many of them ended, with an answer or without.
    ended: u64,
    /// The latest of them that was answered with its bucket.
    answered: u64,
    /// When the last one was let go.
    sent_at: Instant,
    /// The last request of the [`OVERTAKING`] before this one, and of this one, with its begin.
    before: u64,
    current: (Instant, u64),
    /// 429s in a row.
    refusals: u32,
    refused_at: Option<Instant>,
}

impl Bucket {
    /// Nothing is known.
    pub(super) fn new(settings: &BudgetSettings, now: Instant) -> Self {
        let presumed = f64::from(settings.initial_burst);
        Self {
            reserve: f64::from(settings.reserve_percent) / 100.0,
            presumed,
            known: Knowledge::Nothing,
            mode: Mode::Open,
            limit: presumed,
            level: presumed,
            at: now,
            refill: Refill::new(),
            corrections: 0.0,
            sent: 0,
            ended: 0,
            answered: 0,
            sent_at: now,
            before: 0,
            current: (now, 0),
            refusals: 0,
            refused_at: None,
        }
    }

    /// When the next request of this class may be sent.
    pub(super) fn turn(&mut self, class: Class, now: Instant) -> Turn {
        self.advance(now);
        match self.mode {
            Mode::Blocked(until) if now < until => Turn::At(until),
            Mode::Blocked(_) => {
                self.mode = Mode::Probing(None);
                Turn::Now
            }
            Mode::Probing(None) => Turn::Now,
            Mode::Probing(Some(_)) => Turn::AfterProbe,
            Mode::Open if self.known == Knowledge::Silent => Turn::Now,
            Mode::Open => {
                let missing = self.needed(class) - self.level;
                let filled = now + self.refilled_in(missing);
                let at = filled.max(self.paced(class, now));
                if at <= now { Turn::Now } else { Turn::At(at.max(now + TICK)) }
            }
        }
    }

    /// Lets one request go.
    pub(super) fn take(&mut self, now: Instant) -> Grant {
        self.advance(now);
        if now >= self.current.0 + OVERTAKING {
            self.before = self.current.1;
            self.current = (now, self.sent);
        }
        self.level -= 1.0;
        self.sent += 1;
        self.sent_at = now;
        if self.mode == Mode::Probing(None) {
            self.mode = Mode::Probing(Some(self.sent));
        }
        let left = self.level - self.corrections;
        Grant { number: self.sent, sent_at: now, left, after: self.before }
    }

    /// How long until a request is let go that has `ahead` others before it.
    pub(super) fn wait(&mut self, class: Class, ahead: usize, now: Instant) -> Duration {
        self.advance(now);
        let blocked = match self.mode {
            Mode::Blocked(until) => until.saturating_duration_since(now),
            Mode::Open | Mode::Probing(_) => Duration::ZERO,
        };
        let ahead = f64::from(u32::try_from(ahead).unwrap_or(u32::MAX));
        blocked + self.refilled_in(self.needed(class) + ahead - self.level)
    }

    /// Whether nothing may be sent before a time that was told.
    pub(super) const fn is_blocked(&self) -> bool {
        matches!(self.mode, Mode::Blocked(_))
    }

    /// Whether [`Self::wait`] rests on what was measured or told, and is worth refusing somebody by.
    pub(super) const fn is_sure(&self) -> bool {
        self.refill.is_measured() || self.is_blocked()
    }

    /// Learns from an answer. Returns the bucket that the tenant told.
    pub(super) fn observe(
        &mut self,
        grant: Grant,
        status: u16,
        headers: &HeaderMap,
        now: Instant,
    ) -> Option<(u32, u32)> {
        self.advance(now);
        self.ended += 1;
        let headers = RateHeaders::of(headers);
        let told = headers.bucket();
        if status == 429 {
            self.refused(grant, headers, told, now);
            return told;
        }
        if self.mode == Mode::Probing(Some(grant.number)) {
            self.mode = Mode::Open;
        }
        if self.mode == Mode::Open {
            self.refusals = 0;
        }
        let Some((limit, remaining)) = told else {
            if status >= 500 {
                self.refill.interrupt();
            } else if self.known == Knowledge::Nothing && !self.is_wary(now) {
                self.known = Knowledge::Silent;
            }
            return None;
        };
        if grant.number > self.answered {
            if (remaining == 0 || self.known != Knowledge::Told)
                && let Some(reset) = reset_in(headers)
            {
                self.refill.told(reset);
            }
            self.answered = grant.number;
            self.known = Knowledge::Told;
            self.limit = f64::from(limit);
            let overtaken = self.overtaken(grant);
            self.correct(grant, f64::from(remaining), overtaken);
            let counted = grant.number - overtaken;
            let answer = Answer { counted, sent_at: grant.sent_at, remaining: remaining.into() };
            self.refill.observe(answer, self.limit);
        }
        told
    }

    /// Notes that a request got no answer. It keeps its permit, since the tenant may have counted it.
    pub(super) fn lost(&mut self, grant: Grant) {
        self.ended += 1;
        self.refill.interrupt();
        if self.mode == Mode::Probing(Some(grant.number)) {
            self.mode = Mode::Probing(None);
        }
    }

    /// Moves the mirror by its error at the moment of this request.
    fn correct(&mut self, grant: Grant, remaining: f64, overtaken: u64) {
        let left = (grant.left + self.corrections).min(self.limit - 1.0);
        let overtaken = f64::from(u32::try_from(overtaken).unwrap_or(u32::MAX));
        // `remaining` is rounded down; the mirror may know the fraction.
        if left >= remaining + 1.0 {
            self.shift(remaining - left);
        } else if left < remaining - overtaken {
            self.shift(remaining - overtaken - left);
        }
        self.level = self.level.min(self.limit);
    }

    /// How many older requests this one may have overtaken, so that its answer did not count them:
    /// those sent shortly before it that have no answer yet. `grant` has just ended itself, and
    /// everything sent after it is still under way.
    fn overtaken(&self, grant: Grant) -> u64 {
        let open = grant.number.saturating_sub(self.ended);
        open.min(grant.number - 1 - grant.after)
    }

    /// Whether the tenant refused something lately.
    fn is_wary(&self, now: Instant) -> bool {
        self.refused_at.is_some_and(|at| now < at + WARY)
    }

    /// When the pace allows the next request.
    fn paced(&self, class: Class, now: Instant) -> Instant {
        if !self.is_wary(now) {
            return now;
        }
        let surplus = (self.level - self.needed(class)).max(0.0);
        let pace = self.refill.rate() + surplus / SPENDING.as_secs_f64();
        self.sent_at + Duration::from_secs_f64(1.0 / pace)
    }

    /// Moves the level, and what the requests under way carry with them.
    fn shift(&mut self, by: f64) {
        self.level += by;
        self.corrections += by;
    }

    /// Holds everything back after a 429.
    fn refused(
        &mut self,
        grant: Grant,
        headers: RateHeaders<'_>,
        told: Option<(u32, u32)>,
        now: Instant,
    ) {
        match told {
            Some((limit, _)) => {
                self.known = Knowledge::Told;
                self.limit = limit.into();
            }
            None if self.known == Knowledge::Silent => {
                self.known = Knowledge::Nothing;
                self.limit = self.presumed;
            }
            None => {}
        }
        // Requests that were under way when the first one was refused are the same refusal.
        let again = self.refused_at.is_some_and(|at| grant.sent_at < at);
        if !again {
            self.refusals = self.refusals.saturating_add(1);
            self.refused_at = Some(now);
        }
        let mut until = now + self.told_wait(headers).min(LONGEST_WAIT);
        if let Mode::Blocked(already) = self.mode {
            until = until.max(already);
        }
        self.mode = Mode::Blocked(until);
        // Empty, and filling only from then on: a request first shows how much there really is.
        self.shift(self.level.min(0.0) - self.level);
        self.at = until;
        self.answered = self.answered.max(grant.number);
        self.refill.interrupt();
    }

    /// How long a 429 tells to wait, else a back-off.
    fn told_wait(&self, headers: RateHeaders<'_>) -> Duration {
        let told =
            headers.retry_after().or_else(|| reset_in(headers)).filter(|wait| !wait.is_zero());
        let doubled = BACKOFF.0.saturating_mul(1 << self.refusals.saturating_sub(1).min(6));
        told.unwrap_or_else(|| doubled.min(BACKOFF.1))
    }

    /// The permits that must be there for a request of this class to go.
    fn needed(&self, class: Class) -> f64 {
        let kept = match (self.known, class) {
            (Knowledge::Nothing | Knowledge::Silent, _) => 0.0,
            (Knowledge::Told, Class::Lookup) => CUSHION,
            (Knowledge::Told, Class::Create) => CUSHION.max(self.reserve * self.limit),
        };
        (1.0 + kept).min(self.limit)
    }

    /// How long so many permits take; at most [`LONGEST_WAIT`].
    fn refilled_in(&self, permits: f64) -> Duration {
        let seconds = (permits / self.refill.rate()).clamp(0.0, LONGEST_WAIT.as_secs_f64());
        Duration::from_secs_f64(seconds)
    }

    /// Fills the mirror up to now.
    fn advance(&mut self, now: Instant) {
        // Not while blocked: `at` lies ahead then.
        if let Some(passed) = now.checked_duration_since(self.at) {
            let filled = self.level + self.refill.rate() * passed.as_secs_f64();
            self.level = filled.min(self.limit);
            self.at = now;
        }
    }
}

/// `x-ratelimit-reset` as a wait, if it can be one.
fn reset_in(headers: RateHeaders<'_>) -> Option<Duration> {
    headers.reset_in(None).filter(|reset| *reset <= LONGEST_RESET)
}
