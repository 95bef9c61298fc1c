//! `auth0-signup serve`

use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use anyhow::Context as _;
use clap::Args;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use super::{ConfigArgs, NewLedger, environment};
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::{self, OutboundProxy, Settings};
use crate::telemetry;

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
        let mut settings = config::load(self.config.file().as_deref(), environment())?;
        settings.ledger.new_ledger = self.new_ledger.allowed;
        let _log = telemetry::init(&settings.log).context("the log cannot be set up")?;
        if settings.http.origins.own.is_none() {
            tracing::warn!(
                setting = "http.public_url",
                "http.public_url is not set: a page of any name that resolves to this service may post"
            );
        }
        // Boxed: the future holds all settings and is large.
        let serving = Box::pin(serve(settings, |_| {}));
        runtime().context("the runtime cannot be started")?.block_on(serving)
    }
}

/// Builds a runtime with one worker for every two processors, unless `TOKIO_WORKER_THREADS` is set.
///
/// A sign-up waits for the tenant and for the disk, and the ledger and the log have their own
/// threads. With a worker for every processor, each step would go to a worker that has to be woken
/// first.
///
/// `docs/decisions/0011-cost-of-a-sign-up.md` has the figures.
fn runtime() -> io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.enable_all();
    if environment().all(|(name, _)| name != "TOKIO_WORKER_THREADS") {
        let processors = available_parallelism().map_or(1, NonZero::get);
        builder.worker_threads((processors / 2).max(1));
    }
    builder.build()
}

/// Starts the app and runs it until a signal. Calls `listening` with the public listener's address.
pub(super) async fn serve(
    settings: Settings,
    listening: impl FnOnce(SocketAddr),
) -> anyhow::Result<()> {
    let mut stop = Box::pin(stop_signal()?);
    let tenant = settings.auth0.base.clone();
    if let Some(proxy) = &settings.auth0.outbound.proxy {
        log_proxy(proxy);
    }
    // A start may wait for another process that has the ledger.
    let app = tokio::select! {
        app = Box::pin(App::start(settings, Arc::new(SystemClock))) => app?,
        () = &mut stop => {
            tracing::info!("stopped before it served");
            return Ok(());
        }
    };
    let (public, admin) = (app.public_address()?, app.admin_address()?);
    tracing::info!(
        %public, %admin, auth0.base = tenant, version = env!("CARGO_PKG_VERSION"),
        "serving sign-ups for {tenant} on http://{public}, probes and metrics on http://{admin}"
    );
    listening(public);
    app.run(stop).await;
    tracing::info!("stopped");
    Ok(())
}

/// Says whether calls to the tenant go through the proxy of the environment.
fn log_proxy(proxy: &OutboundProxy) {
    let OutboundProxy { variable, address, url } = proxy;
    if url.is_some() {
        tracing::info!(proxy = address, "calls to the tenant go through {variable}: {address}");
    } else {
        tracing::info!(
            proxy = address,
            "calls to the tenant do not go through {variable}, because NO_PROXY covers it"
        );
    }
}

/// Resolves at the first SIGTERM or SIGINT.
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
