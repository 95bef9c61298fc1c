//! A PostgreSQL server: a folder with its data, socket and log, and its processes.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Signal, geteuid};
use tokio::time::{Instant, sleep};

use super::client::connect;
use super::link::Link;
use crate::service::send;

/// The port that the socket is named after.
const PORT: u16 = 5432;

/// The time that a server has to start, and to recover from a crash.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// The time that a server has to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// The interval at which a server is checked.
const TICK: Duration = Duration::from_millis(20);

/// Nothing is synced: the machine itself never fails during a run.
const SETTINGS: [&str; 8] = [
    "listen_addresses=",
    "fsync=off",
    "full_page_writes=off",
    "max_connections=100",
    "shared_buffers=64MB",
    "wal_level=replica",
    "max_wal_senders=4",
    "hot_standby=on",
];

/// The end of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShutdownMode {
    /// Ends every session, and loses nothing.
    Fast,
    /// Quits without a checkpoint. Commits that waited for no sync are lost.
    Immediate,
    /// Kills the first process with SIGKILL. The others end on their own.
    Kill,
}

/// A server. Dropping it stops it and deletes its data.
#[derive(Debug)]
pub(crate) struct PostgresServer {
    folder: PathBuf,
    /// Set on a standby: the URL of the server that it follows.
    follows: Option<String>,
    child: Option<Child>,
}

impl PostgresServer {
    /// A server with an empty cluster in a new folder.
    pub(crate) async fn create(folder: &Path) -> anyhow::Result<Self> {
        let server = Self::new(folder)?;
        let mut initdb = server.command("initdb")?;
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
        initdb.args(["--no-sync", "--no-instructions"]).arg("--pgdata").arg(server.data());
        server.run(initdb).await?;
        Ok(server)
    }

    /// A standby in a new folder, which starts as a copy of the server behind the link.
    pub(crate) async fn create_standby(folder: &Path, link: &Link) -> anyhow::Result<Self> {
        let mut standby = Self::new(folder)?;
        let from = link.parameters();
        let mut backup = standby.command("pg_basebackup")?;
        backup.args(["--checkpoint=fast", "--no-sync", "--wal-method=stream", "--dbname", &from]);
        backup.arg("--pgdata").arg(standby.data());
        standby.run(backup).await?;
        fs::write(standby.data().join("standby.signal"), "")?;
        standby.follows = Some(from);
        Ok(standby)
    }

    fn new(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir(folder)?;
        own(folder)?;
        Ok(Self { folder: folder.to_owned(), follows: None, child: None })
    }

    /// The path of the server's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join(format!(".s.PGSQL.{PORT}"))
    }

    /// The URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost:{PORT}/{database}?host={}", self.folder.display())
    }

    /// Starts the server and waits until it accepts connections.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        let url = self.url("postgres");
        let end = Instant::now() + START_TIMEOUT;
        while connect(&url).await.is_err() {
            anyhow::ensure!(
                Instant::now() < end,
                "the server in {} does not start",
                self.folder.display()
            );
            // A server that was killed leaves processes that keep the next one from starting until
            // they end.
            if !self.is_running()? {
                self.spawn()?;
            }
            sleep(TICK).await;
        }
        Ok(())
    }

    /// Stops the server and waits for its end.
    pub(crate) async fn stop(&mut self, mode: ShutdownMode) -> anyhow::Result<()> {
        self.signal(match mode {
            ShutdownMode::Fast => Signal::INT,
            ShutdownMode::Immediate => Signal::QUIT,
            ShutdownMode::Kill => Signal::KILL,
        })?;
        let end = Instant::now() + STOP_TIMEOUT;
        while self.is_running()? {
            anyhow::ensure!(Instant::now() < end, "the server does not stop");
            sleep(TICK).await;
        }
        Ok(())
    }

    /// Makes a standby accept writes.
    pub(crate) async fn promote(&self) -> anyhow::Result<()> {
        let client = connect(&self.url("postgres")).await?;
        let promoted: bool = client.query_one("SELECT pg_promote()", &[]).await?.try_get(0)?;
        anyhow::ensure!(promoted, "the standby is not promoted in time");
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn spawn(&mut self) -> anyhow::Result<()> {
        let mut postgres = self.command("postgres")?;
        postgres.arg("-D").arg(self.data());
        postgres.arg("-c").arg(format!("unix_socket_directories={}", self.folder.display()));
        postgres.arg("-c").arg(format!("port={PORT}"));
        for setting in SETTINGS {
            postgres.args(["-c", setting]);
        }
        if let Some(follows) = &self.follows {
            postgres.arg("-c").arg(format!("primary_conninfo={follows}"));
        }
        self.child = Some(postgres.spawn().context("cannot start PostgreSQL")?);
        Ok(())
    }

    /// Runs one of PostgreSQL's programs to its end.
    async fn run(&self, mut command: Command) -> anyhow::Result<()> {
        let status = tokio::task::spawn_blocking(move || command.status()).await??;
        let log = self.folder.join("log");
        anyhow::ensure!(status.success(), "a program of PostgreSQL failed: {}", log.display());
        Ok(())
    }

    fn command(&self, name: &str) -> anyhow::Result<Command> {
        database_command(name, &self.folder)
    }

    fn is_running(&mut self) -> anyhow::Result<bool> {
        if let Some(child) = &mut self.child
            && child.try_wait()?.is_some()
        {
            self.child = None;
        }
        Ok(self.child.is_some())
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        send(self.child.as_ref().context("the server is not running")?, signal)
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // There is nobody left to report an error to.
        if let Some(mut child) = self.child.take() {
            drop(send(&child, Signal::QUIT));
            drop(child.wait());
        }
        drop(fs::remove_dir_all(self.data()));
    }
}

/// A command that runs one of the database's programs, with its output in the file `log` of this
/// folder. The programs refuse to run as root, and run as the user `postgres` instead.
pub(super) fn database_command(name: &str, folder: &Path) -> anyhow::Result<Command> {
    let program = find_program(name)?;
    let log = OpenOptions::new().create(true).append(true).open(folder.join("log"))?;
    let mut command = if geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(folder).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Ok(command)
}

/// Makes the user that runs the database's programs the owner of a folder.
pub(super) fn own(folder: &Path) -> anyhow::Result<()> {
    if geteuid().is_root() {
        let status = Command::new("chown").arg("postgres:").arg(folder).status()?;
        anyhow::ensure!(status.success(), "there is no user postgres");
    }
    Ok(())
}

/// Finds a program on the `PATH`, or where Debian installs PostgreSQL and the pooler.
fn find_program(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    folders.push(PathBuf::from("/usr/sbin"));
    let mut programs = folders.into_iter().map(|folder| folder.join(OsStr::new(name)));
    programs.find(|program| program.is_file()).with_context(|| {
        format!("{name} is missing: install Debian's packages postgresql and pgbouncer")
    })
}
