//! The accept loop: HTTP/1.1 on hyper, with bounds on connections and on how long each may wait.
//!
//! `axum::serve` 0.8 has neither. HTTP/1.1 only, since the protocol sniffing of hyper-util's `auto`
//! builder never closes a silent connection; a proxy in front adds HTTP/2.

mod conn_state;
mod connection_table;
pub mod fd_limit;
mod lingering_close;
mod listen;
mod timeout_stream;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use self::conn_state::ConnState;
pub use self::conn_state::Deadlines;
use self::connection_table::{ConnectionGuard, ConnectionTable};
use self::lingering_close::{OverloadResponder, linger};
pub use self::listen::listen;
use self::timeout_stream::{IdleOnDrop, TimeoutStream};
use crate::abuse::Proxies;
use crate::telemetry::{ConnectionEnd, HttpMetrics};

/// The largest head that hyper reads. `head_limits` has the tighter bound, whose response is a
/// problem; beyond this one hyper responds 431 without a body. A client that sends its head slowly
/// holds up to this much memory.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// The most header fields that hyper reads.
const MAX_HEAD_FIELDS: usize = 1024;

/// The time that connections without a request have to close at shutdown, so that a client that
/// sent half a head does not delay it.
const CLOSING: Duration = Duration::from_secs(1);

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
    /// The most connections in all.
    pub max_connections: usize,
    /// The most connections of an address that is not a trusted proxy's.
    pub max_connections_per_address: usize,
    /// The deadlines of a waiting connection.
    pub deadlines: Deadlines,
    /// The proxies that may have any number of connections.
    pub proxies: Arc<Proxies>,
    /// The metrics that count connections.
    pub metrics: HttpMetrics,
}

impl HttpServer {
    /// Serves until `stop` resolves, then closes idle connections and waits for active requests.
    pub async fn run(self, router: Router, stop: impl Future<Output = ()> + Send) {
        let Self { listener, deadlines, proxies, metrics, .. } = self;
        let table = ConnectionTable::new(
            self.max_connections,
            self.max_connections_per_address,
            metrics.clone(),
        );
        let overload = OverloadResponder::new();
        let graceful = GracefulShutdown::new();
        let requests = TaskTracker::new();
        let mut http = http1::Builder::new();
        // hyper's one timer for heads and idle connections is off. `TimeoutStream` has a deadline
        // for each.
        http.header_read_timeout(None).max_headers(MAX_HEAD_FIELDS).max_buf_size(MAX_HEAD_BYTES);
        let accept = async {
            loop {
                let (socket, peer) = accept(&listener).await;
                let guard = match table.admit(peer.0, proxies.trusts(peer.0)) {
                    Ok(guard) => guard,
                    Err(reason) => {
                        metrics.connection_refused(reason);
                        if let Some(rejecting) = overload.reject(socket) {
                            spawn_connection(rejecting);
                        }
                        continue;
                    }
                };
                let connection = Arc::clone(&guard.connection);
                let (router, requests) = (router.clone(), requests.clone());
                let service = service_fn(move |mut request: Request<Incoming>| {
                    connection.enter(ConnState::Active);
                    request.extensions_mut().insert(peer);
                    let active = requests.token();
                    let response = router.clone().oneshot(request);
                    let connection = Arc::clone(&connection);
                    async move {
                        let response = response.await;
                        drop(active);
                        response.map(|it| it.map(|body| IdleOnDrop::new(body, connection)))
                    }
                });
                let connection = Arc::clone(&guard.connection);
                let socket = TimeoutStream::new(socket, connection, deadlines, metrics.clone());
                let connection = http.serve_connection(TokioIo::new(socket), service);
                let connection = graceful.watch(connection);
                spawn_connection(serve(connection, guard, metrics.clone()));
            }
        };
        tokio::select! {
            () = accept => {}
            () = stop => {}
        }
        drop(listener);
        requests.close();
        tokio::select! {
            () = graceful.shutdown() => {}
            () = async {
                requests.wait().await;
                sleep(CLOSING).await;
            } => {}
        }
    }
}

/// Serves one connection until it ends or is evicted.
async fn serve(
    connection: impl Future<Output = hyper::Result<()>> + Send,
    guard: ConnectionGuard,
    metrics: HttpMetrics,
) {
    let tracked = &guard.connection;
    let evicted = async {
        loop {
            tracked.evict.notified().await;
            // A request may have started since.
            if tracked.state() != ConnState::Active {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        ended = connection => if let Err(error) = ended {
            tracing::debug!("a connection ended early: {error}");
        },
        () = evicted => {
            metrics.connection_ended(ConnectionEnd::Evicted);
            return;
        }
    }
    if let Some(socket) = tracked.take_socket() {
        linger(socket).await;
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, Peer) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!("cannot set TCP_NODELAY: {error}");
                }
                return (stream, Peer(peer.ip()));
            }
            Err(error) => {
                tracing::warn!("cannot accept connections: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the graceful watcher tracks connections")]
fn spawn_connection(connection: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(connection);
}
