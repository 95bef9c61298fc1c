//! The wiring: builds a listening app from the settings. Nothing else connects the modules.

mod database_error;
pub mod operator;
mod reload;
mod services;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

pub use self::database_error::{DatabaseError, FileObstacle, ServerFault};
pub use self::reload::Reloader;
use self::services::Services;
use crate::abuse::{AbuseState, CaptchaClientError};
use crate::auth0::{BuildError, Client};
use crate::clock::Clock;
use crate::config::{Database, ExistenceSettings, HttpSettings, LedgerSettings, Settings};
use crate::context::Context;
use crate::digest::Digests;
use crate::http::server::{ConnectionLimits, Deadlines, HttpServer, LiveRouter, fd_limit, listen};
use crate::ledger::{self, Access, KeyError, Ledger, OpenError, count_pending_regularly};
use crate::lifecycle::Lifecycle;
use crate::page;
use crate::readiness::ReloadStatus;
use crate::signup::{self, Connection, Signups, Timeouts};
use crate::telemetry::{HttpMetrics, Traces, TracesError};
use crate::texts;

/// The most connections to the admin listener, for probes and a scraper.
const ADMIN_CONNECTIONS: usize = 64;

/// The settings of a listener's host and port, as errors name them.
const PUBLIC_SETTINGS: [&str; 2] = ["http.host (SIGNUP__HTTP__HOST)", "http.port (PORT)"];
const ADMIN_SETTINGS: [&str; 2] =
    ["admin.host (SIGNUP__ADMIN__HOST)", "admin.port (SIGNUP__ADMIN__PORT)"];

/// The longest attempt, as a multiple of one call's timeout: the call, a lookup and a repeat that
/// takes half as long.
const ATTEMPT: f64 = 2.5;

/// The interval at which the number of events that were not logged is logged.
const UNLOGGED: Duration = Duration::from_secs(10);

/// The part of a lease beyond the attempt, the wait for the tenant's budget and the write before
/// it. Covers the wait for a token, and the write that closes the attempt.
const LEASE_MARGIN: Duration = Duration::from_secs(15);

/// The least time that the ledger has to close, however long the drain took.
const LEDGER_CLOSE: Duration = Duration::from_secs(2);

/// An app with two bound listeners that is fetching its token.
#[derive(Debug)]
pub struct App {
    public: RoutedListener,
    admin: RoutedListener,
    http: HttpSettings,
    services: Arc<Services>,
}

/// A bound listener, and the routes that it serves.
#[derive(Debug)]
struct RoutedListener {
    listener: TcpListener,
    live: LiveRouter,
}

/// The error of an app that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener's address is taken, does not belong to this machine, or needs more rights, or the
    /// system has no socket left.
    #[error("cannot listen on {address}{}", .setting.map(|it| format!(": correct {it}")).unwrap_or_default())]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The setting that names the part of it that is wrong, if one is.
        setting: Option<&'static str>,
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
    Captcha(#[from] CaptchaClientError),
    /// The exporter of traces cannot be built.
    #[error(transparent)]
    Traces(#[from] TracesError),
}

impl StartError {
    /// Returns whether other settings, such as another file or secret, would fix it.
    pub fn is_configuration_error(&self) -> bool {
        match self {
            Self::Secret(_) | Self::Auth0(_) | Self::Captcha(_) | Self::Traces(_) => true,
            Self::Ledger(error) => match error {
                OpenError::InUse { .. }
                | OpenError::Absent { .. }
                | OpenError::Lost { .. }
                | OpenError::Foreign { .. }
                | OpenError::WrongSecret
                | OpenError::Damaged(_)
                | OpenError::Pending(_) => true,
                OpenError::Unavailable(_) => false,
            },
            Self::Database(error) => error.is_configuration_error(),
            // A port may become free, and an address may appear (DHCP, a failover).
            Self::Listen { source, .. } => source.kind() == ErrorKind::PermissionDenied,
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
        let Settings { auth0, http, ledger: ledger_settings, terms, .. } = &settings;
        let traces = Traces::start(&settings.traces)?;
        let http = http.clone();
        let context = Context::new(clock, digests(ledger_settings)?);
        let Context { lifecycle, .. } = &context;
        // While the ledger opens.
        let loaded = spawn_blocking(|| {
            texts::load();
            page::load();
        });
        // Before the listeners: while this waits for an earlier process on the same SQLite file, that
        // process may also have the ports.
        let ledger = open_ledger(ledger_settings, Access::Service, &context).await?;
        let public = bind(http.address, PUBLIC_SETTINGS)?;
        let admin = bind(settings.admin.address, ADMIN_SETTINGS)?;
        lifecycle.spawn_background(count_pending_regularly(Arc::clone(&ledger)));
        let client = Arc::new(Client::start(auth0, terms.clone(), &context)?);
        let signups = signups(&settings, &context, &client, &ledger).await;
        lifecycle.spawn_background(signups.clone().show_alive());
        lifecycle.spawn_background(signups.reconciler().run());
        lifecycle.spawn_background(signups.clone().sweep(ledger_settings.retention));
        // Ignored: a panic there comes again where the value is needed.
        drop(loaded.await);
        let abuse = AbuseState::default();
        lifecycle.spawn_background(report_unlogged(abuse.clone()));
        let services = Services {
            ledger,
            client,
            signups,
            abuse,
            reload: ReloadStatus::default(),
            context,
            traces,
        };
        let routings = services.routings(settings)?;
        services.abuse.apply_rates();
        Ok(Self {
            public: RoutedListener { listener: public, live: LiveRouter::new(routings.public) },
            admin: RoutedListener { listener: admin, live: LiveRouter::new(routings.admin) },
            http,
            services: Arc::new(services),
        })
    }

    /// The address of the public listener, with its real port.
    ///
    /// # Errors
    /// When the system does not report it.
    pub fn public_address(&self) -> std::io::Result<SocketAddr> {
        self.public.listener.local_addr()
    }

    /// The address of the admin listener, with its real port.
    ///
    /// # Errors
    /// When the system does not report it.
    pub fn admin_address(&self) -> std::io::Result<SocketAddr> {
        self.admin.listener.local_addr()
    }

    /// Serves until `stop` resolves, then drains. The app is unready at once, then accepts no new
    /// connections, then waits for active requests and sign-ups, at most for
    /// `http.shutdown_timeout_ms`, and closes the ledger. Returns whether a background task panicked,
    /// which also stops the app.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) -> bool {
        let Self { public, admin, http, services } = self;
        let Context { lifecycle, metrics, .. } = services.context.clone();
        let deadlines = Deadlines {
            first_byte: http.first_byte_timeout,
            header: http.header_timeout,
            idle: http.idle_timeout,
        };
        let RoutedListener { listener, live } = public;
        let public = HttpServer {
            listener,
            limits: ConnectionLimits {
                all: fd_limit::raise(http.max_connections),
                per_address: http.max_connections_per_address,
                unfinished_per_address: http.max_unfinished_per_address,
                memory: http.connection_memory,
            },
            deadlines,
            live,
            metrics: metrics.http().clone(),
            refusal_warning: None,
        };
        let RoutedListener { listener, live } = admin;
        let admin = HttpServer {
            listener,
            limits: ConnectionLimits {
                all: ADMIN_CONNECTIONS,
                // Probes and scrapes may come from one address, that of a node or a proxy. A full table
                // evicts connections that wait.
                per_address: usize::MAX,
                unfinished_per_address: usize::MAX,
                memory: http.connection_memory,
            },
            deadlines,
            live,
            // The metrics of connections leave out probes and scrapes.
            metrics: HttpMetrics::default(),
            refusal_warning: Some(
                "the admin listener refuses connections: its limit on open connections is reached",
            ),
        };

        let stopping = lifecycle.clone();
        lifecycle.spawn_background(async move {
            // The probes report that the process drains until it ends.
            admin.run(std::future::pending()).await;
        });
        let delay = http.shutdown_delay;
        let limit = delay + http.shutdown_timeout;
        let serving = public.run(async {
            tokio::select! {
                () = stop => {}
                () = stopping.failed() => tracing::error!("stopping: a background task panicked"),
            }
            tracing::info!("stopping: unready from now on");
            stopping.begin_draining(limit);
            sleep(delay).await;
        });
        let drain = async {
            serving.await;
            lifecycle.drained().await;
        };
        if !within(drain, &lifecycle).await {
            tracing::warn!("stopping: some requests were still active at the deadline");
        }
        lifecycle.stop();
        // While a disk hangs, the ledger's thread may never return.
        let close_by = lifecycle.drain_deadline().await.max(Instant::now() + LEDGER_CLOSE);
        if timeout_at(close_by, services.ledger.close()).await.is_err() {
            tracing::warn!("stopping: the ledger did not close in time");
        }
        services.traces.close().await;
        lifecycle.has_failed()
    }
}

/// Logs at regular intervals how many events of requests were left out. Runs until it is dropped.
async fn report_unlogged(abuse: AbuseState) {
    loop {
        sleep(UNLOGGED).await;
        let events = abuse.take_unlogged();
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

/// The service that signs users up, ready for its first request. Its reconciler is also that of an
/// operator's commands.
async fn signups(
    settings: &Settings,
    context: &Context,
    client: &Arc<Client>,
    ledger: &Arc<dyn Ledger>,
) -> Signups {
    let Settings { auth0, existence, ledger: ledger_settings, .. } = settings;
    let signups = Signups::new(signup::Deps {
        context: context.clone(),
        auth0: Arc::clone(client),
        ledger: Arc::clone(ledger),
        timeouts: timeouts(settings),
        connection: Connection { tenant: auth0.base.clone(), name: auth0.connection.clone() },
        pin_user_id: auth0.pin_user_id,
        hides_existence: matches!(existence, ExistenceSettings::Uniform(_)),
        has_replicas: matches!(ledger_settings.database, Database::Postgres(_)),
        notice_client_id: existence.mail_client_id().map(str::to_owned),
    });
    signups.prepare().await;
    signups
}

/// The timeouts of attempts.
///
/// A duplicate request waits at least for the floor of response times: until then it must not show
/// that the first one is still running.
fn timeouts(settings: &Settings) -> Timeouts {
    let Settings { auth0, ledger, signup, existence, .. } = settings;
    let attempt = auth0.timeout.mul_f64(ATTEMPT);
    Timeouts {
        key_lifetime: ledger.key_lifetime,
        duplicate_wait: signup.duplicate_wait.max(existence.floor()),
        retry_window: auth0.timeout,
        attempt,
        lease: attempt + auth0.budget.max_wait + ledger.timeout + LEASE_MARGIN,
        absence_grace: signup.not_created_after,
        ledger: ledger.timeout,
    }
}

/// Runs `serving` to its end. Returns `false` if it still runs at the deadline of a shutdown.
async fn within(serving: impl Future<Output = ()>, lifecycle: &Lifecycle) -> bool {
    tokio::select! {
        () = serving => true,
        () = async { sleep_until(lifecycle.drain_deadline().await).await } => false,
    }
}

fn bind(address: SocketAddr, [host, port]: [&'static str; 2]) -> Result<TcpListener, StartError> {
    listen(address).map_err(|source| {
        let setting = match source.kind() {
            ErrorKind::AddrNotAvailable => Some(host),
            ErrorKind::AddrInUse | ErrorKind::PermissionDenied => Some(port),
            _ => None,
        };
        StartError::Listen { address, setting, source }
    })
}
