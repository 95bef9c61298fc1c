//! `auth0-signup serve`

use std::sync::Arc;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use super::{Layered, environment};
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::{self, Settings};
use crate::telemetry;

/// Serves until SIGTERM or SIGINT.
pub(super) fn run(layered: &Layered) -> anyhow::Result<()> {
    let settings = config::load(layered.config.as_deref(), environment())?;
    let _log = telemetry::init(&settings.log);
    tokio::runtime::Runtime::new()
        .context("the runtime cannot be started")?
        .block_on(serve(settings))
}

/// Starts the app and runs it until a signal.
pub(super) async fn serve(settings: Settings) -> anyhow::Result<()> {
    let stop = stop_signal()?;
    let tenant = settings.auth0.base.clone();
    let app = App::start(settings, Arc::new(SystemClock)).await?;
    let (public, admin) = (app.public_address()?, app.admin_address()?);
    tracing::info!(
        %public, %admin, auth0.base = tenant, version = env!("CARGO_PKG_VERSION"),
        "serving sign-ups for {tenant} on http://{public}, probes and metrics on http://{admin}"
    );
    app.run(stop).await;
    tracing::info!("stopped");
    Ok(())
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
