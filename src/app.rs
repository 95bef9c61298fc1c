//! The only wiring: settings in, a listening app out.

pub mod operator;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tower_http::csrf::ConfigError;

use crate::abuse::{Challenges, ExistencePolicy, Limits, Proxies, SignupSwitch};
use crate::auth0::{BuildError, Client};
use crate::clock::Clock;
use crate::config::{
    Auth0CompatSettings, Auth0Settings, Database, HttpSettings, LedgerSettings, OriginSettings,
    Settings, SignupSettings,
};
use crate::http::server::{Deadlines, Server, listen, raise_fd_limit};
use crate::http::{self, Auth0Compat, Origins, Parts, SignupPipeline};
use crate::ledger::{self, Access, KeyError, Ledger, OpenError, count_pending_regularly};
use crate::lifecycle::Lifecycle;
use crate::page::Page;
use crate::readiness::Readiness;
use crate::signup::{self, Signups, Timeouts};
use crate::telemetry::{HttpMetrics, Metrics};
use crate::texts;

/// The most connections of the admin listener: probes and a scraper.
const ADMIN_CONNECTIONS: usize = 64;

/// How long an attempt may take in all, as a multiple of one call's time-out: the call, a look-up
/// and a repeat that takes half as long.
const ATTEMPT: f64 = 2.5;

/// How much longer the lease of an attempt is than the attempt, the wait for the tenant's budget and
/// the write before it: the wait for a token, and the write that closes it.
const LEASE_MARGIN: Duration = Duration::from_secs(15);

/// An app whose two listeners are bound and whose token is being fetched.
#[derive(Debug)]
pub struct App {
    public: (TcpListener, Router),
    admin: (TcpListener, Router),
    http: HttpSettings,
    proxies: Arc<Proxies>,
    metrics: Arc<Metrics>,
    lifecycle: Lifecycle,
    ledger: Arc<dyn Ledger>,
}

/// Why an app cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener's address is taken or not of this machine.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// There is no secret for the keyed digests.
    #[error(transparent)]
    Secret(#[from] KeyError),
    /// The ledger cannot be opened.
    #[error(transparent)]
    Ledger(#[from] OpenError),
    /// The tenant's client cannot be built.
    #[error(transparent)]
    Auth0(#[from] BuildError),
    /// The captcha service's client cannot be built.
    #[error("the client of the captcha service cannot be built")]
    Captcha(#[from] reqwest::Error),
    /// An allowed origin is none.
    #[error(transparent)]
    Origin(#[from] ConfigError),
}

impl StartError {
    /// Whether other settings would mend it: another file, another secret.
    pub const fn is_of_the_settings(&self) -> bool {
        match self {
            Self::Secret(_) | Self::Auth0(_) | Self::Captcha(_) | Self::Origin(_) => true,
            Self::Ledger(error) => match error {
                OpenError::InUse { .. }
                | OpenError::Absent { .. }
                | OpenError::WrongSecret
                | OpenError::Pending(_) => true,
                OpenError::Unavailable(_) => false,
            },
            Self::Listen { .. } => false,
        }
    }
}

impl App {
    /// Binds both listeners and starts the background tasks.
    ///
    /// # Errors
    /// When an address cannot be bound or TLS cannot be set up; not when the tenant is down.
    pub async fn start(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let Settings {
            auth0,
            http,
            admin,
            mut rules,
            ledger: kept,
            signup,
            page,
            challenge,
            existence,
            language,
            signup_switch,
            limits,
            auth0_compat,
            terms,
            log: _,
        } = settings;
        let public = bind(http.address)?;
        let admin = bind(admin.address)?;
        let lifecycle = Lifecycle::new();
        let metrics = Arc::new(Metrics::new());
        let digests = Arc::new(ledger::digests(&kept)?);
        let (access, now) = (Access::Service, clock.now());
        let opened = ledger::open(&kept, &digests, access, now, &lifecycle, metrics.ledger());
        let ledger = opened.await?;
        lifecycle
            .spawn_background(count_pending_regularly(Arc::clone(&ledger), Arc::clone(&clock)));
        let (clock_of, metrics_of) = (Arc::clone(&clock), Arc::clone(&metrics));
        let client = Client::start(&auth0, terms, clock_of, metrics_of, &lifecycle)?;
        let client = Arc::new(client);
        let signups = Signups::new(signup::Deps {
            auth0: Arc::clone(&client),
            ledger: Arc::clone(&ledger),
            digests: Arc::clone(&digests),
            clock: Arc::clone(&clock),
            lifecycle: lifecycle.clone(),
            timeouts: timeouts(&auth0, &kept, &signup),
            pin_user_id: auth0.pin_user_id,
            notice_client_id: existence.mail_client_id().map(str::to_owned),
        });
        lifecycle.spawn_background(signups.reconciler().run());
        lifecycle.spawn_background(signups.reconciler().sweep(kept.retention));
        rules.ignored.extend(challenge.honeypot.clone());
        let (clock_of, metrics_of) = (Arc::clone(&clock), Arc::clone(&metrics));
        let challenges =
            Challenges::start(challenge, &limits, &digests, clock_of, metrics_of, &lifecycle)?;
        let challenges = Arc::new(challenges);
        texts::load();
        let proxies = Arc::new(Proxies::new(&http.proxies, metrics.http().clone()));
        let readiness = Readiness::new(
            lifecycle.clone(),
            client,
            Arc::clone(&ledger),
            Arc::clone(&clock),
            Arc::clone(&proxies),
        );
        let page = Arc::new(Page::new(page, &rules, challenges.settings(), &challenges.info()));
        let shared = matches!(kept.database, Database::Postgres(_));
        let limits = Limits::new(limits, &digests, shared, &metrics);
        let told = ExistencePolicy::new(&existence);
        let policy = Arc::new(http::Policy::new(&rules, &challenges, &told, &page));
        let parts = Parts {
            stages: Arc::new(SignupPipeline {
                gate: SignupSwitch::new(signup_switch, Arc::clone(&metrics)),
                origins: origins(&http.origins)?,
                rules,
                challenges: Arc::clone(&challenges),
                limits: Arc::new(limits),
                auth0_compat: auth0_compat_of(auth0_compat.as_ref()),
                existence: told,
                signups,
                metrics: Arc::clone(&metrics),
                body_timeout: http.body_timeout,
                request_timeout: http.request_timeout,
            }),
            readiness,
            metrics: Arc::clone(&metrics),
            clock,
            page,
            challenges,
            policy,
            auth0_compat: auth0_compat.is_some(),
            language,
            proxies: Arc::clone(&proxies),
        };
        Ok(Self {
            public: (public, http::public(&parts, &http.origins.allowed)),
            admin: (admin, http::admin(&parts)),
            http,
            proxies,
            metrics,
            lifecycle,
            ledger,
        })
    }

    /// Where the public listener is, the port resolved.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn public_address(&self) -> std::io::Result<SocketAddr> {
        self.public.0.local_addr()
    }

    /// Where the admin listener is, the port resolved.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn admin_address(&self) -> std::io::Result<SocketAddr> {
        self.admin.0.local_addr()
    }

    /// Serves until `stop` resolves, then drains: unready at once, then no new connections, then
    /// the requests and sign-ups under way, then the end; at the latest after
    /// `http.shutdown_timeout_ms`.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let Self { public, admin, http, proxies, metrics, lifecycle, ledger } = self;
        let deadlines = Deadlines {
            silence: http.first_byte_timeout,
            head: http.header_timeout,
            idle: http.idle_timeout,
        };
        let (listener, router) = public;
        let public = Server {
            listener,
            max_connections: raise_fd_limit(http.max_connections),
            max_connections_per_address: http.max_connections_per_address,
            deadlines,
            proxies: Arc::clone(&proxies),
            metrics: metrics.http().clone(),
        };
        let (listener, admin_router) = admin;
        let admin = Server {
            listener,
            max_connections: ADMIN_CONNECTIONS,
            max_connections_per_address: ADMIN_CONNECTIONS,
            deadlines,
            proxies,
            // Probes and scrapes are not what connections are counted for.
            metrics: HttpMetrics::default(),
        };

        let ending = lifecycle.clone();
        lifecycle.spawn_background(async move {
            // The probes go on telling that the process drains until it has ended.
            admin.run(admin_router, std::future::pending()).await;
        });
        let delay = http.shutdown_delay;
        let serving = public.run(router, async {
            tokio::select! {
                () = stop => {}
                () = ending.failed() => tracing::error!("stopping: a background task panicked"),
            }
            tracing::info!("stopping: unready from now on");
            ending.begin_draining();
            sleep(delay).await;
        });
        let drain = async {
            serving.await;
            lifecycle.drained().await;
        };
        if !within(drain, &lifecycle, delay + http.shutdown_timeout).await {
            tracing::warn!("stopping: some requests were still under way at the deadline");
        }
        lifecycle.stop();
        ledger.close().await;
    }
}

fn auth0_compat_of(settings: Option<&Auth0CompatSettings>) -> Auth0Compat {
    Auth0Compat {
        client_ids: settings.iter().flat_map(|compat| compat.client_ids.iter().cloned()).collect(),
        connection: settings.and_then(|compat| compat.connection.clone()),
        without_challenge: settings.is_some_and(|compat| compat.without_challenge),
    }
}

/// The origins whose pages may post: those of the settings, and the service's own.
fn origins(settings: &OriginSettings) -> Result<Origins, ConfigError> {
    Origins::new(settings.allowed.iter().chain(&settings.own), settings.required)
}

fn timeouts(auth0: &Auth0Settings, ledger: &LedgerSettings, signup: &SignupSettings) -> Timeouts {
    let attempt = auth0.timeout.mul_f64(ATTEMPT);
    Timeouts {
        key_lifetime: ledger.key_lifetime,
        duplicate_wait: signup.duplicate_wait,
        retry_window: auth0.timeout,
        attempt,
        lease: attempt + auth0.budget.max_wait + ledger.timeout + LEASE_MARGIN,
        absence_grace: signup.not_created_after,
    }
}

/// Runs `serving` to its end, or until `limit` after draining has begun; `false` at the limit.
async fn within(serving: impl Future<Output = ()>, lifecycle: &Lifecycle, limit: Duration) -> bool {
    tokio::select! {
        () = serving => true,
        () = async {
            lifecycle.draining().await;
            sleep(limit).await;
        } => false,
    }
}

fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    listen(address).map_err(|source| StartError::Listen { address, source })
}
