//! The heartbeat of this process, by which other replicas see that it still works on its attempts.
//!
//! A request whose key belongs to an attempt of a dead process resolves the attempt instead of
//! waiting for it. So a process that was paused cannot rely on its attempts any more: once its own
//! heartbeat has lapsed, it reads an attempt again before it sends anything.

use std::time::Duration;

use parking_lot::Mutex;
use time::Duration as SignedDuration;
use tokio::time::{Instant, MissedTickBehavior, interval};
use uuid::Uuid;

use super::Inner;
use crate::clock::LedgerTime;
use crate::ledger::HEARTBEAT_LAPSE;
use crate::telemetry::{ClockSource, chain};

/// The interval of heartbeats.
const INTERVAL: Duration = Duration::from_millis(500);

/// The heartbeat of one process.
#[derive(Debug)]
pub(super) struct Heartbeat {
    process: Uuid,
    pulse: Mutex<Pulse>,
}

/// The heartbeats that were recorded.
#[derive(Debug, Clone, Copy, Default)]
struct Pulse {
    /// The start of the last one, and the ledger's time in it.
    last: Option<(Instant, LedgerTime)>,
    /// The number of times that it had lapsed when the next one was recorded.
    lapses: u64,
    /// True once its failure was logged.
    is_reported: bool,
}

impl Pulse {
    fn has_lapsed(&self) -> bool {
        self.last.is_none_or(|(last, _)| last.elapsed() >= HEARTBEAT_LAPSE)
    }
}

/// A time at which the heartbeat had not lapsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AliveSince(u64);

impl Heartbeat {
    /// A process without a heartbeat yet.
    pub(super) fn new(process: Uuid) -> Self {
        Self { process, pulse: Mutex::default() }
    }

    /// The id of this process.
    pub(super) const fn process(&self) -> Uuid {
        self.process
    }

    /// Returns the present time, for [`Self::has_lapsed_since`]; `None` while it has lapsed.
    pub(super) fn alive_since(&self) -> Option<AliveSince> {
        let pulse = *self.pulse.lock();
        (!pulse.has_lapsed()).then_some(AliveSince(pulse.lapses))
    }

    /// Returns whether other replicas may have counted this process as dead since then.
    pub(super) fn has_lapsed_since(&self, since: Option<AliveSince>) -> bool {
        since.is_none() || self.alive_since() != since
    }

    /// Records a heartbeat that started at `at`, and in which the ledger read `now`.
    fn record(&self, at: Instant, now: LedgerTime) {
        let mut pulse = self.pulse.lock();
        // The monotonic clock stands still while the machine is suspended.
        let was_suspended = pulse.last.is_some_and(|(_, last)| now.since(last) >= HEARTBEAT_LAPSE);
        pulse.lapses += u64::from(was_suspended || pulse.has_lapsed());
        pulse.last = Some((at, now));
        pulse.is_reported = false;
    }

    /// Returns whether a failed heartbeat has to be logged: once, when it has lapsed.
    fn report_failure(&self) -> bool {
        let mut pulse = self.pulse.lock();
        let is_news = pulse.has_lapsed() && !pulse.is_reported;
        pulse.is_reported |= is_news;
        is_news
    }
}

impl Inner {
    /// Records heartbeats until it is dropped.
    pub(super) async fn show_alive(&self) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.beat().await;
        }
    }

    /// Records one heartbeat. Failures are logged once they last for a lapse.
    pub(super) async fn beat(&self) {
        let (started_at, clock) = (Instant::now(), self.context.clock.now());
        match self.ledger.heartbeat(self.heartbeat.process()).await {
            Ok(now) => {
                self.heartbeat.record(started_at, now);
                let elapsed = started_at.elapsed();
                if elapsed < INTERVAL {
                    // The ledger read its clock about half-way.
                    let skew =
                        signed(clock + elapsed / 2).saturating_sub(signed(now.since_epoch()));
                    self.context.metrics.clock_skew().observe(ClockSource::Ledger, skew);
                }
            }
            Err(error) if self.heartbeat.report_failure() => tracing::warn!(
                error = chain(&error),
                "no heartbeat can be recorded: replicas on the same database, if there are any, take \
                 this one for dead"
            ),
            Err(error) => tracing::debug!(error = chain(&error), "no heartbeat: {error}"),
        }
    }
}

/// A time as a signed one, for differences; saturates in the year 292 billion.
fn signed(time: Duration) -> SignedDuration {
    SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failures_are_reported_once_and_again_after_a_success() {
        let heartbeat = Heartbeat::new(Uuid::nil());
        for _ in 0..2 {
            heartbeat.record(Instant::now(), LedgerTime::from_epoch(Duration::ZERO));
            assert!(!heartbeat.report_failure());
            tokio::time::advance(HEARTBEAT_LAPSE).await;
            assert!(heartbeat.report_failure());
            assert!(!heartbeat.report_failure());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lapse_is_noticed_even_after_the_next_heartbeat() {
        let heartbeat = Heartbeat::new(Uuid::nil());
        assert!(heartbeat.alive_since().is_none());
        let ledger = |millis| LedgerTime::from_epoch(Duration::from_millis(millis));
        heartbeat.record(Instant::now(), ledger(0));
        let since = heartbeat.alive_since();
        tokio::time::advance(INTERVAL).await;
        heartbeat.record(Instant::now(), ledger(500));
        assert!(!heartbeat.has_lapsed_since(since));
        tokio::time::advance(HEARTBEAT_LAPSE).await;
        assert!(heartbeat.has_lapsed_since(since));
        heartbeat.record(Instant::now(), ledger(2_000));
        assert!(heartbeat.has_lapsed_since(since));
        // A suspended machine: only the ledger's clock has moved.
        let since = heartbeat.alive_since();
        assert!(!heartbeat.has_lapsed_since(since));
        heartbeat.record(Instant::now(), ledger(60_000));
        assert!(heartbeat.has_lapsed_since(since));
    }
}
