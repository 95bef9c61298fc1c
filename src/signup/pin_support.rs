//! Knowledge about whether the connection keeps the pinned ids of new users.
//!
//! Auth0's own databases keep them. A custom database may assign ids of its own. Then a lookup by
//! the pinned id proves nothing and a repeated call could create a second user, so resolution works
//! differently. What is known belongs to the tenant and the connection, and the ledger keeps it for
//! other replicas and after a restart. The next user that is created replaces it, so a database
//! that changes is noticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::Inner;
use super::ledger_wait::LedgerWait;
use crate::telemetry::chain;

/// State of the knowledge.
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

    /// Learns from a user that was created with a pinned id. Returns whether that was news.
    fn learn(&self, kept: bool) -> bool {
        let now = if kept { Self::KEPT } else { Self::IGNORED };
        self.is_pinning() && self.0.swap(now, Ordering::Relaxed) != now
    }

    /// Adopts what another process has recorded, unless this one has learned something since.
    fn adopt(&self, before: u8, kept: bool) {
        let now = if kept { Self::KEPT } else { Self::IGNORED };
        // Ignored: what this process has learned counts.
        let _learned = self.0.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed);
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

impl Inner {
    /// Reads what every process has learned, and returns whether ids are known to be kept. A failure
    /// changes nothing: while it is unknown, nothing is repeated that may create a second user.
    ///
    /// That ids are ignored stands until this process creates a user that keeps its own.
    pub(super) async fn keeps_user_ids(&self, wait: &LedgerWait) -> bool {
        if !self.pin_support.is_ignored() {
            let before = self.pin_support.load();
            let connection = self.connection.digests(&self.context.digests);
            match wait.limit(self.ledger.keeps_user_ids(&connection)).await {
                Ok(Some(kept)) => self.pin_support.adopt(before, kept),
                Ok(None) => {}
                Err(error) => tracing::warn!(
                    error = chain(&error),
                    "the ledger does not report whether the connection keeps pinned ids"
                ),
            }
        }
        self.pin_support.is_kept()
    }

    /// Learns from a user that was created with a pinned id, and records what is new.
    pub(super) fn learn_pin_support(self: &Arc<Self>, kept: bool) {
        if !self.pin_support.learn(kept) {
            return;
        }
        let inner = Arc::clone(self);
        let record = async move {
            let connection = inner.connection.digests(&inner.context.digests).current;
            if let Err(error) = inner.ledger.record_user_ids(&connection, kept).await {
                tracing::warn!(
                    error = chain(&error),
                    "the ledger does not record whether the connection keeps pinned ids"
                );
            }
        };
        drop(self.context.lifecycle.spawn(record));
    }
}
