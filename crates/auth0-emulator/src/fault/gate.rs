//! A gate that holds calls until a test opens it: an event where a delay would be a guess.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

/// Holds the calls that come to it, by [`Fault::held`](super::Fault::held) or
/// [`Fault::behind`](super::Fault::behind). Clones are one gate.
#[derive(Clone)]
pub struct Gate(Arc<watch::Sender<GateState>>);

/// What a gate knows.
#[derive(Clone, Copy, Debug, Default)]
struct GateState {
    /// Whether calls may pass.
    open: bool,
    /// How many calls came to it.
    arrived: u32,
    /// How many of them the tenant is through with.
    done: u32,
}

/// A call that came to a gate; the tenant is through with it when this is dropped.
#[derive(Debug)]
pub(crate) struct HeldCall(Gate);

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::default()))
    }

    /// Lets every call pass, those that wait and those that are still to come.
    pub fn open(&self) {
        self.0.send_modify(|state| state.open = true);
    }

    /// Waits until so many calls have come to it.
    pub async fn arrived(&self, calls: u32) {
        self.wait_until(|state| state.arrived >= calls).await;
    }

    /// Waits until the tenant is through with so many calls, whether their clients are still there
    /// or not.
    pub async fn done(&self, calls: u32) {
        self.wait_until(|state| state.done >= calls).await;
    }

    /// Notes a call.
    pub(crate) fn enter(&self) -> HeldCall {
        self.0.send_modify(|state| state.arrived += 1);
        HeldCall(self.clone())
    }

    async fn wait_until(&self, holds: impl FnMut(&GateState) -> bool) {
        // The sender is this gate's own, so that it cannot be gone.
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
