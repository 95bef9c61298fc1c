//! `auth0-signup doctor`, the real binary: each thing that can be wrong has an explanation of its own.

use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use auth0_emulator::{Builder, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator, Fault, Route};
use serde_json::{Value, json};

use crate::temp_dir::TempDir;

/// A secret that no output may contain.
const CANARY: &str = "canary-canary-canary-canary-canary";

/// Every scope that the command can use.
pub(crate) const ALL_SCOPES: [&str; 5] =
    ["create:users", "read:users", "delete:users", "read:connections", "read:custom_domains"];

/// A run of the command.
pub(crate) struct Diagnosis {
    pub(crate) status: i32,
    pub(crate) report: Value,
    pub(crate) stderr: String,
}

/// A tenant and a folder to diagnose.
pub(crate) struct Patient {
    pub(crate) auth0: Emulator,
    pub(crate) folder: TempDir,
    variables: HashMap<String, String>,
}

impl Patient {
    /// A tenant as the emulator starts it.
    pub(crate) async fn new() -> Self {
        Self::with(Emulator::builder()).await
    }

    /// The tenant of this emulator.
    pub(crate) async fn with(builder: Builder) -> Self {
        let auth0 = builder.start().await.unwrap();
        let variables = [
            ("AUTH0_DOMAIN", auth0.url()),
            ("AUTH0_CLIENT_ID", DEFAULT_CLIENT_ID),
            ("AUTH0_CLIENT_SECRET", DEFAULT_CLIENT_SECRET),
            ("SIGNUP__SECRETS__KEY", CANARY),
            ("SIGNUP__HTTP__PUBLIC_URL", "https://signup.example.com"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { auth0, folder: TempDir::new(), variables }
    }

    /// A tenant whose application has every scope that the command can use.
    pub(crate) async fn with_all_scopes() -> Self {
        let patient = Self::new().await;
        patient.auth0.tenant(|tenant| tenant.scopes = ALL_SCOPES.map(str::to_owned).to_vec());
        patient
    }

    /// Sets a variable of the environment.
    pub(crate) fn set(mut self, variable: &str, value: &str) -> Self {
        self.variables.insert(variable.to_owned(), value.to_owned());
        self
    }

    /// Runs the command with these arguments. Neither of its outputs contains a secret.
    pub(crate) fn run(&self, arguments: &[&str]) -> Diagnosis {
        let output = Command::new(env!("CARGO_BIN_EXE_auth0-signup"))
            .args(["doctor", "--json"])
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(&self.variables)
            .output()
            .unwrap();
        let (stdout, stderr) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        for text in [&stdout, &stderr] {
            for secret in [CANARY, DEFAULT_CLIENT_SECRET, "@example.com", "eyJ"] {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
        let report = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout}{stderr}"));
        Diagnosis { status: output.status.code().unwrap(), report, stderr }
    }

    /// The number of create calls that the tenant has received.
    pub(crate) fn creates(&self) -> usize {
        self.auth0.calls(Route::CreateUser).len()
    }
}

impl Diagnosis {
    /// Every finding, in the order of the report.
    pub(crate) fn findings(&self) -> &[Value] {
        self.report["findings"].as_array().unwrap()
    }

    /// The finding with this id, which is there.
    pub(crate) fn find(&self, id: &str) -> &Value {
        let found = self.findings().iter().find(|finding| finding["id"] == id);
        found.unwrap_or_else(|| panic!("{id} in {:#}", self.report))
    }

    /// The message of the finding with this id.
    pub(crate) fn message(&self, id: &str) -> String {
        self.find(id)["message"].as_str().unwrap().to_owned()
    }

    /// Returns whether there is a finding with this id.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.findings().iter().any(|finding| finding["id"] == id)
    }

    /// The ids of the findings with this severity.
    pub(crate) fn ids(&self, severity: &str) -> Vec<&str> {
        let found = self.findings().iter().filter(|finding| finding["severity"] == severity);
        found.map(|finding| finding["id"].as_str().unwrap()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_deployment_is_ok_and_creates_nothing() {
    let patient = Patient::new().await;
    let found = patient.run(&[]);
    assert_eq!((found.status, &found.report["status"]), (0, &json!("ok")), "{:#}", found.report);
    for id in [
        "settings.ok",
        "origins.ok",
        "proxies.ok",
        "timeouts.ok",
        "secret.ok",
        "database.new",
        "privileges.ok",
        "disk.ok",
        "proxy.none",
        "dns.ok",
        "tls.unused",
        "tenant.ok",
        "clock.ok",
        "token.ok",
        "scopes.ok",
        "api.ok",
        "connection.not_checked",
        "password_policy.not_checked",
        "custom_domain.not_checked",
    ] {
        found.find(id);
    }
    for finding in found.findings() {
        let members = ["docs", "id", "message", "setting", "severity"];
        let names: Vec<_> = finding.as_object().unwrap().keys().collect();
        assert_eq!(names, members);
    }
    assert_eq!((patient.creates(), patient.auth0.users().len()), (0, 0));
    assert_eq!(patient.auth0.calls(Route::Token).len(), 1);
    assert_eq!(fs::read_dir(patient.folder.path()).unwrap().count(), 0, "nothing is created");

    let text = Command::new(env!("CARGO_BIN_EXE_auth0-signup"))
        .arg("doctor")
        .current_dir(patient.folder.path())
        .env_clear()
        .envs(&patient.variables)
        .output()
        .unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("ok       token           "), "{text}");
    assert!(text.ends_with("errors: 0, warnings: 0\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_be_read_are_findings_with_status_2() {
    let patient = Patient::new().await.set("PORT", "canary").set("SIGNUP__PASSWORD__POLICY", "x");
    let found = patient.run(&[]);
    assert_eq!((found.status, &found.report["status"]), (2, &json!("error")));
    let settings: Vec<_> = found.findings().iter().map(|finding| &finding["setting"]).collect();
    assert_eq!(settings, ["http.port", "password.policy"]);
    assert!(found.stderr.contains("2 errors in the settings"), "{}", found.stderr);
    assert!(patient.auth0.journal().is_empty());
}

/// An error of the Management API in Auth0's format.
pub(crate) fn api(status: u16, code: Option<&str>, message: &str) -> Fault {
    let mut body = json!({ "statusCode": status, "error": "x", "message": message });
    if let Some(code) = code {
        body["errorCode"] = code.into();
    }
    Fault::answer(status).body(body.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_and_its_secret_are_inspected_and_left_alone() {
    let patient = Patient::new().await.set("SIGNUP__SECRETS__KEY", "");
    assert_eq!(patient.run(&[]).find("secret.ok")["severity"], "ok");
    assert_eq!(fs::read_dir(patient.folder.path()).unwrap().count(), 0);
    // The second command records which secret the ledger belongs to.
    for arguments in [&["migrate"][..], &["attempts", "list"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_auth0-signup"));
        command.args(arguments).current_dir(patient.folder.path()).env_clear();
        assert!(command.envs(&patient.variables).output().unwrap().status.success());
    }
    let found = patient.run(&[]);
    assert_eq!(found.status, 0, "{:#}", found.report);
    for id in ["database.ok", "migrations.ok", "secret.beside_database"] {
        found.find(id);
    }
    let key = patient.folder.path().join("data/signup.db.key");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let found = patient.run(&[]);
    assert_eq!(found.ids("error"), ["secret.exposed"]);
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();

    let database = patient.folder.path().join("data/signup.db");
    let whole = fs::read(&database).unwrap();
    let mut damaged = whole.clone();
    let last = damaged.len() - 2 * 4096;
    damaged[last..].fill(0xaa);
    fs::write(&database, damaged).unwrap();
    assert_eq!(patient.run(&[]).ids("error"), ["database.damaged"]);
    fs::write(&database, whole).unwrap();

    let other = patient.set("SIGNUP__SECRETS__KEY", &"x".repeat(32));
    let found = other.run(&[]);
    assert_eq!(found.ids("error"), ["database.wrong_secret"]);
    assert_eq!(found.find("database.wrong_secret")["setting"], "secrets.key");
    fs::write(other.folder.path().join("data/signup.db"), vec![0; 0]).unwrap();
    assert_eq!(other.run(&[]).ids("error"), ["database.lost"]);
}
