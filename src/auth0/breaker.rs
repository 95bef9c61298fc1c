//! The circuit breaker: when the tenant is down, calls fail at once instead of one by one.
//!
//! Closed, a run of failures opens it: no answer, or one with a 5xx. A 4xx or a 429 is an answer of
//! a tenant that is there. Open, nothing is sent until a pause is over; then one call at a time is a
//! probe. A success closes it, a failed probe opens it for twice as long. The pauses are shortened
//! by chance, so that replicas do not probe together. The state is pure: time and chance come in as
//! parameters.
//!
//! Source of the states: Nygard, *Release It!*; numbers: `config/default.toml`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::BreakerSettings;
use crate::telemetry::Metrics;

/// The least part of a pause that chance leaves.
const SHORTEST_PART: f64 = 0.5;

/// The breaker of one tenant.
#[derive(Debug)]
pub(super) struct Breaker {
    circuit: Mutex<Circuit>,
    metrics: Arc<Metrics>,
}

/// One call that was let through. Dropped without a result, it says nothing.
#[derive(Debug)]
pub(super) struct Attempt {
    breaker: Arc<Breaker>,
    is_probe: bool,
    /// It told what came of it.
    is_told: bool,
}

impl Breaker {
    /// Closed.
    pub(super) fn new(settings: BreakerSettings, metrics: Arc<Metrics>) -> Arc<Self> {
        let circuit = Circuit { settings, state: State::Closed { failures: 0 } };
        Arc::new(Self { circuit: Mutex::new(circuit), metrics })
    }

    /// Whether a call would be let through now.
    ///
    /// # Errors
    /// How long to wait when it would not.
    pub(super) fn check(&self, now: Instant) -> Result<(), Duration> {
        self.lock().refusal(now).map_or(Ok(()), Err)
    }

    /// Lets a call through.
    ///
    /// # Errors
    /// How long to wait when the circuit is open.
    pub(super) fn admit(self: &Arc<Self>, now: Instant) -> Result<Attempt, Duration> {
        let is_probe = self.lock().admit(now)?;
        Ok(Attempt { breaker: Arc::clone(self), is_probe, is_told: false })
    }

    /// Lets a call through whatever the state: what it shows counts all the same.
    pub(super) fn pass(self: &Arc<Self>) -> Attempt {
        Attempt { breaker: Arc::clone(self), is_probe: false, is_told: false }
    }

    /// Whether it is open, or tries whether it may close.
    pub(super) fn is_open(&self) -> bool {
        self.lock().is_open()
    }

    /// Changes the circuit and tells metrics and log where that opened or closed it.
    fn change(&self, change: impl FnOnce(&mut Circuit)) {
        let mut circuit = self.lock();
        let before = circuit.is_open();
        change(&mut circuit);
        let after = circuit.is_open();
        drop(circuit);
        if before != after {
            self.metrics.breaker_open(after);
            if after {
                tracing::error!("Auth0 is down: calls fail at once until a probe succeeds");
            } else {
                tracing::info!("Auth0 is back: calls are made again");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt {
    /// The tenant is there.
    pub(super) fn succeeded(mut self) {
        self.is_told = true;
        self.breaker.change(Circuit::success);
    }

    /// No answer, or one that is the tenant's failure.
    pub(super) fn failed(mut self) {
        self.is_told = true;
        let (now, part) = (Instant::now(), rand::random_range(SHORTEST_PART..=1.0));
        self.breaker.change(|circuit| circuit.failure(self.is_probe, now, part));
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.is_probe && !self.is_told {
            self.breaker.lock().abandon(Instant::now());
        }
    }
}

/// The states and what moves between them.
#[derive(Debug)]
struct Circuit {
    settings: BreakerSettings,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Everything goes; so many failures in a row.
    Closed { failures: u32 },
    /// Nothing goes until then.
    Open { until: Instant, pause: Duration },
    /// One call is under way to find out.
    Probing { pause: Duration },
}

impl Circuit {
    /// How long a call has to wait, if it may not go now.
    fn refusal(&self, now: Instant) -> Option<Duration> {
        match self.state {
            State::Closed { .. } => None,
            State::Open { until, .. } => until.checked_duration_since(now).filter(|d| !d.is_zero()),
            State::Probing { pause } => Some(pause),
        }
    }

    /// Lets a call through; `true` for a probe.
    fn admit(&mut self, now: Instant) -> Result<bool, Duration> {
        if let Some(wait) = self.refusal(now) {
            return Err(wait);
        }
        let State::Open { pause, .. } = self.state else { return Ok(false) };
        self.state = State::Probing { pause };
        Ok(true)
    }

    /// A call was answered, whenever it was sent: the tenant is there.
    const fn success(&mut self) {
        self.state = State::Closed { failures: 0 };
    }

    /// A call failed; `part` of the pause is left by chance.
    fn failure(&mut self, was_probe: bool, now: Instant, part: f64) {
        let pause = match self.state {
            State::Closed { failures } if failures + 1 < self.settings.failures => {
                self.state = State::Closed { failures: failures + 1 };
                return;
            }
            State::Closed { .. } => self.settings.pause,
            State::Probing { pause } if was_probe => {
                pause.saturating_mul(2).min(self.settings.max_pause)
            }
            // Calls that were under way when it opened tell nothing new.
            State::Open { .. } | State::Probing { .. } => return,
        };
        self.state = State::Open { until: now + pause.mul_f64(part), pause };
    }

    /// The probe ended without a result: the next call is one.
    fn abandon(&mut self, now: Instant) {
        if let State::Probing { pause } = self.state {
            self.state = State::Open { until: now, pause };
        }
    }

    const fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What happens, and what is seen right after it.
    #[derive(Debug, Clone, Copy)]
    enum Step {
        Fails,
        ProbeFails,
        Succeeds,
        Abandoned,
        /// A call is let through; whether as a probe.
        Goes {
            probe: bool,
        },
        /// A call is refused for so many milliseconds.
        Refused(u64),
    }
    use Step::{Abandoned, Fails, Goes, ProbeFails, Refused, Succeeds};

    /// Runs steps at their milliseconds against a breaker of 3 failures, 1 s and at most 3 s.
    fn run(part: f64, steps: &[(u64, Step)]) {
        let settings = BreakerSettings {
            failures: 3,
            pause: Duration::from_secs(1),
            max_pause: Duration::from_secs(3),
        };
        let mut circuit = Circuit { settings, state: State::Closed { failures: 0 } };
        let start = Instant::now();
        for (row, (ms, step)) in steps.iter().enumerate() {
            let now = start + Duration::from_millis(*ms);
            match *step {
                Fails => circuit.failure(false, now, part),
                ProbeFails => circuit.failure(true, now, part),
                Succeeds => circuit.success(),
                Abandoned => circuit.abandon(now),
                Goes { probe } => assert_eq!(circuit.admit(now), Ok(probe), "step {row}"),
                Refused(wait) => {
                    let wait = Duration::from_millis(wait);
                    assert_eq!(circuit.refusal(now), Some(wait), "step {row}");
                    assert_eq!(circuit.admit(now), Err(wait), "step {row}");
                }
            }
        }
    }

    const CALL: Step = Goes { probe: false };
    const PROBE: Step = Goes { probe: true };

    #[test]
    fn only_failures_in_a_row_open_it() {
        run(1.0, &[(0, Fails), (0, Fails), (0, Succeeds), (0, Fails), (0, Fails), (0, CALL)]);
        run(1.0, &[(0, Fails), (0, Fails), (0, Fails), (0, Refused(1000)), (400, Refused(600))]);
    }

    #[test]
    fn one_probe_at_a_time_after_the_pause_and_a_success_closes_it() {
        let opened = [(0, Fails), (0, Fails), (0, Fails)];
        let probed = [(1000, PROBE), (1001, Refused(1000)), (1100, Succeeds), (1100, CALL)];
        run(1.0, &[&opened[..], &probed].concat());
    }

    #[test]
    fn the_pause_grows_to_its_greatest_and_starts_again_after_a_success() {
        let steps = [
            (0, Fails),
            (0, Fails),
            (0, Fails),
            (1000, PROBE),
            (1000, ProbeFails),
            (1000, Refused(2000)),
            (3000, PROBE),
            (3000, ProbeFails),
            (3000, Refused(3000)),
            (6000, PROBE),
            (6000, Succeeds),
            (6000, Fails),
            (6000, Fails),
            (6000, Fails),
            (6000, Refused(1000)),
        ];
        run(1.0, &steps);
    }

    #[test]
    fn chance_shortens_the_pause_and_not_its_growth() {
        let opened = [(0, Fails), (0, Fails), (0, Fails), (0, Refused(500))];
        let again = [(500, PROBE), (500, ProbeFails), (500, Refused(1000))];
        run(0.5, &[&opened[..], &again].concat());
    }

    #[test]
    fn late_failures_change_nothing_and_a_late_success_closes_it() {
        let opened = [(0, Fails), (0, Fails), (0, Fails), (900, Fails), (900, Refused(100))];
        run(1.0, &[&opened[..], &[(1000, PROBE), (1000, Fails), (1000, Refused(1000))]].concat());
        run(1.0, &[&opened[..], &[(950, Succeeds), (950, CALL)]].concat());
    }

    #[test]
    fn an_abandoned_probe_makes_room_for_the_next() {
        let opened = [(0, Fails), (0, Fails), (0, Fails), (1000, PROBE)];
        run(1.0, &[&opened[..], &[(1200, Abandoned), (1200, PROBE)]].concat());
    }
}
