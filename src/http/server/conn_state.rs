//! The state of a connection, the time limit of each state, and the memory charged for it.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use parking_lot::Mutex;
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

/// A client that has kept its connection waiting for less, for a request or for the reading of a response,
/// is likely to be honest: others are closed first.
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
    /// The memory of a connection in this state, without the bytes of its request.
    const fn memory(self) -> usize {
        match self {
            Self::New => BARE,
            Self::Headers | Self::Idle => OPEN,
            Self::Body | Self::Active => REQUEST,
        }
    }
}

/// Its place in the order of eviction, the lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EvictionRank {
    /// Where bytes count, those that hold many come before all others.
    is_small: bool,
    kind: EvictionKind,
    /// The start of its wait: of each kind the longest wait comes first.
    since: Instant,
}

/// The kinds of connections that wait for their client, in the order of eviction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum EvictionKind {
    /// Nothing at all, a part of a request, or an unread response, for longer than [`GRACE`].
    Slow,
    /// Waits for its next request.
    Idle,
    /// The same as [`Self::Slow`], for less time.
    Young,
    /// A proxy's. Its next request may be anybody's, and it does not send slowly.
    Proxy,
}

/// An open connection. Its own task changes the state; others read it, and evict it.
#[derive(Debug)]
pub(super) struct TrackedConnection {
    /// The network that it counts for.
    pub(super) network: Network,
    /// A trusted proxy's: any client's next request may come through it, and it may have any number of
    /// unfinished heads.
    pub(super) is_proxy: bool,
    /// Its index in the table; beyond it once it was removed.
    pub(super) index: AtomicUsize,
    /// Notified when it has to close to make room for others.
    pub(super) evict: Notify,
    /// Notified with `evict`, for a request whose body is not complete.
    pub(super) cut: Notify,
    memory: Arc<MemoryBudget>,
    /// Lock order: the table, this, the counts of unfinished heads.
    parts: Mutex<TrackedParts>,
}

/// The parts of a connection that change together.
#[derive(Debug)]
struct TrackedParts {
    state: ConnState,
    /// The start of the last wait for the client.
    since: Instant,
    /// True while the client reads nothing of its response.
    is_stalled: bool,
    /// True once it has to close.
    is_evicted: bool,
    /// The bytes of its request and of its response.
    bytes: usize,
    charge: Charge,
    /// The request that arrives, or is being handled.
    request: RequestBytes,
    /// Counts its unfinished head.
    unfinished: Option<Counted>,
    /// The client whose body it waits for. A proxy names others than its own network.
    client: Option<Network>,
    /// The socket, once hyper has released it.
    socket: Option<TcpStream>,
}

impl TrackedParts {
    fn new() -> Self {
        Self {
            state: ConnState::New,
            since: Instant::now(),
            is_stalled: false,
            is_evicted: false,
            bytes: 0,
            charge: Charge::default(),
            request: RequestBytes::default(),
            unfinished: None,
            client: None,
            socket: None,
        }
    }

    fn enter(&mut self, state: ConnState) {
        if state != ConnState::Active {
            self.since = Instant::now();
        }
        self.state = state;
        if state != ConnState::Headers {
            self.unfinished = None;
        }
    }

    /// The charge for what it holds. Once it is evicted, its bytes count apart until it is closed.
    fn due(&self) -> Charge {
        if self.is_evicted {
            return Charge { class: Class::Evicted, ..self.charge };
        }
        let is_handled = self.state == ConnState::Active && !self.is_stalled;
        let class = if is_handled { Class::Handled } else { Class::Waiting };
        Charge { amount: self.state.memory().saturating_add(self.bytes), class }
    }
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
            parts: Mutex::new(TrackedParts::new()),
        };
        // Charges for what even a connection without a byte takes.
        connection.change(|_| {});
        connection
    }

    /// Makes a change, and charges for its result.
    fn change<T>(&self, change: impl FnOnce(&mut TrackedParts) -> T) -> T {
        let mut parts = self.parts.lock();
        let changed = change(&mut parts);
        let due = parts.due();
        self.set_charge(&mut parts, due);
        changed
    }

    fn set_charge(&self, parts: &mut TrackedParts, to: Charge) {
        if parts.charge != to {
            self.memory.change(parts.charge, to);
            parts.charge = to;
        }
    }

    /// Enters the state that `next` returns.
    fn enter_next(&self, next: impl FnOnce(&mut TrackedParts) -> ConnState) {
        let must_close = self.change(|parts| {
            let state = next(parts);
            parts.enter(state);
            parts.is_evicted && matches!(state, ConnState::Idle | ConnState::Headers)
        });
        if must_close {
            self.evict.notify_one();
        }
    }

    pub(super) fn state(&self) -> ConnState {
        self.parts.lock().state
    }

    /// Starts a request whose body has this length, where it is known. Returns whether its head was
    /// read with an earlier one.
    pub(super) fn start_request(&self, body: Option<u64>) -> bool {
        self.change(|parts| {
            parts.request.start(body);
            let is_pipelined = parts.request.is_ahead || parts.state == ConnState::Idle;
            parts.enter(ConnState::Active);
            is_pipelined
        })
    }

    /// Records that the whole body was read.
    pub(super) fn set_body_read(&self) {
        self.parts.lock().request.set_body_read();
    }

    /// Returns whether the connection ends with the response: its client is still sending a body that
    /// no handler reads, or has sent a large head, whose buffer hyper keeps until the connection ends.
    pub(super) fn closes_after_response(&self) -> bool {
        let parts = self.parts.lock();
        parts.request.is_body_unread() || parts.request.head() > LARGE
    }

    /// Ends a request, whose response is sent. What a client has sent ahead is the start of a head.
    pub(super) fn end_request(&self) {
        self.enter_next(
            |parts| {
                if parts.request.end() { ConnState::Headers } else { ConnState::Idle }
            },
        );
    }

    /// Enters a state. An evicted connection without a request is closed.
    pub(super) fn enter(&self, state: ConnState) {
        self.enter_next(|_| state);
    }

    /// Starts to wait for the body of a client.
    pub(super) fn wait_for_body(&self, client: Network) {
        self.enter_next(|parts| {
            parts.client = Some(client);
            ConnState::Body
        });
    }

    /// The client whose body it waits for.
    pub(super) fn client(&self) -> Option<Network> {
        let parts = self.parts.lock();
        parts.client.filter(|_| parts.state == ConnState::Body)
    }

    /// Keeps the count of its unfinished head until the head is complete.
    pub(super) fn keep_unfinished(&self, head: Counted) {
        self.parts.lock().unfinished = Some(head);
    }

    /// Returns whether its unfinished head is counted.
    pub(super) fn has_unfinished(&self) -> bool {
        self.parts.lock().unfinished.is_some()
    }

    /// Adds bytes of the request.
    pub(super) fn add_request(&self, bytes: &[u8]) {
        self.change(|parts| {
            parts.request.add(bytes);
            parts.bytes = parts.bytes.saturating_add(bytes.len());
        });
    }

    /// Adds bytes of the response.
    pub(super) fn add_bytes(&self, more: usize) {
        self.change(|parts| parts.bytes = parts.bytes.saturating_add(more));
    }

    /// Records that everything was sent, so that a connection without a request holds no bytes but those
    /// that its client has sent ahead.
    pub(super) fn flushed(&self) {
        self.change(|parts| match parts.state {
            ConnState::Idle => parts.bytes = 0,
            ConnState::Headers if parts.request.is_ahead => {
                parts.bytes = LARGE + parts.request.head();
            }
            ConnState::New | ConnState::Headers | ConnState::Body | ConnState::Active => {}
        });
    }

    /// Records whether the client reads its response. Closes an evicted connection whose client does not.
    pub(super) fn set_stalled(&self, is_stalled: bool) {
        let must_close = self.change(|parts| {
            if is_stalled && !parts.is_stalled {
                parts.since = Instant::now();
            }
            parts.is_stalled = is_stalled;
            parts.is_evicted && is_stalled
        });
        if must_close {
            self.evict.notify_one();
        }
    }

    /// Evicts it. Its memory counts apart from then on, so that no other is evicted for the same bytes.
    pub(super) fn close_for_others(&self) {
        self.change(|parts| parts.is_evicted = true);
        self.evict.notify_one();
        self.cut.notify_one();
    }

    /// Returns whether its task may be dropped without a response.
    pub(super) fn may_be_dropped(&self) -> bool {
        let parts = self.parts.lock();
        match parts.state {
            ConnState::New | ConnState::Headers | ConnState::Idle => true,
            ConnState::Body => false,
            ConnState::Active => parts.is_stalled,
        }
    }

    /// The deadline of its current state, and the reason that is counted when it passes; `None` while a
    /// request is being handled.
    pub(super) fn deadline(&self, deadlines: &Deadlines) -> Option<(Instant, ConnectionEnd)> {
        let parts = self.parts.lock();
        let (limit, end) = match parts.state {
            ConnState::New => (deadlines.first_byte, ConnectionEnd::Silent),
            ConnState::Headers => (deadlines.header, ConnectionEnd::SlowHead),
            ConnState::Idle => (deadlines.idle, ConnectionEnd::Idle),
            ConnState::Body | ConnState::Active => return None,
        };
        Some((parts.since + limit, end))
    }

    /// Its place in the order of eviction. `by_size`: bytes count. `None` while a request is being handled,
    /// and once it is being evicted.
    pub(super) fn eviction_rank(&self, by_size: bool, now: Instant) -> Option<EvictionRank> {
        let parts = self.parts.lock();
        if parts.is_evicted {
            return None;
        }
        let is_young = now.saturating_duration_since(parts.since) < GRACE;
        let kind = match (parts.state, parts.is_stalled) {
            // Not `Body`: that waits for one client.
            (ConnState::New | ConnState::Headers | ConnState::Idle, false) if self.is_proxy => {
                EvictionKind::Proxy
            }
            (ConnState::New | ConnState::Headers | ConnState::Body, _) | (_, true) if is_young => {
                EvictionKind::Young
            }
            (ConnState::New | ConnState::Headers | ConnState::Body, _) | (_, true) => {
                EvictionKind::Slow
            }
            (ConnState::Idle, false) => EvictionKind::Idle,
            (ConnState::Active, false) => return None,
        };
        let is_small = !by_size || parts.bytes <= LARGE;
        Some(EvictionRank { is_small, kind, since: parts.since })
    }

    /// Returns whether it holds more bytes than a usual form.
    pub(super) fn holds_much(&self) -> bool {
        self.parts.lock().bytes > LARGE
    }

    /// The memory charged for it, in bytes.
    pub(super) fn charged(&self) -> usize {
        self.parts.lock().charge.amount
    }

    /// Ends the charge: nothing is left but the socket.
    pub(super) fn release_memory(&self) {
        self.set_charge(&mut self.parts.lock(), Charge::default());
    }

    /// Stores the socket for a lingering close.
    pub(super) fn store_socket(&self, socket: TcpStream) {
        self.parts.lock().socket = Some(socket);
    }

    /// Takes the stored socket.
    pub(super) fn take_socket(&self) -> Option<TcpStream> {
        self.parts.lock().socket.take()
    }
}

impl Drop for TrackedConnection {
    fn drop(&mut self) {
        self.release_memory();
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::atomic::Ordering;
    use std::thread;

    use super::*;

    /// The task of a connection and its eviction meet on two threads, many times.
    #[test]
    fn a_connection_that_is_evicted_never_counts_as_waiting_again() {
        const ROUNDS: usize = 20_000;
        let memory = Arc::new(MemoryBudget::new(0));
        let network = IpAddr::from(Ipv4Addr::LOCALHOST).into();
        let all: Vec<_> = (0..ROUNDS)
            .map(|_| TrackedConnection::new(network, false, Arc::clone(&memory)))
            .collect();
        let round = AtomicUsize::new(0);
        // Each thread waits for the other before every round.
        let meet = |nth: usize| {
            round.fetch_add(1, Ordering::SeqCst);
            while round.load(Ordering::SeqCst) < 2 * nth {
                thread::yield_now();
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                for (nth, connection) in (1..).zip(&all) {
                    meet(nth);
                    connection.enter(ConnState::Headers);
                }
            });
            for (nth, connection) in (1..).zip(&all) {
                meet(nth);
                connection.close_for_others();
            }
        });
        assert_eq!(memory.excess(), 0);
    }
}
