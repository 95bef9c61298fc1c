//! The service's program and its processes.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::Context as _;

/// The root of the workspace.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A service on a fixed port that can be restarted. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct ServiceProcess {
    program: PathBuf,
    settings: Vec<(String, String)>,
    log: PathBuf,
    child: Option<Child>,
    /// Its base URL.
    pub(crate) url: String,
}

impl ServiceProcess {
    /// A service that has not been started. It gets a port that is free now.
    pub(crate) fn new(
        program: &Path,
        mut settings: Vec<(String, String)>,
        log: PathBuf,
    ) -> anyhow::Result<Self> {
        let free = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        settings.push(("PORT".to_owned(), free.port().to_string()));
        let url = format!("http://{free}");
        Ok(Self { program: program.to_owned(), settings, log, child: None, url })
    }

    /// Starts the process.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        // Limits far above what one address uses in a run.
        let bounds = Path::new(ROOT).join("config/bench.toml");
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--config").arg(bounds);
        command.env_clear().envs(self.settings.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn();
        let child = child.with_context(|| format!("cannot run {}", self.program.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Kills the process with SIGKILL.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// The exit status, if the process has exited on its own.
    pub(crate) fn exit_status(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.as_mut().map(Child::try_wait).transpose()?.flatten())
    }
}

impl Drop for ServiceProcess {
    fn drop(&mut self) {
        // There is nobody left to report an error to.
        drop(self.kill());
    }
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
