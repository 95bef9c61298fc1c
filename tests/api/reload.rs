//! The reload of the settings, and the signals of the process.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use auth0_emulator::{DEFAULT_CLIENT_ID, Emulator, Fault, Route};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::app::{ada, ada_with, person};
use crate::eventually::eventually;
use crate::process::{NO_SECRET, Process};
use crate::server::{connect, database, execute, server};
use crate::temp_dir::TempDir;

/// `O_NONBLOCK` of Linux.
const NONBLOCK: i32 = 0o4000;

/// Sends a form, and returns the status of the response.
async fn post(process: &Process, form: &Value) -> StatusCode {
    process.post(form).send().await.unwrap().status()
}

/// Signs this person up, as soon as the ledger has sessions again.
async fn until_created(process: &Process, form: &Value) {
    let created = async || (post(process, form).await == StatusCode::CREATED).then_some(());
    eventually("a sign-up", created).await;
}

/// Waits until `/readyz` reports this about the settings.
async fn until_settings(process: &Process, state: &str) {
    let reported =
        async || (process.readiness().await["checks"]["settings"] == state).then_some(());
    eventually(&format!("the settings are {state}"), reported).await;
}

/// Waits until this many reloads had this result.
async fn until_reloads(process: &Process, result: &str, count: usize) {
    let line = format!("settings_reloads_total{{result=\"{result}\"}} {count}\n");
    let counted = async || process.metrics().await.contains(&line).then_some(());
    eventually(&line, counted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_takes_up_what_may_change_and_keeps_the_buckets() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let folder = TempDir::new();
    let file = folder.path().join("settings.toml");
    let limits = "[limits.posts]\nburst = 2\nper_hour = 1\n";
    fs::write(&file, limits).unwrap();
    let mut process = Process::start(&auth0, &[config(&file)]).await;
    for _ in 0..2 {
        assert_eq!(post(&process, &json!({})).await, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(post(&process, &json!({})).await, StatusCode::TOO_MANY_REQUESTS);

    let changed =
        "[signup]\nopen = false\n[log]\nlevel = \"debug\"\n[http]\nidle_timeout_ms = 60000\n";
    fs::write(&file, format!("{limits}{changed}")).unwrap();
    process.signal("HUP");
    let reloaded = process.event(|event| event["changed"].is_string()).await;
    assert_eq!(reloaded["changed"], "log.level signup.open");
    let restart = process.event(|event| event["settings"].is_string()).await;
    assert_eq!(
        (&restart["level"], &restart["settings"]),
        (&json!("WARN"), &json!("http.idle_timeout_ms"))
    );
    until_reloads(&process, "applied", 1).await;
    assert_eq!(post(&process, &json!({})).await, StatusCode::TOO_MANY_REQUESTS, "still");
    process.readiness().await;
    process.event(|event| event["level"] == "DEBUG").await;

    // One more permit: the two that were taken stay taken.
    fs::write(&file, limits.replace("burst = 2", "burst = 3")).unwrap();
    process.signal("HUP");
    until_reloads(&process, "applied", 2).await;
    assert_eq!(post(&process, &ada()).await, StatusCode::CREATED);
    assert_eq!(post(&process, &json!({})).await, StatusCode::TOO_MANY_REQUESTS);
    process.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_came_with_another_application_is_taken_up_later() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let folder = TempDir::new();
    let file = folder.path().join("settings.toml");
    let write = |id: &str, secret: &str| {
        let text = format!("[auth0]\nclient_id = \"{id}\"\nclient_secret = \"{secret}\"\n");
        fs::write(&file, text).unwrap();
    };
    write(DEFAULT_CLIENT_ID, "demo-secret");
    let process =
        Process::start(&auth0, &[("AUTH0_CLIENT_ID", ""), NO_SECRET, config(&file)]).await;
    assert_eq!(post(&process, &ada()).await, StatusCode::CREATED);

    auth0.rotate_secret("canary-new-secret");
    // With a client id that was mistyped, and then corrected.
    write("another-application", "canary-new-secret");
    process.signal("HUP");
    until_reloads(&process, "applied", 1).await;
    write(DEFAULT_CLIENT_ID, "canary-new-secret");
    process.signal("HUP");
    until_reloads(&process, "applied", 2).await;
    auth0.revoke_tokens();
    until_created(&process, &ada_with("email", "grace@example.com")).await;
    let is_second = |event: &Value| event["changed"] == "auth0.client_secret";
    process.event(is_second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_file_changes_nothing_and_says_so() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let folder = TempDir::new();
    let file = folder.path().join("settings.toml");
    fs::write(&file, "[signup]\nopen = false\n").unwrap();
    let process = Process::start(&auth0, &[config(&file)]).await;
    assert_eq!(post(&process, &ada()).await, StatusCode::FORBIDDEN);

    fs::write(&file, "[signup]\nopen = true\nopne = 1\n").unwrap();
    process.signal("HUP");
    let error = process.event(|event| event["setting"] == "signup.opne").await;
    assert_eq!(error["level"], "ERROR");
    until_settings(&process, "failing").await;
    assert_eq!(process.readiness().await["status"], "degraded");
    assert_eq!(post(&process, &ada()).await, StatusCode::FORBIDDEN, "as before");
    until_reloads(&process, "failed", 1).await;

    // A changed file needs no signal.
    fs::write(&file, "[signup]\nopen = true\n").unwrap();
    until_settings(&process, "ok").await;
    assert_eq!(post(&process, &ada()).await, StatusCode::CREATED);
}

/// As an editor or a copy leaves it for a moment, and a pipe that was read before for ever.
#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_file_changes_nothing_and_says_so() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let folder = TempDir::new();
    let file = folder.path().join("settings.toml");
    fs::write(&file, "[signup]\nopen = false\n").unwrap();
    let process = Process::start(&auth0, &[config(&file)]).await;
    fs::write(&file, "").unwrap();
    let error = process.event(|event| event["setting"] == "SIGNUP_CONFIG").await;
    assert_eq!(error["level"], "ERROR");
    assert!(error["message"].as_str().unwrap().ends_with("the file sets none"), "{error}");
    until_settings(&process, "failing").await;
    assert_eq!(post(&process, &ada()).await, StatusCode::FORBIDDEN, "closed, as before");
}

/// A pipe without a writer, as a network file system whose server is gone, does not even open.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_blocks_fails_one_reload_and_delays_no_signal() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let folder = TempDir::new();
    let file = folder.path().join("settings.toml");
    fs::write(&file, "[signup]\nopen = true\n").unwrap();
    let mut process = Process::start(&auth0, &[config(&file)]).await;
    let replace_by_pipe = || fs::rename(pipe(folder.path()), &file).unwrap();
    replace_by_pipe();
    let is_unread = |event: &Value| {
        event["message"].as_str().is_some_and(|text| text.contains("not read within 10 s"))
    };
    assert_eq!(process.event(is_unread).await["level"], "ERROR");
    until_settings(&process, "failing").await;
    assert_eq!(post(&process, &ada()).await, StatusCode::CREATED);
    until_reloads(&process, "failed", 1).await;

    // Another file is read although the pipe still blocks a thread.
    fs::write(folder.path().join("next"), "[signup]\nopen = false\n").unwrap();
    fs::rename(folder.path().join("next"), &file).unwrap();
    until_settings(&process, "ok").await;
    assert_eq!(post(&process, &ada()).await, StatusCode::FORBIDDEN);
    until_reloads(&process, "failed", 1).await;

    let changes = || process.log().matches("a file of the settings changed").count();
    let before = changes();
    replace_by_pipe();
    eventually("it is read", async || (changes() > before).then_some(())).await;
    process.signal("TERM");
    assert_eq!(process.exit_status().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_a_start_that_a_file_blocks() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let folder = Arc::new(TempDir::new());
    let file = pipe(folder.path());
    let mut process = Process::spawn(&auth0, &folder, &[], &[config(&file)]);
    // Opens once somebody reads it, and lets the reader wait for text.
    let open = || OpenOptions::new().write(true).custom_flags(NONBLOCK).open(&file).ok();
    let _writer = eventually("it is read", async || open()).await;
    process.signal("TERM");
    assert_eq!(process.exit_status().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_while_the_start_reads_another_is_read_again() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let folder = Arc::new(TempDir::new());
    let file = folder.file("settings.toml", "[signup]\nopen = true\n");
    let secret = pipe(folder.path());
    let variable = ("AUTH0_CLIENT_SECRET_FILE", secret.to_str().unwrap());
    let variables = [config(&file), NO_SECRET, variable];
    let mut process = Process::spawn(&auth0, &folder, &[], &variables);
    // The secret is read after the settings file.
    let open = || OpenOptions::new().write(true).custom_flags(NONBLOCK).open(&secret).ok();
    let mut writer = eventually("the secret is read", async || open()).await;
    fs::write(&file, "[signup]\nopen = false\n").unwrap();
    // A pipe is read once, so a reload gets a file.
    fs::rename(folder.file("next", "demo-secret"), &secret).unwrap();
    writer.write_all(b"demo-secret").unwrap();
    drop(writer);
    process.serving().await;
    let reloaded = process.event(|event| event["changed"].is_string()).await;
    assert_eq!(reloaded["changed"], "signup.open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_secret_file_is_taken_up_without_a_signal() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let folder = TempDir::new();
    let file = folder.path().join("secret");
    fs::write(&file, "demo-secret\n").unwrap();
    let variable = ("AUTH0_CLIENT_SECRET_FILE", file.to_str().unwrap());
    let process = Process::start(&auth0, &[NO_SECRET, variable]).await;
    assert_eq!(post(&process, &ada()).await, StatusCode::CREATED);
    auth0.rotate_secret("canary-new-secret");
    auth0.revoke_tokens();
    // As Kubernetes replaces it: another file takes its name.
    fs::write(folder.path().join("next"), "canary-new-secret\n").unwrap();
    fs::rename(folder.path().join("next"), &file).unwrap();
    let reloaded = process.event(|event| event["changed"].is_string()).await;
    let mut nth = 0;
    let created = async || {
        nth += 1;
        let form = person(nth);
        (post(&process, &form).await == StatusCode::CREATED).then_some(())
    };
    eventually("a sign-up with the new secret", created).await;
    assert!(!process.log().contains("canary"), "{}", process.log());
    assert_eq!(reloaded["changed"], "auth0.client_secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_keeps_its_size_and_time_is_taken_up() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let folder = TempDir::new();
    let file = folder.path().join("secret");
    fs::write(&file, "first-secret\n").unwrap();
    let written_at = fs::metadata(&file).unwrap().modified().unwrap();
    let variable = ("AUTH0_CLIENT_SECRET_FILE", file.to_str().unwrap());
    let process = Process::start(&auth0, &[NO_SECRET, variable]).await;
    // As `cp -p` and `rsync --inplace --times` may leave it.
    fs::write(&file, "other-secret\n").unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_modified(written_at).unwrap();
    let reloaded = process.event(|event| event["changed"].is_string()).await;
    assert_eq!(reloaded["changed"], "auth0.client_secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_url_is_taken_up_if_it_works() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let (folder, database) = (TempDir::new(), database().await);
    let role = format!("reload_{:016x}", rand::random::<u64>());
    drop(connect(server()).await.batch_execute("CREATE ROLE password").await);
    let create = format!("CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'first' IN ROLE password");
    execute(server(), &create).await;
    let url = |password| database.replace("postgres@", &format!("{role}:{password}@"));
    let file = folder.path().join("url");
    fs::write(&file, url("first")).unwrap();
    let key = ("SIGNUP__SECRETS__KEY", "0123456789abcdef0123456789abcdef");
    let variable = ("DATABASE_URL_FILE", file.to_str().unwrap());
    let mut process = Process::start(&auth0, &[key, variable]).await;

    fs::write(&file, url("canary-wrong")).unwrap();
    process.signal("HUP");
    until_settings(&process, "failing").await;
    let error = process.event(|event| event["level"] == "ERROR").await;
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("the new database.url cannot be used"), "{error}");
    let sessions = format!(
        "SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity WHERE usename = '{role}'"
    );
    execute(server(), &sessions).await;
    until_created(&process, &ada()).await;

    // The server learns the new password after the service.
    execute(server(), &format!("ALTER ROLE {role} PASSWORD 'canary-wrong'")).await;
    execute(server(), &sessions).await;
    until_settings(&process, "ok").await;
    until_created(&process, &ada_with("email", "late@example.com")).await;

    execute(server(), &format!("ALTER ROLE {role} PASSWORD 'second'")).await;
    fs::write(&file, url("second")).unwrap();
    process.signal("HUP");
    until_settings(&process, "ok").await;
    let reloaded = process.event(|event| event["changed"].is_string()).await;
    assert_eq!(reloaded["changed"], "database.url");
    execute(server(), &sessions).await;
    until_created(&process, &ada_with("email", "second@example.com")).await;
    assert!(!process.log().contains("canary"), "{}", process.log());
    process.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_fails_at_the_database_leaves_the_limits_alone() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let (folder, database) = (TempDir::new(), database().await);
    let (file, url) = (folder.path().join("settings.toml"), folder.path().join("url"));
    fs::write(&url, &database).unwrap();
    let limits = "[limits.posts]\nburst = 3\nper_hour = 1\n";
    fs::write(&file, limits).unwrap();
    let key = ("SIGNUP__SECRETS__KEY", "0123456789abcdef0123456789abcdef");
    let variable = ("DATABASE_URL_FILE", url.to_str().unwrap());
    let process = Process::start(&auth0, &[key, variable, config(&file)]).await;
    for _ in 0..2 {
        assert_eq!(post(&process, &json!({})).await, StatusCode::UNPROCESSABLE_ENTITY);
    }

    fs::write(&url, database.replace("postgres@", "nobody_of_this_name@")).unwrap();
    fs::write(&file, limits.replace("per_hour = 1", "per_hour = 60000")).unwrap();
    process.signal("HUP");
    until_reloads(&process, "failed", 1).await;
    assert_eq!(post(&process, &json!({})).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(post(&process, &json!({})).await, StatusCode::TOO_MANY_REQUESTS, "the third");
}

#[tokio::test(flavor = "multi_thread")]
async fn new_settings_have_to_fit_those_that_stay_until_a_restart() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let folder = TempDir::new();
    let file = folder.path().join("settings.toml");
    fs::write(&file, "existence = \"uniform\"\n").unwrap();
    let process = Process::start(&auth0, &[config(&file)]).await;

    // Right after a restart. Until then, an error of a user name would reveal an account.
    fs::write(&file, "existence = \"reveal\"\n[fields]\nusername = \"required\"\n").unwrap();
    process.signal("HUP");
    let error = process.event(|event| event["setting"] == "fields.username").await;
    assert_eq!(error["level"], "ERROR");
    assert!(error["message"].as_str().unwrap().contains("restart"), "{error}");
    until_reloads(&process, "failed", 1).await;
    assert_ne!(post(&process, &ada()).await, StatusCode::UNPROCESSABLE_ENTITY);

    fs::write(&file, "existence = \"reveal\"\n").unwrap();
    process.signal("HUP");
    let warning = process.event(|event| event["settings"] == "existence").await;
    assert_eq!(warning["level"], "WARN");
    until_settings(&process, "ok").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_signals_at_one_moment_are_one() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let delay = ("SIGNUP__HTTP__SHUTDOWN_DELAY_MS", "300");
    let mut process = Process::start(&auth0, &[delay]).await;
    // As GNU timeout does: to the process, and to its group.
    let twice = format!("kill -TERM {0}; kill -INT {0}", process.id());
    assert!(Command::new("sh").args(["-c", &twice]).status().unwrap().success());
    assert_eq!(process.exit_status().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn hangups_before_the_start_is_complete_end_nothing() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let folder = Arc::new(TempDir::new());
    let mut first = Process::spawn(&auth0, &folder, &[], &[]);
    first.serving().await;
    // Waits for the ledger of the first.
    let mut second = Process::spawn(&auth0, &folder, &[], &[]);
    second.event(|event| event["level"].is_string()).await;
    second.signal("HUP");
    second.signal("HUP");
    first.terminate();
    second.serving().await;
    until_reloads(&second, "applied", 1).await;
    second.terminate();
}

/// A terminal that is closed sends SIGHUP. The demo reads nothing that could be reloaded.
#[cfg(feature = "demo")]
#[tokio::test]
async fn a_hangup_stops_the_demo() {
    let folder = TempDir::new();
    let output = folder.path().join("output");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_auth0-signup"))
        .args(["demo", "--port", "0"])
        .env_clear()
        .env("TMPDIR", folder.path())
        .stdout(fs::File::create(&output).unwrap())
        .spawn()
        .unwrap();
    let serves = async || fs::read_to_string(&output).unwrap().contains("Sign up on").then_some(());
    eventually("the demo serves", serves).await;
    let hangup = Command::new("kill").args(["-HUP", &demo.id().to_string()]).status();
    assert!(hangup.unwrap().success());
    let status = eventually("the demo ends", async || demo.try_wait().unwrap()).await;
    assert_eq!(status.code(), Some(0));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "it leaves nothing but its output");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_drain_and_loses_nothing() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let folder = Arc::new(TempDir::new());
    let mut process = Process::spawn(&auth0, &folder, &[], &[]);
    process.serving().await;
    let request = |process: &Process, key: &str, form: &Value| {
        process.post(form).header("idempotency-key", key).send()
    };
    // The first user shows that the tenant keeps ids.
    let first = ada_with("email", "first@example.com");
    assert!(request(&process, "fedcba9876543210", &first).await.unwrap().status().is_success());
    auth0.fault(Route::CreateUser, Fault::delay(Duration::from_mins(1)));
    let key = "0123456789abcdef";
    let lost = tokio::spawn(request(&process, key, &ada()));
    let sent = async || (auth0.calls(Route::CreateUser).len() == 2).then_some(());
    eventually("the call", sent).await;
    process.signal("TERM");
    let draining = async || (process.readiness().await["status"] == "draining").then_some(());
    eventually("the process drains", draining).await;
    // Two signals at one moment are one.
    sleep(Duration::from_millis(150)).await;
    process.signal("INT");
    assert_eq!(process.exit_status().await, Some(1));
    assert!(lost.await.unwrap().is_err(), "the connection broke");
    // Ids are computed, so the outcome alone does not show whether the row is there.
    let ledger = rusqlite::Connection::open(folder.path().join("data/signup.db")).unwrap();
    let states = "SELECT count(*), count(*) FILTER (WHERE state = 0) FROM attempts";
    let states: (i64, i64) = ledger.query_row(states, [], |row| row.try_into()).unwrap();
    assert_eq!(states, (2, 1), "both rows, one of them open");
    drop(ledger);

    let mut process = Process::spawn(&auth0, &folder, &[], &[]);
    process.serving().await;
    let created = async || {
        let response = request(&process, key, &ada()).await.unwrap();
        (response.status() == StatusCode::CREATED).then_some(())
    };
    eventually("the outcome of the same key", created).await;
    assert_eq!(auth0.users().len(), 2);
    process.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_learns_every_state() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let folder = TempDir::new();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let messages = move || {
        let mut bytes = [0; 200];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let next = |expected: &str| loop {
        let message = messages();
        if message != "WATCHDOG=1" || expected == "WATCHDOG=1" {
            assert!(message.starts_with(expected), "{message} for {expected}");
            return message;
        }
    };
    let notify = ("NOTIFY_SOCKET", path.to_str().unwrap());
    let mut process = Process::start(&auth0, &[notify, ("WATCHDOG_USEC", "200000")]).await;
    next("READY=1");
    next("WATCHDOG=1");
    process.signal("HUP");
    let reloading = next("RELOADING=1\nMONOTONIC_USEC=");
    assert!(reloading.rsplit('=').next().unwrap().parse::<u64>().unwrap() > 0, "{reloading}");
    next("READY=1");
    process.signal("TERM");
    next("STOPPING=1");
    assert_eq!(process.exit_status().await, Some(0));
}

/// Creates a pipe with a name.
fn pipe(folder: &Path) -> PathBuf {
    let path = folder.join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

fn config(file: &Path) -> (&'static str, &str) {
    ("SIGNUP_CONFIG", file.to_str().unwrap())
}
