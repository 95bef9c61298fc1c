//! A mirror of the tenant's token bucket, corrected by every response. Pure: time is a parameter.
//!
//! The mirror loses a permit with every request and fills at the estimated rate. Each request
//! remembers what the mirror held right after it. Its response reports what the tenant held at that
//! moment. The difference is the mirror's error, however late the response arrives. A response
//! adds nothing if a later request already has one. Only this machine's monotonic clock is used.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

use super::Priority;
use super::cooldown::Cooldown;
use super::refill_estimator::{RefillEstimator, Sample};
use super::sent_request::{NextSend, SentRequest};
use crate::auth0::rate_headers::RateHeaders;
use crate::auth0::wait::{RequestedWait, reset_in};
use crate::config::BudgetSettings;

/// Permits held back for requests that the mirror cannot see: those that overtake one another, and
/// those of other replicas.
const CUSHION: f64 = 0.5;

/// Requests sent this far apart arrive in the order of sending.
const OVERTAKING: Duration = Duration::from_millis(200);

/// While cautious, surplus permits are spent over this time instead of at once. It is longer than
/// most responses take, so that replicas see each other's requests before the surplus is gone.
const SPENDING: Duration = Duration::from_secs(2);

/// The time constant with which the rate of sending follows a change.
const MEMORY: Duration = Duration::from_secs(5);

/// The shortest wait: the resolution of the runtime's timer.
const TICK: Duration = Duration::from_millis(1);

/// The longest wait that is computed.
const FOREVER: Duration = Duration::from_hours(24);

/// The state of knowledge about the tenant's bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knowledge {
    /// No response yet, or none since a rejection. A small bucket is assumed, or that of the rejection.
    Unknown,
    /// The tenant reports its bucket.
    Reported,
    /// The tenant responds without reporting a bucket. Nothing is held back.
    Unreported,
}

/// The mirror.
#[derive(Debug)]
pub(super) struct Bucket {
    /// The share of the limit that creates leave to the tenant's other clients.
    reserve: f64,
    /// The bucket size that is assumed at first.
    assumed: f64,
    /// The state of knowledge.
    known: Knowledge,
    /// The wait that 429s impose.
    pub(super) cooldown: Cooldown,
    /// The refill rate.
    refill: RefillEstimator,
    /// The bucket's size.
    limit: f64,
    /// Permits left at `at`.
    level: f64,
    /// In the future while blocked: the bucket fills only from then on.
    at: Instant,
    /// The sum of all corrections.
    corrections: f64,
    /// The requests sent so far.
    sent: Sent,
}

/// The requests sent so far.
#[derive(Debug)]
struct Sent {
    /// The number of requests.
    count: u64,
    /// The number of requests that ended, with a response or without.
    ended: u64,
    /// The latest request whose response reported the bucket.
    responded: u64,
    /// The lowest level that any response reported since the last moment without open requests.
    lowest: f64,
    /// The time of the last request.
    last_at: Instant,
    /// The requests a second lately, at the time of the last one.
    rate: f64,
    /// The start of the current span of [`OVERTAKING`], and the last request before it.
    span: (Instant, u64),
    /// The last request before the previous span.
    before: u64,
}

impl Bucket {
    /// Returns a mirror without data.
    pub(super) fn new(settings: &BudgetSettings, now: Instant) -> Self {
        let assumed = f64::from(settings.initial_burst);
        Self {
            reserve: f64::from(settings.reserve_percent) / 100.0,
            assumed,
            known: Knowledge::Unknown,
            cooldown: Cooldown::new(),
            refill: RefillEstimator::new(),
            limit: assumed,
            level: assumed,
            at: now,
            corrections: 0.0,
            sent: Sent {
                count: 0,
                ended: 0,
                responded: 0,
                lowest: f64::INFINITY,
                last_at: now,
                rate: 0.0,
                span: (now, 0),
                before: 0,
            },
        }
    }

    /// Returns the time at which the next request of this priority may be sent.
    pub(super) fn next_send(&mut self, priority: Priority, now: Instant) -> NextSend {
        self.advance(now);
        if let Some(next) = self.cooldown.next_send(now) {
            // The probe is for calls that somebody waits for.
            let may_probe = next != NextSend::Now || priority != Priority::BestEffort;
            return if may_probe { next } else { NextSend::AfterProbe };
        }
        if self.known == Knowledge::Unreported {
            return NextSend::Now;
        }
        let surplus = self.level - self.needed(priority);
        let filled = now + self.refilled_in(-surplus);
        // The mirror may be wrong, and would stay wrong without a response. So one request goes as
        // soon as the tenant must have a permit, by its own report.
        let probe_at = self.sent.last_at + self.refill.longest();
        let at = filled.max(self.paced(surplus, now)).min(probe_at);
        if at <= now { NextSend::Now } else { NextSend::At(at.max(now + TICK)) }
    }

    /// Takes one permit.
    pub(super) fn take(&mut self, now: Instant) -> SentRequest {
        self.advance(now);
        let sent = &mut self.sent;
        if now >= sent.span.0 + OVERTAKING {
            sent.before = sent.span.1;
            sent.span = (now, sent.count);
        }
        sent.count += 1;
        sent.rate = sent.rate_at(now) + 1.0 / MEMORY.as_secs_f64();
        sent.last_at = now;
        self.level -= 1.0;
        self.cooldown.record_send(sent.count);
        let left = self.level - self.corrections;
        SentRequest { number: sent.count, sent_at: now, left, after: sent.before }
    }

    /// Returns the wait of a request that has `ahead` others before it.
    pub(super) fn wait(&mut self, priority: Priority, ahead: usize, now: Instant) -> Duration {
        self.advance(now);
        let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
        let permits = self.needed(priority) + f64::from(ahead) - self.level;
        // Beside other replicas this one gets more than it has measured: a part of each surplus.
        let filled = time_for(permits, self.refill.rate().max(self.sent.rate_at(now)));
        // The first request after a cooldown does not wait for the bucket, and one request per
        // longest refill time goes in any case.
        let probes = if self.cooldown.is_open() { ahead.saturating_add(1) } else { ahead };
        self.cooldown.left(now) + filled.min(self.refill.longest().saturating_mul(probes))
    }

    /// Returns whether [`Self::wait`] rests on measured or reported values, so that a call may be
    /// rejected because of it.
    pub(super) const fn is_sure(&self) -> bool {
        self.refill.is_measured() || self.cooldown.is_blocked()
    }

    /// Learns from a response other than a 429. Returns the bucket that the tenant reported: its
    /// size and the permits left.
    pub(super) fn observe(
        &mut self,
        request: SentRequest,
        status: u16,
        headers: &HeaderMap,
        now: Instant,
    ) -> Option<(u32, u32)> {
        let headers = RateHeaders::new(headers);
        let reported = self.record_end(headers, now);
        // The network in front of the tenant, which did not get through to it.
        if reported.is_none() && (status >= 500 || status == 408) {
            self.cooldown.record_loss(request, now);
        } else {
            self.cooldown.record_acceptance(request);
        }
        match reported {
            Some((limit, remaining)) => {
                self.learn(request, headers, limit.into(), remaining.into(), now);
            }
            // Possibly not a response of the API itself, so it may or may not have taken a permit.
            None if status >= 500 => self.refill.interrupt(),
            None if self.known == Knowledge::Unknown && !self.cooldown.is_cautious(now) => {
                self.known = Knowledge::Unreported;
            }
            None => {}
        }
        self.raise_when_idle();
        reported
    }

    /// Holds every request back after a 429. Returns the bucket that the tenant reported.
    pub(super) fn observe_rejection(
        &mut self,
        request: SentRequest,
        headers: &HeaderMap,
        requested: RequestedWait,
        now: Instant,
    ) -> Option<(u32, u32)> {
        let reported = self.record_end(RateHeaders::new(headers), now);
        // A limiter in front of the tenant may name its bucket in rejections only. So only other responses
        // show whether the tenant reports.
        match reported {
            Some((limit, _)) => self.limit = limit.into(),
            None if self.known == Knowledge::Unreported => self.limit = self.assumed,
            None => {}
        }
        if self.known == Knowledge::Unreported {
            self.known = Knowledge::Unknown;
        }
        if self.cooldown.is_cautious(now) && self.cooldown.is_new_rejection(request) {
            self.refill.halve();
        }
        // Empty, and filling only from then on. The next request shows the true level.
        self.at = self.cooldown.start(request, requested, now);
        self.shift(self.level.min(0.0) - self.level);
        self.sent.responded = self.sent.responded.max(request.number);
        self.refill.interrupt();
        reported
    }

    /// Records that a request got a response. Returns the bucket that it reports.
    fn record_end(&mut self, headers: RateHeaders<'_>, now: Instant) -> Option<(u32, u32)> {
        self.advance(now);
        self.sent.ended += 1;
        let reported = headers.bucket();
        let lowest = reported.map_or(0.0, |(_, remaining)| remaining.into());
        self.sent.lowest = self.sent.lowest.min(lowest);
        reported
    }

    /// Records that a request got no response. It keeps its permit, since the tenant may have
    /// counted it.
    pub(super) fn record_loss(&mut self, request: SentRequest, now: Instant) {
        self.sent.ended += 1;
        self.sent.lowest = 0.0;
        self.refill.interrupt();
        self.cooldown.record_loss(request, now);
        self.raise_when_idle();
    }

    /// Corrects the mirror and the refill rate by the latest response.
    fn learn(
        &mut self,
        request: SentRequest,
        headers: RateHeaders<'_>,
        limit: f64,
        remaining: f64,
        now: Instant,
    ) {
        if request.number <= self.sent.responded {
            return;
        }
        self.sent.responded = request.number;
        if (remaining < 1.0 || self.known != Knowledge::Reported)
            && let Some(reset) = reset_in(headers)
        {
            self.refill.observe_reset(reset);
        }
        self.known = Knowledge::Reported;
        self.limit = limit;
        let overtaken = self.overtaken(request);
        self.correct(request, remaining, overtaken);
        let counted = request.number - overtaken;
        let sample = Sample { counted, sent_at: request.sent_at, remaining };
        self.refill.observe(sample, limit, self.cooldown.is_cautious(now));
    }

    /// Returns the number of older requests that this one may have overtaken, so that its response
    /// did not count them: those sent shortly before it that have no response yet. The request
    /// itself has just ended, and all later ones are under way.
    fn overtaken(&self, request: SentRequest) -> u64 {
        let open = request.number.saturating_sub(self.sent.ended);
        open.min(request.number - 1 - request.after)
    }

    /// Moves the mirror by its error at the time of this request, as far as the error is certain.
    fn correct(&mut self, request: SentRequest, remaining: f64, overtaken: u64) {
        let left = (request.left + self.corrections).min(self.limit - 1.0);
        let least = remaining - f64::from(u32::try_from(overtaken).unwrap_or(u32::MAX));
        // `remaining` is rounded down; the mirror may know the fraction.
        if left >= remaining + 1.0 {
            self.shift(remaining - left);
        } else if left < least {
            self.shift(least - left);
        }
        self.level = self.level.min(self.limit);
    }

    /// Raises the level once no request is under way: the request that the tenant counted last
    /// reported what was left after all of them, which is at least the lowest level reported.
    fn raise_when_idle(&mut self) {
        if self.sent.ended == self.sent.count {
            let lowest = std::mem::replace(&mut self.sent.lowest, f64::INFINITY);
            self.shift((lowest - self.level).max(0.0));
        }
    }

    /// Moves the level, and the values that requests under way remember.
    fn shift(&mut self, by: f64) {
        self.level += by;
        self.corrections += by;
    }

    /// Returns the time at which the pace allows the next request.
    fn paced(&self, surplus: f64, now: Instant) -> Instant {
        if !self.cooldown.is_cautious(now) {
            return now;
        }
        let own = surplus.max(0.0) * self.cooldown.share(now);
        let pace = self.refill.rate() + own / SPENDING.as_secs_f64();
        self.sent.last_at + Duration::from_secs_f64(1.0 / pace)
    }

    /// The level that a request of this priority needs.
    fn needed(&self, priority: Priority) -> f64 {
        let kept = match (self.known, priority) {
            (Knowledge::Unknown | Knowledge::Unreported, _) => 0.0,
            (Knowledge::Reported, Priority::Lookup | Priority::Repeat) => CUSHION,
            (Knowledge::Reported, Priority::Create | Priority::Check | Priority::Background) => {
                CUSHION.max(self.reserve * self.limit)
            }
            // The lower half is reserved for calls that need it.
            (Knowledge::Reported, Priority::BestEffort) => {
                CUSHION.max(self.reserve.max(0.5) * self.limit)
            }
        };
        (1.0 + kept).min(self.limit)
    }

    /// Returns the time in which this many permits come back.
    fn refilled_in(&self, permits: f64) -> Duration {
        time_for(permits, self.refill.rate())
    }

    /// Fills the mirror up to `now`.
    fn advance(&mut self, now: Instant) {
        if let Some(passed) = now.checked_duration_since(self.at) {
            let filled = self.level + self.refill.rate() * passed.as_secs_f64();
            self.level = filled.min(self.limit);
            self.at = now;
        }
    }
}

impl Sent {
    /// The requests a second lately.
    fn rate_at(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.last_at).div_duration_f64(MEMORY);
        self.rate * (-passed).exp()
    }
}

/// The time in which this many permits come at this rate a second.
fn time_for(permits: f64, rate: f64) -> Duration {
    Duration::from_secs_f64((permits / rate).clamp(0.0, FOREVER.as_secs_f64()))
}
