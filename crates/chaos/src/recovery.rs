//! The time from a kill to the first final response for clients that were in flight.
//!
//! Another event may delay the response: a suspension, a shutdown that drains for seconds. Such
//! clients are counted separately, because their times say nothing about the kill.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The latest kill of each service, and the measured times.
#[derive(Debug)]
pub(crate) struct Recoveries(Mutex<Measured>);

#[derive(Debug, Default)]
struct Measured {
    /// By the index of the service.
    killed_at: Vec<Option<Instant>>,
    /// The latest other event that delays clients.
    disturbed_at: Option<Instant>,
    times: Vec<Duration>,
    /// The number of clients that another event delayed.
    disturbed: usize,
    /// The number of clients that never got a final response.
    unfinished: usize,
}

/// The distribution of the times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecoveryTimes {
    /// The number of clients that were in flight and got a final response.
    pub(crate) clients: usize,
    /// The number that another event delayed; not part of the distribution.
    pub(crate) disturbed: usize,
    /// The number that got none.
    pub(crate) unfinished: usize,
    /// The median.
    pub(crate) p50: Duration,
    /// The 99th percentile.
    pub(crate) p99: Duration,
    /// The longest.
    pub(crate) longest: Duration,
}

impl Recoveries {
    /// No kill of any of the services.
    pub(crate) fn new(services: usize) -> Self {
        Self(Mutex::new(Measured { killed_at: vec![None; services], ..Measured::default() }))
    }

    /// Records that the service is killed now.
    pub(crate) fn kill(&self, service: usize) {
        if let Some(killed_at) = self.0.lock().killed_at.get_mut(service) {
            *killed_at = Some(Instant::now());
        }
    }

    /// Records that an event delays clients from now on, or did until now.
    pub(crate) fn disturb(&self) {
        self.0.lock().disturbed_at = Some(Instant::now());
    }

    /// Returns the time of the service's latest kill, if it happened since then.
    pub(crate) fn killed_since(&self, service: usize, since: Instant) -> Option<Instant> {
        let killed_at = self.0.lock().killed_at.get(service).copied().flatten();
        killed_at.filter(|killed_at| *killed_at >= since)
    }

    /// Records that a client which was in flight at `killed_at` has a final response now.
    pub(crate) fn finish(&self, killed_at: Instant) {
        let mut measured = self.0.lock();
        if measured.disturbed_at.is_some_and(|disturbed_at| disturbed_at >= killed_at) {
            measured.disturbed += 1;
        } else {
            measured.times.push(killed_at.elapsed());
        }
    }

    /// Records that a client which was in flight never got a final response.
    pub(crate) fn give_up(&self) {
        self.0.lock().unfinished += 1;
    }

    /// The distribution of the times so far.
    pub(crate) fn times(&self) -> RecoveryTimes {
        let measured = self.0.lock();
        let mut times = measured.times.clone();
        times.sort_unstable();
        let percentile = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100);
            times.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        RecoveryTimes {
            clients: times.len(),
            disturbed: measured.disturbed,
            unfinished: measured.unfinished,
            p50: percentile(50),
            p99: percentile(99),
            longest: percentile(100),
        }
    }
}
