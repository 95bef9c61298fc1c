//! How an emulator is set up and started.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::emulator::{Emulator, Port};
use crate::server::TlsIdentity;
use crate::state::EmulatorState;
use crate::tenant::Tenant;

/// How many requests the journal keeps unless told otherwise.
const JOURNAL_LIMIT: usize = 100_000;

/// The settings of an emulator that is not started yet.
#[derive(Clone, Debug)]
pub struct Builder {
    /// The tenant's settings.
    tenant: Tenant,
    /// The address it listens on.
    host: IpAddr,
    /// The port it listens on; 0 for any.
    port: u16,
    /// Whether that port speaks TLS.
    tls: bool,
    /// Another port, which speaks TLS.
    tls_port: Option<u16>,
    /// How many requests the journal keeps.
    journal_limit: usize,
    /// Where the latencies start.
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

    /// Listens on this address; 127.0.0.1 unless told otherwise.
    #[must_use]
    pub fn host(self, host: IpAddr) -> Self {
        Self { host, ..self }
    }

    /// Listens on this port; any free one unless told otherwise.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Whether the port speaks TLS, with HTTP/1.1 and h2, rather than plain HTTP.
    #[must_use]
    pub fn tls(self, tls: bool) -> Self {
        Self { tls, ..self }
    }

    /// Listens on a second port that speaks TLS.
    #[must_use]
    pub fn tls_port(self, port: u16) -> Self {
        Self { tls_port: Some(port), ..self }
    }

    /// Keeps so many of the latest requests; 100,000 unless told otherwise.
    #[must_use]
    pub fn journal_limit(self, entries: usize) -> Self {
        Self { journal_limit: entries, ..self }
    }

    /// Draws recorded latencies from this seed. The same seed gives the same latencies.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Starts the emulator. It listens when this returns.
    ///
    /// # Errors
    ///
    /// When a port cannot be listened on, or there are no keys to be had for TLS.
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
        let state = Arc::new(EmulatorState::new(self.tenant, self.journal_limit, self.seed));
        let emulator = Emulator::new(state, ports, identity);
        emulator.serve(listeners);
        Ok(emulator)
    }
}

/// How a client on this machine writes the address.
fn url(address: SocketAddr, tls: bool) -> String {
    let scheme = if tls { "https" } else { "http" };
    if address.ip().is_unspecified() {
        format!("{scheme}://localhost:{}", address.port())
    } else {
        format!("{scheme}://{address}")
    }
}
