//! An operator beside a running service: both are the real binary.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use auth0_emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator, Fault, Route};
use serde_json::Value;

use crate::app::{TestResponse, ada_with};
use crate::process::Process;

/// Personal data and secrets that no output may contain, in any letter case.
const PERSONAL: [&str; 6] =
    ["ada@", "lovelace", "example.com", "difference-engine", "demo-secret", "grace"];

/// A running service, its tenant and an operator.
pub(crate) struct Operator {
    pub(crate) auth0: Emulator,
    service: Process,
}

/// The result of a command.
pub(crate) struct CommandOutput {
    pub(crate) status: i32,
    stdout: String,
    pub(crate) stderr: String,
}

impl Operator {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[("SIGNUP__AUTH0__TIMEOUT_MS", "300")]).await
    }

    pub(crate) async fn start_with(more: &[(&str, &str)]) -> Self {
        let auth0 = Emulator::builder().start().await.unwrap();
        let settings = [
            // The reconciler of the service is slower than the operator.
            ("SIGNUP__RECONCILIATION__NOT_CREATED_AFTER_MS", "3600000"),
        ];
        let settings = [&settings, more].concat();
        let service = Process::start(&auth0, &settings).await;
        Self { auth0, service }
    }

    pub(crate) async fn sign_up(&self, body: &Value) -> TestResponse {
        TestResponse::receive(self.service.post(body)).await
    }

    /// Signs up with a call whose response is lost, whether Auth0 acts on it or not.
    pub(crate) async fn lose(&self, email: &str, fault: Fault) -> TestResponse {
        self.auth0.fault(Route::CreateUser, fault);
        self.auth0.fault(Route::CreateUser, Fault::answer(500).always());
        self.auth0.fault(Route::GetUser, Fault::answer(500).always());
        let response = self.sign_up(&ada_with("email", email)).await;
        assert_eq!(response.problem(), "outcome_unknown");
        response
    }

    /// Waits for a matching event of the service's log.
    pub(crate) async fn event(&self, matches: impl Fn(&Value) -> bool) -> Value {
        self.service.event(matches).await
    }

    /// Ends the service as a crash does.
    pub(crate) fn crash(&mut self) {
        self.service.kill();
    }

    /// The file of the ledger.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.service.folder().join("data/signup.db")
    }

    /// Runs a command with this standard input and without the tenant's settings.
    pub(crate) fn run(&self, arguments: &[&str], stdin: &str) -> CommandOutput {
        self.run_with(arguments, stdin, &[])
    }

    /// Runs `attempts reconcile`; an absent user counts after `grace` milliseconds.
    pub(crate) fn reconcile(&self, arguments: &[&str], grace: &str) -> CommandOutput {
        let tenant = [
            ("AUTH0_DOMAIN", self.auth0.url()),
            ("AUTH0_CLIENT_ID", DEFAULT_CLIENT_ID),
            ("AUTH0_CLIENT_SECRET", DEFAULT_CLIENT_SECRET),
            ("SIGNUP__RECONCILIATION__NOT_CREATED_AFTER_MS", grace),
        ];
        self.run_with(&[&["attempts", "reconcile"], arguments].concat(), "", &tenant)
    }

    fn run_with(
        &self,
        arguments: &[&str],
        stdin: &str,
        variables: &[(&str, &str)],
    ) -> CommandOutput {
        let mut child = Command::new(env!("CARGO_BIN_EXE_auth0-signup"))
            .args(arguments)
            .current_dir(self.service.folder())
            .env_clear()
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Fails if the command has ended without reading.
        drop(child.stdin.take().unwrap().write_all(stdin.as_bytes()));
        CommandOutput::new(&child.wait_with_output().unwrap())
    }
}

impl CommandOutput {
    fn new(process: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let output = Self {
            status: process.status.code().unwrap(),
            stdout: text(&process.stdout),
            stderr: text(&process.stderr),
        };
        let all = format!("{}{}", output.stdout, output.stderr).to_lowercase();
        for personal in PERSONAL {
            assert!(!all.contains(personal), "{personal} in {all}");
        }
        output
    }

    /// The command's stdout, after a check of its status.
    pub(crate) fn with(self, status: i32) -> String {
        assert_eq!(self.status, status, "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// The JSON objects on the lines of stdout.
    pub(crate) fn rows(self) -> Vec<Value> {
        self.with(0).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
