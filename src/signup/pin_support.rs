//! Knowledge about whether the connection keeps the pinned ids of new users.
//!
//! Auth0's own databases keep them. A custom database may assign ids of its own. Then a lookup by
//! the pinned id proves nothing and a repeated call could create a second user, so resolution works
//! differently. What is known belongs to the tenant and the connection, and the ledger keeps it for
//! other replicas and after a restart. The next user that is created replaces it, so a database
//! that changes is noticed.

use std::sync::Arc;

use parking_lot::Mutex;

use super::Inner;
use super::ledger_wait::LedgerWait;
use crate::telemetry::chain;

/// State of the knowledge.
#[derive(Debug)]
pub(super) struct PinSupport(Mutex<UserIds>);

/// The ids of the users that create calls make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UserIds {
    /// No user was created with a pinned id yet.
    Unknown,
    /// The last user kept its pinned id.
    Kept,
    /// The last user got another id.
    Ignored,
    /// Ids are not pinned.
    Unpinned,
}

impl UserIds {
    const fn pinned(kept: bool) -> Self {
        if kept { Self::Kept } else { Self::Ignored }
    }
}

impl PinSupport {
    /// Starts without knowledge; `false`: ids are not pinned at all.
    pub(super) const fn new(pinning: bool) -> Self {
        Self(Mutex::new(if pinning { UserIds::Unknown } else { UserIds::Unpinned }))
    }

    /// Learns from a user that was created with a pinned id. Returns whether that was news.
    pub(super) fn learn(&self, kept: bool) -> bool {
        let mut ids = self.0.lock();
        match *ids {
            UserIds::Unpinned => false,
            before @ (UserIds::Unknown | UserIds::Kept | UserIds::Ignored) => {
                *ids = UserIds::pinned(kept);
                *ids != before
            }
        }
    }

    /// Adopts what another process has recorded, unless this one has learned something since `before`.
    /// Returns whether that was news.
    fn adopt(&self, before: UserIds, kept: bool) -> bool {
        let mut ids = self.0.lock();
        let is_news = *ids == before && before != UserIds::pinned(kept);
        if is_news {
            *ids = UserIds::pinned(kept);
        }
        is_news
    }

    /// Returns whether create calls pin ids.
    pub(super) fn is_pinning(&self) -> bool {
        match self.user_ids() {
            UserIds::Unknown | UserIds::Kept | UserIds::Ignored => true,
            UserIds::Unpinned => false,
        }
    }

    /// Returns whether a lookup by the pinned id is certain to find a user that was created.
    pub(super) fn is_kept(&self) -> bool {
        self.user_ids() == UserIds::Kept
    }

    /// Returns whether a lookup by the pinned id is useless: ids are known to be ignored, or not
    /// pinned.
    pub(super) fn is_ignored(&self) -> bool {
        match self.user_ids() {
            UserIds::Ignored | UserIds::Unpinned => true,
            UserIds::Unknown | UserIds::Kept => false,
        }
    }

    fn user_ids(&self) -> UserIds {
        *self.0.lock()
    }
}

impl Inner {
    /// Reads what every process has learned, and returns whether ids are known to be kept. A failure
    /// changes nothing: while it is unknown, nothing is repeated that may create a second user.
    ///
    /// That ids are ignored stands until this process creates a user that keeps its own.
    pub(super) async fn keeps_user_ids(self: &Arc<Self>, wait: &LedgerWait) -> bool {
        if !self.pin_support.is_ignored() {
            let before = self.pin_support.user_ids();
            let connection = self.connection.digests(&self.context.digests);
            match wait.limit(self.ledger.keeps_user_ids(&connection)).await {
                Ok(Some(kept)) => {
                    // Perhaps recorded under one secret only, before the rotation. What another process has learned
                    // since it was read stays.
                    if self.pin_support.adopt(before, kept) && connection.previous.is_some() {
                        self.record_user_ids(kept, false);
                    }
                }
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
        if self.pin_support.learn(kept) {
            self.record_user_ids(kept, true);
        }
    }

    /// Records whether pinned ids are kept, in a task of its own. `replaces`: also where something is recorded.
    fn record_user_ids(self: &Arc<Self>, kept: bool, replaces: bool) {
        let inner = Arc::clone(self);
        let record = async move {
            let connection = inner.connection.digests(&inner.context.digests);
            if let Err(error) = inner.ledger.record_user_ids(connection, kept, replaces).await {
                tracing::warn!(
                    error = chain(&error),
                    "the ledger does not record whether the connection keeps pinned ids"
                );
            }
        };
        drop(self.context.lifecycle.spawn(record));
    }
}
