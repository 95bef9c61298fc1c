//! The service's program and its processes.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Client;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::clock::{FakeClock, remove_shared_memory};

/// The root of the workspace.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The time that a service has to start.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The time that a service has to end after SIGTERM: a little more than its `shutdown_timeout_ms`.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(25);

/// The pause before a service that could not start is started again, as a supervisor does: a start
/// ends when its database cannot be reached.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// The interval at which a process is checked.
const TICK: Duration = Duration::from_millis(10);

/// A service on a fixed port that can be restarted. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct ServiceProcess {
    program: PathBuf,
    settings: Vec<(String, String)>,
    /// The settings of the secrets at the last start.
    secrets: Vec<(String, String)>,
    log: PathBuf,
    child: Option<Child>,
    /// Its base URL.
    pub(crate) url: String,
    /// Its clock, if it is not the machine's.
    pub(crate) clock: Option<FakeClock>,
}

impl ServiceProcess {
    /// A service that has not been started. It gets a port that is free now.
    pub(crate) fn new(
        program: &Path,
        mut settings: Vec<(String, String)>,
        log: PathBuf,
        clock: Option<FakeClock>,
    ) -> anyhow::Result<Self> {
        let free = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        settings.push(("PORT".to_owned(), free.port().to_string()));
        let url = format!("http://{free}");
        let (program, secrets) = (program.to_owned(), Vec::new());
        Ok(Self { program, settings, secrets, log, child: None, url, clock })
    }

    /// Starts the process with these settings of the secrets.
    pub(crate) fn start(&mut self, secrets: Vec<(String, String)>) -> anyhow::Result<()> {
        self.secrets = secrets;
        self.start_again()
    }

    fn start_again(&mut self) -> anyhow::Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        // Limits far above what one address uses in a run.
        let bounds = Path::new(ROOT).join("config/bench.toml");
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--config").arg(bounds);
        command.env_clear().envs(self.settings.iter().map(|(name, value)| (name, value)));
        command.envs(self.secrets.iter().map(|(name, value)| (name, value)));
        command.envs(self.clock.iter().flat_map(FakeClock::variables));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn();
        let child = child.with_context(|| format!("cannot run {}", self.program.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Waits until the service responds. It accepts connections earlier, before it has created the
    /// ledger's tables.
    pub(crate) async fn wait_until_serving(&mut self, client: &Client) -> anyhow::Result<()> {
        let end = Instant::now() + START_TIMEOUT;
        while client.get(&self.url).send().await.is_err() {
            anyhow::ensure!(Instant::now() < end, "the service on {} does not start", self.url);
            if self.exit_status()?.is_some() {
                sleep(RESTART_PAUSE).await;
                self.start_again()?;
            }
            sleep(TICK).await;
        }
        Ok(())
    }

    /// Kills the process with SIGKILL.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
            remove_shared_memory(child.id());
        }
        Ok(())
    }

    /// Ends the process with SIGTERM and waits for its end. Kills it if that takes too long.
    pub(crate) async fn shut_down(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        let end = Instant::now() + SHUTDOWN_TIMEOUT;
        while self.exit_status()?.is_none() && Instant::now() < end {
            sleep(TICK).await;
        }
        self.kill()
    }

    /// Suspends the process for this time.
    pub(crate) async fn suspend(&self, time: Duration) -> anyhow::Result<()> {
        self.signal(Signal::STOP)?;
        sleep(time).await;
        self.signal(Signal::CONT)
    }

    /// Fails if the process has exited on its own.
    pub(crate) fn check_running(&mut self) -> anyhow::Result<()> {
        match self.exit_status()? {
            Some(status) => {
                anyhow::bail!("the service on {} exited unexpectedly: {status}", self.url)
            }
            None => Ok(()),
        }
    }

    fn exit_status(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.as_mut().map(Child::try_wait).transpose()?.flatten())
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        send(self.child.as_ref().context("the service is not running")?, signal)
    }
}

impl Drop for ServiceProcess {
    fn drop(&mut self) {
        // There is nobody left to report an error to.
        drop(self.kill());
    }
}

/// Sends a signal to a process.
pub(crate) fn send(child: &Child, signal: Signal) -> anyhow::Result<()> {
    let process = Pid::from_raw(child.id().cast_signed()).context("the process has no id")?;
    Ok(kill_process(process, signal)?)
}

/// The service's program: the given one, or the one beside this program, rebuilt under cargo.
pub(crate) fn program(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let own = std::env::current_exe()?;
    let folder = own.parent().context("this program has no parent folder")?;
    if let Some(cargo) = std::env::var_os("CARGO") {
        let profile = match folder.file_name().and_then(OsStr::to_str) {
            Some("debug") | None => "dev",
            Some(name) => name,
        };
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--bin", "auth0-signup", "--profile", profile]);
        let status = build.current_dir(ROOT).status().context("cannot run cargo")?;
        anyhow::ensure!(status.success(), "building the service failed");
    }
    let program = folder.join("auth0-signup");
    anyhow::ensure!(program.exists(), "{} does not exist: build it first", program.display());
    Ok(program)
}
