//! A gate that holds calls until a test opens it. It lets a test wait for an event rather than a
//! guessed delay.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

/// Holds calls that have a fault from [`Fault::held`](super::Fault::held) or
/// [`Fault::behind`](super::Fault::behind). Clones share one gate.
#[derive(Clone)]
pub struct Gate(Arc<watch::Sender<GateState>>);

/// The state of a gate.
#[derive(Clone, Copy, Debug, Default)]
struct GateState {
    /// Set once calls may pass.
    open: bool,
    /// The number of calls that have reached the gate.
    arrived: u32,
    /// The number of those calls that the tenant has finished.
    done: u32,
}

/// A call held at a gate. Dropping it marks the call as finished.
#[derive(Debug)]
pub(crate) struct HeldCall(Gate);

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::default()))
    }

    /// Opens the gate for waiting and later calls.
    pub fn open(&self) {
        self.0.send_modify(|state| state.open = true);
    }

    /// Waits until this many calls have reached the gate.
    pub async fn arrived(&self, calls: u32) {
        self.wait_until(|state| state.arrived >= calls).await;
    }

    /// Waits until the tenant has finished this many calls, even if their clients have
    /// disconnected.
    pub async fn done(&self, calls: u32) {
        self.wait_until(|state| state.done >= calls).await;
    }

    /// Registers a call at the gate.
    pub(crate) fn enter(&self) -> HeldCall {
        self.0.send_modify(|state| state.arrived += 1);
        HeldCall(self.clone())
    }

    async fn wait_until(&self, holds: impl FnMut(&GateState) -> bool) {
        // Cannot fail: this gate holds the sender.
        drop(self.0.subscribe().wait_for(holds).await);
    }
}

impl HeldCall {
    /// Waits until the gate is open.
    pub(crate) async fn pass(&self) {
        self.0.wait_until(|state| state.open).await;
    }
}

impl Drop for HeldCall {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.done += 1);
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Gate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.borrow().fmt(f)
    }
}
