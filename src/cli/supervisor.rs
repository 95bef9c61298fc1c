//! Messages to systemd (`sd_notify(3)`): the state of the process, and signs of life for the watchdog.
//! Where nothing supervises the process, they go nowhere.

use std::ffi::{OsStr, OsString};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::interval;

/// A supervisor that takes messages.
#[derive(Debug, Default)]
pub(super) struct Supervisor {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// The supervisor that the environment names.
    pub(super) fn from_environment(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let (mut address, mut watchdog, mut watched) = (None, None, None);
        for (name, value) in environment {
            match name.to_str() {
                Some("NOTIFY_SOCKET") => address = parse_address(&value),
                Some("WATCHDOG_USEC") => watchdog = number(&value).map(Duration::from_micros),
                Some("WATCHDOG_PID") => watched = number(&value),
                _ => {}
            }
        }
        let is_other = watched.is_some_and(|pid| pid != u64::from(std::process::id()));
        let socket = address.and_then(|address| Some((UnixDatagram::unbound().ok()?, address)));
        let watchdog = watchdog.filter(|watchdog| !is_other && !watchdog.is_zero());
        Self { socket, watchdog }
    }

    /// The process serves.
    pub(super) fn ready(&self) {
        self.send("READY=1");
    }

    /// The process reloads its settings; [`Supervisor::ready`] follows.
    pub(super) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// The process drains.
    pub(super) fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// Sends signs of life, two for each interval of the watchdog. Runs until it is dropped.
    pub(super) async fn show_alive(&self) {
        let Some(watchdog) = self.watchdog else { return std::future::pending().await };
        let mut ticks = interval(watchdog / 2);
        loop {
            ticks.tick().await;
            self.send("WATCHDOG=1");
        }
    }

    fn send(&self, message: &str) {
        if let Some((socket, address)) = &self.socket
            && let Err(error) = socket.send_to_addr(message.as_bytes(), address)
        {
            tracing::debug!("cannot notify the supervisor: {error}");
        }
    }
}

/// Parses an address: a path, or the name of an abstract socket after `@`.
fn parse_address(value: &OsStr) -> Option<SocketAddr> {
    match value.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name).ok(),
        None => SocketAddr::from_pathname(value).ok(),
    }
}

fn number(value: &OsStr) -> Option<u64> {
    value.to_str()?.parse().ok()
}
