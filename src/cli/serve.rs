//! `auth0-signup serve`

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use anyhow::Context as _;
use clap::Args;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::reload::{ReadSettings, WatchedFiles, reload_when_asked};
use super::signals::Signals;
use super::supervisor::Supervisor;
use super::{ConfigArgs, NewLedger, environment};
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::{self, ConfigErrors, ExistenceSettings, Layers, OutboundProxy, Settings};
use crate::telemetry::{self, LogLevel};

/// Serve sign-ups for the tenant in the settings.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    new_ledger: NewLedger,
}

impl Serve {
    /// Serves until SIGTERM or SIGINT.
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let runtime = runtime(config::worker_threads(environment()))
            .context("the runtime cannot be started")?;
        // First of all: until then SIGHUP would end the process.
        let mut signals = runtime.block_on(async { Signals::catch() })?;
        let (file, new_ledger) = (self.config.file(), self.new_ledger.allowed);
        let paths = config::settings_files(file.as_deref(), environment());
        let read = move || {
            let (mut settings, layers) = config::load_with_layers(file.as_deref(), environment())?;
            settings.ledger.new_ledger = new_ledger;
            Ok((settings, layers))
        };
        let read: Arc<ReadSettings> = Arc::new(read);
        let first_read = Arc::clone(&read);
        // A file may block, such as a pipe without a writer.
        let first_reading = runtime.block_on(async {
            tokio::select! {
                reading = spawn_blocking(move || {
                    // First, so that no change during the reading is missed.
                    let files = WatchedFiles::new(paths);
                    let (settings, layers) = first_read()?;
                    Ok::<_, ConfigErrors>((settings, layers, files))
                }) => Some(reading),
                () = signals.stop.recv() => None,
            }
        });
        let Some(first_reading) = first_reading else {
            runtime.shutdown_background();
            return Ok(());
        };
        let (settings, layers, files) = first_reading.context("the settings cannot be read")??;
        let log = telemetry::init(&settings.log).context("the log cannot be set up")?;
        if settings.http.origins.own.is_none() {
            tracing::warn!(
                setting = "http.public_url",
                "http.public_url is not set: a page of any name that resolves to this service may post"
            );
        }
        if matches!(&settings.existence, ExistenceSettings::Uniform(uniform) if uniform.floor.is_zero())
        {
            tracing::warn!(
                setting = "existence_uniform.floor_ms",
                "existence_uniform.floor_ms is 0: response times show which addresses have an account"
            );
        }
        let reload = Reload { layers, files, read, log_level: log.level() };
        // Boxed: the future holds all settings and is large.
        let served = Box::pin(serve(settings, Some(reload), signals, |_| {}));
        let served = runtime.block_on(served);
        // Does not wait for blocking tasks: a second signal may have cut off one that hangs.
        runtime.shutdown_background();
        served
    }
}

/// Builds a runtime with this number of workers, or with one for every two processors.
///
/// A sign-up waits for the tenant and for the disk, and the ledger and the log have their own
/// threads. With a worker for every processor, each step would go to a worker that has to be woken
/// first.
///
/// Takes every second task from the shared queue, which holds tasks that other threads woke, such as a
/// sign-up whose record is written. By default tokio looks there once in up to 127 tasks: with 256
/// callers, who keep a worker busy, some waited for half a second.
///
/// `docs/decisions/0011-cost-of-a-sign-up.md` has the figures.
pub(super) fn runtime(workers: Option<usize>) -> io::Result<Runtime> {
    let processors = available_parallelism().map_or(1, NonZero::get);
    let workers = workers.unwrap_or((processors / 2).max(1));
    let mut builder = Builder::new_multi_thread();
    builder.enable_all().global_queue_interval(2).worker_threads(workers).build()
}

/// The settings of a process that can read them again.
pub(super) struct Reload {
    pub(super) layers: Layers,
    pub(super) files: WatchedFiles,
    pub(super) read: Arc<ReadSettings>,
    pub(super) log_level: LogLevel,
}

/// Starts the app and runs it until a signal. Calls `listening` with the public listener's address.
/// Without `reload` SIGHUP stops the app too, unless it was ignored before.
///
/// A second signal ends it at once. The ledger loses nothing: it is written for a process that may
/// be killed at any moment.
pub(super) async fn serve(
    settings: Settings,
    reload: Option<Reload>,
    signals: Signals,
    listening: impl FnOnce(SocketAddr),
) -> anyhow::Result<()> {
    let Signals { mut stop, mut hangup, ignores_hangup } = signals;
    let supervisor = Supervisor::from_environment(environment());
    let (tenant, ledger) = (settings.auth0.base.clone(), settings.ledger.database.to_string());
    if let Some(proxy) = &settings.auth0.outbound.proxy {
        log_proxy(proxy);
    }
    // A start may wait for another process that has the ledger.
    let app = tokio::select! {
        app = Box::pin(App::start(settings, Arc::new(SystemClock))) => app?,
        () = stop.recv() => {
            tracing::info!("stopped before it served");
            return Ok(());
        }
    };
    let (public, admin) = (app.public_address()?, app.admin_address()?);
    tracing::info!(
        %public, %admin, auth0.base = tenant, ledger, version = env!("CARGO_PKG_VERSION"),
        "serving sign-ups for {tenant} on http://{public}, probes and metrics on http://{admin}"
    );
    listening(public);
    supervisor.ready();
    let reload = reload.map(|Reload { layers, files, read, log_level }| {
        (app.reloader(layers, log_level), files, read)
    });
    let hung_up = async {
        match reload {
            Some((reloader, files, read)) => {
                // Boxed: the future holds all settings and is large.
                Box::pin(reload_when_asked(reloader, read, files, hangup, &supervisor)).await;
            }
            None if ignores_hangup => pending().await,
            None => drop(hangup.recv().await),
        }
    };
    let (stopper, stopping) = oneshot::channel();
    let two_signals = async {
        tokio::select! {
            () = stop.recv() => {}
            () = hung_up => {}
        }
        supervisor.stopping();
        // Without a receiver the app is stopping already.
        let _is_running = stopper.send(());
        stop.recv().await;
    };
    tokio::select! {
        has_failed = app.run(async { drop(stopping.await) }) => {
            tracing::info!("stopped");
            // A supervisor restarts a process that failed, and leaves one alone that succeeded.
            anyhow::ensure!(!has_failed, "a background task panicked");
            Ok(())
        }
        () = two_signals => anyhow::bail!("a second signal ended the process before the drain did"),
        () = supervisor.show_alive() => Ok(()),
    }
}

/// Says whether calls to the tenant go through the proxy of the environment.
fn log_proxy(proxy: &OutboundProxy) {
    let OutboundProxy { variable, address, url } = proxy;
    match url {
        Ok(_) => {
            tracing::info!(proxy = address, "calls to the tenant go through {variable}: {address}");
        }
        Err(reason) => tracing::info!(
            proxy = address,
            "calls to the tenant do not go through {variable}, because {reason}"
        ),
    }
}
