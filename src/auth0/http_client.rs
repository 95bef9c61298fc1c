//! The HTTP clients for the tenant, and the connections that they keep. Nothing else builds one.
//!
//! A network may drop idle connections without a word, all of them at once. Then each pooled
//! connection costs one call its response. So the pool is replaced as soon as one response is lost,
//! and a call that resolves a lost one uses a connection of its own.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Proxy, Request, Response, retry};
use rustls::ClientConfig;
use secrecy::ExposeSecret as _;
use tokio::time::Instant;

use super::certificates::ObservedChain;
use super::error::TransportError;
use super::response::ApiResponse;
use super::tenant_clock::TenantClock;
use super::traced_call::TracedCall;
use crate::config::Auth0Settings;
use crate::tls;

/// Error while the client is built. Reported at start, where the operator can correct it.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A setting that is not a valid header value.
    #[error("auth0.custom_domain cannot be sent in a header")]
    Header(#[from] http::header::InvalidHeaderValue),
    /// A setting that is not a valid address.
    #[error("auth0.domain is not a valid address")]
    Address(#[from] url::ParseError),
    /// The TLS set-up failed: most often there are no usable certificate authorities.
    #[error("TLS cannot be set up: are the system's CA certificates installed?")]
    Tls(#[source] rustls::Error),
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be built")]
    Client(#[source] reqwest::Error),
}

/// TCP keep-alive: the idle time before the first probe, the time between probes, and their number.
/// A connection that died in silence is closed after 14 s.
const KEEP_ALIVE: (Duration, Duration, u32) = (Duration::from_secs(5), Duration::from_secs(3), 3);

/// The longest time that sent data may remain unacknowledged. Longer than any round trip, and
/// shorter than the timeout of a call.
const USER_TIMEOUT: Duration = Duration::from_secs(8);

/// The shortest time between two replacements of the pool.
const MIN_REPLACE_INTERVAL: Duration = Duration::from_secs(1);

/// The client for the tenant. Clones share the connections.
#[derive(Debug, Clone)]
pub(super) struct HttpClient(Arc<HttpClientInner>);

#[derive(Debug)]
struct HttpClientInner {
    recipe: Recipe,
    /// Keeps no connections.
    unpooled: Client,
    pool: Mutex<Pool>,
    /// Learns from every response.
    tenant_clock: TenantClock,
}

/// The client whose connections are kept.
#[derive(Debug)]
struct Pool {
    client: Client,
    /// Counts the replacements.
    generation: u64,
    /// The time of the last replacement.
    replaced_at: Option<Instant>,
}

/// Everything that a client is built from. Certificates are read once, at start.
#[derive(Debug)]
struct Recipe {
    timeout: Duration,
    connect_timeout: Duration,
    max_idle: usize,
    idle_timeout: Duration,
    /// `None` for plain HTTP, on loopback only.
    tls: Option<ClientConfig>,
    proxy: Option<Proxy>,
}

/// The connection that a request uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionChoice {
    /// One from the pool, or a new one that is kept.
    Pooled,
    /// A new one, closed afterwards.
    New,
}

/// A request without a response.
#[derive(Debug)]
pub(super) struct SendError {
    /// The error.
    pub(super) error: TransportError,
    /// True if the connection came from a pool that an earlier lost response has replaced. Then the
    /// loss says nothing new about the tenant.
    pub(super) is_outdated: bool,
}

impl HttpClient {
    /// Builds the client for the tenant.
    ///
    /// No redirects (a token must not follow one) and no retries but our own (a create that the
    /// tenant acted on must not be sent again). Records the certificates of its handshakes in `chain`.
    pub(super) fn new(
        settings: &Auth0Settings,
        tenant_clock: TenantClock,
        chain: Option<&ObservedChain>,
    ) -> Result<Self, BuildError> {
        let recipe = Recipe::new(settings, chain)?;
        let client = recipe.client(recipe.max_idle).map_err(BuildError::Client)?;
        let unpooled = recipe.client(0).map_err(BuildError::Client)?;
        let pool = Mutex::new(Pool { client, generation: 0, replaced_at: None });
        Ok(Self(Arc::new(HttpClientInner { recipe, unpooled, pool, tenant_clock })))
    }

    /// The tenant's clock.
    pub(super) fn tenant_clock(&self) -> &TenantClock {
        &self.0.tenant_clock
    }

    /// Sends a request over a pooled connection, and reads the whole response.
    ///
    /// # Errors
    /// When no response came back.
    pub(super) async fn exchange(&self, request: Request) -> Result<ApiResponse, TransportError> {
        let sent = self.execute(request, ConnectionChoice::Pooled).await;
        let response = sent.map_err(|SendError { error, .. }| error)?;
        Ok(ApiResponse::read(response, self.0.tenant_clock.local_now()).await)
    }

    /// Sends a request.
    ///
    /// If no response comes back, the connections that are idle now are not used again. Calls that
    /// are under way keep theirs.
    pub(super) async fn execute(
        &self,
        mut request: Request,
        choice: ConnectionChoice,
    ) -> Result<Response, SendError> {
        let call = TracedCall::start(&mut request);
        let (client, generation) = match choice {
            ConnectionChoice::Pooled => {
                let pool = self.0.pool.lock();
                (pool.client.clone(), Some(pool.generation))
            }
            ConnectionChoice::New => (self.0.unpooled.clone(), None),
        };
        let clock = &self.0.tenant_clock;
        let sent_at = clock.local_now();
        let result = client.execute(request).await;
        if let Some(call) = call {
            call.end(&result);
        }
        let error = match result {
            Ok(response) => {
                clock.observe(response.status().as_u16(), response.headers(), sent_at);
                return Ok(response);
            }
            Err(error) => TransportError::from(error),
        };
        let is_lost = matches!(error, TransportError::NoResponse(_));
        let is_outdated = is_lost && generation.is_some_and(|used| self.record_loss(used));
        Err(SendError { error, is_outdated })
    }

    /// Records that a response was lost on a connection of this generation. Returns whether the
    /// pool was replaced before.
    fn record_loss(&self, generation: u64) -> bool {
        let mut pool = self.0.pool.lock();
        if pool.generation != generation {
            return true;
        }
        if pool.replaced_at.is_none_or(|at| at.elapsed() >= MIN_REPLACE_INTERVAL) {
            // It was built from the same parts at start. If it fails now, the old one stays.
            if let Ok(client) = self.0.recipe.client(self.0.recipe.max_idle) {
                pool.client = client;
                pool.generation += 1;
                pool.replaced_at = Some(Instant::now());
            }
        }
        false
    }
}

impl Recipe {
    /// The parts of a client with these settings. Reads the system's certificates.
    fn new(settings: &Auth0Settings, chain: Option<&ObservedChain>) -> Result<Self, BuildError> {
        // Plain HTTP is for loopback only, where the system's certificates are not needed.
        let is_plain = settings.base.starts_with("http://");
        let tls = if is_plain { None } else { Some(client_config(settings, chain)?) };
        let proxy = settings.outbound.proxy.as_ref().and_then(|proxy| proxy.url.as_ref().ok());
        let proxy = proxy.map(|url| Proxy::all(url.expose_secret())).transpose();
        Ok(Self {
            timeout: settings.timeout,
            connect_timeout: settings.connect_timeout,
            max_idle: settings.pool_max_idle,
            idle_timeout: settings.pool_idle_timeout,
            tls,
            proxy: proxy.map_err(BuildError::Client)?,
        })
    }

    /// Builds a client that keeps this many idle connections.
    fn client(&self, max_idle: usize) -> reqwest::Result<Client> {
        let (idle, interval, probes) = KEEP_ALIVE;
        let mut builder = ClientBuilder::new()
            .redirect(Policy::none())
            .retry(retry::never())
            .timeout(self.timeout)
            .connect_timeout(self.connect_timeout)
            .pool_max_idle_per_host(max_idle)
            .pool_idle_timeout(self.idle_timeout)
            .tcp_keepalive(idle)
            .tcp_keepalive_interval(interval)
            .tcp_keepalive_retries(probes)
            .tcp_user_timeout(USER_TIMEOUT)
            // Takes less than half the CPU time of calls that share an HTTP/2 connection, and a
            // connection that breaks costs one call.
            .http1_only()
            .referer(false)
            // The settings decide which proxy is used, and say so in the log.
            .no_proxy();
        builder = match &self.tls {
            Some(tls) => builder.tls_backend_preconfigured(tls.clone()),
            None => builder.tls_certs_only([]),
        };
        if let Some(proxy) = &self.proxy {
            builder = builder.proxy(proxy.clone());
        }
        builder.build()
    }
}

/// The settings of TLS, with the system's certificates and those of `auth0.ca_file`.
fn client_config(
    settings: &Auth0Settings,
    chain: Option<&ObservedChain>,
) -> Result<ClientConfig, BuildError> {
    let verifier = tls::verifier(&settings.outbound.authorities).map_err(BuildError::Tls)?;
    let verifier = match chain {
        Some(chain) => chain.verifier(verifier),
        None => verifier,
    };
    tls::client_config(verifier).map_err(BuildError::Tls)
}
