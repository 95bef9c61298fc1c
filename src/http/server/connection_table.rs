//! The table of open connections: bounds in all and for each address, and eviction.
//!
//! `docs/decisions/0010-connections.md` has the reasons.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::conn_state::TrackedConnection;
use crate::abuse::Network;
use crate::telemetry::{ConnectionRefusal, HttpMetrics};

/// The most connections that are compared to choose the one to evict.
const SAMPLE: usize = 64;

/// The most connections above the bound that may be open while evicted ones close.
const CLOSING: usize = 64;

/// All open connections of a listener. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct ConnectionTable {
    open: Arc<Mutex<OpenConnections>>,
    max: usize,
    max_per_address: usize,
    metrics: HttpMetrics,
}

#[derive(Debug, Default)]
struct OpenConnections {
    all: Vec<Arc<TrackedConnection>>,
    per_network: HashMap<Network, usize>,
}

/// An open connection. Dropping the guard removes it from the table.
#[derive(Debug)]
pub(super) struct ConnectionGuard {
    pub(super) connection: Arc<TrackedConnection>,
    table: ConnectionTable,
    /// True if it counts for its network; trusted proxies do not.
    is_counted: bool,
}

impl ConnectionTable {
    /// An empty table.
    pub(super) fn new(max: usize, max_per_address: usize, metrics: HttpMetrics) -> Self {
        Self { open: Arc::default(), max, max_per_address, metrics }
    }

    /// Admits a connection. If the table is full, evicts one that waits for its client. The bound
    /// for each address does not apply to a proxy.
    ///
    /// # Errors
    /// When its address has too many connections, or the table is full and all are active.
    pub(super) fn admit(
        &self,
        peer: IpAddr,
        is_proxy: bool,
    ) -> Result<ConnectionGuard, ConnectionRefusal> {
        let network = Network::from(peer);
        let mut open = self.lock();
        let is_full = |count: &usize| *count >= self.max_per_address;
        if !is_proxy && open.per_network.get(&network).is_some_and(is_full) {
            return Err(ConnectionRefusal::Address);
        }
        if open.all.len() >= self.max {
            let may_evict = open.all.len() < self.max.saturating_add(CLOSING);
            let Some(other) = open.next_to_evict().filter(|_| may_evict) else {
                return Err(ConnectionRefusal::Full);
            };
            other.evict.notify_one();
        }
        let connection = Arc::new(TrackedConnection::new(network));
        connection.index.store(open.all.len(), Ordering::Relaxed);
        open.all.push(Arc::clone(&connection));
        if !is_proxy {
            *open.per_network.entry(network).or_default() += 1;
        }
        drop(open);
        self.metrics.connection_opened();
        Ok(ConnectionGuard { connection, table: self.clone(), is_counted: !is_proxy })
    }

    fn lock(&self) -> MutexGuard<'_, OpenConnections> {
        // Nothing panics while it holds the lock.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenConnections {
    /// The connection with the lowest eviction rank in a random run, or in all if there are few.
    fn next_to_evict(&self) -> Option<&TrackedConnection> {
        let start = rand::random_range(0..self.all.len().max(1));
        let sample = self.all.iter().cycle().skip(start).take(SAMPLE.min(self.all.len()));
        let waiting = sample.filter_map(|other| Some((other.eviction_rank()?, other)));
        waiting.min_by_key(|(rank, _)| *rank).map(|(_, other)| &**other)
    }

    fn remove(&mut self, guard: &ConnectionGuard) {
        let index = guard.connection.index.load(Ordering::Relaxed);
        if index < self.all.len() {
            self.all.swap_remove(index);
        }
        if let Some(moved) = self.all.get(index) {
            moved.index.store(index, Ordering::Relaxed);
        }
        let network = guard.connection.network;
        if guard.is_counted
            && let Some(count) = self.per_network.get_mut(&network)
        {
            *count -= 1;
            if *count == 0 {
                self.per_network.remove(&network);
            }
        }
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.table.lock().remove(self);
        self.table.metrics.connection_closed();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::super::conn_state::ConnState;
    use super::*;

    fn table(max: usize, max_per_address: usize) -> ConnectionTable {
        ConnectionTable::new(max, max_per_address, HttpMetrics::default())
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
    async fn the_bound_for_an_address_does_not_apply_to_proxies() {
        let table = table(10, 2);
        let guards = [connect(&table, 1).unwrap(), connect(&table, 1).unwrap()];
        assert_eq!(connect(&table, 1).unwrap_err(), ConnectionRefusal::Address);
        let other = connect(&table, 2).unwrap();
        let proxies: Vec<_> =
            (0..3).map(|_| table.admit(IpAddr::from([192, 0, 2, 1]), true).unwrap()).collect();
        drop(guards);
        drop((connect(&table, 1).unwrap(), other, proxies));
        let open = table.lock();
        assert!(open.all.is_empty() && open.per_network.is_empty(), "nothing is left: {open:?}");
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

    #[tokio::test]
    async fn an_active_connection_is_never_evicted() {
        let table = table(2, 10);
        let guards = [connect(&table, 1).unwrap(), connect(&table, 2).unwrap()];
        for guard in &guards {
            guard.connection.enter(ConnState::Active);
        }
        assert_eq!(connect(&table, 3).unwrap_err(), ConnectionRefusal::Full);
        guards[1].connection.enter(ConnState::Idle);
        connect(&table, 3).unwrap();
        assert!(is_evicted(&guards[1]).await && !is_evicted(&guards[0]).await);
    }
}
