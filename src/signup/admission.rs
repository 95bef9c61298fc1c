//! Admission: the decision whether a new attempt may start, made after its key turned out to be
//! new.
//!
//! This module says only when the decision is made. The layer above makes it, since this one knows
//! neither client addresses nor challenges. An admission states what the attempt costs; the write
//! that records the attempt pays it.

use std::fmt;
use std::pin::Pin;

use super::outcome::SignupResult;
use super::rejection::Rejection;
use crate::ledger::AdmissionCost;

/// A pending decision whether a new attempt may start. Polled in the attempt's task, and only when
/// it is needed: dropped unpolled for a known key, and half-way when every client has disconnected.
pub struct Admission(Pin<Box<dyn Future<Output = Result<Admitted, Rejection>> + Send>>);

/// A new attempt that may start.
#[derive(Debug)]
pub struct Admitted {
    /// Its cost.
    pub cost: AdmissionCost,
    /// Records its result.
    pub recorder: ResultRecorder,
}

/// Records the result of an admitted attempt, also if no client waits for it any more.
pub struct ResultRecorder(Box<dyn FnOnce(&SignupResult) + Send>);

impl ResultRecorder {
    /// A recorder that calls this function.
    pub fn new(record: impl FnOnce(&SignupResult) + Send + 'static) -> Self {
        Self(Box::new(record))
    }

    /// Records the result.
    pub(super) fn record(self, result: &SignupResult) {
        (self.0)(result);
    }
}

impl fmt::Debug for ResultRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResultRecorder")
    }
}

impl Admission {
    /// An admission that this future decides.
    pub fn new(decide: impl Future<Output = Result<Admitted, Rejection>> + Send + 'static) -> Self {
        Self(Box::pin(decide))
    }

    /// Makes the decision.
    pub(super) async fn decide(self) -> Result<Admitted, Rejection> {
        self.0.await
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Admission")
    }
}
