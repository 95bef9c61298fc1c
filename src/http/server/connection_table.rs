//! The table of open connections: bounds in all, for each address and for their memory, and
//! eviction.
//!
//! `docs/decisions/0010-connections.md` has the reasons.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::conn_state::{OPEN, REQUEST, TrackedConnection};
use super::memory::{FormMemory, MemoryBudget};
use crate::abuse::{Counted, Network, SourceCounts};
use crate::telemetry::{ConnectionEnd, ConnectionRefusal, HttpMetrics};

/// The most connections that are compared to choose the one to evict.
const SAMPLE: usize = 64;

/// The most connections above the bound that may be open while evicted ones close.
const CLOSING: usize = 64;

/// The most connections that are evicted at once to free memory.
const MOST_EVICTIONS: usize = 64;

/// The part of the memory that the connections of one source may take before they make room first.
const FAIR_PART: usize = 16;

/// The pause of a connection that waits for others to free their memory.
const PAUSE: Duration = Duration::from_millis(1);

/// The bounds of a listener's connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// The most connections in all.
    pub all: usize,
    /// The most of an address that is not a trusted proxy's; eight times as many of a /48, 32 times
    /// of a block.
    pub per_address: usize,
    /// The most unfinished heads and bodies of an address; eight times as many of a /48, 32 times of
    /// a block.
    pub unfinished_per_address: usize,
    /// The most memory, in bytes.
    pub memory: usize,
}

/// All open connections of a listener. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct ConnectionTable {
    open: Arc<Mutex<OpenConnections>>,
    max: usize,
    per_source: SourceCounts,
    /// The connections of one source that take no more than its part of the memory. A block's part
    /// is four times as large.
    fair: usize,
    unfinished: SourceCounts,
    under_way: SourceCounts,
    memory: Arc<MemoryBudget>,
    metrics: HttpMetrics,
}

#[derive(Debug, Default)]
struct OpenConnections {
    all: Vec<Arc<TrackedConnection>>,
    /// Those that were evicted and are not closed yet.
    closing: usize,
}

/// An open connection. Dropping the guard removes it from the table.
#[derive(Debug)]
pub(super) struct ConnectionGuard {
    pub(super) connection: Arc<TrackedConnection>,
    pub(super) table: ConnectionTable,
    /// Trusted proxies do not count.
    _counted: Option<Counted>,
}

impl ConnectionTable {
    /// An empty table.
    pub(super) fn new(limits: ConnectionLimits, metrics: HttpMetrics) -> Self {
        Self {
            open: Arc::default(),
            max: limits.all,
            per_source: SourceCounts::new(limits.per_address),
            fair: limits.memory / FAIR_PART / OPEN,
            unfinished: SourceCounts::new(limits.unfinished_per_address),
            under_way: SourceCounts::new(usize::MAX),
            memory: Arc::new(MemoryBudget::new(limits.memory)),
            metrics,
        }
    }

    /// Admits a connection. If the table is full, evicts one that waits for its client. The bounds
    /// for each address do not apply to a proxy.
    ///
    /// # Errors
    /// When its address has too many connections, or the table is full and all are active.
    pub(super) fn admit(
        &self,
        peer: IpAddr,
        is_proxy: bool,
    ) -> Result<ConnectionGuard, ConnectionRefusal> {
        let network = Network::from(peer);
        let counted = if is_proxy {
            None
        } else {
            Some(self.per_source.add(network).ok_or(ConnectionRefusal::Address)?)
        };
        let mut open = self.open.lock();
        if open.all.len() >= self.max {
            let may_evict = open.closing < CLOSING;
            let Some(other) = self.next_to_evict(&open, false).filter(|_| may_evict) else {
                return Err(ConnectionRefusal::Full);
            };
            self.evict(&mut open, &other);
        }
        let memory = Arc::clone(&self.memory);
        let connection = Arc::new(TrackedConnection::new(network, is_proxy, memory));
        connection.index.store(open.all.len(), Ordering::Relaxed);
        open.all.push(Arc::clone(&connection));
        drop(open);
        self.metrics.connection_opened();
        self.free_memory();
        Ok(ConnectionGuard { connection, table: self.clone(), _counted: counted })
    }

    /// Evicts connections while they hold more memory than they may. Those of a source with many come
    /// first, then those with the most bytes, so that the small form of an honest client is rarely
    /// among them.
    pub(super) fn free_memory(&self) {
        if self.memory.excess() == 0 {
            return;
        }
        let mut open = self.open.lock();
        for _ in 0..MOST_EVICTIONS {
            if self.memory.excess() == 0 {
                return;
            }
            let Some(other) = self.next_to_evict(&open, true) else { return };
            self.evict(&mut open, &other);
        }
    }

    /// Waits while evicted connections have yet to free their memory, so that their tasks run before
    /// further connections take more.
    pub(super) async fn room(&self) {
        while self.is_memory_critical() {
            sleep(PAUSE).await;
        }
    }

    /// Returns whether evicted connections do not free their memory fast enough.
    pub(super) fn is_memory_critical(&self) -> bool {
        self.memory.is_critical()
    }

    /// Counts an unfinished body of a client; `None` if the client has too many.
    pub(super) fn count_unfinished_body(&self, client: Network) -> Option<Counted> {
        self.unfinished.add(client)
    }

    /// The number of further forms that there is memory for.
    pub(super) fn room_for_forms(&self) -> usize {
        self.memory.room_for_forms(REQUEST)
    }

    /// Counts a complete form of a client; `None` if its block has half of `room` under way.
    pub(super) fn count_under_way(&self, room: usize, client: Network) -> Option<Counted> {
        self.under_way.add_within(room, client)
    }

    /// Charges the complete form of a connection.
    pub(super) fn hold_form(&self, connection: &TrackedConnection) -> FormMemory {
        self.memory.hold_form(connection.charged())
    }

    /// Counts the unfinished head of a connection. Returns `false` if its address has too many.
    pub(super) fn count_unfinished_head(&self, connection: &TrackedConnection) -> bool {
        if connection.has_unfinished() {
            return true;
        }
        let Some(counted) = self.unfinished.add(connection.network) else { return false };
        connection.keep_unfinished(counted);
        true
    }

    /// The connection with the lowest eviction rank in a random run, or in all if there are few.
    /// Before all others come those of a source that has more than its part.
    fn next_to_evict(
        &self,
        open: &OpenConnections,
        by_size: bool,
    ) -> Option<Arc<TrackedConnection>> {
        let now = Instant::now();
        let waiting = open.sample().filter_map(|other| {
            let rank = other.eviction_rank(by_size, now)?;
            let has_fair_part = !self.has_much(other);
            Some(((has_fair_part, rank), other))
        });
        waiting.min_by_key(|(rank, _)| *rank).map(|(_, other)| Arc::clone(other))
    }

    /// Returns whether the connection's source, or the client of its body, has more than its part.
    fn has_much(&self, connection: &TrackedConnection) -> bool {
        let exceeds = |counts: &SourceCounts, source| counts.exceeds(self.fair, source);
        (!connection.is_proxy && exceeds(&self.per_source, connection.network))
            || connection.client().is_some_and(|client| exceeds(&self.unfinished, client))
    }

    fn evict(&self, open: &mut OpenConnections, connection: &TrackedConnection) {
        // An evicted one that is still open must not be chosen again in place of another.
        if open.remove(connection) {
            open.closing += 1;
        }
        connection.close_for_others();
        self.metrics.connection_ended(ConnectionEnd::Evicted);
    }
}

impl OpenConnections {
    /// A random run of connections, or all if there are few.
    fn sample(&self) -> impl Iterator<Item = &Arc<TrackedConnection>> {
        let start = rand::random_range(0..self.all.len().max(1));
        self.all.iter().cycle().skip(start).take(SAMPLE.min(self.all.len()))
    }

    /// Removes a connection. Returns `false` if it was removed before.
    fn remove(&mut self, connection: &TrackedConnection) -> bool {
        let index = connection.index.swap(usize::MAX, Ordering::Relaxed);
        if index >= self.all.len() {
            return false;
        }
        self.all.swap_remove(index);
        if let Some(moved) = self.all.get(index) {
            moved.index.store(index, Ordering::Relaxed);
        }
        true
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        let mut open = self.table.open.lock();
        if !open.remove(&self.connection) {
            open.closing = open.closing.saturating_sub(1);
        }
        drop(open);
        self.table.metrics.connection_closed();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::http::server::conn_state::ConnState;

    fn table(all: usize, per_address: usize) -> ConnectionTable {
        let limits = ConnectionLimits {
            all,
            per_address,
            unfinished_per_address: per_address,
            memory: 1024 * 1024,
        };
        ConnectionTable::new(limits, HttpMetrics::default())
    }

    fn connect(
        table: &ConnectionTable,
        last_octet: u8,
    ) -> Result<ConnectionGuard, ConnectionRefusal> {
        table.admit(IpAddr::from([192, 0, 2, last_octet]), false)
    }

    async fn is_evicted(guard: &ConnectionGuard) -> bool {
        let notified = guard.connection.evict.notified();
        tokio::time::timeout(Duration::from_millis(1), notified).await.is_ok()
    }

    #[tokio::test]
    async fn the_bounds_for_an_address_do_not_apply_to_proxies() {
        let table = table(40, 2);
        let guards = [connect(&table, 1).unwrap(), connect(&table, 1).unwrap()];
        assert_eq!(connect(&table, 1).unwrap_err(), ConnectionRefusal::Address);
        let other = connect(&table, 2).unwrap();
        let proxies: Vec<_> =
            (0..3).map(|_| table.admit(IpAddr::from([192, 0, 2, 1]), true).unwrap()).collect();
        let site = |n: u16| table.admit(IpAddr::from([0x2001, 0xdb8, 7, n, 0, 0, 0, 1]), false);
        let of_a_site: Vec<_> = (0..30).filter_map(|n| site(n).ok()).collect();
        assert_eq!(of_a_site.len(), 16);
        drop(guards);
        drop((connect(&table, 1).unwrap(), other, proxies, of_a_site));
        assert!(table.open.lock().all.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_wait_without_a_request_is_evicted() {
        let table = table(3, 10);
        let guards: Vec<_> = (0..3).map(|last| connect(&table, last).unwrap()).collect();
        guards[0].connection.enter(ConnState::Idle);
        advance(Duration::from_secs(1)).await;
        guards[1].connection.enter(ConnState::Headers);
        let fourth = connect(&table, 3).unwrap();
        assert!(is_evicted(&guards[2]).await, "silent for longest");
        for guard in [&guards[0], &guards[1], &fourth] {
            assert!(!is_evicted(guard).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_complete_request_is_never_evicted_and_half_a_body_is() {
        let table = table(2, 10);
        let guards = [connect(&table, 1).unwrap(), connect(&table, 2).unwrap()];
        for guard in &guards {
            guard.connection.enter(ConnState::Active);
        }
        assert_eq!(connect(&table, 3).unwrap_err(), ConnectionRefusal::Full);
        guards[0].connection.enter(ConnState::Body);
        let third = connect(&table, 3).unwrap();
        guards[0].connection.cut.notified().await;
        assert!(!is_evicted(&guards[1]).await);
        assert!(!guards[0].connection.may_be_dropped(), "it gets a response");
        guards[1].connection.enter(ConnState::Idle);
        let fourth = connect(&table, 3).unwrap();
        assert!(is_evicted(&guards[1]).await, "the third may be about to send its request");
        drop((third, fourth));
    }

    /// Its request was complete after it had been chosen, and before it was evicted.
    #[tokio::test(start_paused = true)]
    async fn an_evicted_connection_closes_once_its_client_stops_reading() {
        let table = table(2, 10);
        let guard = connect(&table, 1).unwrap();
        guard.connection.enter(ConnState::Active);
        guard.connection.close_for_others();
        assert!(is_evicted(&guard).await && !guard.connection.may_be_dropped());
        guard.connection.set_stalled(false);
        assert!(!is_evicted(&guard).await);
        guard.connection.set_stalled(true);
        assert!(is_evicted(&guard).await && guard.connection.may_be_dropped());
    }

    /// Behind a proxy every connection has its network, and a body has its client's.
    #[tokio::test(start_paused = true)]
    async fn bodies_of_a_client_behind_a_proxy_make_room_first() {
        let table = table(1_000, 1_000);
        let proxy = IpAddr::from([192, 0, 2, 1]);
        let wait = |client: Network| {
            let guard = table.admit(proxy, true).unwrap();
            guard.connection.wait_for_body(client);
            let counted = table.count_unfinished_body(client).unwrap();
            table.free_memory();
            (guard, counted)
        };
        let slow = wait(IpAddr::from([198, 51, 100, 1]).into());
        advance(Duration::from_secs(5)).await;
        let site = |n: u16| IpAddr::from([0x2001, 0xdb8, 7, n, 0, 0, 0, 1]).into();
        let flood: Vec<_> = (0..200).map(|n| wait(site(n))).collect();
        assert!(!is_evicted(&slow.0).await);
        assert_eq!(table.memory.excess(), 0);
        drop(flood);
    }

    /// Their source has taken the memory, so an honest client that sends its form slowly keeps it.
    #[tokio::test(start_paused = true)]
    async fn connections_of_a_source_that_holds_much_make_room_first() {
        let table = table(1_000, 1_000);
        let slow = connect(&table, 1).unwrap();
        slow.connection.enter(ConnState::Body);
        advance(Duration::from_secs(5)).await;
        let site = |n: u16| IpAddr::from([0x2001, 0xdb8, 7, n, 0, 0, 0, 1]);
        let mut guards = Vec::new();
        for n in 0..200 {
            let guard = table.admit(site(n), false).unwrap();
            guard.connection.enter(ConnState::Idle);
            table.free_memory();
            guards.push(guard);
        }
        assert_eq!(table.memory.excess(), 0);
        assert!(!is_evicted(&slow).await);
    }

    /// They are no connections of its clients, and any of these may send its next request through it.
    #[tokio::test(start_paused = true)]
    async fn the_neighbours_of_a_proxy_do_not_make_its_connections_go_first() {
        let table = table(22, 1_000);
        let proxy = table.admit(IpAddr::from([192, 0, 2, 1]), true).unwrap();
        proxy.connection.enter(ConnState::Idle);
        let neighbours: Vec<_> = (2..22).map(|last| connect(&table, last).unwrap()).collect();
        for neighbour in &neighbours {
            neighbour.connection.enter(ConnState::Active);
        }
        assert!(table.has_much(&neighbours[0].connection));
        let silent = table.admit(IpAddr::from([198, 51, 100, 1]), false).unwrap();
        let last = table.admit(IpAddr::from([203, 0, 113, 1]), false).unwrap();
        assert!(is_evicted(&silent).await);
        assert!(!is_evicted(&proxy).await);
        drop((neighbours, last));
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_freed_by_the_largest_and_then_by_the_longest_wait() {
        let table = table(1_000, 1_000);
        let hold = |bytes: usize| {
            let guard = connect(&table, 1).unwrap();
            guard.connection.enter(ConnState::Headers);
            guard.connection.add_bytes(bytes);
            table.free_memory();
            guard
        };
        let old = hold(100);
        advance(Duration::from_secs(1)).await;
        let large: Vec<_> = (0..30).map(|_| hold(32 * 1024)).collect();
        let mut evicted = 0;
        for guard in &large {
            evicted += usize::from(is_evicted(guard).await);
        }
        assert!((8..=14).contains(&evicted), "{evicted} of 48 KiB each do not fit into 1 MiB");
        assert!(!is_evicted(&old).await);
        drop(large);
        let small: Vec<_> = (0..70).map(|_| hold(100)).collect();
        assert!(is_evicted(&old).await);
        drop((old, small));
        assert_eq!(table.memory.excess(), 0);
        assert!(table.open.lock().all.is_empty());
    }
}
