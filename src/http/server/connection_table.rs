//! Who is connected: how many there may be, from one address and in all, and who makes room.
//!
//! `docs/decisions/0010-connections.md` says why it is so.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::conn_state::Connection;
use crate::abuse::Network;
use crate::telemetry::{HttpMetrics, Refused};

/// How many connections are looked at to find the one that makes room.
const SAMPLE: usize = 64;

/// How many connections above the bound may be open for as long as those that make room take to
/// close.
const CLOSING: usize = 64;

/// All open connections of a listener. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct ConnectionTable {
    open: Arc<Mutex<Open>>,
    most: usize,
    most_of_one: usize,
    metrics: HttpMetrics,
}

#[derive(Debug, Default)]
struct Open {
    all: Vec<Arc<Connection>>,
    of: HashMap<Network, usize>,
}

/// An open connection; closed when it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionGuard {
    pub(super) connection: Arc<Connection>,
    crowd: ConnectionTable,
    is_counted: bool,
}

impl ConnectionTable {
    /// Nobody yet.
    pub(super) fn new(most: usize, most_of_one: usize, metrics: HttpMetrics) -> Self {
        Self { open: Arc::default(), most, most_of_one, metrics }
    }

    /// Lets a connection in. Where there are too many, one that waits makes room for it; `proxy` is
    /// not bound by the bound on one address.
    ///
    /// # Errors
    /// When its address has too many, or all are busy.
    pub(super) fn admit(&self, peer: IpAddr, proxy: bool) -> Result<ConnectionGuard, Refused> {
        let network = Network::from(peer);
        let mut open = self.locked();
        if !proxy && open.of.get(&network).is_some_and(|count| *count >= self.most_of_one) {
            return Err(Refused::Address);
        }
        if open.all.len() >= self.most {
            let room = open.all.len() < self.most.saturating_add(CLOSING);
            let Some(other) = open.least_worth().filter(|_| room) else {
                return Err(Refused::Full);
            };
            other.evict.notify_one();
        }
        let connection = Arc::new(Connection::new(network));
        connection.place.store(open.all.len(), Ordering::Relaxed);
        open.all.push(Arc::clone(&connection));
        if !proxy {
            *open.of.entry(network).or_default() += 1;
        }
        drop(open);
        self.metrics.connection_opened();
        Ok(ConnectionGuard { connection, crowd: self.clone(), is_counted: !proxy })
    }

    fn locked(&self) -> MutexGuard<'_, Open> {
        // Nothing that holds it panics.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Of a random run of connections, the one whose loss matters least; of all where they are few.
    fn least_worth(&self) -> Option<&Connection> {
        let start = rand::random_range(0..self.all.len().max(1));
        let sample = self.all.iter().cycle().skip(start).take(SAMPLE.min(self.all.len()));
        let waiting = sample.filter_map(|other| Some((other.worth()?, other)));
        waiting.min_by_key(|(worth, _)| *worth).map(|(_, other)| &**other)
    }

    fn remove(&mut self, member: &ConnectionGuard) {
        let place = member.connection.place.load(Ordering::Relaxed);
        if place < self.all.len() {
            self.all.swap_remove(place);
        }
        if let Some(moved) = self.all.get(place) {
            moved.place.store(place, Ordering::Relaxed);
        }
        let network = member.connection.network;
        if member.is_counted
            && let Some(count) = self.of.get_mut(&network)
        {
            *count -= 1;
            if *count == 0 {
                self.of.remove(&network);
            }
        }
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.crowd.locked().remove(self);
        self.crowd.metrics.connection_closed();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::super::conn_state::Phase;
    use super::*;

    fn crowd(most: usize, most_of_one: usize) -> ConnectionTable {
        ConnectionTable::new(most, most_of_one, HttpMetrics::default())
    }

    fn enter(crowd: &ConnectionTable, last: u8) -> Result<ConnectionGuard, Refused> {
        crowd.admit(IpAddr::from([192, 0, 2, last]), false)
    }

    async fn is_evicted(member: &ConnectionGuard) -> bool {
        let told = member.connection.evict.notified();
        tokio::time::timeout(Duration::from_millis(1), told).await.is_ok()
    }

    #[tokio::test]
    async fn one_address_has_its_share_and_proxies_any() {
        let crowd = crowd(10, 2);
        let members = [enter(&crowd, 1).unwrap(), enter(&crowd, 1).unwrap()];
        assert_eq!(enter(&crowd, 1).unwrap_err(), Refused::Address);
        let other = enter(&crowd, 2).unwrap();
        let proxies: Vec<_> =
            (0..3).map(|_| crowd.admit(IpAddr::from([192, 0, 2, 1]), true).unwrap()).collect();
        drop(members);
        drop((enter(&crowd, 1).unwrap(), other, proxies));
        let open = crowd.locked();
        assert!(open.all.is_empty() && open.of.is_empty(), "nothing is left: {open:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_wait_without_a_request_makes_room() {
        let crowd = crowd(3, 10);
        let members: Vec<_> = (0..3).map(|last| enter(&crowd, last).unwrap()).collect();
        members[0].connection.enter(Phase::Idle);
        advance(Duration::from_secs(1)).await;
        members[1].connection.enter(Phase::Head);
        let fourth = enter(&crowd, 3).unwrap();
        assert!(is_evicted(&members[2]).await, "silent for longest");
        for member in [&members[0], &members[1], &fourth] {
            assert!(!is_evicted(member).await);
        }
    }

    #[tokio::test]
    async fn a_request_under_way_never_makes_room() {
        let crowd = crowd(2, 10);
        let members = [enter(&crowd, 1).unwrap(), enter(&crowd, 2).unwrap()];
        for member in &members {
            member.connection.enter(Phase::Busy);
        }
        assert_eq!(enter(&crowd, 3).unwrap_err(), Refused::Full);
        members[1].connection.enter(Phase::Idle);
        enter(&crowd, 3).unwrap();
        assert!(is_evicted(&members[1]).await && !is_evicted(&members[0]).await);
    }
}
