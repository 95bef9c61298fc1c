//! The circuit breaker: while the tenant is down, calls fail at once instead of one by one.
//!
//! While closed, it opens after a run of failures: no response, or a 5xx. A 4xx or a 429 comes from
//! a tenant that is up. While open, it lets nothing through until a pause is over, then one call at
//! a time as a probe. A success closes it; a failed probe opens it for twice as long. Random jitter
//! shortens the pauses, so that replicas do not probe together. The state is pure: time and jitter
//! are parameters.
//!
//! Source of the states: Nygard, *Release It!*; numbers: `config/default.toml`.

use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::config::BreakerSettings;
use crate::telemetry::Metrics;

/// The smallest part of a pause that jitter leaves.
const SHORTEST_PART: f64 = 0.5;

/// The breaker of one tenant.
#[derive(Debug)]
pub(super) struct Breaker {
    circuit: Mutex<Circuit>,
    metrics: Arc<Metrics>,
}

/// One admitted call. If it is dropped without a result and was the probe, the next call becomes the probe.
#[derive(Debug)]
pub(super) struct BreakerPermit {
    breaker: Arc<Breaker>,
    /// True for the probe, until its result is recorded.
    is_probe: bool,
}

impl Breaker {
    /// Returns a closed breaker.
    pub(super) fn new(settings: BreakerSettings, metrics: Arc<Metrics>) -> Arc<Self> {
        let circuit = Circuit { settings, state: CircuitState::Closed { failures: 0 } };
        Arc::new(Self { circuit: Mutex::new(circuit), metrics })
    }

    /// Checks whether a call would be admitted now.
    ///
    /// # Errors
    /// The time to wait if it would not.
    pub(super) fn check(&self, now: Instant) -> Result<(), Duration> {
        self.circuit.lock().wait_time(now).map_or(Ok(()), Err)
    }

    /// Admits a call.
    ///
    /// # Errors
    /// The time to wait if the circuit is open.
    pub(super) fn admit(self: &Arc<Self>, now: Instant) -> Result<BreakerPermit, Duration> {
        let is_probe = self.circuit.lock().admit(now)?;
        Ok(BreakerPermit { breaker: Arc::clone(self), is_probe })
    }

    /// Admits a call in any state. Its result counts like any other.
    pub(super) fn admit_always(self: &Arc<Self>) -> BreakerPermit {
        BreakerPermit { breaker: Arc::clone(self), is_probe: false }
    }

    /// Returns whether the breaker is open or probing.
    pub(super) fn is_open(&self) -> bool {
        self.circuit.lock().is_open()
    }

    /// Changes the circuit. Updates the metric and logs if that opened or closed it.
    fn change(&self, change: impl FnOnce(&mut Circuit)) {
        let mut circuit = self.circuit.lock();
        let before = circuit.is_open();
        change(&mut circuit);
        let after = circuit.is_open();
        if before != after {
            // Under the lock, so that the metric follows the order of the changes.
            self.metrics.breaker_open(after);
            drop(circuit);
            if after {
                tracing::error!("Auth0 is down: calls fail at once until a probe succeeds");
            } else {
                tracing::info!("Auth0 is back: calls are made again");
            }
        }
    }
}

impl BreakerPermit {
    /// Records a response from a tenant that is up.
    pub(super) fn succeeded(mut self) {
        self.is_probe = false;
        self.breaker.change(Circuit::success);
    }

    /// Records a call without a response, or with a 5xx.
    pub(super) fn failed(mut self) {
        let was_probe = take(&mut self.is_probe);
        let (now, part) = (Instant::now(), rand::random_range(SHORTEST_PART..=1.0));
        self.breaker.change(|circuit| circuit.failure(was_probe, now, part));
    }
}

impl Drop for BreakerPermit {
    fn drop(&mut self) {
        if self.is_probe {
            self.breaker.circuit.lock().abandon(Instant::now());
        }
    }
}

/// The state machine.
#[derive(Debug)]
struct Circuit {
    settings: BreakerSettings,
    state: CircuitState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CircuitState {
    /// All calls pass. Counts the failures in a row.
    Closed { failures: u32 },
    /// No call passes until this time.
    Open { until: Instant, pause: Duration },
    /// One probe is under way.
    Probing { pause: Duration },
}

impl Circuit {
    /// Returns the time that a call has to wait, or `None` if it may go now.
    fn wait_time(&self, now: Instant) -> Option<Duration> {
        match self.state {
            CircuitState::Closed { .. } => None,
            CircuitState::Open { until, .. } => {
                until.checked_duration_since(now).filter(|d| !d.is_zero())
            }
            CircuitState::Probing { pause } => Some(pause),
        }
    }

    /// Admits a call; `true` for a probe.
    fn admit(&mut self, now: Instant) -> Result<bool, Duration> {
        if let Some(wait) = self.wait_time(now) {
            return Err(wait);
        }
        let CircuitState::Open { pause, .. } = self.state else { return Ok(false) };
        self.state = CircuitState::Probing { pause };
        Ok(true)
    }

    /// Closes the circuit: a call got a response, whenever it was sent.
    const fn success(&mut self) {
        self.state = CircuitState::Closed { failures: 0 };
    }

    /// Counts a failed call. Jitter leaves `part` of the pause.
    fn failure(&mut self, was_probe: bool, now: Instant, part: f64) {
        let pause = match self.state {
            CircuitState::Closed { failures } if failures + 1 < self.settings.failures => {
                self.state = CircuitState::Closed { failures: failures + 1 };
                return;
            }
            CircuitState::Closed { .. } => self.settings.pause,
            CircuitState::Probing { pause } if was_probe => {
                pause.saturating_mul(2).min(self.settings.max_pause)
            }
            // Calls that were under way when the circuit opened add nothing new.
            CircuitState::Open { .. } | CircuitState::Probing { .. } => return,
        };
        self.state = CircuitState::Open { until: now + pause.mul_f64(part), pause };
    }

    /// Ends a probe without a result: the next call becomes the probe.
    fn abandon(&mut self, now: Instant) {
        if let CircuitState::Probing { pause } = self.state {
            self.state = CircuitState::Open { until: now, pause };
        }
    }

    const fn is_open(&self) -> bool {
        !matches!(self.state, CircuitState::Closed { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event, or an expectation right after one.
    #[derive(Debug, Clone, Copy)]
    enum BreakerStep {
        Fails,
        ProbeFails,
        Succeeds,
        Abandoned,
        /// A call is admitted, as a probe or not.
        Goes {
            probe: bool,
        },
        /// A call is rejected for this many milliseconds.
        Rejected(u64),
    }
    use BreakerStep::{Abandoned, Fails, Goes, ProbeFails, Rejected, Succeeds};

    /// Runs steps at their milliseconds against a breaker of 3 failures, 1 s and at most 3 s.
    fn run(part: f64, steps: &[(u64, BreakerStep)]) {
        let settings = BreakerSettings {
            failures: 3,
            pause: Duration::from_secs(1),
            max_pause: Duration::from_secs(3),
        };
        let mut circuit = Circuit { settings, state: CircuitState::Closed { failures: 0 } };
        let start = Instant::now();
        for (row, (ms, step)) in steps.iter().enumerate() {
            let now = start + Duration::from_millis(*ms);
            match *step {
                Fails => circuit.failure(false, now, part),
                ProbeFails => circuit.failure(true, now, part),
                Succeeds => circuit.success(),
                Abandoned => circuit.abandon(now),
                Goes { probe } => assert_eq!(circuit.admit(now), Ok(probe), "step {row}"),
                Rejected(wait) => {
                    let wait = Duration::from_millis(wait);
                    assert_eq!(circuit.wait_time(now), Some(wait), "step {row}");
                    assert_eq!(circuit.admit(now), Err(wait), "step {row}");
                }
            }
        }
    }

    const CALL: BreakerStep = Goes { probe: false };
    const PROBE: BreakerStep = Goes { probe: true };

    #[test]
    fn only_failures_in_a_row_open_it() {
        run(1.0, &[(0, Fails), (0, Fails), (0, Succeeds), (0, Fails), (0, Fails), (0, CALL)]);
        run(1.0, &[(0, Fails), (0, Fails), (0, Fails), (0, Rejected(1000)), (400, Rejected(600))]);
    }

    #[test]
    fn one_probe_at_a_time_after_the_pause_and_a_success_closes_it() {
        let opened = [(0, Fails), (0, Fails), (0, Fails)];
        let probed = [(1000, PROBE), (1001, Rejected(1000)), (1100, Succeeds), (1100, CALL)];
        run(1.0, &[&opened[..], &probed].concat());
    }

    #[test]
    fn the_pause_doubles_up_to_its_maximum_and_resets_after_a_success() {
        let steps = [
            (0, Fails),
            (0, Fails),
            (0, Fails),
            (1000, PROBE),
            (1000, ProbeFails),
            (1000, Rejected(2000)),
            (3000, PROBE),
            (3000, ProbeFails),
            (3000, Rejected(3000)),
            (6000, PROBE),
            (6000, Succeeds),
            (6000, Fails),
            (6000, Fails),
            (6000, Fails),
            (6000, Rejected(1000)),
        ];
        run(1.0, &steps);
    }

    #[test]
    fn jitter_shortens_the_pause_but_not_its_growth() {
        let opened = [(0, Fails), (0, Fails), (0, Fails), (0, Rejected(500))];
        let again = [(500, PROBE), (500, ProbeFails), (500, Rejected(1000))];
        run(0.5, &[&opened[..], &again].concat());
    }

    #[test]
    fn late_failures_change_nothing_and_a_late_success_closes() {
        let opened = [(0, Fails), (0, Fails), (0, Fails), (900, Fails), (900, Rejected(100))];
        run(1.0, &[&opened[..], &[(1000, PROBE), (1000, Fails), (1000, Rejected(1000))]].concat());
        run(1.0, &[&opened[..], &[(950, Succeeds), (950, CALL)]].concat());
    }

    #[test]
    fn an_abandoned_probe_lets_the_next_call_probe() {
        let opened = [(0, Fails), (0, Fails), (0, Fails), (1000, PROBE)];
        run(1.0, &[&opened[..], &[(1200, Abandoned), (1200, PROBE)]].concat());
    }

    #[tokio::test]
    async fn a_probe_that_is_dropped_without_a_result_is_abandoned() {
        let settings =
            BreakerSettings { failures: 1, pause: Duration::ZERO, max_pause: Duration::ZERO };
        let breaker = Breaker::new(settings, Arc::default());
        let now = Instant::now();
        breaker.admit(now).unwrap().failed();
        let later = Instant::now();
        let probe = breaker.admit(later).unwrap();
        assert!(probe.is_probe && breaker.admit(later).is_err());
        drop(probe);
        assert!(breaker.admit(Instant::now()).unwrap().is_probe);
    }
}
