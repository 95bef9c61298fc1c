//! Starts that fail: each says what cannot be used, why, and what to change.

use std::fs::{self, Permissions};
use std::io::{PipeWriter, Read as _, Write as _, pipe};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use auth0_emulator::Emulator;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::temp_dir::TempDir;
use super::text;

/// The user that a test run as root gives its rights up for.
const NOBODY: u32 = 65534;

/// A temporary folder with permissions of its own.
struct Folder(TempDir);

impl Folder {
    fn new(mode: u32) -> Self {
        let folder = TempDir::new();
        fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn database(&self) -> String {
        format!("sqlite://{}", self.path().join("signup.db").display())
    }
}

/// Runs a command without the rights of root, for a tenant on loopback.
fn start(arguments: &[&str], database: &str) -> Output {
    start_with(arguments, database, &[])
}

/// Runs a command with further variables.
fn start_with(arguments: &[&str], database: &str, variables: &[(&str, &str)]) -> Output {
    command(arguments, database, variables).output().unwrap()
}

fn command(arguments: &[&str], database: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auth0-signup"));
    command.args(arguments).env_clear().envs([
        ("AUTH0_DOMAIN", "http://127.0.0.1:1"),
        ("AUTH0_CLIENT_ID", "id"),
        ("AUTH0_CLIENT_SECRET", "canary-secret"),
        ("DATABASE_URL", database),
        ("PORT", "0"),
        ("SIGNUP__ADMIN__PORT", "0"),
        ("SIGNUP__LEDGER__TIMEOUT_MS", "200"),
        ("SIGNUP__SECRETS__KEY", ""),
    ]);
    command.envs(variables.iter().copied());
    if database.starts_with("postgres") {
        command.env("SIGNUP__SECRETS__KEY", "canary".repeat(6));
    }
    if is_root() {
        command.uid(NOBODY);
    }
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn stderr(output: &Output, status: i32) -> String {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    assert!(!stderr.contains("canary"), "{stderr}");
    stderr
}

/// The start of the message about a file or folder.
fn denied(path: &Path) -> String {
    let own = rustix::process::geteuid().as_raw();
    let path = path.display();
    if is_root() {
        format!("{path} belongs to user {own}, and user {NOBODY} cannot write to it: give it to")
    } else {
        format!("{path} cannot be written although it belongs to user {own}")
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named_with_its_owner() {
    let folder = Folder::new(0o555);
    for arguments in [["serve"].as_slice(), &["migrate"]] {
        let stderr = stderr(&start(arguments, &folder.database()), 2);
        assert!(stderr.contains(&denied(folder.path())), "{stderr}");
        assert!(stderr.contains("Permission denied"), "{stderr}");
    }
    let missing = format!("sqlite://{}", folder.path().join("a/b/signup.db").display());
    let stderr = stderr(&start(&["serve"], &missing), 2);
    assert!(stderr.contains(&denied(folder.path())), "{stderr}");
}

#[test]
fn the_file_of_the_key_is_named_with_its_own_setting() {
    let (folder, keys) = (Folder::new(0o777), Folder::new(0o555));
    let key = keys.path().join("signup.key");
    let key_path = ("SIGNUP__SECRETS__KEY_PATH", key.to_str().unwrap());
    let output = start_with(&["serve"], &folder.database(), &[key_path]);
    let stderr = stderr(&output, 2);
    assert!(stderr.contains(&denied(keys.path())), "{stderr}");
    assert!(stderr.contains("another place in secrets.key_path"), "{stderr}");
    assert!(!stderr.contains("database.url"), "{stderr}");
    // Nothing has been created yet, and the doctor sees that nothing can be.
    let doctor = start_with(&["doctor"], &folder.database(), &[key_path]);
    let found = text(&doctor.stdout);
    assert!(found.contains(&denied(keys.path())), "{found}");
    assert!(!found.contains("generated at the first start"), "{found}");
}

#[test]
fn a_folder_and_a_file_in_place_of_each_other_are_named() {
    let folder = Folder::new(0o777);
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    fs::set_permissions(&inner, Permissions::from_mode(0o777)).unwrap();
    let of_folder = stderr(&start(&["serve"], &format!("sqlite://{}", inner.display())), 2);
    assert!(of_folder.contains(&format!("{} is a folder", inner.display())), "{of_folder}");
    assert!(!of_folder.contains("chown"), "{of_folder}");
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let below = format!("sqlite://{}", file.join("signup.db").display());
    let of_file = stderr(&start(&["serve"], &below), 2);
    assert!(of_file.contains(&format!("{} is not a folder", file.display())), "{of_file}");
}

#[test]
fn a_file_of_another_user_beside_the_database_is_named() {
    let folder = Folder::new(0o777);
    let database = folder.database();
    assert!(start(&["migrate"], &database).status.success());
    let wal = folder.path().join("signup.db-wal");
    fs::write(&wal, "").unwrap();
    fs::set_permissions(&wal, Permissions::from_mode(0o400)).unwrap();
    let stderr = stderr(&start(&["serve"], &database), 2);
    assert!(stderr.contains(&denied(&wal)), "{stderr}");
}

#[test]
fn a_server_that_cannot_be_used_is_named_with_the_cause() {
    let rejected = stderr(&start(&["serve"], "postgres://u:canary@127.0.0.1:1/db"), 1);
    assert!(rejected.contains("PostgreSQL at 127.0.0.1:1 cannot be reached"), "{rejected}");
    assert!(rejected.contains("Connection refused"), "{rejected}");

    // It answers that it has no TLS.
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = plain.local_addr().unwrap();
    let database = format!("postgres://u:canary@{address}/db?sslmode=require");
    let answering = thread::spawn(move || {
        let (mut client, _) = plain.accept().unwrap();
        client.read_exact(&mut [0; 8]).unwrap();
        client.write_all(b"N").unwrap();
    });
    let plain = stderr(&start(&["serve"], &database), 2);
    answering.join().unwrap();
    let expected = format!("PostgreSQL at {address} was reached, and TLS failed: correct sslmode");
    assert!(plain.contains(&expected), "{plain}");

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let silent = stderr(&start(&["migrate"], &format!("postgres://u:canary@{address}/db")), 1);
    let expected =
        format!("PostgreSQL at {address} did not respond within 200ms (ledger.timeout_ms)");
    assert!(silent.contains(&expected), "{silent}");
}

#[test]
fn a_listener_that_cannot_be_bound_names_its_setting() {
    let folder = Folder::new(0o777);
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().port().to_string();
    // The second is for documentation (RFC 5737).
    for (variable, value, expected) in [
        ("PORT", &*taken, "correct http.port (PORT)"),
        ("SIGNUP__ADMIN__HOST", "192.0.2.1", "correct admin.host (SIGNUP__ADMIN__HOST)"),
    ] {
        let output = start_with(&["serve"], &folder.database(), &[(variable, value)]);
        let stderr = stderr(&output, 1);
        assert!(stderr.contains(expected), "{stderr}");
    }
    // A link-local address without its interface: no setting is known to be wrong.
    let link_local = ("SIGNUP__ADMIN__HOST", "fe80::1");
    let output = start_with(&["serve"], &folder.database(), &[link_local]);
    let shown = stderr(&output, 1);
    assert!(shown.contains("cannot listen on [fe80::1]:"), "{shown}");
    assert!(!shown.contains("correct "), "{shown}");
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    if first.trim().parse::<u16>().unwrap() > 80 {
        let output = start_with(&["serve"], &folder.database(), &[("PORT", "80")]);
        let stderr = stderr(&output, 2);
        assert!(stderr.contains("cannot listen on 127.0.0.1:80: correct http.port"), "{stderr}");
    }
}

#[test]
fn a_limit_on_threads_is_named() {
    let mut command = Command::new("prlimit");
    command.args(["--nproc=1", "--", env!("CARGO_BIN_EXE_auth0-signup"), "serve"]).env_clear();
    if is_root() {
        command.uid(NOBODY);
    }
    let stderr = stderr(&command.output().unwrap(), 101);
    assert!(
        stderr.contains("no thread can be started") && stderr.contains("ulimit -u"),
        "{stderr}"
    );
}

/// A pipe that is full. Nobody reads it for as long as its other end, the first value, lives.
fn full_pipe() -> (impl Sized, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'x'; 4096]).is_ok() {}
    fcntl_setfl(&writer, flags).unwrap();
    (reader, writer)
}

#[test]
fn a_start_that_fails_ends_although_nobody_reads_its_output() {
    let folder = Folder::new(0o555);
    let (_reader, full) = full_pipe();
    let mut command = command(&["serve"], &folder.database(), &[]);
    let output = command.stdout(full.try_clone().unwrap()).output().unwrap();
    let error = stderr(&output, 2);
    assert!(error.contains(&denied(folder.path())), "{error}");
    // As below a supervisor that gives both the same pipe.
    let output = command.stdout(full.try_clone().unwrap()).stderr(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_usage_error_ends_although_nobody_reads_it() {
    let (_reader, full) = full_pipe();
    let mut command = Command::new(env!("CARGO_BIN_EXE_auth0-signup"));
    command.args(["attempts", "--nope"]).env_clear().stderr(full);
    assert_eq!(command.output().unwrap().status.code(), Some(2));
}

#[test]
fn a_service_stops_although_nobody_reads_its_output() {
    let folder = Folder::new(0o777);
    let (_reader, full) = full_pipe();
    let mut command = command(&["serve"], &folder.database(), &[]);
    command.stdout(full.try_clone().unwrap()).stderr(full).stdin(Stdio::null());
    let mut service = command.spawn().unwrap();
    // It catches signals before it creates the ledger.
    while !folder.path().join("signup.db").exists() {
        assert_eq!(service.try_wait().unwrap(), None);
        thread::sleep(Duration::from_millis(10));
    }
    let pid = service.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(service.wait().unwrap().success());
}

#[tokio::test]
async fn a_file_of_authorities_is_judged_alike_by_the_check_and_the_start() {
    let folder = Folder::new(0o777);
    let emulator = Emulator::builder().tls(true).start().await.unwrap();
    let good = emulator.ca_pem().unwrap();
    let file = folder.path().join("ca.pem");
    let end = "-----END CERTIFICATE-----\n";
    for (second, reason) in [
        (format!("-----BEGIN CERTIFICATE-----\nAAAA\n{end}"), "no X.509 certificate"),
        (format!("-----BEGIN CERTIFICATE-----\n!!!!\n{end}"), "its base64 is damaged"),
        (good[..200].to_owned(), "its last line is missing"),
        (good.replace("-----\n", "----\n"), "its first line is damaged"),
    ] {
        fs::write(&file, format!("{good}{second}")).unwrap();
        let ca_file = ("SIGNUP__AUTH0__CA_FILE", file.to_str().unwrap());
        for arguments in [["config", "check"].as_slice(), &["serve"]] {
            let output = start_with(arguments, &folder.database(), &[ca_file]);
            let stderr = stderr(&output, 2);
            assert!(stderr.contains("auth0.ca_file ("), "{stderr}");
            assert!(stderr.contains("certificate 2 cannot be used: "), "{stderr}");
            assert!(stderr.contains(reason), "{stderr}");
        }
        // The TLS library skips what it cannot use in the file that replaces the system's.
        let replaced = [("SSL_CERT_FILE", ca_file.1), ("AUTH0_DOMAIN", "tenant.eu.auth0.com")];
        let output = start_with(&["config", "check"], &folder.database(), &replaced);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
}
