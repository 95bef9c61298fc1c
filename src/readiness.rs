//! Readiness of this process to take sign-ups.
//!
//! It depends on this process and its ledger. If the tenant is down, the process is only
//! *degraded*, since taking it out of the balancer would not help. A proxy that is not trusted,
//! or names no clients, also makes it degraded: all clients behind that proxy share one limit. So do a wrong clock, and
//! settings that could not be reloaded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::abuse::Proxies;
use crate::auth0::{Client, UpstreamHealth};
use crate::context::Context;
use crate::signup::Signups;
use crate::telemetry::chain;

/// Time for which a check of the ledger is reused, since anyone may send probes.
const FRESH: Duration = Duration::from_secs(1);

/// Longest wait for the ledger.
const LEDGER_TIMEOUT: Duration = Duration::from_secs(2);

/// Checks the parts that sign-ups depend on. Clones share the last check.
#[derive(Debug, Clone)]
pub struct Readiness {
    context: Context,
    auth0: Arc<Client>,
    signups: Signups,
    proxies: Arc<Proxies>,
    reload: ReloadStatus,
    last: Arc<Mutex<Option<(Instant, bool)>>>,
}

/// The result of the last reload of the settings. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct ReloadStatus(Arc<AtomicBool>);

impl ReloadStatus {
    /// Records the result of a reload.
    pub fn record(&self, has_failed: bool) {
        self.0.store(has_failed, Ordering::Relaxed);
    }

    fn has_failed(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the checks are independent")]
pub struct Report {
    /// The process is shutting down.
    pub draining: bool,
    /// The ledger can be written.
    pub ledger: bool,
    /// The state of the token and of calls to Auth0.
    pub auth0: UpstreamHealth,
    /// Clients can be distinguished: no untrusted proxy sent a forwarded header, and no trusted one left
    /// it out of a sign-up.
    pub clients: bool,
    /// The settings in use are those of the files: the last reload did not fail.
    pub settings: bool,
    /// This machine's clock differs from the tenant's and the ledger's by less than 30 s.
    pub clock: bool,
}

impl Report {
    /// Returns whether the process takes sign-ups.
    pub const fn is_ready(self) -> bool {
        !self.draining && self.ledger
    }
}

impl Readiness {
    /// A check of these parts.
    pub fn new(
        context: Context,
        auth0: Arc<Client>,
        signups: Signups,
        proxies: Arc<Proxies>,
        reload: ReloadStatus,
    ) -> Self {
        Self { context, auth0, signups, proxies, reload, last: Arc::default() }
    }

    /// Checks every part.
    pub async fn report(&self) -> Report {
        Report {
            draining: self.context.lifecycle.is_draining(),
            ledger: self.ledger().await,
            auth0: self.auth0.health(),
            clients: !self.proxies.is_misconfigured(),
            settings: !self.reload.has_failed(),
            clock: !self.context.metrics.clock_skew().is_severe(),
        }
    }

    /// Returns whether the ledger can be written, by a check that is at most [`FRESH`] old.
    async fn ledger(&self) -> bool {
        // Held during the check, so that concurrent probes share it.
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if let Some((_, ok)) = last.filter(|(at, _)| at.elapsed() < FRESH) {
            return ok;
        }
        let signups = self.signups.clone();
        // Goes on when its client hangs up, which would otherwise cut a connection to the database
        // and let the next probe check again at once.
        let check = self.context.lifecycle.spawn(async move {
            let error = match timeout(LEDGER_TIMEOUT, signups.ping_ledger()).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(chain(&error)),
                Err(_) => Some(format!("no response within {} s", LEDGER_TIMEOUT.as_secs())),
            };
            let was_ok = last.is_none_or(|(_, ok)| ok);
            *last = Some((Instant::now(), error.is_none()));
            match &error {
                Some(error) if was_ok => {
                    tracing::warn!(error, "the ledger cannot be written: not ready");
                }
                None if !was_ok => tracing::info!("the ledger can be written again: ready"),
                Some(_) | None => {}
            }
            error.is_none()
        });
        check.await.unwrap_or(false)
    }
}
