//! Configuring and starting an emulator.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::emulator::{Emulator, Port};
use crate::server::TlsIdentity;
use crate::state::EmulatorState;
use crate::tenant::Tenant;

/// Default number of requests kept in the journal.
const JOURNAL_LIMIT: usize = 100_000;

/// The settings of an emulator that has not been started.
#[derive(Clone, Debug)]
pub struct Builder {
    /// The tenant's settings.
    tenant: Tenant,
    /// The address it listens on.
    host: IpAddr,
    /// The port it listens on; 0 picks any free port.
    port: u16,
    /// Selects TLS on that port.
    tls: bool,
    /// A second port, which serves TLS.
    tls_port: Option<u16>,
    /// The number of requests the journal keeps.
    journal_limit: usize,
    /// The seed of the latency generator.
    seed: u64,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            tenant: Tenant::default(),
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            tls: false,
            tls_port: None,
            journal_limit: JOURNAL_LIMIT,
            seed: 0,
        }
    }
}

impl Builder {
    /// Changes the tenant's settings.
    #[must_use]
    pub fn tenant<R>(mut self, change: impl FnOnce(&mut Tenant) -> R) -> Self {
        drop(change(&mut self.tenant));
        self
    }

    /// Sets the address to listen on. The default is 127.0.0.1.
    #[must_use]
    pub fn host(self, host: IpAddr) -> Self {
        Self { host, ..self }
    }

    /// Sets the port to listen on. The default is any free port.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Serves TLS instead of plain HTTP on the port.
    #[must_use]
    pub fn tls(self, tls: bool) -> Self {
        Self { tls, ..self }
    }

    /// Serves TLS on a second port.
    #[must_use]
    pub fn tls_port(self, port: u16) -> Self {
        Self { tls_port: Some(port), ..self }
    }

    /// Sets the number of latest requests to keep. The default is 100,000.
    #[must_use]
    pub fn journal_limit(self, entries: usize) -> Self {
        Self { journal_limit: entries, ..self }
    }

    /// Sets the seed of the recorded latencies. The same seed gives the same latencies.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Starts the emulator. It is listening when this returns.
    ///
    /// # Errors
    ///
    /// Returns an error if a port cannot be bound, or if the keys for TLS cannot be generated.
    pub async fn start(self) -> io::Result<Emulator> {
        let identity = if self.tls || self.tls_port.is_some() {
            Some(TlsIdentity::generate(self.host)?)
        } else {
            None
        };
        let wanted = [Some((self.port, self.tls)), self.tls_port.map(|port| (port, true))];
        let mut ports = Vec::new();
        let mut listeners = Vec::new();
        for (port, tls) in wanted.into_iter().flatten() {
            let listener = TcpListener::bind((self.host, port)).await?;
            let address = listener.local_addr()?;
            ports.push(Port { address, url: url(address, tls), tls });
            listeners.push(listener);
        }
        let bases = ports.iter().map(|port| port.url.clone()).collect();
        let state = EmulatorState::new(self.tenant, bases, self.journal_limit, self.seed);
        let emulator = Emulator::new(Arc::new(state), ports, identity);
        emulator.serve(listeners);
        Ok(emulator)
    }
}

/// The URL of an address for a client on this machine.
fn url(address: SocketAddr, tls: bool) -> String {
    let scheme = if tls { "https" } else { "http" };
    if address.ip().is_unspecified() {
        format!("{scheme}://localhost:{}", address.port())
    } else {
        format!("{scheme}://{address}")
    }
}
