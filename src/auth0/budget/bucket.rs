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

use super::Priority;
use super::cooldown::{Hold, reset_in};
use super::refill_estimator::{Answer, Refill};
use crate::auth0::rate_headers::RateHeaders;
use crate::config::BudgetSettings;

/// Permits kept back for what the mirror cannot see: requests that overtake one another and those
/// of another replica.
const CUSHION: f64 = 0.5;

/// How far apart two requests are sent that surely arrive in this order.
const OVERTAKING: Duration = Duration::from_millis(200);

/// While wary, what the bucket holds too much is not spent at once but over this time: longer than
/// most answers take, so that replicas see what the others take before all of it is gone.
const SPENDING: Duration = Duration::from_secs(2);

/// The shortest wait, which is as exact as the runtime's timer.
const TICK: Duration = Duration::from_millis(1);

/// The longest wait that is computed.
const FOREVER: Duration = Duration::from_hours(24);

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
    pub(super) number: u64,
    /// When it was let go.
    pub(super) sent_at: Instant,
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
    /// What has been told.
    known: Knowledge,
    /// What 429s hold back.
    hold: Hold,
    /// How fast it fills.
    refill: Refill,
    /// Its size.
    limit: f64,
    /// Permits left at `at`.
    level: f64,
    /// Ahead of now while blocked: nothing fills until then.
    at: Instant,
    /// The sum of all corrections.
    corrections: f64,
    /// What was let go so far.
    sent: Sent,
}

/// What was let go so far.
#[derive(Debug)]
struct Sent {
    /// How many requests.
    count: u64,
    /// How many of them ended, with an answer or without.
    ended: u64,
    /// The latest of them that was answered with its bucket.
    answered: u64,
    /// The least that any answer told since nothing was under way.
    lowest: f64,
    /// When the last one was let go.
    last_at: Instant,
    /// When the current span of [`OVERTAKING`] began, and the last request before it.
    span: (Instant, u64),
    /// The last request before the span before that.
    before: u64,
}

impl Bucket {
    /// Nothing is known.
    pub(super) fn new(settings: &BudgetSettings, now: Instant) -> Self {
        let presumed = f64::from(settings.initial_burst);
        Self {
            reserve: f64::from(settings.reserve_percent) / 100.0,
            presumed,
            known: Knowledge::Nothing,
            hold: Hold::new(),
            refill: Refill::new(),
            limit: presumed,
            level: presumed,
            at: now,
            corrections: 0.0,
            sent: Sent {
                count: 0,
                ended: 0,
                answered: 0,
                lowest: f64::INFINITY,
                last_at: now,
                span: (now, 0),
                before: 0,
            },
        }
    }

    /// When the next request of this class may be sent.
    pub(super) fn turn(&mut self, class: Priority, now: Instant) -> Turn {
        self.advance(now);
        if let Some(turn) = self.hold.turn(now) {
            return turn;
        }
        if self.known == Knowledge::Silent {
            return Turn::Now;
        }
        let surplus = self.level - self.needed(class);
        let filled = now + self.refilled_in(-surplus);
        // The mirror may be wrong, and without an answer would stay so: one request goes when the
        // tenant must have a permit by what it told.
        let look = self.sent.last_at + self.refill.longest();
        let at = filled.max(self.paced(surplus, now)).min(look);
        if at <= now { Turn::Now } else { Turn::At(at.max(now + TICK)) }
    }

    /// Lets one request go.
    pub(super) fn take(&mut self, now: Instant) -> Grant {
        self.advance(now);
        let sent = &mut self.sent;
        if now >= sent.span.0 + OVERTAKING {
            sent.before = sent.span.1;
            sent.span = (now, sent.count);
        }
        sent.count += 1;
        sent.last_at = now;
        self.level -= 1.0;
        self.hold.sent(sent.count);
        let left = self.level - self.corrections;
        Grant { number: sent.count, sent_at: now, left, after: sent.before }
    }

    /// How long until a request is let go that has `ahead` others before it.
    pub(super) fn wait(&mut self, class: Priority, ahead: usize, now: Instant) -> Duration {
        self.advance(now);
        let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
        let filled = self.refilled_in(self.needed(class) + f64::from(ahead) - self.level);
        // The first one after a hold does not wait for the bucket, and looks go in any case.
        let looks = if self.hold.is_open() { ahead.saturating_add(1) } else { ahead };
        self.hold.left(now) + filled.min(self.refill.longest().saturating_mul(looks))
    }

    /// Whether [`Self::wait`] rests on what was measured or told, and is worth refusing somebody by.
    pub(super) const fn is_sure(&self) -> bool {
        self.refill.is_measured() || self.hold.is_blocked()
    }

    /// Whether nothing may be sent before a time that was told.
    pub(super) const fn is_blocked(&self) -> bool {
        self.hold.is_blocked()
    }

    /// Learns from an answer. Returns the bucket that the tenant told: its size and what is left.
    pub(super) fn observe(
        &mut self,
        grant: Grant,
        status: u16,
        headers: &HeaderMap,
        now: Instant,
    ) -> Option<(u32, u32)> {
        self.advance(now);
        self.sent.ended += 1;
        let headers = RateHeaders::of(headers);
        let told = headers.bucket();
        let lowest = told.map_or(0.0, |(_, remaining)| remaining.into());
        self.sent.lowest = self.sent.lowest.min(lowest);
        if status == 429 {
            self.refused(grant, headers, told, now);
            return told;
        }
        self.hold.taken(grant);
        match told {
            Some((limit, remaining)) => self.learn(grant, headers, limit.into(), remaining.into()),
            // Not of the API itself, perhaps: whether it took a permit is not known.
            None if status >= 500 => self.refill.interrupt(),
            None if self.known == Knowledge::Nothing && !self.hold.is_wary(now) => {
                self.known = Knowledge::Silent;
            }
            None => {}
        }
        self.settle();
        told
    }

    /// Notes that a request got no answer. It keeps its permit, since the tenant may have counted it.
    pub(super) fn lost(&mut self, grant: Grant) {
        self.sent.ended += 1;
        self.sent.lowest = 0.0;
        self.refill.interrupt();
        self.hold.lost(grant);
        self.settle();
    }

    /// Corrects the mirror and the refill by the latest answer.
    fn learn(&mut self, grant: Grant, headers: RateHeaders<'_>, limit: f64, remaining: f64) {
        if grant.number <= self.sent.answered {
            return;
        }
        self.sent.answered = grant.number;
        if (remaining < 1.0 || self.known != Knowledge::Told)
            && let Some(reset) = reset_in(headers)
        {
            self.refill.told(reset);
        }
        self.known = Knowledge::Told;
        self.limit = limit;
        let overtaken = self.overtaken(grant);
        self.correct(grant, remaining, overtaken);
        let counted = grant.number - overtaken;
        self.refill.observe(Answer { counted, sent_at: grant.sent_at, remaining }, limit);
    }

    /// How many older requests this one may have overtaken, so that its answer did not count them:
    /// those sent shortly before it that have no answer yet. It has just ended itself, and all that
    /// were sent after it are under way.
    fn overtaken(&self, grant: Grant) -> u64 {
        let open = grant.number.saturating_sub(self.sent.ended);
        open.min(grant.number - 1 - grant.after)
    }

    /// Moves the mirror by its error at the moment of this request, as far as it surely is one.
    fn correct(&mut self, grant: Grant, remaining: f64, overtaken: u64) {
        let left = (grant.left + self.corrections).min(self.limit - 1.0);
        let least = remaining - f64::from(u32::try_from(overtaken).unwrap_or(u32::MAX));
        // `remaining` is rounded down; the mirror may know the fraction.
        if left >= remaining + 1.0 {
            self.shift(remaining - left);
        } else if left < least {
            self.shift(least - left);
        }
        self.level = self.level.min(self.limit);
    }

    /// Once nothing is under way, whichever request the tenant counted last has told what was left
    /// after all of them: the least of what they told, or more.
    fn settle(&mut self) {
        if self.sent.ended == self.sent.count {
            let lowest = std::mem::replace(&mut self.sent.lowest, f64::INFINITY);
            self.shift((lowest - self.level).max(0.0));
        }
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
        if let Some((limit, _)) = told {
            (self.known, self.limit) = (Knowledge::Told, limit.into());
        } else if self.known == Knowledge::Silent {
            (self.known, self.limit) = (Knowledge::Nothing, self.presumed);
        }
        // Empty, and filling only from then on: a request first shows how much there really is.
        self.at = self.hold.refused(grant, headers, now);
        self.shift(self.level.min(0.0) - self.level);
        self.sent.answered = self.sent.answered.max(grant.number);
        self.refill.interrupt();
    }

    /// When the pace allows the next request.
    fn paced(&self, surplus: f64, now: Instant) -> Instant {
        if !self.hold.is_wary(now) {
            return now;
        }
        let pace = self.refill.rate() + surplus.max(0.0) / SPENDING.as_secs_f64();
        self.sent.last_at + Duration::from_secs_f64(1.0 / pace)
    }

    /// The permits that must be there for a request of this class to go.
    fn needed(&self, class: Priority) -> f64 {
        let kept = match (self.known, class) {
            (Knowledge::Nothing | Knowledge::Silent, _) => 0.0,
            (Knowledge::Told, Priority::Lookup) => CUSHION,
            (Knowledge::Told, Priority::Create | Priority::Background) => {
                CUSHION.max(self.reserve * self.limit)
            }
            // The lower half is for those who need it.
            (Knowledge::Told, Priority::BestEffort) => {
                CUSHION.max(self.reserve.max(0.5) * self.limit)
            }
        };
        (1.0 + kept).min(self.limit)
    }

    /// How long so many permits take.
    fn refilled_in(&self, permits: f64) -> Duration {
        let seconds = (permits / self.refill.rate()).clamp(0.0, FOREVER.as_secs_f64());
        Duration::from_secs_f64(seconds)
    }

    /// Fills the mirror up to now.
    fn advance(&mut self, now: Instant) {
        if let Some(passed) = now.checked_duration_since(self.at) {
            let filled = self.level + self.refill.rate() * passed.as_secs_f64();
            self.level = filled.min(self.limit);
            self.at = now;
        }
    }
}
