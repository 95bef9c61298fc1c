//! Knowledge of whether the connection keeps or ignores the ids that create calls pin.

use std::sync::atomic::{AtomicU8, Ordering};

/// Support of the connection for pinned ids. A custom database may ignore the id that a create call
/// pins; then a lookup by that id finds nothing, whatever happened.
///
/// Learned from the last user that this process created with a pinned id. Ids are pinned even while
/// they are ignored, so that a connection that starts to keep them is noticed.
#[derive(Debug)]
pub(super) struct PinSupport(AtomicU8);

impl PinSupport {
    /// No user was created with a pinned id yet.
    const UNKNOWN: u8 = 0;
    /// The last user kept its id.
    const KEPT: u8 = 1;
    /// The last user got another id.
    const IGNORED: u8 = 2;
    /// Ids are not pinned.
    const OFF: u8 = 3;

    /// Starts without knowledge; `false`: ids are not pinned at all.
    pub(super) const fn new(pinning: bool) -> Self {
        Self(AtomicU8::new(if pinning { Self::UNKNOWN } else { Self::OFF }))
    }

    /// Learns from a user that was created with a pinned id.
    pub(super) fn learn(&self, kept: bool) {
        if self.is_pinning() {
            self.0.store(if kept { Self::KEPT } else { Self::IGNORED }, Ordering::Relaxed);
        }
    }

    /// Starts from a user that an earlier process created, until this process learns from its own.
    pub(super) fn seed(&self, kept: bool) {
        if self.load() == Self::UNKNOWN {
            self.learn(kept);
        }
    }

    /// Returns whether create calls pin ids.
    pub(super) fn is_pinning(&self) -> bool {
        self.load() != Self::OFF
    }

    /// Returns whether a lookup by the pinned id is certain to find a user that was created.
    pub(super) fn is_kept(&self) -> bool {
        self.load() == Self::KEPT
    }

    /// Returns whether a lookup by the pinned id is useless: ids are known to be ignored, or not
    /// pinned.
    pub(super) fn is_ignored(&self) -> bool {
        matches!(self.load(), Self::IGNORED | Self::OFF)
    }

    fn load(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}
