//! The reload of the settings: at SIGHUP, and when a file that they were read from has changed.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::time::sleep;

use super::supervisor::Supervisor;
use crate::app::Reloader;
use crate::config::{ConfigErrors, Layers, Settings};

/// The interval at which files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The pause before settings are read again that the database has rejected: it may learn a new password
/// after the service does.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// Reads all settings again.
pub(super) type ReadSettings = dyn Fn() -> Result<(Settings, Layers), ConfigErrors> + Send + Sync;

/// The files of the settings, as they were when they were read.
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
    read: &ReadSettings,
    mut files: WatchedFiles,
    mut hangup: Signal,
    supervisor: &Supervisor,
) {
    let mut may_succeed_later = false;
    loop {
        tokio::select! {
            // The stream of a signal never ends.
            _ = hangup.recv() => {}
            () = files.changed() => tracing::info!("a file of the settings changed"),
            () = sleep(TRY_AGAIN), if may_succeed_later => {}
        }
        supervisor.reloading();
        files.mark_loaded();
        // Reading a few small files takes less time than a handover to another thread.
        may_succeed_later = reloader.reload(read()).await;
        supervisor.ready();
    }
}

impl WatchedFiles {
    /// The files that these layers are read from.
    pub(super) fn new(layers: &Layers) -> Self {
        let paths: Vec<_> = layers.files().map(Path::to_owned).collect();
        let loaded = states(&paths);
        Self { paths, loaded }
    }

    /// Records that the files are read now.
    fn mark_loaded(&mut self) {
        self.loaded = states(&self.paths);
    }

    /// Waits until a file differs from its state when it was read, and is no longer being written.
    async fn changed(&self) {
        let mut before = None;
        loop {
            sleep(LOOK).await;
            let now = states(&self.paths);
            if now != self.loaded && before.as_ref() == Some(&now) {
                return;
            }
            before = Some(now);
        }
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
