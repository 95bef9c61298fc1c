//! `auth0-signup serve`

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use anyhow::Context as _;
use clap::Args;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use super::{ConfigArgs, NewLedger, environment};
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::{self, Settings};
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
        let mut settings = config::load(self.config.file.as_deref(), environment())?;
        settings.ledger.new_ledger = self.new_ledger.allowed;
        let _log = telemetry::init(&settings.log).context("the log cannot be set up")?;
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
    if tenant.starts_with("https://")
        && let Some(proxy) = proxy(environment())
    {
        tracing::info!(
            proxy,
            "calls to the tenant go through the proxy {proxy}, except for hosts in NO_PROXY"
        );
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

/// The proxy that the HTTP client takes from the environment, without its credentials.
fn proxy(environment: impl Iterator<Item = (OsString, OsString)>) -> Option<String> {
    let names = ["https_proxy", "all_proxy"];
    let named = |name: &OsString| names.iter().any(|known| name.eq_ignore_ascii_case(known));
    let (_, value) = environment.into_iter().find(|(name, _)| named(name))?;
    let url = Url::parse(value.to_str()?).ok()?;
    Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_logged_without_its_credentials() {
        let logged = |name: &str, value: &str| proxy([(name.into(), value.into())].into_iter());
        let proxy = "http://user:canary@proxy.example:3128";
        assert_eq!(logged("HTTPS_PROXY", proxy), Some("proxy.example:3128".to_owned()));
        assert_eq!(logged("https_proxy", "http://proxy.example"), Some("proxy.example:80".into()));
        assert_eq!(logged("HTTP_PROXY", proxy), None);
    }
}
