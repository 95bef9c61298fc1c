//! `auth0-signup healthcheck`: for images without a shell.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;

/// How long the service may take to answer.
const LIMIT: Duration = Duration::from_secs(3);

/// Ask a running service whether it is ready.
#[derive(Debug, Args)]
pub(super) struct Healthcheck {
    /// The admin listener of the service
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9090")]
    address: SocketAddr,
}

impl Healthcheck {
    /// One `GET /readyz`, by hand: a client would cost more than the answer is worth.
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let address = self.address;
        let mut stream = TcpStream::connect_timeout(&address, LIMIT)
            .with_context(|| format!("nothing listens on {address}"))?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).context("no answer")?;
        ensure!(head.ends_with(b" 200"), "not ready");
        Ok(())
    }
}
