//! Whether this process can take sign-ups, and how well.
//!
//! Readiness depends on this process and its ledger. A tenant that is down makes it *degraded*, since
//! taking it out of the balancer would help nobody. So does a proxy that is not trusted: all who come
//! through it share one limit.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::abuse::Proxies;
use crate::auth0::{Client, TokenHealth};
use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::lifecycle::Lifecycle;

/// How long a look at the ledger is good for: probes come from anywhere.
const FRESH: Duration = Duration::from_secs(1);

/// How long the ledger may take to answer.
const LIMIT: Duration = Duration::from_secs(2);

/// What readiness looks at. Clones share the last look.
#[derive(Debug, Clone)]
pub struct Readiness {
    lifecycle: Lifecycle,
    auth0: Arc<Client>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    proxies: Arc<Proxies>,
    last: Arc<Mutex<Option<(Instant, bool)>>>,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Whether a stop has begun.
    pub draining: bool,
    /// Whether the ledger can be written.
    pub ledger: bool,
    /// Whether there is a token, and whether calls get through.
    pub auth0: Upstream,
    /// Whether clients can be told apart: no proxy names them that is not trusted.
    pub clients: bool,
}

/// How the tenant does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upstream {
    /// There is a token.
    Good,
    /// None was asked for yet.
    Starting,
    /// There is none, or calls do not get through.
    Failing,
}

impl Report {
    /// Whether sign-ups are taken.
    pub const fn is_ready(self) -> bool {
        !self.draining && self.ledger
    }
}

impl Readiness {
    /// Looks at these.
    pub fn new(
        lifecycle: Lifecycle,
        auth0: Arc<Client>,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        proxies: Arc<Proxies>,
    ) -> Self {
        Self { lifecycle, auth0, ledger, clock, proxies, last: Arc::default() }
    }

    /// Looks.
    pub async fn report(&self) -> Report {
        Report {
            draining: self.lifecycle.is_draining(),
            ledger: self.ledger().await,
            auth0: match self.auth0.token_health() {
                _ if self.auth0.is_failing_fast() => Upstream::Failing,
                TokenHealth::Good => Upstream::Good,
                TokenHealth::Starting => Upstream::Starting,
                TokenHealth::Failing => Upstream::Failing,
            },
            clients: !self.proxies.is_misconfigured(),
        }
    }

    async fn ledger(&self) -> bool {
        // Held while looking: probes that come meanwhile share the look.
        let mut last = self.last.lock().await;
        if let Some((_, found)) = last.filter(|(at, _)| at.elapsed() < FRESH) {
            return found;
        }
        let check = timeout(LIMIT, self.ledger.ping(self.clock.now())).await;
        let found = matches!(check, Ok(Ok(())));
        *last = Some((Instant::now(), found));
        found
    }
}
