//! The cooldown after a 429: nothing is sent before the reported time, then one request as a probe,
//! then the others with caution. A long wait is probed every minute. Pure: time is a parameter.

use std::time::Duration;

use tokio::time::Instant;

use super::sent_request::{NextSend, SentRequest};
use crate::auth0::wait::{PROBE_INTERVAL, RequestedWait};

/// The wait after a 429 that reports none: the first, doubled by each further one, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// The duration of the caution, counted from the time at which the next request may be sent.
const CAUTION: Duration = Duration::from_mins(1);

/// The smallest share of a surplus that this client takes for its own.
const SMALLEST_SHARE: f64 = 1.0 / 128.0;

/// The time without a 429 in which the share doubles.
const SHARE_DOUBLES_IN: Duration = Duration::from_secs(15);

/// The state of the cooldown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CooldownState {
    /// The bucket alone decides.
    Open,
    /// Nothing is sent before this time.
    Blocked(Instant),
    /// One request probes whether the tenant accepts requests again; its number once it is sent.
    Probing(Option<u64>),
}

/// The cooldown that 429s put on the bucket.
#[derive(Debug)]
pub(super) struct Cooldown {
    /// The current state.
    state: CooldownState,
    /// 429s in a row.
    rejections: u32,
    /// The arrival of the last of them.
    rejected_at: Option<Instant>,
    /// The end of the caution.
    cautious_until: Option<Instant>,
    /// The share of a surplus that this client takes for its own, and the time from which it grows.
    share: Option<(f64, Instant)>,
    /// The end of a long wait. Until then one request at a time is sent, as a probe.
    long_until: Option<Instant>,
}

impl Cooldown {
    /// Returns an inactive cooldown.
    pub(super) const fn new() -> Self {
        Self {
            state: CooldownState::Open,
            rejections: 0,
            rejected_at: None,
            cautious_until: None,
            share: None,
            long_until: None,
        }
    }

    /// Returns the time at which the next request may be sent, or `None` if the bucket decides.
    pub(super) fn next_send(&mut self, now: Instant) -> Option<NextSend> {
        match self.state {
            CooldownState::Open => None,
            CooldownState::Blocked(until) if now < until => Some(NextSend::At(until)),
            CooldownState::Blocked(_) => {
                self.state = CooldownState::Probing(None);
                Some(NextSend::Now)
            }
            CooldownState::Probing(None) => Some(NextSend::Now),
            CooldownState::Probing(Some(_)) => Some(NextSend::AfterProbe),
        }
    }

    /// Returns whether the bucket alone decides.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.state, CooldownState::Open)
    }

    /// Returns whether nothing may be sent before a reported time.
    pub(super) const fn is_blocked(&self) -> bool {
        matches!(self.state, CooldownState::Blocked(_))
    }

    /// Returns the reported time until requests are accepted again; zero without one. A probe may
    /// be accepted earlier.
    pub(super) fn left(&self, now: Instant) -> Duration {
        let long = self.long_wait(now);
        match self.state {
            CooldownState::Blocked(until) => until.saturating_duration_since(now).max(long),
            CooldownState::Open | CooldownState::Probing(_) => long,
        }
    }

    /// Returns the rest of a long wait; zero without one.
    pub(super) fn long_wait(&self, now: Instant) -> Duration {
        self.long_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// Returns whether the tenant rejected a request recently.
    pub(super) fn is_cautious(&self, now: Instant) -> bool {
        self.cautious_until.is_some_and(|until| now < until) || self.share(now) < 1.0
    }

    /// The share of a surplus that this client may take for its own: all of it at first, half as much
    /// after each 429 that comes in spite of the caution, and more again with time. So any number of
    /// replicas, which all see the same surplus, converge on taking it once together.
    pub(super) fn share(&self, now: Instant) -> f64 {
        let Some((share, from)) = self.share else { return 1.0 };
        let doublings = now.saturating_duration_since(from).div_duration_f64(SHARE_DOUBLES_IN);
        (share * doublings.exp2()).min(1.0)
    }

    /// Records that a request is sent.
    pub(super) fn record_send(&mut self, number: u64) {
        if self.state == CooldownState::Probing(None) {
            self.state = CooldownState::Probing(Some(number));
        }
    }

    /// Records a response that shows that the tenant accepts requests.
    pub(super) fn record_acceptance(&mut self, request: SentRequest) {
        if self.state == CooldownState::Probing(Some(request.number)) {
            self.state = CooldownState::Open;
        }
        if self.state == CooldownState::Open {
            self.long_until = None;
            self.rejections = 0;
        }
    }

    /// Records that a request got no response of the tenant. If it was the probe, another request
    /// becomes the probe: the next one, or in a long wait one after a pause.
    pub(super) fn record_loss(&mut self, request: SentRequest, now: Instant) {
        if self.state == CooldownState::Probing(Some(request.number)) {
            self.state = if self.long_wait(now).is_zero() {
                CooldownState::Probing(None)
            } else {
                CooldownState::Blocked(now + PROBE_INTERVAL)
            };
        }
    }

    /// Returns whether a 429 is not part of the last rejection. Requests that were under way when its
    /// first 429 arrived belong to it.
    pub(super) fn is_new_rejection(&self, request: SentRequest) -> bool {
        self.rejected_at.is_none_or(|at| request.sent_at >= at)
    }

    /// Starts or extends the cooldown after a 429. Returns the time at which the next request may
    /// be sent.
    pub(super) fn start(
        &mut self,
        request: SentRequest,
        requested: RequestedWait,
        now: Instant,
    ) -> Instant {
        if self.is_new_rejection(request) {
            self.rejections = self.rejections.saturating_add(1);
            self.rejected_at = Some(now);
            if self.is_cautious(now) {
                self.share = Some(((self.share(now) / 2.0).max(SMALLEST_SHARE), now));
            }
        }
        let wait = requested.wait.unwrap_or_else(|| self.backoff());
        let is_long = wait > PROBE_INTERVAL;
        let mut until = now + wait.min(PROBE_INTERVAL);
        if let CooldownState::Blocked(already) = self.state {
            until = until.max(already);
            if is_long {
                self.long_until = self.long_until.max(Some(now + wait));
            }
        } else if is_long || requested.is_from_auth0 {
            // The response to a probe replaces the wait. One from anything in front of the tenant
            // says nothing about it.
            self.long_until = is_long.then_some(now + wait);
        }
        self.state = CooldownState::Blocked(until);
        self.cautious_until = Some(until + CAUTION);
        until
    }

    /// Returns the wait after a 429 that reports none.
    fn backoff(&self) -> Duration {
        let doublings = self.rejections.saturating_sub(1).min(16);
        BACKOFF.0.saturating_mul(1 << doublings).min(BACKOFF.1)
    }
}
