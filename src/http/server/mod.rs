//! The accept loop: HTTP/1.1 on hyper, with bounds on connections and on how long each may wait.
//!
//! `axum::serve` 0.8 has neither. HTTP/1.1 only, since the protocol sniffing of hyper-util's `auto`
//! builder never closes a silent connection; a proxy in front adds HTTP/2.

mod conn_state;
mod connection_table;
pub mod fd_limit;
mod lingering_close;
mod listen;
mod live_router;
mod memory;
mod request_bytes;
mod response_body;
mod timeout_stream;
mod unfinished_body;

use std::future::pending;
use std::iter;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Request};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

pub use self::conn_state::Deadlines;
use self::conn_state::TrackedConnection;
pub use self::connection_table::ConnectionLimits;
use self::connection_table::{ConnectionGuard, ConnectionTable};
use self::lingering_close::{close_lingering, reject_overload};
pub use self::listen::listen;
pub use self::live_router::{LiveRouter, Routing};
use self::response_body::TrackedBody;
use self::timeout_stream::TimeoutStream;
pub(super) use self::unfinished_body::{FormUnderWay, RequestConnection};
use crate::telemetry::{ConnectionEnd, HttpMetrics, LogGate};

/// The largest head that hyper reads: what `head_limits` allows, and a little more, for which the
/// response is a problem. Beyond this hyper responds 431 without a body. A client that sends its
/// head slowly holds up to this much memory.
const MAX_HEAD_BYTES: usize = 40 * 1024;
/// The most header fields that hyper reads: a few more than `head_limits` allows. For every request hyper
/// allocates 64 bytes for each of them.
const MAX_HEAD_FIELDS: usize = 128;

/// The time that bodies have to arrive once the service stops.
const BODIES_AT_SHUTDOWN: Duration = Duration::from_secs(2);

/// The time that connections have to close once no request is left and none starts, so that a client that
/// sent half a head does not delay the shutdown.
const CLOSING: Duration = Duration::from_millis(500);

/// The time that a connection without a byte has once the service stops: its client has just connected, or
/// has nothing to send. A round trip within a data centre takes a hundredth of it.
const FIRST_BYTE_AT_SHUTDOWN: Duration = Duration::from_millis(100);

/// The pause after a failed accept, which mostly means that file descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The address at the other end of the connection. In the extensions of every request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// A listener and its bounds.
#[derive(Debug)]
pub struct HttpServer {
    /// The socket that accepts connections.
    pub listener: TcpListener,
    /// The bounds of its connections.
    pub limits: ConnectionLimits,
    /// The deadlines of a waiting connection.
    pub deadlines: Deadlines,
    /// The routes, and the proxies that may have any number of connections.
    pub live: LiveRouter,
    /// The metrics that count connections.
    pub metrics: HttpMetrics,
    /// The warning about refused connections, at most once a minute; `None` where the metrics count them.
    pub refusal_warning: Option<&'static str>,
}

impl HttpServer {
    /// Serves until `stop` resolves, then closes idle connections and waits for active requests.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let Self { listener, limits, deadlines, live, metrics, refusal_warning } = self;
        let table = ConnectionTable::new(limits, metrics.clone());
        let connections = TaskTracker::new();
        let mut http = http1::Builder::new();
        // hyper's one timer for heads and idle connections is off. `TimeoutStream` has a deadline
        // for each.
        http.header_read_timeout(None).max_headers(MAX_HEAD_FIELDS).max_buf_size(MAX_HEAD_BYTES);
        let server = ConnectionServer {
            http,
            live,
            requests: TaskTracker::new(),
            request_started: Arc::default(),
            stopping: CancellationToken::new(),
            bodies_over: CancellationToken::new(),
            deadlines,
            metrics,
        };
        let (accept_log, refusal_log) = (LogGate::new(), LogGate::new());
        let start = |(socket, peer): (TcpStream, Peer)| {
            let guard = match table.admit(peer.0, server.live.proxies().trusts(peer.0)) {
                Ok(guard) => guard,
                Err(reason) => {
                    server.metrics.connection_refused(reason);
                    if let Some(warning) = refusal_warning
                        && refusal_log.is_due()
                    {
                        tracing::warn!("{warning}");
                    }
                    if let Some(rejecting) = reject_overload(socket) {
                        spawn_connection(rejecting);
                    }
                    return;
                }
            };
            let (server, token) = (server.clone(), connections.token());
            // A block: an `async fn` would keep its arguments twice.
            spawn_connection(async move {
                if server.is_ready(&socket, &guard).await {
                    server.open(socket, peer, guard).await;
                }
                drop(token);
            });
        };
        let accept = async {
            loop {
                table.room().await;
                start(accept(&listener, &accept_log).await);
            }
        };
        tokio::select! {
            () = accept => {}
            () = stop => {}
        }
        // Closing the listener would reset the connections in its queue, and their posts would be lost: a
        // proxy sends no post twice.
        queued(listener).for_each(start);
        server.stopping.cancel();
        server.requests.close();
        connections.close();
        tokio::select! {
            () = connections.wait() => {}
            () = server.last_response() => {}
            () = async {
                // This also ends bodies whose heads arrive during the drain.
                sleep(BODIES_AT_SHUTDOWN).await;
                server.bodies_over.cancel();
                pending::<()>().await;
            } => {}
        }
    }
}

/// The parts of a server that its connections share.
#[derive(Debug, Clone)]
struct ConnectionServer {
    http: http1::Builder,
    live: LiveRouter,
    /// The requests that are being handled.
    requests: TaskTracker,
    request_started: Arc<Notify>,
    stopping: CancellationToken,
    /// Cancelled once no further body is waited for.
    bodies_over: CancellationToken,
    deadlines: Deadlines,
    metrics: HttpMetrics,
}

impl ConnectionServer {
    /// Waits until a connection has sent something, and there is room for it. Returns `false` if it
    /// has to close before.
    async fn is_ready(&self, socket: &TcpStream, guard: &ConnectionGuard) -> bool {
        let has_sent = tokio::select! {
            has_sent = self.first_byte(socket, &guard.connection) => has_sent,
            () = async {
                self.stopping.cancelled().await;
                sleep(FIRST_BYTE_AT_SHUTDOWN).await;
            } => false,
        };
        if !has_sent {
            return false;
        }
        // While an evicted connection waits here, it holds the memory that others wait for.
        tokio::select! {
            () = guard.table.room() => true,
            () = guard.connection.evict.notified() => false,
        }
    }

    /// Waits until there is no request, and none has started for [`CLOSING`]. Those that start once no
    /// further body is waited for do not prolong it.
    async fn last_response(&self) {
        loop {
            self.requests.wait().await;
            tokio::select! {
                // First, so that the response of a request that has just started is waited for.
                biased;
                () = self.request_started.notified() => {}
                // Those that were cut get their responses, and others are no longer waited for.
                () = self.bodies_over.cancelled() => return sleep(CLOSING).await,
                () = sleep(CLOSING) => return,
            }
        }
    }

    /// Waits for the first byte of a connection. Returns `false` if it has to close without one.
    async fn first_byte(&self, socket: &TcpStream, connection: &TrackedConnection) -> bool {
        let mut byte = [0];
        tokio::select! {
            peeked = timeout(self.deadlines.first_byte, socket.peek(&mut byte)) => {
                if let Ok(peeked) = peeked {
                    peeked.is_ok()
                } else {
                    self.metrics.connection_ended(ConnectionEnd::Silent);
                    false
                }
            }
            () = connection.evict.notified() => false,
        }
    }

    /// Serves a connection that has sent something. Boxed, so that the task of a silent one has no
    /// room for it: hyper allocates its buffers at once.
    fn open(
        self,
        socket: TcpStream,
        peer: Peer,
        guard: ConnectionGuard,
    ) -> Pin<Box<impl Future<Output = ()> + Send>> {
        let Self {
            http,
            live,
            requests,
            request_started,
            stopping,
            bodies_over,
            deadlines,
            metrics,
        } = self;
        let connection = Arc::clone(&guard.connection);
        let in_request =
            RequestConnection::new(Arc::clone(&connection), guard.table.clone(), bodies_over);
        let service = service_fn(move |mut request: Request<Incoming>| {
            let body = request.body().size_hint().exact();
            // The drain finds the request once it is notified.
            let active = requests.token();
            request_started.notify_one();
            let is_pipelined = connection.start_request(body);
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(in_request.clone());
            let response = live.router().oneshot(request);
            let connection = Arc::clone(&connection);
            async move {
                // One request of each connection at a time.
                if is_pipelined {
                    yield_now().await;
                }
                let mut response = response.await;
                drop(active);
                if let Ok(response) = &mut response
                    && connection.closes_after_response()
                {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(CONNECTION, close);
                }
                response.map(|it| it.map(|body| TrackedBody::new(body, connection)))
            }
        });
        let socket = TimeoutStream::new(socket, &guard, deadlines, metrics);
        Box::pin(async move {
            let has_ended = {
                // Borrowed below, since each future that takes it would be as large.
                let mut connection = pin!(http.serve_connection(TokioIo::new(socket), service));
                let ended = async {
                    tokio::select! {
                        // At a stop hyper closes a connection of which it has read nothing, so it reads first.
                        biased;
                        ended = connection.as_mut() => return ended,
                        () = stopping.cancelled() => connection.as_mut().graceful_shutdown(),
                    }
                    connection.as_mut().await
                };
                serve(ended, &guard.connection).await
            };
            if has_ended {
                guard.connection.release_memory();
                if let Some(socket) = guard.connection.take_socket() {
                    close_lingering(socket).await;
                }
            }
        })
    }
}

/// Serves one connection until it ends or is evicted. Returns `false` if it was evicted.
async fn serve(
    connection: impl Future<Output = hyper::Result<()>> + Send,
    tracked: &TrackedConnection,
) -> bool {
    let evicted = async {
        loop {
            tracked.evict.notified().await;
            // A request that is complete, or gets a response, ends first.
            if tracked.may_be_dropped() {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        ended = connection => if let Err(error) = ended {
            tracing::debug!("a connection ended early: {error}");
        },
        () = evicted => return false,
    }
    true
}

async fn accept(listener: &TcpListener, log: &LogGate) -> (TcpStream, Peer) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted_from(accepted),
            Err(error) => {
                if log.is_due() {
                    tracing::warn!("cannot accept connections: {error}");
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Closes the listener. Returns the connections that the system has accepted for it.
fn queued(listener: TcpListener) -> impl Iterator<Item = (TcpStream, Peer)> {
    // The runtime accepts only what its last poll of the socket has reported.
    let listener = listener.into_std().ok();
    iter::from_fn(move || {
        let (stream, peer) = listener.as_ref()?.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        Some(accepted_from((TcpStream::from_std(stream).ok()?, peer)))
    })
}

/// An accepted connection, which sends what is written to it at once.
fn accepted_from((stream, peer): (TcpStream, SocketAddr)) -> (TcpStream, Peer) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("cannot set TCP_NODELAY: {error}");
    }
    (stream, Peer(peer.ip()))
}

#[expect(clippy::disallowed_methods, reason = "a stop waits for those it tracks")]
fn spawn_connection(connection: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(connection);
}

#[cfg(test)]
mod tests;
