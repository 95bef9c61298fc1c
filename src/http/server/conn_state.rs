//! The state of a connection, the time limit of each state, and the memory charged for it.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::memory::{Charge, Class, MemoryBudget};
use super::request_bytes::RequestBytes;
use crate::abuse::{Counted, Network};
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

/// An unfinished request, or an unread response, that waited for less is likely to be an honest
/// client's: others are closed first.
const GRACE: Duration = Duration::from_secs(1);

/// A connection that holds more is closed before smaller ones, in bytes.
const LARGE: usize = 8 * 1024;

/// The memory of a connection that has sent nothing, in bytes: its task and its entry in the table.
/// Measured: 2.1 KB.
const BARE: usize = 3 * 1024;
/// The memory of a connection that has sent something: hyper's buffers and state. Measured: 23 KB.
pub(super) const OPEN: usize = 24 * 1024;
/// The memory of a connection with a request, without its bytes. Measured: 27 KB.
pub(super) const REQUEST: usize = 32 * 1024;

/// The state of a connection, by what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnState {
    /// The first byte.
    New,
    /// The rest of a request's head.
    Headers,
    /// The rest of a request's body.
    Body,
    /// Nothing from the client: a request is being handled, and has its own deadlines.
    Active,
    /// The next request.
    Idle,
}

impl ConnState {
    const ALL: [Self; 5] = [Self::New, Self::Headers, Self::Body, Self::Active, Self::Idle];

    const fn code(self) -> u8 {
        match self {
            Self::New => 0,
            Self::Headers => 1,
            Self::Body => 2,
            Self::Active => 3,
            Self::Idle => 4,
        }
    }

    fn from_code(code: u8) -> Self {
        Self::ALL.into_iter().find(|state| state.code() == code).unwrap_or(Self::Active)
    }

    /// The reason that is counted when a connection stays in this state for too long.
    pub(super) const fn end(self) -> ConnectionEnd {
        match self {
            Self::New => ConnectionEnd::Silent,
            Self::Headers => ConnectionEnd::SlowHead,
            Self::Body | Self::Active => ConnectionEnd::SlowReader,
            Self::Idle => ConnectionEnd::Idle,
        }
    }

    /// The memory of a connection in this state, without the bytes of its request.
    const fn memory(self) -> usize {
        match self {
            Self::New => BARE,
            Self::Headers | Self::Idle => OPEN,
            Self::Body | Self::Active => REQUEST,
        }
    }
}

/// An open connection. Its own task changes the state; others read it, and evict it.
#[derive(Debug)]
pub(super) struct TrackedConnection {
    /// The network that it counts for.
    pub(super) network: Network,
    /// A trusted proxy's: any client's next request may come through it.
    is_proxy: bool,
    /// Its index in the table; beyond it once it was removed.
    pub(super) index: AtomicUsize,
    /// Notified when it has to close to make room for others.
    pub(super) evict: Notify,
    /// Notified with `evict`, for a request whose body is not complete.
    pub(super) cut: Notify,
    memory: Arc<MemoryBudget>,
    charge: Mutex<Charge>,
    /// True once it has to close.
    is_evicted: AtomicBool,
    opened: Instant,
    state: AtomicU8,
    /// The start of the last wait for the client, in milliseconds after `opened`.
    since: AtomicU64,
    /// True while the client reads nothing of its response.
    is_stalled: AtomicBool,
    /// The bytes of its request and of its response.
    bytes: AtomicUsize,
    /// The request that arrives, or is being handled.
    request: Mutex<RequestBytes>,
    /// Counts its unfinished head.
    unfinished: Mutex<Option<Counted>>,
    /// The client whose body it waits for. A proxy names others than its own network.
    client: Mutex<Option<Network>>,
    /// The socket, once hyper has released it.
    socket: Mutex<Option<TcpStream>>,
}

impl TrackedConnection {
    /// A connection that was just accepted.
    pub(super) fn new(network: Network, is_proxy: bool, memory: Arc<MemoryBudget>) -> Self {
        let connection = Self {
            network,
            is_proxy,
            index: AtomicUsize::new(0),
            evict: Notify::new(),
            cut: Notify::new(),
            memory,
            charge: Mutex::default(),
            is_evicted: AtomicBool::new(false),
            opened: Instant::now(),
            state: AtomicU8::new(ConnState::New.code()),
            since: AtomicU64::new(0),
            is_stalled: AtomicBool::new(false),
            bytes: AtomicUsize::new(0),
            request: Mutex::default(),
            unfinished: Mutex::default(),
            client: Mutex::default(),
            socket: Mutex::default(),
        };
        connection.update_charge();
        connection
    }

    pub(super) fn state(&self) -> ConnState {
        ConnState::from_code(self.state.load(Ordering::Relaxed))
    }

    /// Starts a request whose body has this length, where it is known. Returns whether its head was
    /// read with an earlier one.
    pub(super) fn start_request(&self, body: Option<u64>) -> bool {
        let is_ahead = {
            let mut request = lock(&self.request);
            request.start(body);
            request.is_ahead
        };
        let is_pipelined = is_ahead || self.state() == ConnState::Idle;
        self.enter(ConnState::Active);
        is_pipelined
    }

    /// Records that the whole body was read.
    pub(super) fn set_body_read(&self) {
        lock(&self.request).set_body_read();
    }

    /// Returns whether the connection ends with the response: its client is still sending a body that
    /// nobody reads, or has sent a head that hyper keeps a large buffer for until the end.
    pub(super) fn closes_after_response(&self) -> bool {
        let request = lock(&self.request);
        request.is_body_unread() || request.head() > LARGE
    }

    /// Ends a request, whose response is sent. What a client has sent ahead is the start of a head.
    pub(super) fn end_request(&self) {
        let is_ahead = lock(&self.request).end();
        self.enter(if is_ahead { ConnState::Headers } else { ConnState::Idle });
    }

    /// Enters a state.
    pub(super) fn enter(&self, state: ConnState) {
        if state != ConnState::Active {
            self.start_waiting();
        }
        self.state.store(state.code(), Ordering::Relaxed);
        if state != ConnState::Headers {
            drop(lock(&self.unfinished).take());
        }
        self.update_charge();
        if matches!(state, ConnState::Idle | ConnState::Headers)
            && self.is_evicted.load(Ordering::Relaxed)
        {
            self.evict.notify_one();
        }
    }

    /// Starts to wait for the body of a client.
    pub(super) fn wait_for_body(&self, client: Network) {
        *lock(&self.client) = Some(client);
        self.enter(ConnState::Body);
    }

    /// The client whose body it waits for.
    pub(super) fn client(&self) -> Option<Network> {
        lock(&self.client).filter(|_| self.state() == ConnState::Body)
    }

    /// Keeps the count of its unfinished head until the head is complete.
    pub(super) fn keep_unfinished(&self, head: Counted) {
        *lock(&self.unfinished) = Some(head);
    }

    /// Returns whether its unfinished head is counted.
    pub(super) fn has_unfinished(&self) -> bool {
        lock(&self.unfinished).is_some()
    }

    /// Adds bytes of the request.
    pub(super) fn add_request(&self, bytes: &[u8]) {
        lock(&self.request).add(bytes);
        self.add_bytes(bytes.len());
    }

    /// Adds bytes of the response.
    pub(super) fn add_bytes(&self, more: usize) {
        self.bytes.fetch_add(more, Ordering::Relaxed);
        self.update_charge();
    }

    /// Records that everything was sent, so that a connection without a request holds no bytes but those
    /// that its client has sent ahead.
    pub(super) fn flushed(&self) {
        let left = {
            let request = lock(&self.request);
            match self.state() {
                ConnState::Idle => 0,
                ConnState::Headers if request.is_ahead => LARGE + request.head(),
                ConnState::New | ConnState::Headers | ConnState::Body | ConnState::Active => return,
            }
        };
        if self.bytes.swap(left, Ordering::Relaxed) != left {
            self.update_charge();
        }
    }

    /// Records whether the client reads its response.
    pub(super) fn set_stalled(&self, is_stalled: bool) {
        if self.is_stalled.swap(is_stalled, Ordering::Relaxed) != is_stalled {
            if is_stalled {
                self.start_waiting();
            }
            self.update_charge();
        }
    }

    /// Makes it close. Its memory no longer counts for evictions: it will be free in a moment.
    pub(super) fn close_for_others(&self) {
        self.is_evicted.store(true, Ordering::Relaxed);
        self.update_charge();
        self.evict.notify_one();
        self.cut.notify_one();
    }

    /// Returns whether its task may be dropped without a response.
    pub(super) fn may_be_dropped(&self) -> bool {
        match self.state() {
            ConnState::New | ConnState::Headers | ConnState::Idle => true,
            ConnState::Body => false,
            ConnState::Active => self.is_stalled.load(Ordering::Relaxed),
        }
    }

    fn start_waiting(&self) {
        let since = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since.store(since, Ordering::Relaxed);
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
            ConnState::Body | ConnState::Active => return None,
        };
        Some(self.since() + limit)
    }

    /// Its place in the order of eviction, the lowest first: what waited for a second without a
    /// complete request, then idle connections, then younger requests; of each kind the longest
    /// wait. A connection of a proxy comes last, unless it waits for the body of a client.
    /// `by_size` puts those that hold many bytes before all others. `None` while a request is being
    /// handled, and once it is being evicted.
    pub(super) fn eviction_rank(
        &self,
        by_size: bool,
        now: Instant,
    ) -> Option<(Reverse<bool>, u8, Instant)> {
        if self.is_evicted.load(Ordering::Relaxed) {
            return None;
        }
        let state = self.state();
        let is_stalled = self.is_stalled.load(Ordering::Relaxed);
        let is_recent = now.saturating_duration_since(self.since()) < GRACE;
        let group = match (state, is_stalled) {
            // Its next request may be anybody's, and it does not send slowly.
            (ConnState::New | ConnState::Headers | ConnState::Idle, false) if self.is_proxy => 3,
            (ConnState::New | ConnState::Headers | ConnState::Body, _) | (_, true) => {
                if is_recent {
                    2
                } else {
                    0
                }
            }
            (ConnState::Idle, false) => 1,
            (ConnState::Active, false) => return None,
        };
        let is_large = by_size && self.holds_much();
        Some((Reverse(is_large), group, self.since()))
    }

    /// Returns whether it holds more bytes than a usual form.
    pub(super) fn holds_much(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > LARGE
    }

    fn update_charge(&self) {
        let state = self.state();
        let is_stalled = self.is_stalled.load(Ordering::Relaxed);
        let charge = if self.is_evicted.load(Ordering::Relaxed) {
            Charge { class: Class::Evicted, ..*lock(&self.charge) }
        } else {
            let class = if state == ConnState::Active && !is_stalled {
                Class::Handled
            } else {
                Class::Waiting
            };
            Charge { amount: state.memory() + self.bytes.load(Ordering::Relaxed), class }
        };
        self.set_charge(charge);
    }

    /// The memory charged for it, in bytes.
    pub(super) fn charged(&self) -> usize {
        lock(&self.charge).amount
    }

    /// Ends the charge: nothing is left but the socket.
    pub(super) fn release_memory(&self) {
        self.set_charge(Charge::default());
    }

    fn set_charge(&self, to: Charge) {
        let mut charge = lock(&self.charge);
        self.memory.change(*charge, to);
        *charge = to;
    }

    /// Stores the socket for a lingering close.
    pub(super) fn store_socket(&self, socket: TcpStream) {
        *lock(&self.socket) = Some(socket);
    }

    /// Takes the stored socket.
    pub(super) fn take_socket(&self) -> Option<TcpStream> {
        lock(&self.socket).take()
    }
}

impl Drop for TrackedConnection {
    fn drop(&mut self) {
        self.set_charge(Charge::default());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is one assignment, so a poisoned value is still consistent.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
