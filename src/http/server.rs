//! The accept loop: HTTP/1.1 on hyper, with a bound on connections and on how long one may stay
//! silent.
//!
//! `axum::serve` 0.8 has neither. HTTP/1.1 only, since the protocol sniffing of hyper-util's `auto`
//! builder leaves a silent connection open for ever; a proxy in front brings HTTP/2.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// The widest head hyper reads; the tighter bound that answers with a problem is in `head_limits`.
/// Beyond this one hyper answers 431 by itself, without a body.
const MAX_HEAD_BYTES: usize = 128 * 1024;
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
    /// Connections held at once; further ones wait in the kernel's queue.
    pub max_connections: usize,
    /// How long a connection may take to send a whole head, silence and idling included.
    pub idle_timeout: Duration,
}

impl Server {
    /// Serves until `stop` resolves, then closes idle connections and waits for requests under way.
    pub async fn run(self, router: Router, stop: impl Future<Output = ()> + Send) {
        let Self { listener, max_connections, idle_timeout } = self;
        let permits = Arc::new(Semaphore::new(max_connections));
        let graceful = GracefulShutdown::new();
        let requests = TaskTracker::new();
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(idle_timeout)
            .max_headers(MAX_HEAD_FIELDS)
            .max_buf_size(MAX_HEAD_BYTES);
        let accept = async {
            loop {
                let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
                let (stream, peer) = accept(&listener).await;
                let (router, requests) = (router.clone(), requests.clone());
                let service = service_fn(move |mut request: Request<Incoming>| {
                    request.extensions_mut().insert(peer);
                    let under_way = requests.token();
                    let answer = router.clone().oneshot(request);
                    async move {
                        let answer = answer.await;
                        drop(under_way);
                        answer
                    }
                });
                let connection = http.serve_connection(TokioIo::new(stream), service);
                let connection = graceful.watch(connection);
                spawn_connection(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!("a connection ended early: {error}");
                    }
                    drop(permit);
                });
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
