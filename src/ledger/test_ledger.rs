//! The ledger for tests of other modules.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Access, Ledger, digests, open};
use crate::clock::Clock;
use crate::config::{Database, LedgerSettings, Synchronous};
use crate::digest::Digests;
use crate::telemetry::LedgerMetrics;

/// Opens a new ledger in this folder. Returns it with its digests.
pub(crate) async fn open_in(folder: &Path, clock: &Arc<dyn Clock>) -> (Arc<dyn Ledger>, Digests) {
    let settings = LedgerSettings {
        database: Database::Sqlite(folder.join("signup.db")),
        secret_key: Some("k".repeat(32).into()),
        secret_key_path: None,
        previous_secret_key: None,
        migrate: true,
        synchronous: Synchronous::Normal,
        retention: Duration::from_hours(30 * 24),
        key_lifetime: Duration::from_hours(24),
        timeout: Duration::from_mins(1),
        lock_wait: Duration::ZERO,
        new_ledger: false,
    };
    let digests = digests(&settings).unwrap();
    let metrics = LedgerMetrics::default();
    let ledger = open(&settings, &digests, Access::Service, clock, &metrics).await.unwrap();
    (ledger, digests)
}
