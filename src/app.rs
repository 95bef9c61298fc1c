//! The wiring: builds a listening app from the settings. Nothing else connects the modules.

mod database_error;
pub mod operator;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tower_http::csrf::ConfigError;

pub use self::database_error::DatabaseError;
use crate::abuse::{Challenges, ExistencePolicy, Limits, Proxies, SignupSwitch};
use crate::auth0::{BuildError, Client};
use crate::clock::Clock;
use crate::config::{
    Auth0CompatSettings, Auth0Settings, Database, ExistenceSettings, HttpSettings, LedgerSettings,
    OriginSettings, Settings, SignupSettings,
};
use crate::context::Context;
use crate::digest::Digests;
use crate::http::server::{ConnectionLimits, Deadlines, HttpServer, fd_limit, listen};
use crate::http::{self, Auth0Compat, Origins, RouterState, SignupPipeline};
use crate::ledger::{self, Access, KeyError, Ledger, OpenError, count_pending_regularly};
use crate::lifecycle::Lifecycle;
use crate::page::Page;
use crate::readiness::Readiness;
use crate::signup::{self, Signups, Timeouts};
use crate::telemetry::HttpMetrics;
use crate::texts;

/// The most connections to the admin listener, for probes and a scraper.
const ADMIN_CONNECTIONS: usize = 64;

/// The longest attempt, as a multiple of one call's timeout: the call, a lookup and a repeat that
/// takes half as long.
const ATTEMPT: f64 = 2.5;

/// The interval at which the number of events that were not logged is logged.
const UNLOGGED: Duration = Duration::from_secs(10);

/// The part of a lease beyond the attempt, the wait for the tenant's budget and the write before
/// it. Covers the wait for a token, and the write that closes the attempt.
const LEASE_MARGIN: Duration = Duration::from_secs(15);

/// An app with two bound listeners that is fetching its token.
#[derive(Debug)]
pub struct App {
    public: (TcpListener, Router),
    admin: (TcpListener, Router),
    http: HttpSettings,
    proxies: Arc<Proxies>,
    context: Context,
    ledger: Arc<dyn Ledger>,
}

/// The error of an app that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener's address is taken, or does not belong to this machine.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The secret of the keyed digests is missing or invalid.
    #[error(transparent)]
    Secret(#[from] KeyError),
    /// The ledger cannot be opened.
    #[error(transparent)]
    Ledger(#[from] OpenError),
    /// The ledger cannot be opened, for a reason that is known.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The tenant's client cannot be built.
    #[error(transparent)]
    Auth0(#[from] BuildError),
    /// The captcha service's client cannot be built.
    #[error("cannot build the client of the captcha service")]
    Captcha(#[from] reqwest::Error),
    /// An allowed origin is not an origin.
    #[error(transparent)]
    Origin(#[from] ConfigError),
}

impl StartError {
    /// Returns `true` if other settings, such as another file or secret, would fix it.
    pub const fn is_configuration_error(&self) -> bool {
        match self {
            Self::Secret(_) | Self::Auth0(_) | Self::Captcha(_) | Self::Origin(_) => true,
            Self::Ledger(error) => match error {
                OpenError::InUse { .. }
                | OpenError::Absent { .. }
                | OpenError::Lost { .. }
                | OpenError::Foreign { .. }
                | OpenError::WrongSecret
                | OpenError::Pending(_) => true,
                OpenError::Unavailable(_) => false,
            },
            Self::Database(error) => error.is_configuration_error(),
            Self::Listen { .. } => false,
        }
    }
}

impl App {
    /// Binds both listeners and starts the background tasks.
    ///
    /// # Errors
    /// When an address cannot be bound, the ledger cannot be opened, or a setting is invalid. The
    /// tenant may be down.
    pub async fn start(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let Settings {
            auth0,
            http,
            admin,
            mut rules,
            ledger: ledger_settings,
            signup,
            mut page,
            challenge,
            existence,
            language,
            signup_switch,
            limits,
            auth0_compat,
            terms,
            log: _,
        } = settings;
        let context = Context::new(clock, digests(&ledger_settings)?);
        let Context { lifecycle, metrics, .. } = &context;
        // Before the listeners: while this waits for an earlier process on the same SQLite file, that
        // process may also have the ports.
        let ledger = open_ledger(&ledger_settings, Access::Service, &context).await?;
        let public = bind(http.address)?;
        let admin = bind(admin.address)?;
        lifecycle.spawn_background(count_pending_regularly(Arc::clone(&ledger)));
        let client = Arc::new(Client::start(&auth0, terms, &context)?);
        let signups = Signups::new(signup::Deps {
            context: context.clone(),
            auth0: Arc::clone(&client),
            ledger: Arc::clone(&ledger),
            timeouts: timeouts(&auth0, &ledger_settings, &signup, existence.floor()),
            connection: connection(&auth0),
            pin_user_id: auth0.pin_user_id,
            hides_existence: matches!(existence, ExistenceSettings::Uniform(_)),
            notice_client_id: existence.mail_client_id().map(str::to_owned),
        });
        signups.prepare().await;
        lifecycle.spawn_background(signups.clone().show_alive());
        lifecycle.spawn_background(signups.reconciler().run());
        lifecycle.spawn_background(signups.clone().sweep(ledger_settings.retention));
        rules.ignored.extend(challenge.honeypot.clone());
        let challenges = Arc::new(Challenges::start(challenge, &limits, &context)?);
        texts::load();
        let proxies = Arc::new(Proxies::new(&http.proxies, metrics.http().clone()));
        let readiness =
            Readiness::new(context.clone(), client, Arc::clone(&ledger), Arc::clone(&proxies));
        let info = challenges.info(&page.base_path);
        // After a sign-up, a site usually sends people on to the tenant to log in.
        let custom_domain = auth0.custom_domain.iter().map(|domain| format!("https://{domain}"));
        page.redirect_origins.extend(custom_domain.chain([auth0.base.clone()]));
        let uniform = matches!(existence, ExistenceSettings::Uniform(_));
        let page = Arc::new(Page::new(page, &rules, challenges.settings(), &info, uniform));
        let shared = matches!(ledger_settings.database, Database::Postgres(_));
        let limits = Arc::new(Limits::new(limits, shared, &context));
        lifecycle.spawn_background(report_unlogged(Arc::clone(&limits)));
        let existence = ExistencePolicy::new(&existence);
        let policy = http::SignupPolicy::new(&rules, &challenges, &existence, &page);
        let auth0_compat = auth0_compat.map(|settings| Arc::new(auth0_compat_of(settings)));
        let state = RouterState {
            pipeline: Arc::new(SignupPipeline {
                switch: SignupSwitch::new(signup_switch, Arc::clone(metrics)),
                origins: origins(&http.origins)?,
                rules,
                challenges,
                limits,
                existence,
                signups,
                metrics: Arc::clone(metrics),
                body_timeout: http.body_timeout,
                request_timeout: http.request_timeout,
            }),
            context: context.clone(),
            readiness,
            page,
            policy: Arc::new(policy),
            auth0_compat,
            language,
            proxies: Arc::clone(&proxies),
        };
        let router = http::public(&state, &http.origins.allowed);
        Ok(Self {
            public: (public, http::below(&state.page.settings().base_path, router)),
            admin: (admin, http::admin(&state)),
            http,
            proxies,
            context,
            ledger,
        })
    }

    /// The address of the public listener, with its real port.
    ///
    /// # Errors
    /// When the system does not report it.
    pub fn public_address(&self) -> std::io::Result<SocketAddr> {
        self.public.0.local_addr()
    }

    /// The address of the admin listener, with its real port.
    ///
    /// # Errors
    /// When the system does not report it.
    pub fn admin_address(&self) -> std::io::Result<SocketAddr> {
        self.admin.0.local_addr()
    }

    /// Serves until `stop` resolves, then drains. The app is unready at once, then accepts no new
    /// connections, then waits for active requests and sign-ups, at most for
    /// `http.shutdown_timeout_ms`.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let Self { public, admin, http, proxies, context, ledger } = self;
        let Context { lifecycle, metrics, .. } = context;
        let deadlines = Deadlines {
            first_byte: http.first_byte_timeout,
            header: http.header_timeout,
            idle: http.idle_timeout,
        };
        let (listener, router) = public;
        let public = HttpServer {
            listener,
            limits: ConnectionLimits {
                all: fd_limit::raise(http.max_connections),
                per_address: http.max_connections_per_address,
                unfinished_per_address: http.max_unfinished_per_address,
                memory: http.connection_memory,
            },
            deadlines,
            proxies: Arc::clone(&proxies),
            metrics: metrics.http().clone(),
        };
        let (listener, admin_router) = admin;
        let admin = HttpServer {
            listener,
            limits: ConnectionLimits {
                all: ADMIN_CONNECTIONS,
                per_address: ADMIN_CONNECTIONS,
                unfinished_per_address: ADMIN_CONNECTIONS,
                memory: http.connection_memory,
            },
            deadlines,
            proxies,
            // The metrics of connections leave out probes and scrapes.
            metrics: HttpMetrics::default(),
        };

        let stopping = lifecycle.clone();
        lifecycle.spawn_background(async move {
            // The probes report that the process drains until it ends.
            admin.run(admin_router, std::future::pending()).await;
        });
        let delay = http.shutdown_delay;
        let serving = public.run(router, async {
            tokio::select! {
                () = stop => {}
                () = stopping.failed() => tracing::error!("stopping: a background task panicked"),
            }
            tracing::info!("stopping: unready from now on");
            stopping.begin_draining();
            sleep(delay).await;
        });
        let drain = async {
            serving.await;
            lifecycle.drained().await;
        };
        if !within(drain, &lifecycle, delay + http.shutdown_timeout).await {
            tracing::warn!("stopping: some requests were still active at the deadline");
        }
        lifecycle.stop();
        ledger.close().await;
    }
}

fn auth0_compat_of(settings: Auth0CompatSettings) -> Auth0Compat {
    let Auth0CompatSettings { client_ids, connection, without_challenge } = settings;
    Auth0Compat { client_ids: client_ids.into_iter().collect(), connection, without_challenge }
}

/// The origins whose pages may post: those of the settings, and the service's own.
fn origins(settings: &OriginSettings) -> Result<Origins, ConfigError> {
    Origins::new(&settings.allowed, settings.own.as_ref(), settings.required)
}

/// Logs at regular intervals how many events of requests were left out. Runs until it is dropped.
async fn report_unlogged(limits: Arc<Limits>) {
    loop {
        sleep(UNLOGGED).await;
        let events = limits.take_unlogged();
        if events > 0 {
            tracing::warn!(
                events,
                "{events} events of requests were not logged: too many of a network"
            );
        }
    }
}

/// Opens the ledger and reports its calls to the context's metrics.
async fn open_ledger(
    settings: &LedgerSettings,
    access: Access,
    context: &Context,
) -> Result<Arc<dyn Ledger>, StartError> {
    let Context { clock, digests, metrics, .. } = context;
    let ledger = ledger::open(settings, digests, access, clock, metrics.ledger()).await;
    ledger.map_err(|error| DatabaseError::explain(settings, error))
}

/// The keyed digests of the ledger's secret.
fn digests(settings: &LedgerSettings) -> Result<Digests, StartError> {
    ledger::digests(settings).map_err(|error| DatabaseError::explain(settings, error))
}

/// The connection that users are created in.
fn connection(auth0: &Auth0Settings) -> signup::Connection {
    signup::Connection { tenant: auth0.base.clone(), name: auth0.connection.clone() }
}

/// The timeouts of attempts.
///
/// A duplicate request waits at least for the floor of response times: until then it must not show
/// that the first one is still running.
fn timeouts(
    auth0: &Auth0Settings,
    ledger: &LedgerSettings,
    signup: &SignupSettings,
    floor: Duration,
) -> Timeouts {
    let attempt = auth0.timeout.mul_f64(ATTEMPT);
    Timeouts {
        key_lifetime: ledger.key_lifetime,
        duplicate_wait: signup.duplicate_wait.max(floor),
        retry_window: auth0.timeout,
        attempt,
        lease: attempt + auth0.budget.max_wait + ledger.timeout + LEASE_MARGIN,
        absence_grace: signup.not_created_after,
        ledger: ledger.timeout,
    }
}

/// Runs `serving` to its end. Returns `false` if it still runs `limit` after draining started.
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
