//! `auth0-signup healthcheck`: for images without a shell.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;

use super::{ConfigArgs, environment};
use crate::config;

/// The maximum wait for the service.
const LIMIT: Duration = Duration::from_secs(3);

/// Check that a running service is ready.
#[derive(Debug, Args)]
pub(super) struct Healthcheck {
    /// The admin listener of the service [default: admin.host and admin.port of the settings]
    #[arg(long, value_name = "ADDRESS")]
    address: Option<SocketAddr>,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Healthcheck {
    /// Sends one `GET /readyz` by hand: starting an HTTP client would cost more than the request.
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let address = self.address()?;
        let mut stream = TcpStream::connect_timeout(&address, LIMIT)
            .with_context(|| format!("nothing listens on {address}"))?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).context("no response")?;
        ensure!(head.ends_with(b" 200"), "not ready");
        Ok(())
    }

    fn address(&self) -> anyhow::Result<SocketAddr> {
        if let Some(address) = self.address {
            return Ok(address);
        }
        let admin = config::load_admin(self.config.file().as_deref(), environment())?;
        ensure!(admin.address.port() != 0, "admin.port is 0 (any free port): use --address");
        Ok(reachable(admin.address))
    }
}

/// The address at which this machine reaches a listener. A listener on every address is reached by
/// loopback.
fn reachable(listener: SocketAddr) -> SocketAddr {
    let host = match listener.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    SocketAddr::new(host, listener.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_every_address_is_reached_by_loopback() {
        for (listener, expected) in [
            ("0.0.0.0:9090", "127.0.0.1:9090"),
            ("[::]:9091", "[::1]:9091"),
            ("10.0.0.7:9090", "10.0.0.7:9090"),
        ] {
            assert_eq!(reachable(listener.parse().unwrap()), expected.parse().unwrap());
        }
    }
}
