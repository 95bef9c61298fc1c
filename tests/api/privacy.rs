//! The canary: marked values go through every outcome, and are then looked for in the log, in
//! every answer, in the metrics and in every file that the process wrote.
//!
//! Runs the real binary, at the log level that tells the most.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use auth0_emulator::{DEFAULT_CLIENT_ID, Emulator, Fault, Route};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

const SECRET: &str = "canary-client-secret-4f7a";
const PASSWORD: &str = "Canary-Password-81";
/// What the form holds beside the password, each marked.
const PERSONAL: [(&str, &str); 6] = [
    ("email", "canary.mail.55@example.com"),
    ("given_name", "Canarygiven"),
    ("family_name", "Canaryfamily"),
    ("nickname", "canarynick"),
    ("picture", "https://example.com/canarypicture.png"),
    ("phone_number", "+15550177123"),
];

/// The running binary; killed when dropped.
struct Process {
    child: Child,
    folder: PathBuf,
    address: String,
    admin: String,
}

impl Process {
    async fn start(auth0: &Emulator, folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).unwrap();
        let log = fs::File::create(folder.join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_auth0-signup"))
            .arg("serve")
            .current_dir(&folder)
            .env_clear()
            .envs([
                ("AUTH0_DOMAIN", auth0.url()),
                ("AUTH0_CLIENT_ID", DEFAULT_CLIENT_ID),
                ("AUTH0_CLIENT_SECRET", SECRET),
                ("PORT", "0"),
                ("SIGNUP__ADMIN__PORT", "0"),
                ("SIGNUP__AUTH0__TIMEOUT_MS", "500"),
                ("SIGNUP__FIELDS__PHONE_NUMBER", "optional"),
                ("RUST_LOG", "trace"),
            ])
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut process = Self { child, folder, address: String::new(), admin: String::new() };
        process.wait_for_addresses().await;
        process
    }

    async fn wait_for_addresses(&mut self) {
        let waited = timeout(Duration::from_secs(20), async {
            loop {
                let log = fs::read_to_string(self.folder.join("log")).unwrap();
                let events =
                    log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
                if let Some(event) = events.into_iter().find(|event| event["public"].is_string()) {
                    event["public"].as_str().unwrap().clone_into(&mut self.address);
                    event["admin"].as_str().unwrap().clone_into(&mut self.admin);
                    return;
                }
                sleep(Duration::from_millis(10)).await;
            }
        });
        waited.await.expect("the binary did not say where it listens");
    }

    /// Ends it as an orchestrator does; the log is complete afterwards.
    fn terminate(mut self) -> PathBuf {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success(), "the exit status after SIGTERM");
        self.folder.clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails when it has ended already, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn person() -> Value {
    let mut form = json!({"password": PASSWORD});
    for (name, value) in PERSONAL {
        form[name] = value.into();
    }
    form
}

#[tokio::test]
async fn nothing_that_is_secret_or_personal_gets_out() {
    let auth0 = Emulator::builder().tenant(|tenant| tenant.client_secret = SECRET.into());
    let auth0 = auth0.start().await.unwrap();
    let folder = std::env::temp_dir().join(format!("signup-privacy-{}", std::process::id()));
    let process = Process::start(&auth0, folder).await;
    let client = Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/signup", process.address);
    let mut answers = Vec::new();
    let mut post = async |body: String| {
        let request = client.post(&url).header("content-type", "application/json").body(body);
        let answer = request.send().await.unwrap();
        answers.push(answer.text().await.unwrap());
    };

    post(person().to_string()).await;
    post(person().to_string()).await;

    let bearer = "canary-leak";
    let echo = json!({
        "statusCode": 400,
        "errorCode": format!("{PASSWORD} {bearer}"),
        "message": format!("invalid {} and {PASSWORD}", PERSONAL[0].1),
    })
    .to_string();
    let faults = [
        Fault::answer(400).body(echo.clone()),
        Fault::answer(418).body(echo.clone()),
        Fault::answer(500).body(echo.clone()),
        Fault::answer(201).body(echo.clone()),
        Fault::answer(401).body(echo.clone()),
        Fault::answer(403).body(echo.clone()),
        Fault::answer(409).body(echo.clone()),
        Fault::answer(429).body(echo.clone()),
        Fault::answer(302).header("location", "https://example.com/canary-leak"),
        Fault::close(),
        Fault::reset(),
        Fault::truncated(),
        Fault::hang(),
    ];
    for fault in faults {
        auth0.fault(Route::CreateUser, fault);
        post(person().to_string()).await;
    }
    let mut broken = person();
    for (_, value) in broken.as_object_mut().unwrap() {
        *value = format!("{}\u{7}", value.as_str().unwrap()).into();
    }
    broken["password"] = "Canary-".into();
    post(broken.to_string()).await;
    post(format!("{{\"email\":\"{}\",{}", PERSONAL[0].1, person())).await;
    auth0.fault(Route::Token, Fault::answer(401).body(echo));
    auth0.revoke_tokens();
    post(person().to_string()).await;
    let metrics = client.get(format!("http://{}/metrics", process.admin)).send().await.unwrap();
    answers.push(metrics.text().await.unwrap());
    // The one answer that is meant to hold what was given.
    let created = answers.remove(0);
    assert!(created.contains("\"created\"") && !created.contains(PASSWORD), "{created}");

    let folder = process.terminate();
    let token = auth0.calls(Route::CreateUser)[0].header("authorization").unwrap().to_owned();
    let token = token.trim_start_matches("Bearer ").to_owned();
    let canaries = PERSONAL.map(|(_, value)| value.to_owned()).into_iter();
    let canaries = canaries.chain([SECRET, PASSWORD, bearer].map(str::to_owned)).chain([token]);
    let canaries: Vec<String> =
        canaries.chain(["canary".to_owned(), "Canary".to_owned()]).collect();
    for (where_, text) in files(&folder)
        .into_iter()
        .chain(answers.into_iter().enumerate().map(|(nth, text)| (format!("answer {nth}"), text)))
    {
        for canary in &canaries {
            let found = text.lines().find(|line| line.contains(canary.as_str()));
            assert!(found.is_none(), "{canary} in {where_}: {found:?}");
        }
    }
    fs::remove_dir_all(folder).unwrap();
}

/// Every file below the folder, as text.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            found.push((path.display().to_string(), text));
        }
    }
    assert!(!found.is_empty());
    found
}
