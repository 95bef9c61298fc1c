//! The accept loop: HTTP/1.1 on hyper, with bounds on connections and on how long each may wait.
//!
//! `axum::serve` 0.8 has neither. HTTP/1.1 only, since the protocol sniffing of hyper-util's `auto`
//! builder leaves a silent connection open for ever; a proxy in front brings HTTP/2.

mod conn_state;
mod connection_table;
mod fd_limit;
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

pub use self::conn_state::Deadlines;
use self::conn_state::Phase;
use self::connection_table::{ConnectionGuard, ConnectionTable};
pub use self::fd_limit::raise_fd_limit;
use self::lingering_close::{OverloadResponder, linger};
pub use self::listen::listen;
use self::timeout_stream::{LastWord, TimeoutStream};
use crate::abuse::Proxies;
use crate::telemetry::{ConnectionEnd, HttpMetrics};

/// The widest head hyper reads; the tighter bound that answers with a problem is in `head_limits`.
/// Beyond this one hyper answers 431 by itself, without a body. A client that sends its head slowly
/// holds as much memory.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// The most header fields hyper reads.
const MAX_HEAD_FIELDS: usize = 1024;

/// How long connections without a request may take to close at a stop: a client that sent half a
/// head does not hold it up.
const CLOSING: Duration = Duration::from_secs(1);

/// The pause after a failed accept: file descriptors run out, most often.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The address at the other end of the connection. In the extensions of every request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// One listener and its bounds.
#[derive(Debug)]
pub struct Server {
    /// Where connections come in.
    pub listener: TcpListener,
    /// Connections held at once.
    pub max_connections: usize,
    /// Of one address that is no trusted proxy's.
    pub max_connections_per_address: usize,
    /// How long one may wait.
    pub deadlines: Deadlines,
    /// Who may have any number of connections.
    pub proxies: Arc<Proxies>,
    /// Where connections are counted.
    pub metrics: HttpMetrics,
}

impl Server {
    /// Serves until `stop` resolves, then closes idle connections and waits for requests under way.
    pub async fn run(self, router: Router, stop: impl Future<Output = ()> + Send) {
        let Self { listener, deadlines, proxies, metrics, .. } = self;
        let crowd = ConnectionTable::new(
            self.max_connections,
            self.max_connections_per_address,
            metrics.clone(),
        );
        let doorman = OverloadResponder::new();
        let graceful = GracefulShutdown::new();
        let requests = TaskTracker::new();
        let mut http = http1::Builder::new();
        // Its one timer for head and idling is off; `watched` has one each.
        http.header_read_timeout(None).max_headers(MAX_HEAD_FIELDS).max_buf_size(MAX_HEAD_BYTES);
        let accept = async {
            loop {
                let (socket, peer) = accept(&listener).await;
                let member = match crowd.admit(peer.0, proxies.trusts(peer.0)) {
                    Ok(member) => member,
                    Err(reason) => {
                        metrics.connection_refused(reason);
                        if let Some(refusing) = doorman.refuse(socket) {
                            spawn_connection(refusing);
                        }
                        continue;
                    }
                };
                let connection = Arc::clone(&member.connection);
                let (router, requests) = (router.clone(), requests.clone());
                let service = service_fn(move |mut request: Request<Incoming>| {
                    connection.enter(Phase::Busy);
                    request.extensions_mut().insert(peer);
                    let under_way = requests.token();
                    let answer = router.clone().oneshot(request);
                    let connection = Arc::clone(&connection);
                    async move {
                        let answer = answer.await;
                        drop(under_way);
                        answer.map(|answer| answer.map(|body| LastWord::new(body, connection)))
                    }
                });
                let connection = Arc::clone(&member.connection);
                let socket = TimeoutStream::new(socket, connection, deadlines, metrics.clone());
                let connection = http.serve_connection(TokioIo::new(socket), service);
                let connection = graceful.watch(connection);
                spawn_connection(serve(connection, member, metrics.clone()));
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

/// Serves one connection to its end, or until it has to make room while it waits.
async fn serve(
    connection: impl Future<Output = hyper::Result<()>> + Send,
    member: ConnectionGuard,
    metrics: HttpMetrics,
) {
    let known = &member.connection;
    let evicted = async {
        loop {
            known.evict.notified().await;
            // A request may have begun since.
            if known.phase() != Phase::Busy {
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
            metrics.connection_ended(ConnectionEnd::MadeRoom);
            return;
        }
    }
    if let Some(socket) = known.left() {
        linger(socket).await;
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, Peer) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!("TCP_NODELAY cannot be set: {error}");
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

#[expect(clippy::disallowed_methods, reason = "connections are tracked by the graceful watcher")]
fn spawn_connection(connection: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(connection);
}
