//! The reload of the settings: at SIGHUP, and when a file that they were read from has changed.

use std::future::pending;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep, timeout_at};

use super::supervisor::Supervisor;
use crate::app::Reloader;
use crate::config::{ConfigErrors, Layers, Settings};

/// The interval at which files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The pause before settings are read again that the database has rejected: it may learn a new password
/// after the service does.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// The longest time for reading the settings. A pipe without a writer and a network file system whose server
/// is gone block for any time; their thread is left behind.
const READ: Duration = Duration::from_secs(10);

/// Reads all settings again. May block.
pub(super) type ReadSettings = dyn Fn() -> Result<(Settings, Layers), ConfigErrors> + Send + Sync;

/// The files of the settings, as they were just before they were read.
#[derive(Debug)]
pub(super) struct WatchedFiles {
    paths: Vec<PathBuf>,
    loaded: Vec<Option<FileState>>,
}

/// Device, inode, and the time of the last change of content or attributes. The inode differs after a
/// rename, by which Kubernetes and editors replace a file. A program that copies a file may set its time
/// of modification (`cp -p`), but not this one.
type FileState = (u64, u64, i64, i64);

/// Reloads the settings whenever there is a reason. Runs until it is dropped.
pub(super) async fn reload_when_asked(
    mut reloader: Reloader,
    read: Arc<ReadSettings>,
    mut files: WatchedFiles,
    mut hangup: Signal,
    supervisor: &Supervisor,
) {
    let mut may_succeed_later = false;
    let mut late = None;
    loop {
        tokio::select! {
            // The stream of a signal never ends.
            _ = hangup.recv() => {}
            () = files.changed() => tracing::info!("a file of the settings changed"),
            () = sleep(TRY_AGAIN), if may_succeed_later => {}
            // What blocked does so no more.
            () = ended(&mut late) => {}
        }
        supervisor.reloading();
        let deadline = Instant::now() + READ;
        // If it blocks, so does the reading.
        drop(timeout_at(deadline, files.mark_loaded()).await);
        let read = Arc::clone(&read);
        let mut reading = spawn_blocking(move || read());
        (may_succeed_later, late) = match timeout_at(deadline, &mut reading).await {
            Ok(Ok(read)) => (reloader.reload(read).await, None),
            // A panic, which the log has, or too late.
            unread => {
                reloader.reject_unread(READ);
                (false, unread.is_err().then_some(reading))
            }
        };
        supervisor.ready();
    }
}

/// Waits until the reading that was too late has ended. Its result is out of date.
async fn ended<T: Send>(late: &mut Option<JoinHandle<T>>) {
    match late {
        Some(reading) => drop(reading.await),
        None => pending().await,
    }
    *late = None;
}

impl WatchedFiles {
    /// Watches these files, which are about to be read. May block.
    pub(super) fn new(paths: Vec<PathBuf>) -> Self {
        let loaded = states(&paths);
        Self { paths, loaded }
    }

    /// Records that the files are read now.
    async fn mark_loaded(&mut self) {
        if let Some(now) = self.look().await {
            self.loaded = now;
        }
    }

    /// Waits until a file differs from its state when it was read, and is no longer being written.
    async fn changed(&self) {
        let mut before = None;
        loop {
            sleep(LOOK).await;
            // While one look blocks there is no other.
            let Some(now) = self.look().await else { continue };
            if now != self.loaded && before.as_ref() == Some(&now) {
                return;
            }
            before = Some(now);
        }
    }

    /// Returns the state of each file; `None` if the look failed. Signals are received meanwhile, however
    /// long it takes.
    async fn look(&self) -> Option<Vec<Option<FileState>>> {
        let paths = self.paths.clone();
        spawn_blocking(move || states(&paths)).await.ok()
    }
}

/// The state of each file; `None` for one that is not there.
fn states(paths: &[PathBuf]) -> Vec<Option<FileState>> {
    let state = |path: &PathBuf| {
        let file = std::fs::metadata(path).ok()?;
        Some((file.dev(), file.ino(), file.ctime(), file.ctime_nsec()))
    };
    paths.iter().map(state).collect()
}
