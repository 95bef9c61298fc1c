//! The heartbeat of this process, by which other replicas see that it still works on its attempts.
//!
//! A request whose key belongs to an attempt of a dead process resolves the attempt instead of
//! waiting for it. So a process that was paused cannot rely on its attempts any more: once its own
//! heartbeat has lapsed, it reads an attempt again before it sends anything.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use uuid::Uuid;

use super::Inner;
use crate::ledger::HEARTBEAT_LAPSE;
use crate::telemetry::chain;

/// The interval of heartbeats.
const INTERVAL: Duration = Duration::from_millis(500);

/// The heartbeat of one process.
#[derive(Debug)]
pub(super) struct Heartbeat {
    process: Uuid,
    /// The start of the last heartbeat that was recorded.
    last: Mutex<Option<Instant>>,
}

impl Heartbeat {
    /// A process without a heartbeat yet.
    pub(super) const fn new(process: Uuid) -> Self {
        Self { process, last: Mutex::new(None) }
    }

    /// The id of this process.
    pub(super) const fn process(&self) -> Uuid {
        self.process
    }

    /// Returns whether other replicas may count this process as dead.
    pub(super) fn has_lapsed(&self) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_none_or(|last| last.elapsed() >= HEARTBEAT_LAPSE)
    }

    fn record(&self, at: Instant) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
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

    /// Records one heartbeat. A failure is not reported: every other call of the ledger fails too.
    pub(super) async fn beat(&self) {
        let started_at = Instant::now();
        match self.ledger.heartbeat(self.heartbeat.process()).await {
            Ok(_now) => self.heartbeat.record(started_at),
            Err(error) => tracing::debug!(error = chain(&error), "no heartbeat: {error}"),
        }
    }
}
