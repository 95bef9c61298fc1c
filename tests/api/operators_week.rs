//! An operator's week: the real binary through the first start, rotations, outages, a full disk, an
//! upgrade and a restore, while people sign up all the time. No sign-up is lost, and none is made twice.

#![expect(clippy::print_stdout, reason = "prints what people saw in each part of the week")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use auth0_emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator};
use parking_lot::Mutex;
use reqwest::{Client, StatusCode};
use rusqlite::Connection;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::app::ada_with;
use crate::eventually::eventually;
use crate::process::{NO_SECRET, Process};
use crate::temp_dir::TempDir;

/// People who sign up at the same time, each one after another.
const PEOPLE: usize = 4;

/// The pause of a person between two sign-ups.
const PAUSE: Duration = Duration::from_millis(25);

/// The longest pause before a form is sent again. Real people obey `Retry-After`; here that would
/// take minutes.
const RETRY: Duration = Duration::from_millis(150);

/// Sign-ups that have to be created in each part of the week.
const SOME: usize = 25;

/// The tables as a release before the fifth migration left them, with the rows of now.
const RELEASE_BEFORE: &str = "
    ALTER TABLE attempts ADD COLUMN key_digest BLOB;
    ALTER TABLE attempts ADD COLUMN binding_digest BLOB;
    UPDATE attempts SET key_digest = k.key_digest, binding_digest = CAST(k.binding || zeroblob(30) AS BLOB),
      key_expires_at = k.expires_at FROM attempt_keys k WHERE k.attempt_id = attempts.id;
    CREATE UNIQUE INDEX attempts_key_digest ON attempts (key_digest) WHERE key_digest IS NOT NULL;
    CREATE INDEX attempts_key_expires_at ON attempts (key_expires_at)
      WHERE key_expires_at IS NOT NULL;
    DROP INDEX attempts_email_digest;
    ALTER TABLE attempts DROP COLUMN tenant_started_at;
    ALTER TABLE attempts DROP COLUMN worker;
    ALTER TABLE attempts DROP COLUMN restarts;
    DROP TABLE attempt_keys;
    DROP TABLE processes;
    DROP TABLE connections;
    DELETE FROM schema_migrations WHERE version >= 5;";

/// A migration that only the next release knows.
const NEXT_RELEASE: &str = "INSERT INTO schema_migrations VALUES (1000, 'the next release', 0)";

/// The people, and what each of their sign-ups ended with.
struct People {
    /// The address of the service, which changes with each start.
    address: Mutex<String>,
    /// The responses since the last part of the week.
    responses: Mutex<BTreeMap<u16, usize>>,
    created: Mutex<Vec<SignedUp>>,
    ended: AtomicBool,
    client: Client,
}

/// A sign-up that succeeded.
#[derive(Clone)]
struct SignedUp {
    email: String,
    key: String,
}

impl People {
    fn new() -> Self {
        Self {
            address: Mutex::default(),
            responses: Mutex::default(),
            created: Mutex::default(),
            ended: AtomicBool::new(false),
            client: Client::builder().no_proxy().build().unwrap(),
        }
    }

    /// Signs people up, one after another, until the week is over.
    async fn sign_up(self: Arc<Self>) {
        while !self.ended.load(Ordering::Relaxed) {
            let person = SignedUp {
                email: format!("{:016x}@example.com", rand::random::<u64>()),
                key: format!("{:032x}", rand::random::<u128>()),
            };
            // The same form with the same key, as `/signup.js` sends it.
            loop {
                match self.post(&person).await {
                    Some(StatusCode::CREATED) => break,
                    Some(status) => {
                        let is_retried = status.is_server_error()
                            || [StatusCode::CONFLICT, StatusCode::TOO_MANY_REQUESTS]
                                .contains(&status);
                        assert!(is_retried, "{status}");
                    }
                    None => {}
                }
                sleep(RETRY).await;
            }
            self.created.lock().push(person);
            sleep(PAUSE).await;
        }
    }

    /// Sends a form once. `None` when there is no response.
    async fn post(&self, person: &SignedUp) -> Option<StatusCode> {
        let url = format!("http://{}/signup", self.address.lock());
        let form = ada_with("email", person.email.as_str());
        let request = self.client.post(url).header("idempotency-key", &person.key).json(&form);
        let status = request.send().await.ok().map(|response| response.status());
        let code = status.map_or(0, |status| status.as_u16());
        *self.responses.lock().entry(code).or_default() += 1;
        status
    }

    fn created(&self) -> usize {
        self.created.lock().len()
    }

    /// Waits until some more people have signed up.
    async fn some_more(&self) {
        let before = self.created();
        eventually("people sign up", async || (self.created() >= before + SOME).then_some(()))
            .await;
    }

    /// Prints the responses since the last part of the week, and returns them. 0 stands for none.
    fn responses(&self, part: &str) -> BTreeMap<u16, usize> {
        let responses = std::mem::take(&mut *self.responses.lock());
        println!("{part}: {responses:?}");
        responses
    }
}

/// A tenant, a folder and the people.
struct Deployment {
    auth0: Emulator,
    folder: Arc<TempDir>,
    people: Arc<People>,
}

impl Deployment {
    async fn new() -> Self {
        let auth0 = Emulator::builder().start().await.unwrap();
        let deployment =
            Self { auth0, folder: Arc::new(TempDir::new()), people: Arc::new(People::new()) };
        deployment.write_settings(DEFAULT_CLIENT_SECRET, None);
        deployment
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ledger(&self) -> PathBuf {
        self.path("data/signup.db")
    }

    /// The settings, with the current secret of the application and the one before.
    fn write_settings(&self, secret: &str, previous: Option<&str>) {
        let previous = previous.map(|secret| format!("client_secret_previous = '{secret}'\n"));
        let settings = format!(
            "[auth0]\nclient_secret = '{secret}'\n{}[ledger]\ntimeout_ms = 500\n\
             [limits]\nexempt = ['127.0.0.1/32']\n",
            previous.unwrap_or_default()
        );
        // Replaced at once, as an orchestrator does.
        fs::write(self.path("new.toml"), settings).unwrap();
        fs::rename(self.path("new.toml"), self.path("settings.toml")).unwrap();
    }

    /// Starts a service, and sends the people to it.
    async fn start(&self) -> Process {
        let mut service =
            Process::spawn(&self.auth0, &self.folder, &["--config", "settings.toml"], &[NO_SECRET]);
        service.serving().await;
        service.address.clone_into(&mut self.people.address.lock());
        service
    }

    /// Runs a command in the service's folder.
    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_auth0-signup"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .envs([("AUTH0_DOMAIN", self.auth0.url()), ("AUTH0_CLIENT_ID", DEFAULT_CLIENT_ID)])
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }
}

/// Waits until the service reports this state, with this status.
async fn until_ready(service: &Process, state: &str) {
    let reported = async || (service.readiness().await["status"] == state).then_some(());
    eventually(&format!("readyz reports {state}"), reported).await;
}

fn execute(ledger: &Path, sql: &str) {
    Connection::open(ledger).unwrap().execute_batch(sql).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_sign_up_is_lost_in_an_operators_week() {
    let deployment = Deployment::new().await;
    let Deployment { auth0, people, .. } = &deployment;

    three_mistakes_are_named_at_once(&deployment);
    doctor_names_the_missing_scope(&deployment);

    let mut service = deployment.start().await;
    let mut tasks: JoinSet<()> = (0..PEOPLE).map(|_| Arc::clone(people).sign_up()).collect();
    people.some_more().await;
    assert!(people.responses("first start").keys().eq([&201]));

    // The runbook: both secrets first, then the rotation, then the new one alone.
    deployment.write_settings("new-secret", Some(DEFAULT_CLIENT_SECRET));
    service.event(|event| event["changed"].is_string()).await;
    auth0.rotate_secret("new-secret");
    auth0.revoke_tokens();
    people.some_more().await;
    deployment.write_settings("new-secret", None);
    people.some_more().await;
    assert!(people.responses("the secret is rotated").keys().eq([&201]));

    auth0.stop().await;
    until_ready(&service, "degraded").await;
    auth0.start_again().await.unwrap();
    people.some_more().await;
    people.responses("the tenant is away");

    let lock = Connection::open(deployment.ledger()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    until_ready(&service, "unready").await;
    drop(lock);
    until_ready(&service, "ready").await;
    people.some_more().await;
    people.responses("the ledger is locked");

    service.limit_files("1");
    until_ready(&service, "unready").await;
    service.limit_files("unlimited");
    until_ready(&service, "ready").await;
    people.some_more().await;
    people.responses("the disk is full");

    service.terminate();
    execute(&deployment.ledger(), RELEASE_BEFORE);
    let mut service = deployment.start().await;
    people.some_more().await;
    people.responses("the upgrade migrates");

    service.terminate();
    execute(&deployment.ledger(), NEXT_RELEASE);
    let mut service = deployment.start().await;
    people.some_more().await;
    people.responses("the upgrade is rolled back");

    let backup = deployment.run(&["backup", "backup.db", "--config", "settings.toml"], &[]);
    assert!(backup.status.success(), "{backup:?}");
    people.some_more().await;
    let after_backup = people.created.lock().last().cloned().unwrap();
    service.terminate();
    let restore = deployment.run(&["restore", "backup.db", "--config", "settings.toml"], &[]);
    assert!(restore.status.success(), "{restore:?}");
    let mut service = deployment.start().await;
    people.some_more().await;
    people.responses("the backup is restored");
    // Its row is lost, and the user is recognised.
    assert_eq!(people.post(&after_backup).await, Some(StatusCode::CREATED));

    people.ended.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    nobody_is_lost(&deployment);
    service.terminate();
}

fn three_mistakes_are_named_at_once(deployment: &Deployment) {
    let mistakes =
        [("AUTH0_DOMAIN", "tenant..auth0.com"), ("PORT", "true"), ("SIGNUP_HTTP_PORT", "8080")];
    let start = deployment.run(&["serve", "--config", "settings.toml"], &mistakes);
    assert_eq!(start.status.code(), Some(2));
    let printed = String::from_utf8(start.stderr).unwrap();
    for (name, _) in mistakes {
        assert!(printed.contains(name), "{name} in {printed}");
    }
}

fn doctor_names_the_missing_scope(deployment: &Deployment) {
    let scopes = deployment.auth0.tenant(|tenant| std::mem::take(&mut tenant.scopes));
    deployment.auth0.tenant(|tenant| tenant.scopes.push("read:users".to_owned()));
    let doctor = || deployment.run(&["doctor", "--json", "--config", "settings.toml"], &[]);
    let ill = doctor();
    assert_eq!(ill.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&ill.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap().iter();
    let errors: Vec<_> = findings.filter(|finding| finding["severity"] == "error").collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0]["message"].as_str().unwrap().contains("create:users"), "{errors:?}");

    deployment.auth0.tenant(|tenant| tenant.scopes = scopes);
    let well = doctor();
    assert!(well.status.success(), "{}", String::from_utf8_lossy(&well.stdout));
}

/// Every person has one user, and nobody else has one.
fn nobody_is_lost(deployment: &Deployment) {
    let emails = deployment.people.created.lock();
    let expected: BTreeSet<_> = emails.iter().map(|person| person.email.clone()).collect();
    let users = deployment.auth0.users();
    let existing: BTreeSet<_> =
        users.iter().map(|user| user["email"].as_str().unwrap().to_owned()).collect();
    println!("{} people signed up", expected.len());
    assert_eq!((existing.len(), existing == expected), (users.len(), true));
}
