//! Syncs of the write-ahead log that no write waits for: within a second of the write.
//!
//! SQLite syncs the log itself before it moves the log's content to the database. This covers the
//! time until then.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use crate::telemetry::chain;

/// The pause before a sync, during which further writes join it. Half of the promised second: the
/// rest is for a slow disk, and for a write that comes during a sync and waits for the next.
const PAUSE: Duration = Duration::from_millis(500);

/// Requests syncs from a thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct LogSync {
    log: PathBuf,
    requests: SyncSender<()>,
    failed: Arc<AtomicBool>,
}

impl LogSync {
    /// Starts the thread for the log at this path.
    ///
    /// # Errors
    /// When the system cannot start one.
    pub(super) fn start(log: &Path) -> io::Result<Self> {
        let log = log.to_owned();
        let (tx, rx) = sync_channel(1);
        let failed = Arc::new(AtomicBool::new(false));
        let (path, has_failed) = (log.clone(), Arc::clone(&failed));
        let run = move || run(&path, &rx, &has_failed);
        thread::Builder::new().name("ledger-sync".into()).spawn(run)?;
        Ok(Self { log, requests: tx, failed })
    }

    /// Requests a sync of what was written until now.
    pub(super) fn request(&self) {
        // Ignored: while a request is queued, its sync is still to come and covers this write too.
        let _queued = self.requests.try_send(());
    }

    /// Syncs now.
    pub(super) fn sync(&self) {
        sync(&self.log, &self.failed);
    }

    /// Records that a sync failed, here or elsewhere.
    ///
    /// The system reports that once, and takes what it could not write for written. A later sync succeeds
    /// without it, and after a loss of power the log ends there.
    pub(super) fn record_failure(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// Returns whether a sync has failed since the last call.
    pub(super) fn take_failure(&self) -> bool {
        self.failed.swap(false, Ordering::AcqRel)
    }
}

fn run(log: &Path, requests: &Receiver<()>, failed: &AtomicBool) {
    while requests.recv().is_ok() {
        thread::sleep(PAUSE);
        // Taken before the sync: a write that comes during it needs another one.
        let _joined = requests.try_recv();
        sync(log, failed);
    }
}

/// Syncs the log. Opens it each time, since SQLite may have replaced it. Closing it releases no
/// lock: SQLite holds none on this file.
fn sync(log: &Path, failed: &AtomicBool) {
    match File::open(log).and_then(|file| file.sync_data()) {
        Ok(()) => {}
        // The last connection that closes moves everything to the database and syncs that.
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => {
            failed.store(true, Ordering::Release);
            tracing::error!(
                error = chain(&error),
                "the write-ahead log of the ledger could not be synced"
            );
        }
    }
}
