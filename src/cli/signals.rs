//! The signals of the process: SIGTERM and SIGINT stop it, SIGHUP reloads the settings.

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals, from the moment at which they are caught.
#[derive(Debug)]
pub(super) struct Signals {
    /// SIGTERM and SIGINT.
    pub(super) stop: StopSignals,
    /// SIGHUP.
    pub(super) hangup: Signal,
}

/// SIGTERM and SIGINT.
#[derive(Debug)]
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Catches the signals from now on. Until then, each of them ends the process.
    pub(super) fn catch() -> anyhow::Result<Self> {
        Ok(Self {
            stop: StopSignals {
                terminate: signal(SignalKind::terminate()).context("SIGTERM")?,
                interrupt: signal(SignalKind::interrupt()).context("SIGINT")?,
            },
            hangup: signal(SignalKind::hangup()).context("SIGHUP")?,
        })
    }
}

impl StopSignals {
    /// Waits for the next of them.
    pub(super) async fn recv(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
