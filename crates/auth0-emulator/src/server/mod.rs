//! The listeners: they accept connections and speak HTTP/1.1 or h2 on them.

mod exchange;
mod response_body;
mod service;
mod tls;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use self::service::ConnectionHandler;
pub(crate) use self::tls::TlsIdentity;
use self::wire::{Stream, Wire, WireControl};
use crate::state::EmulatorState;
use crate::tasks::Tasks;

/// How long a listener that cannot accept waits before it tries again.
const BACK_OFF: Duration = Duration::from_millis(50);

/// What the connections of one listener have in common.
#[derive(Clone)]
pub(crate) struct PortServer {
    /// The emulator.
    pub(crate) state: Arc<EmulatorState>,
    /// Its tasks.
    pub(crate) tasks: Tasks,
    /// Set if the listener speaks TLS.
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
        let number = self.state.next_connection();
        // A failure only means that small answers may wait for each other.
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
        let wire = Wire::new(stream, Arc::clone(&control));
        let connection = ConnectionHandler {
            state: self.state,
            tasks: self.tasks.clone(),
            control,
            number,
            secure,
        };
        let service = service_fn(move |request| connection.clone().serve(request));
        let served =
            auto::Builder::new(self.tasks).serve_connection(TokioIo::new(wire), service).await;
        // A connection that ends badly is the client's affair, or the fault that was asked for.
        drop(served);
    }
}
