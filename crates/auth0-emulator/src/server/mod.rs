//! The listeners, which accept connections and serve HTTP/1.1 on them.

mod exchange;
mod response_body;
mod service;
mod tls;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use self::service::ConnectionHandler;
pub(crate) use self::tls::TlsIdentity;
pub(crate) use self::wire::WireControl;
use self::wire::{Stream, Wire};
use crate::state::EmulatorState;
use crate::tasks::Tasks;

/// Delay before a listener retries after a failed accept.
const BACK_OFF: Duration = Duration::from_millis(50);

/// Serves the connections of one listener.
#[derive(Clone)]
pub(crate) struct PortServer {
    /// The emulator's state.
    pub(crate) state: Arc<EmulatorState>,
    /// The emulator's tasks.
    pub(crate) tasks: Tasks,
    /// Set if the listener serves TLS.
    pub(crate) tls: Option<TlsAcceptor>,
}

impl PortServer {
    /// Accepts connections until the emulator stops.
    pub(crate) async fn run(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let server = self.clone();
                    drop(self.tasks.spawn(async move { server.connection(stream).await }));
                }
                Err(_) => tokio::time::sleep(BACK_OFF).await,
            }
        }
    }

    /// Serves one connection until it ends.
    async fn connection(self, tcp: TcpStream) {
        // If this fails, small responses may only be delayed (Nagle's algorithm).
        drop(tcp.set_nodelay(true));
        let secure = self.tls.is_some();
        let stream = match &self.tls {
            None => Stream::Plain(tcp),
            Some(acceptor) => match acceptor.accept(tcp).await {
                Ok(stream) => Stream::Tls(Box::new(stream)),
                Err(_) => return,
            },
        };
        let control = Arc::new(WireControl::default());
        let number = self.state.next_connection(&control);
        let wire = Wire::new(stream, Arc::clone(&control));
        let connection =
            ConnectionHandler { state: self.state, tasks: self.tasks, control, number, secure };
        let service = service_fn(move |request| connection.clone().serve(request));
        let served = http1::Builder::new().serve_connection(TokioIo::new(wire), service).await;
        // Connection errors are ignored: the client caused them, or an injected fault did.
        drop(served);
    }
}
