//! Where a connection stands between its requests, and how long it may stay there.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::abuse::Network;
use crate::telemetry::ConnectionEnd;

/// How long a connection may stay in each phase that waits for the client.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// From the accept to the first byte.
    pub silence: Duration,
    /// From the first byte of a head to its last.
    pub head: Duration,
    /// From the end of an answer to the first byte of the next request.
    pub idle: Duration,
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The first byte.
    Silent,
    /// The rest of a head.
    Head,
    /// Nothing of the client's: the request has deadlines of its own.
    Busy,
    /// The next request.
    Idle,
}

impl Phase {
    const fn code(self) -> u8 {
        match self {
            Self::Silent => 0,
            Self::Head => 1,
            Self::Busy => 2,
            Self::Idle => 3,
        }
    }

    const fn of(code: u8) -> Self {
        match code {
            0 => Self::Silent,
            1 => Self::Head,
            3 => Self::Idle,
            _ => Self::Busy,
        }
    }

    /// How a connection ends that stays in it for too long.
    pub(super) const fn end(self) -> ConnectionEnd {
        match self {
            Self::Silent => ConnectionEnd::Silent,
            Self::Head => ConnectionEnd::SlowHead,
            Self::Busy => ConnectionEnd::SlowReader,
            Self::Idle => ConnectionEnd::Idle,
        }
    }
}

/// What is known of an open connection. Its own task changes it; the accept loop looks.
#[derive(Debug)]
pub(super) struct Connection {
    /// Whom it counts for.
    pub(super) network: Network,
    /// Where it stands in the list of all.
    pub(super) place: AtomicUsize,
    /// Told to make room for another.
    pub(super) evict: Notify,
    opened: Instant,
    phase: AtomicU8,
    /// When the phase began, in milliseconds after `opened`.
    since: AtomicU64,
    served: AtomicBool,
    /// The socket, once hyper has let go of it.
    socket: Mutex<Option<TcpStream>>,
}

impl Connection {
    /// One that was just accepted.
    pub(super) fn new(network: Network) -> Self {
        Self {
            network,
            place: AtomicUsize::new(0),
            evict: Notify::new(),
            opened: Instant::now(),
            phase: AtomicU8::new(Phase::Silent.code()),
            since: AtomicU64::new(0),
            served: AtomicBool::new(false),
            socket: Mutex::new(None),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        Phase::of(self.phase.load(Ordering::Relaxed))
    }

    /// Enters a phase.
    pub(super) fn enter(&self, phase: Phase) {
        if phase != Phase::Busy {
            let since = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.since.store(since, Ordering::Relaxed);
        }
        if phase == Phase::Idle {
            self.served.store(true, Ordering::Relaxed);
        }
        self.phase.store(phase.code(), Ordering::Relaxed);
    }

    fn since(&self) -> Instant {
        self.opened + Duration::from_millis(self.since.load(Ordering::Relaxed))
    }

    /// Until when it may stay as it is; `None` while a request is under way.
    pub(super) fn deadline(&self, deadlines: &Deadlines) -> Option<Instant> {
        let limit = match self.phase() {
            Phase::Silent => deadlines.silence,
            Phase::Head => deadlines.head,
            Phase::Idle => deadlines.idle,
            Phase::Busy => return None,
        };
        Some(self.since() + limit)
    }

    /// How readily it is given up for another, the least first: one that never sent a request before
    /// one that did, and the longest wait first. `None` while a request is under way.
    pub(super) fn worth(&self) -> Option<(bool, Instant)> {
        let is_waiting = self.phase() != Phase::Busy;
        is_waiting.then(|| (self.served.load(Ordering::Relaxed), self.since()))
    }

    /// Leaves the socket behind for its last moments.
    pub(super) fn leave(&self, socket: TcpStream) {
        if let Ok(mut left) = self.socket.lock() {
            *left = Some(socket);
        }
    }

    /// The socket that was left behind.
    pub(super) fn left(&self) -> Option<TcpStream> {
        self.socket.lock().ok()?.take()
    }
}
