//! The real binary, and its log.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use auth0_emulator::{DEFAULT_CLIENT_ID, Emulator};
use serde_json::Value;

use crate::app::TempDir;
use crate::eventually::eventually;

/// The running binary in its own folder; killed when dropped.
pub(crate) struct Process {
    child: Child,
    folder: TempDir,
    pub(crate) address: String,
    pub(crate) admin: String,
}

impl Process {
    /// Serves sign-ups for this tenant; `variables` win over the defaults of a test.
    pub(crate) async fn start(auth0: &Emulator, variables: &[(&str, &str)]) -> Self {
        let folder = TempDir::new();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_auth0-signup"))
            .arg("serve")
            .current_dir(folder.path())
            .env_clear()
            .envs([
                ("AUTH0_DOMAIN", auth0.url()),
                ("AUTH0_CLIENT_ID", DEFAULT_CLIENT_ID),
                ("PORT", "0"),
                ("SIGNUP__ADMIN__PORT", "0"),
            ])
            .envs(variables.iter().copied())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut process = Self { child, folder, address: String::new(), admin: String::new() };
        let serving = process.event(|event| event["public"].is_string()).await;
        serving["public"].as_str().unwrap().clone_into(&mut process.address);
        serving["admin"].as_str().unwrap().clone_into(&mut process.admin);
        process
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
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
            let events = log.lines().filter_map(|line| serde_json::from_str(line).ok());
            events.into_iter().find(&matches)
        };
        eventually("the event is in the log", logged).await
    }

    /// Stops it with SIGTERM, as an orchestrator does. The log is complete when this returns.
    pub(crate) fn terminate(&mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success(), "the exit status after SIGTERM");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails if it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
