//! The signals of the process: SIGTERM and SIGINT stop it, SIGHUP reloads the settings.

use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

/// Signals within this time count as one: GNU `timeout` and some supervisors send one to the process and
/// another to its group.
const ONE_SIGNAL: Duration = Duration::from_millis(100);

/// The signals, from the moment at which they are caught.
#[derive(Debug)]
pub(super) struct Signals {
    /// SIGTERM and SIGINT.
    pub(super) stop: StopSignals,
    /// SIGHUP.
    pub(super) hangup: Signal,
    /// True if SIGHUP was ignored until now, as below `nohup`.
    pub(super) ignores_hangup: bool,
}

/// SIGTERM and SIGINT.
#[derive(Debug)]
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    /// The time of the last one that counted.
    received_at: Option<Instant>,
}

impl Signals {
    /// Catches the signals from now on. Until then, each of them ends the process.
    pub(super) fn catch() -> anyhow::Result<Self> {
        let ignores_hangup = ignores_hangup();
        Ok(Self {
            ignores_hangup,
            stop: StopSignals {
                terminate: signal(SignalKind::terminate()).context("SIGTERM")?,
                interrupt: signal(SignalKind::interrupt()).context("SIGINT")?,
                received_at: None,
            },
            hangup: signal(SignalKind::hangup()).context("SIGHUP")?,
        })
    }
}

/// Returns whether the process ignores SIGHUP, which is signal 1 (`SigIgn` of `proc_pid_status(5)`).
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 1 == 1))
}

impl StopSignals {
    /// Waits for the next of them.
    pub(super) async fn recv(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
            if self.received_at.is_none_or(|at| at.elapsed() >= ONE_SIGNAL) {
                self.received_at = Some(Instant::now());
                return;
            }
        }
    }
}
