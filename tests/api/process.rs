//! The real binary, and its log.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use auth0_emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;

use crate::builder::CAPTCHA_SECRET;
use crate::eventually::eventually;
use crate::temp_dir::TempDir;

/// Leaves the application's secret to a file, over which the environment would win.
pub(crate) const NO_SECRET: (&str, &str) = ("AUTH0_CLIENT_SECRET", "");

/// Requires captchas of Turnstile.
pub(crate) const CAPTCHA: [(&str, &str); 6] = [
    ("SIGNUP__CHALLENGE__REQUIRED", "always"),
    ("SIGNUP__AUTH0_COMPAT__ENABLED", "false"),
    ("SIGNUP__CHALLENGE__CAPTCHA__PROVIDER", "turnstile"),
    ("SIGNUP__CHALLENGE__CAPTCHA__SITE_KEY", "site"),
    ("SIGNUP__CHALLENGE__CAPTCHA__SECRET", CAPTCHA_SECRET),
    ("SIGNUP__CHALLENGE__CAPTCHA__HOSTNAMES", "www.example.com"),
];

/// The running binary; killed when dropped.
pub(crate) struct Process {
    child: Child,
    folder: Arc<TempDir>,
    log: PathBuf,
    /// For requests to it. No proxy of the machine is in between.
    pub(crate) client: Client,
    pub(crate) address: String,
    pub(crate) admin: String,
}

impl Process {
    /// Serves sign-ups for this tenant, in a folder of its own; `variables` win over the defaults of
    /// a test.
    pub(crate) async fn start(auth0: &Emulator, variables: &[(&str, &str)]) -> Self {
        let mut process = Self::spawn(auth0, &Arc::new(TempDir::new()), &[], variables);
        process.serving().await;
        process
    }

    /// Starts in a folder that may have the ledger of another process. It may not serve yet.
    pub(crate) fn spawn(
        auth0: &Emulator,
        folder: &Arc<TempDir>,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let path = folder.path().join(format!("log-{:016x}", rand::random::<u64>()));
        let log = fs::File::create(&path).unwrap();
        // A test may limit the size of files, which would end the process by a signal.
        let child = Command::new("/usr/bin/env")
            .args(["--ignore-signal=XFSZ", env!("CARGO_BIN_EXE_auth0-signup"), "serve"])
            .args(arguments)
            .current_dir(folder.path())
            .env_clear()
            .envs([
                ("AUTH0_DOMAIN", auth0.url()),
                ("AUTH0_CLIENT_ID", DEFAULT_CLIENT_ID),
                ("AUTH0_CLIENT_SECRET", DEFAULT_CLIENT_SECRET),
                ("PORT", "0"),
                ("SIGNUP__ADMIN__PORT", "0"),
            ])
            .envs(variables.iter().copied())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let (address, admin) = (String::new(), String::new());
        let client = Client::builder().no_proxy().build().unwrap();
        Self { child, folder: Arc::clone(folder), log: path, client, address, admin }
    }

    /// Waits until it serves.
    pub(crate) async fn serving(&mut self) {
        let serving = self.event(|event| event["public"].is_string()).await;
        serving["public"].as_str().unwrap().clone_into(&mut self.address);
        serving["admin"].as_str().unwrap().clone_into(&mut self.admin);
    }

    /// Waits until it has ended by itself, and returns its exit status.
    pub(crate) async fn exit_status(&mut self) -> Option<i32> {
        let child = &mut self.child;
        eventually("the process ends", async || child.try_wait().unwrap()).await.code()
    }

    /// Everything that it has printed.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// The id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The folder that it runs in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits for a matching event of the log, and returns the first.
    pub(crate) async fn event(&self, matches: impl Fn(&Value) -> bool) -> Value {
        let logged = async || {
            let log = self.log();
            let events = log.lines().filter_map(|line| serde_json::from_str(line).ok());
            events.into_iter().find(&matches)
        };
        eventually("the event is in the log", logged).await
    }

    /// Sends it a signal, such as `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let (signal, pid) = (format!("-{name}"), self.child.id().to_string());
        assert!(Command::new("kill").args([signal, pid]).status().unwrap().success());
    }

    /// Limits the size of every file that it writes, its log included: the disk is full, or has room again.
    pub(crate) fn limit_files(&self, limit: &str) {
        // The soft limit.
        let (limit, pid) = (format!("--fsize={limit}:"), self.child.id().to_string());
        assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    }

    /// Limits the number of files that it may have open.
    pub(crate) fn limit_open_files(&self, limit: &str) {
        // The soft limit.
        let (limit, pid) = (format!("--nofile={limit}:"), self.child.id().to_string());
        assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    }

    /// Signs up with this form.
    pub(crate) fn post(&self, form: &Value) -> RequestBuilder {
        self.client.post(format!("http://{}/signup", self.address)).json(form)
    }

    /// The text of its metrics.
    pub(crate) async fn metrics(&self) -> String {
        let response = self.client.get(format!("http://{}/metrics", self.admin)).send().await;
        response.unwrap().text().await.unwrap()
    }

    /// The report of `/readyz` on the admin listener.
    pub(crate) async fn readiness(&self) -> Value {
        let response = self.client.get(format!("http://{}/readyz", self.admin)).send().await;
        response.unwrap().json().await.unwrap()
    }

    /// Stops it with SIGTERM, as an orchestrator does. The log is complete when this returns.
    pub(crate) fn terminate(&mut self) {
        self.signal("TERM");
        assert!(self.child.wait().unwrap().success(), "the exit status after SIGTERM");
    }

    /// Ends it by SIGKILL.
    pub(crate) fn kill(&mut self) {
        // Fails if it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
