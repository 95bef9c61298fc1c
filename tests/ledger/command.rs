//! The operator's commands, run by the real binary on both databases.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output};

use auth0_signup::ledger::Access;
use secrecy::ExposeSecret as _;

use crate::backend::{Backend, NOW};
use crate::role::Role;
use crate::rows::unique;
use crate::temp_dir::TempDir;

on_both! {
    a_fresh_ledger_is_migrated_by_command,
}

pub(crate) fn run(backend: &Backend, arguments: &[&str]) -> Output {
    command(backend, arguments).output().unwrap()
}

/// The binary with the settings of a backend, to be run.
pub(crate) fn command(backend: &Backend, arguments: &[&str]) -> Command {
    let secret = backend.settings.secret_key.as_ref().map(|key| key.expose_secret().to_owned());
    let mut command = Command::new(env!("CARGO_BIN_EXE_auth0-signup"));
    command
        .args(arguments)
        .env_clear()
        .env("DATABASE_URL", backend.url())
        .envs(secret.map(|key| ("SIGNUP__SECRETS__KEY", key)));
    command
}

/// The command's stdout, after a check of its status.
pub(crate) fn stdout(output: &Output, status: i32) -> String {
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The command's stderr, after a check of its status.
pub(crate) fn stderr(output: &Output, status: i32) -> String {
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

async fn a_fresh_ledger_is_migrated_by_command(mut backend: Backend) {
    let pending = stdout(&run(&backend, &["migrate", "status"]), 3);
    assert!(pending.starts_with("0001 attempts") && pending.contains(" pending\n"), "{pending}");
    assert_eq!(
        stdout(&run(&backend, &["migrate", "status"]), 3),
        pending,
        "status applies nothing"
    );

    let applied = stdout(&run(&backend, &["migrate"]), 0);
    assert!(applied.starts_with("applied "), "{applied}");
    let status = stdout(&run(&backend, &["migrate", "status"]), 0);
    assert_eq!(status.lines().count(), pending.lines().count());
    assert!(!status.contains("pending") && status.contains('Z'), "{status}");
    assert_eq!(stdout(&run(&backend, &["migrate"]), 0), "nothing is pending\n");
    assert_eq!(stdout(&run(&backend, &["migrate", "status"]), 0), status);

    // The service accepts the result.
    backend.settings.migrate = false;
    let ledger = backend.try_open(Access::Service).await.unwrap();
    let attempt = unique(NOW);
    ledger.begin(attempt.clone()).await.unwrap();
    let id = attempt.id.to_string();
    let listed = stdout(&run(&backend, &["attempts", "list", "--state", "open"]), 0);
    assert!(listed.contains(&id), "{listed}");
    let shown = stdout(&run(&backend, &["attempts", "show", &id]), 0);
    assert!(shown.contains("open: started, and no outcome is recorded"), "{shown}");
    assert_eq!(
        stdout(&run(&backend, &["attempts", "find", "--request-id", "request-1"]), 0),
        shown
    );
    ledger.close().await;
}

#[tokio::test]
async fn a_fresh_sqlite_file_also_gets_its_secret() {
    let mut backend = Backend::sqlite();
    backend.settings.secret_key = None;
    a_fresh_ledger_is_migrated_by_command(backend).await;
}

#[tokio::test]
async fn a_missing_or_outdated_ledger_is_reported_and_left_alone() {
    let backend = Backend::sqlite();
    let path = backend.url().replace("sqlite://", "");
    for arguments in [["attempts", "list"], ["migrate", "status"]] {
        run(&backend, &arguments);
        assert!(!fs::exists(&path).unwrap(), "{arguments:?} created {path}");
    }
    let output = run(&backend, &["attempts", "list"]);
    assert_eq!(stdout(&output, 2), "");
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no ledger at"));

    let backend = Backend::postgres().await;
    let output = run(&backend, &["attempts", "list"]);
    assert_eq!(stdout(&output, 2), "");
    assert!(String::from_utf8_lossy(&output.stderr).contains("run `auth0-signup migrate`"));
    assert!(stdout(&run(&backend, &["migrate", "status"]), 3).contains("pending"));
}

/// Nobody but the service may look into its folder: another user, and where the tests are not root's the
/// same one, without the permission.
#[tokio::test]
async fn a_ledger_that_this_user_may_not_see_is_not_absent() {
    let backend = Backend::sqlite();
    stdout(&run(&backend, &["migrate"]), 0);
    let path = backend.url().replace("sqlite://", "");
    let folder = Path::new(&path).parent().unwrap();
    let permit = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let own = rustix::process::geteuid();
    let other = if own.is_root() {
        permit(&backend.folder(), 0o755);
        65532
    } else {
        permit(folder, 0o000);
        own.as_raw()
    };
    let copy = backend.folder().join("copy.db");
    for arguments in
        [["attempts", "list"], ["migrate", "status"], ["backup", copy.to_str().unwrap()]]
    {
        let output = command(&backend, &arguments).uid(other).output().unwrap();
        let denied = stderr(&output, 2);
        assert!(!denied.contains("there is no ledger"), "{arguments:?}: {denied}");
        assert!(denied.contains(folder.to_str().unwrap()), "{arguments:?}: {denied}");
        assert_eq!(stdout(&output, 2), "");
    }
    let mut doctor = command(&backend, &["doctor", "--json"]);
    doctor.env("AUTH0_DOMAIN", "http://127.0.0.1:9").env("AUTH0_CLIENT_ID", "id");
    let output = doctor.env("AUTH0_CLIENT_SECRET", "secret").uid(other).output();
    permit(folder, 0o700);
    let found = stdout(&output.unwrap(), 1);
    assert!(found.contains("database.denied"), "{found}");
}

#[tokio::test]
async fn the_status_of_a_lost_ledger_is_an_error() {
    let mut backend = Backend::sqlite();
    backend.settings.secret_key = None;
    stdout(&run(&backend, &["migrate"]), 0);
    let path = backend.url().replace("sqlite://", "");
    let losses: [fn(&str); 2] =
        [|path| fs::write(path, "").unwrap(), |path| fs::remove_file(path).unwrap()];
    for lose in losses {
        lose(&path);
        let lost = stderr(&run(&backend, &["migrate", "status"]), 2);
        assert!(lost.contains("an earlier one was here"), "{lost}");
    }
    let pending = run(&backend, &["migrate", "--new-ledger", "status"]);
    assert!(stdout(&pending, 3).contains(" pending\n"), "{pending:?}");
    assert!(!fs::exists(&path).unwrap(), "status creates nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_a_right_or_password_gets_the_remedy() {
    let backend = Backend::postgres().await;
    let role = Role::create(&backend).await;
    backend.execute(&format!("REVOKE CREATE ON SCHEMA public FROM {}", role.name)).await;
    let denied = stderr(&run(&role.of(&backend), &["migrate"]), 2);
    assert!(denied.contains("denies a right to the user of database.url"), "{denied}");
    assert!(denied.contains("permission denied for schema public"), "{denied}");
    assert!(!denied.contains("cannot be reached"), "{denied}");

    role.needs_password().await;
    let rejected = stderr(&run(&role.of(&backend), &["migrate"]), 2);
    assert!(rejected.contains("rejects what database.url (DATABASE_URL) names"), "{rejected}");
    assert!(rejected.contains("password missing"), "{rejected}");

    // Although the last host cannot be reached.
    let several = format!("{},/nowhere", role.of(&backend).url());
    let rejected = stderr(&run(&backend.through(&several), &["migrate"]), 2);
    assert!(rejected.contains("password missing"), "{rejected}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_file_that_cannot_be_read_is_named() {
    let backend = Backend::postgres().await;
    let folder = TempDir::new();
    let file = |name: &str, content: &str| folder.file(name, content).display().to_string();
    let missing = folder.path().join("missing.pem").display().to_string();
    let empty = file("empty.pem", "");
    let broken =
        file("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    for (parameters, name, path) in [
        (format!("sslrootcert={missing}"), "sslrootcert", &missing),
        (format!("sslrootcert={empty}"), "sslrootcert", &empty),
        (format!("sslrootcert={broken}"), "sslrootcert", &broken),
        (format!("sslcert={missing}&sslkey={empty}"), "sslcert", &missing),
        (format!("sslcert={empty}&sslkey={missing}"), "sslcert", &empty),
        (format!("sslcert={broken}&sslkey={missing}"), "sslkey", &missing),
        (format!("sslcert={broken}&sslkey={empty}"), "sslkey", &empty),
    ] {
        let url = format!("{}&{parameters}", backend.url());
        let text = stderr(&run(&backend.through(&url), &["migrate"]), 2);
        assert!(text.contains(&format!("`{name}`")) && text.contains(path), "{text}");
    }
}
