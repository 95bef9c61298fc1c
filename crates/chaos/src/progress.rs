//! The run's progress, which clients and events wait for.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

/// The clients that have started and ended, and the number that may start.
#[derive(Debug)]
pub(crate) struct Progress {
    clients: Mutex<Clients>,
    /// The number of clients that may have started by now.
    allowed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Clients {
    started: u64,
    /// The running ones, by number: the first is the oldest.
    running: BTreeMap<u64, Instant>,
}

impl Progress {
    /// No client has started, and none may.
    pub(crate) fn new() -> Self {
        Self { clients: Mutex::default(), allowed: watch::Sender::new(0) }
    }

    /// Allows this many clients to start, counted from the start of the run.
    pub(crate) fn allow(&self, clients: u64) {
        self.allowed.send_replace(clients);
    }

    /// Waits until this many clients may start.
    pub(crate) async fn wait_until_allowed(&self, clients: u64) {
        let mut allowed = self.allowed.subscribe();
        // The sender lives as long as this object, so that the wait cannot fail.
        let _allowed = allowed.wait_for(|allowed| *allowed >= clients).await;
    }

    /// Records a client's start and returns its number, counted from 0.
    pub(crate) fn start(&self, at: Instant) -> u64 {
        let mut clients = self.clients.lock();
        let number = clients.started;
        clients.started += 1;
        clients.running.insert(number, at);
        number
    }

    /// Records the client's end.
    pub(crate) fn end(&self, number: u64) {
        self.clients.lock().running.remove(&number);
    }

    /// The number of clients that have started.
    pub(crate) fn started(&self) -> u64 {
        self.clients.lock().started
    }

    /// Returns whether a client is running that started before this time.
    pub(crate) fn runs_since(&self, time: Instant) -> bool {
        self.clients.lock().running.values().next().is_some_and(|oldest| *oldest < time)
    }
}
