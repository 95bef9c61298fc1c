//! `auth0-signup healthcheck`: for images without a shell.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;

use super::{ConfigArgs, environment};
use crate::config;

/// The maximum wait for a connection, and for each part of the response.
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
        let mut stream =
            connect(address).with_context(|| format!("nothing listens on {address}"))?;
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
        Ok(admin.address)
    }
}

/// Connects to a listener of this machine. One on every address is reached by loopback: by that of
/// IPv4 too if it takes IPv6, because a container may be without IPv6.
fn connect(listener: SocketAddr) -> io::Result<TcpStream> {
    let connect = |host| TcpStream::connect_timeout(&SocketAddr::new(host, listener.port()), LIMIT);
    match listener.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => connect(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
            connect(Ipv6Addr::LOCALHOST.into()).or_else(|_| connect(Ipv4Addr::LOCALHOST.into()))
        }
        host => connect(host),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listener_on_every_address_is_reached_by_loopback() {
        // The last one has no IPv6, as in a container without it.
        for (listens, configured) in [
            ("0.0.0.0:0", Ipv4Addr::UNSPECIFIED.into()),
            ("127.0.0.1:0", Ipv4Addr::LOCALHOST.into()),
            ("127.0.0.1:0", IpAddr::from(Ipv6Addr::UNSPECIFIED)),
        ] {
            let listener = TcpListener::bind(listens).unwrap();
            let address = SocketAddr::new(configured, listener.local_addr().unwrap().port());
            assert!(connect(address).is_ok(), "{address}");
        }
    }
}
