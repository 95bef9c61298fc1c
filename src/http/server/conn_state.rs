//! The state of a connection between its requests, and the time limit of each state.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::abuse::Network;
use crate::telemetry::ConnectionEnd;

/// The longest stay of a connection in each state that waits for the client.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// From the accept to the first byte.
    pub first_byte: Duration,
    /// From the first byte of a request's head to its last.
    pub header: Duration,
    /// From the end of a response to the first byte of the next request.
    pub idle: Duration,
}

/// The state of a connection, by what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnState {
    /// The first byte.
    New,
    /// The rest of a request's head.
    Headers,
    /// Nothing from the client: a request is being handled, and has its own deadlines.
    Active,
    /// The next request.
    Idle,
}

impl ConnState {
    const fn code(self) -> u8 {
        match self {
            Self::New => 0,
            Self::Headers => 1,
            Self::Active => 2,
            Self::Idle => 3,
        }
    }

    const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::New,
            1 => Self::Headers,
            3 => Self::Idle,
            _ => Self::Active,
        }
    }

    /// The reason that is counted when a connection stays in this state for too long.
    pub(super) const fn end(self) -> ConnectionEnd {
        match self {
            Self::New => ConnectionEnd::Silent,
            Self::Headers => ConnectionEnd::SlowHead,
            Self::Active => ConnectionEnd::SlowReader,
            Self::Idle => ConnectionEnd::Idle,
        }
    }
}

/// An open connection. Its own task changes the state; the accept loop reads it.
#[derive(Debug)]
pub(super) struct TrackedConnection {
    /// The network that it counts for.
    pub(super) network: Network,
    /// Its index in the table.
    pub(super) index: AtomicUsize,
    /// Notified when it has to close to make room for another.
    pub(super) evict: Notify,
    opened: Instant,
    state: AtomicU8,
    /// The start of the last wait for the client, in milliseconds after `opened`.
    since: AtomicU64,
    /// True once a request was completed.
    served: AtomicBool,
    /// The socket, once hyper has released it.
    socket: Mutex<Option<TcpStream>>,
}

impl TrackedConnection {
    /// A connection that was just accepted.
    pub(super) fn new(network: Network) -> Self {
        Self {
            network,
            index: AtomicUsize::new(0),
            evict: Notify::new(),
            opened: Instant::now(),
            state: AtomicU8::new(ConnState::New.code()),
            since: AtomicU64::new(0),
            served: AtomicBool::new(false),
            socket: Mutex::new(None),
        }
    }

    pub(super) fn state(&self) -> ConnState {
        ConnState::from_code(self.state.load(Ordering::Relaxed))
    }

    /// Enters a state.
    pub(super) fn enter(&self, state: ConnState) {
        if state != ConnState::Active {
            let since = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.since.store(since, Ordering::Relaxed);
        }
        if state == ConnState::Idle {
            self.served.store(true, Ordering::Relaxed);
        }
        self.state.store(state.code(), Ordering::Relaxed);
    }

    fn since(&self) -> Instant {
        self.opened + Duration::from_millis(self.since.load(Ordering::Relaxed))
    }

    /// The deadline of its current state; `None` while a request is being handled.
    pub(super) fn deadline(&self, deadlines: &Deadlines) -> Option<Instant> {
        let limit = match self.state() {
            ConnState::New => deadlines.first_byte,
            ConnState::Headers => deadlines.header,
            ConnState::Idle => deadlines.idle,
            ConnState::Active => return None,
        };
        Some(self.since() + limit)
    }

    /// Its place in the order of eviction, the lowest first: connections that never completed a
    /// request come first, then the longest wait. `None` while a request is being handled.
    pub(super) fn eviction_rank(&self) -> Option<(bool, Instant)> {
        let is_waiting = self.state() != ConnState::Active;
        is_waiting.then(|| (self.served.load(Ordering::Relaxed), self.since()))
    }

    /// Stores the socket for a lingering close.
    pub(super) fn store_socket(&self, socket: TcpStream) {
        if let Ok(mut stored) = self.socket.lock() {
            *stored = Some(socket);
        }
    }

    /// Takes the stored socket.
    pub(super) fn take_socket(&self) -> Option<TcpStream> {
        self.socket.lock().ok()?.take()
    }
}
