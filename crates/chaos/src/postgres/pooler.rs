//! A pooler (`pgbouncer`) between a service and the server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;

use clap::ValueEnum;
use rustix::process::Signal;

use super::link::{Link, Target};
use super::server::{database_command, own};
use crate::service::send;

/// The port that the socket is named after.
const PORT: u16 = 6432;

/// The time for which a server session belongs to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PoolMode {
    /// As long as the client is connected.
    Session,
    /// One transaction.
    Transaction,
}

/// A pooler with its own link to the server. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Pooler {
    folder: PathBuf,
    link: Link,
    target: Target,
    child: Option<Child>,
}

impl Pooler {
    /// Starts a pooler in a new folder.
    pub(crate) async fn start(
        folder: &Path,
        server: &Target,
        mode: PoolMode,
    ) -> anyhow::Result<Self> {
        fs::create_dir(folder)?;
        own(folder)?;
        let link = Link::open(server).await?;
        fs::write(folder.join("pgbouncer.ini"), settings(folder, &link, mode))?;
        let target = Target::new(folder.join(format!(".s.PGSQL.{PORT}")));
        let mut pooler = Self { folder: folder.to_owned(), link, target, child: None };
        pooler.spawn()?;
        Ok(pooler)
    }

    /// The link to the server.
    pub(crate) const fn link(&self) -> &Link {
        &self.link
    }

    /// The pooler's socket.
    pub(crate) const fn target(&self) -> &Target {
        &self.target
    }

    /// Ends the process with this signal and waits for its end.
    pub(crate) fn stop(&mut self, signal: Signal) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            send(&child, signal)?;
            child.wait()?;
        }
        Ok(())
    }

    /// Starts the process.
    pub(crate) fn spawn(&mut self) -> anyhow::Result<()> {
        let mut command = database_command("pgbouncer", &self.folder)?;
        self.child = Some(command.arg("--quiet").arg("pgbouncer.ini").spawn()?);
        Ok(())
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // There is nobody left to report an error to.
        drop(self.stop(Signal::KILL));
    }
}

fn settings(folder: &Path, link: &Link, mode: PoolMode) -> String {
    let mode = match mode {
        PoolMode::Session => "session",
        PoolMode::Transaction => "transaction",
    };
    // With the default of 15 s after a failed login, one event would reach into the next.
    format!(
        "[databases]\n* = host=127.0.0.1 port={server} user=postgres\n\
         [pgbouncer]\nlisten_addr =\nlisten_port = {PORT}\nunix_socket_dir = {folder}\n\
         auth_type = any\npool_mode = {mode}\ndefault_pool_size = 20\n\
         server_tls_sslmode = disable\nserver_login_retry = 1\n\
         ignore_startup_parameters = extra_float_digits\n",
        server = link.port(),
        folder = folder.display(),
    )
}
