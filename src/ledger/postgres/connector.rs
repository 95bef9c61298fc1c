//! New connections to the server.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use rustls::ClientConfig;
use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::config::{Host, SslMode as DriverSslMode};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, Error, NoTls, Statement};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::errors::PostgresError;
use super::tls::{self, RustlsConnect};
use crate::config::{PostgresUrl, SslMode};
use crate::ledger::UrlChange;

/// TCP probes an idle connection after this time, at this interval, and gives it up after this
/// number of probes.
const KEEP_ALIVE: (Duration, Duration, u32) = (Duration::from_secs(10), Duration::from_secs(3), 3);

/// The shortest time for which data may stay unacknowledged.
const USER_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest wait for a server to end what a call has given up, in timeouts of a call (20 s by default). A
/// path that is broken looks the same.
const GIVEN_UP: u32 = 7;

/// The longest orderly end of a connection, and request to cancel a statement.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// The SQLSTATEs with which a pooler rejects options of a session, among others: a violation of the protocol,
/// and something that it does not support.
const OPTIONS_REJECTED: [&str; 2] = ["08P01", "0A000"];

/// Returns whether the session was started with options of ours. Then also lifts the limit of its transactions,
/// as `NO_TRANSACTION_TIMEOUT` does.
const HAS_OPTIONS: &str = "\
    SELECT is_own, CASE WHEN is_own AND current_setting('transaction_timeout', true) IS NOT NULL \
      THEN set_config('transaction_timeout', '0', false) END \
    FROM (SELECT count(*) = 2 AS is_own FROM pg_settings \
      WHERE name IN ('enable_seqscan', 'jit') AND setting = 'off' AND source = 'client') AS session";

/// Connects to the server that the settings name.
#[derive(Debug)]
pub(super) struct Connector {
    target: Mutex<Arc<Target>>,
    /// The host that was reached last.
    host: AtomicUsize,
    timeout: Duration,
}

/// A URL, and what is computed from it.
struct Target {
    url: PostgresUrl,
    /// Digests of the files that the URL names.
    files: Vec<u8>,
    tls: Option<Arc<ClientConfig>>,
    /// For each host, true once it has accepted a connection only without options: a pooler.
    is_pooled: Vec<AtomicBool>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A connection to the server. Dropped, it is closed once the server has ended what it was doing, or cut off
/// after [`GIVEN_UP`]: during a commit the server would not notice that, and the session would stay beside new
/// ones.
#[derive(Debug)]
pub(super) struct ServerConnection {
    pub(super) client: Client,
    /// True if the session has the options of [`Connector::connect_own`].
    pub(super) is_own: bool,
    /// The prepared statements of a session of our own, by their text.
    prepared: Mutex<HashMap<&'static str, Statement>>,
    /// True while a call waits for the server.
    pub(super) is_busy: AtomicBool,
    /// The encryption of a request to cancel a statement.
    tls: Option<Arc<ClientConfig>>,
    /// Cancelled once the socket is closed.
    ended: CancellationToken,
    /// Cancels the token that the driver waits for.
    _dropped: DropGuard,
}

/// The right to a session at the server, which ends with it.
pub(super) type SessionPermit = Arc<OwnedSemaphorePermit>;

impl Drop for ServerConnection {
    fn drop(&mut self) {
        // Not behind a pooler: PgBouncer 1.18 crashes at such requests while clients leave.
        if !self.is_own || !self.is_busy.load(Ordering::Relaxed) || self.client.is_closed() {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        // A wait for a lock, or for a standby, ends at once then.
        let (cancel, tls) = (self.client.cancel_token(), self.tls.take());
        runtime.spawn(async move {
            let cancelled = match tls {
                Some(tls) => timeout(CLOSE_TIMEOUT, cancel.cancel_query(RustlsConnect(tls))).await,
                None => timeout(CLOSE_TIMEOUT, cancel.cancel_query(NoTls)).await,
            };
            if !matches!(cancelled, Ok(Ok(()))) {
                tracing::debug!("the database could not be asked to cancel a statement");
            }
        });
    }
}

impl ServerConnection {
    /// Returns whether the server has closed it.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Waits until the socket is closed.
    pub(super) fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        self.ended.clone().cancelled_owned()
    }

    /// Prepares a statement that is not prepared yet.
    pub(super) async fn prepare(&self, sql: &'static str, types: &[Type]) -> Result<(), Error> {
        if self.prepared(sql).is_none() {
            let prepared = self.client.prepare_typed(sql, types).await?;
            self.prepared.lock().insert(sql, prepared);
        }
        Ok(())
    }

    /// Returns a prepared statement.
    pub(super) fn prepared(&self, sql: &str) -> Option<Statement> {
        self.prepared.lock().get(sql).cloned()
    }

    /// Closes it in order, so that the server logs no lost client.
    pub(super) async fn close(self) {
        let ended = self.ended();
        drop(self);
        if timeout(CLOSE_TIMEOUT, ended).await.is_err() {
            tracing::debug!("the database did not close a connection in time");
        }
    }
}

impl Connector {
    /// A connector for the server of this URL.
    ///
    /// # Errors
    /// When the URL is invalid or a certificate cannot be read.
    pub(super) fn new(url: &SecretString, timeout: Duration) -> Result<Self, PostgresError> {
        let target = Mutex::new(Arc::new(Target::new(url)?));
        Ok(Self { target, host: AtomicUsize::new(0), timeout })
    }

    /// Logs a warning if another machine could read or change what is sent to the server.
    pub(super) fn warn_if_insecure(&self) {
        let url = &self.target().url;
        if url.tls.mode < SslMode::VerifyFull && url.is_remote() {
            tracing::warn!(
                "the connection to PostgreSQL on another host is not authenticated; set \
                 sslmode=verify-full in database.url"
            );
        }
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// When no host can be reached in time or accepts the connection.
    pub(super) async fn connect(&self) -> Result<ServerConnection, PostgresError> {
        self.open(&self.target(), None, None).await
    }

    /// Opens a connection whose session has these command-line options, unless there is a pooler: then no
    /// session is our own.
    ///
    /// # Errors
    /// When no host can be reached in time or accepts the connection.
    pub(super) async fn connect_own(
        &self,
        options: &str,
        permit: Option<SessionPermit>,
    ) -> Result<ServerConnection, PostgresError> {
        let mut connection = self.open(&self.target(), Some(options), permit).await?;
        if !connection.is_own {
            return Ok(connection);
        }
        // A pooler may also ignore them.
        let rows = timeout(self.timeout, connection.client.query_typed(HAS_OPTIONS, &[])).await;
        let rows = rows.map_err(|_| PostgresError::Silent(self.timeout))??;
        connection.is_own = rows.first().map(|row| row.try_get(0)).transpose()? == Some(true);
        Ok(connection)
    }

    async fn open(
        &self,
        target: &Target,
        options: Option<&str>,
        permit: Option<SessionPermit>,
    ) -> Result<ServerConnection, PostgresError> {
        let deadline = Instant::now() + self.timeout;
        let count = target.url.hosts.len();
        let first = self.host.load(Ordering::Relaxed);
        let mut known = PostgresError::Silent(self.timeout);
        for tried in 0..count {
            let number = (first + tried) % count;
            let Some(config) = target.url.hosts.get(number) else { break };
            // A host that does not reply leaves time for the others.
            let left = deadline.saturating_duration_since(Instant::now());
            let limit = left / u32::try_from(count - tried).unwrap_or(1);
            let connect =
                target.connect_with(number, config, options, self.timeout, permit.as_ref());
            let connected = timeout(limit, connect).await;
            let error = match connected.unwrap_or(Err(PostgresError::Silent(limit))) {
                Ok(connection) => {
                    self.host.store(number, Ordering::Relaxed);
                    return Ok(connection);
                }
                Err(error) => error,
            };
            // An error of a server says more than that another one cannot be reached.
            if error.has_reached_server() || !known.has_reached_server() {
                known = error;
            }
        }
        Err(known)
    }

    /// Uses another URL, or new contents of the files that it names, for new connections, once a connection
    /// with it has succeeded. While the server cannot be reached with either URL, nothing speaks against the new one.
    ///
    /// # Errors
    /// When the URL is invalid, a certificate cannot be read, the server rejects the user or the
    /// password, or only the URL in use works.
    pub(super) async fn replace_url(&self, url: &SecretString) -> Result<UrlChange, PostgresError> {
        let (new, in_use) = (Target::new(url)?, self.target());
        if new.url == in_use.url && new.files == in_use.files {
            return Ok(UrlChange::Unchanged);
        }
        if !new.url.is_same_database(&in_use.url) {
            return Ok(UrlChange::OtherDatabase);
        }
        if let Err(error) = self.try_out(&new).await
            && (error.is_rejected_login() || self.try_out(&in_use).await.is_ok())
        {
            return Err(error);
        }
        *self.target.lock() = Arc::new(new);
        Ok(UrlChange::Replaced)
    }

    /// Opens a connection, and closes it.
    async fn try_out(&self, target: &Target) -> Result<(), PostgresError> {
        self.open(target, None, None).await?.close().await;
        Ok(())
    }

    fn target(&self) -> Arc<Target> {
        Arc::clone(&self.target.lock())
    }
}

impl Target {
    fn new(text: &SecretString) -> Result<Self, PostgresError> {
        let url = PostgresUrl::parse(text)?;
        // First: files that change in between are taken up by the next reload.
        let files = tls::file_digests(&url.tls);
        let tls = tls::config(&url.tls)?;
        let is_pooled = url.hosts.iter().map(|_| AtomicBool::new(false)).collect();
        Ok(Self { url, files, tls, is_pooled })
    }

    /// Connects to the host of this number with these options, and without them if it rejects those.
    async fn connect_with(
        &self,
        number: usize,
        config: &Config,
        options: Option<&str>,
        call_timeout: Duration,
        permit: Option<&SessionPermit>,
    ) -> Result<ServerConnection, PostgresError> {
        let is_pooled = self.is_pooled.get(number);
        let is_known = is_pooled.is_some_and(|is_pooled| is_pooled.load(Ordering::Relaxed));
        if let Some(options) = options.filter(|_| !is_known) {
            match self.connect(config, Some(options), call_timeout, permit.cloned()).await {
                Ok(mut own) => {
                    own.is_own = true;
                    return Ok(own);
                }
                Err(error) if OPTIONS_REJECTED.iter().any(|code| error.is(code)) => {}
                Err(error) => return Err(error),
            }
        }
        // The same codes stand for other errors: only a success shows that the options were at fault.
        let connection = self.connect(config, None, call_timeout, permit.cloned()).await?;
        if let Some(is_pooled) = is_pooled.filter(|_| options.is_some()) {
            is_pooled.store(true, Ordering::Relaxed);
        }
        Ok(connection)
    }

    async fn connect(
        &self,
        config: &Config,
        options: Option<&str>,
        call_timeout: Duration,
        permit: Option<SessionPermit>,
    ) -> Result<ServerConnection, PostgresError> {
        let patience = call_timeout * GIVEN_UP;
        let mut config = config.clone();
        let (idle, interval, probes) = KEEP_ALIVE;
        config
            .tcp_user_timeout(call_timeout.max(USER_TIMEOUT))
            .keepalives_idle(idle)
            .keepalives_interval(interval)
            .keepalives_retries(probes);
        if let Some(options) = options {
            let given = config.get_options().unwrap_or_default();
            let options = format!("{given} {options}");
            config.options(options);
        }
        let is_socket = matches!(config.get_hosts(), [Host::Unix(_)]);
        // Boxed: a connection is rare, and would enlarge every call.
        match &self.tls {
            Some(tls) if !is_socket => {
                let mode = if self.url.tls.mode == SslMode::Prefer {
                    DriverSslMode::Prefer
                } else {
                    DriverSslMode::Require
                };
                config.ssl_mode(mode);
                let connecting = Box::pin(config.connect(RustlsConnect(Arc::clone(tls))));
                Ok(drive(connecting.await?, Some(Arc::clone(tls)), patience, permit))
            }
            _ => {
                config.ssl_mode(DriverSslMode::Disable);
                Ok(drive(Box::pin(config.connect(NoTls)).await?, None, patience, permit))
            }
        }
    }
}

/// Lets a task read and write the socket. The error that ends it is reported by the calls.
fn drive<S, T>(
    (client, socket): (Client, tokio_postgres::Connection<S, T>),
    tls: Option<Arc<ClientConfig>>,
    patience: Duration,
    permit: Option<SessionPermit>,
) -> ServerConnection
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let ended = CancellationToken::new();
    let guard = ended.clone().drop_guard();
    let dropped = CancellationToken::new();
    let given_up = dropped.clone();
    #[expect(
        clippy::disallowed_methods,
        reason = "a session at the server, for which no drain waits"
    )]
    tokio::spawn(async move {
        tokio::select! {
            _ = socket => {}
            () = given_up.cancelled().then(|()| sleep(patience)) => {}
        }
        drop((guard, permit));
    });
    ServerConnection {
        client,
        is_own: false,
        prepared: Mutex::default(),
        is_busy: AtomicBool::new(false),
        tls,
        ended,
        _dropped: dropped.drop_guard(),
    }
}
