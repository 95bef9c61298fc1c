//! The program: its output, and how it ends.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use reqwest::StatusCode;

/// The program with these arguments.
fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auth0-emulator"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The settings a program prints before it is ready.
fn settings(child: &mut Child) -> Vec<(String, String)> {
    BufReader::new(child.stdout.as_mut().unwrap())
        .lines()
        .map(Result::unwrap)
        .take_while(|line| line != "ready")
        .map(|line| {
            let (name, value) = line.split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

#[tokio::test]
async fn the_program_prints_settings_that_work() {
    let mut child = program(&["--port", "0", "--client-secret", "s3"]).spawn().unwrap();
    let settings = settings(&mut child);
    let value = |name: &str| settings.iter().find(|(key, _)| key == name).unwrap().1.as_str();
    let grant = [
        ("grant_type", "client_credentials"),
        ("client_id", value("AUTH0_CLIENT_ID")),
        ("client_secret", value("AUTH0_CLIENT_SECRET")),
        ("audience", value("AUTH0_AUDIENCE")),
    ];
    assert_eq!(value("AUTH0_CLIENT_SECRET"), "s3");
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/oauth/token", value("AUTH0_URL"));
    let response = http.post(url).form(&grant).send().await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[cfg(unix)]
#[test]
fn sigterm_ends_the_program_with_success() {
    let mut child = program(&["--port", "0"]).spawn().unwrap();
    settings(&mut child);
    Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn invalid_arguments_and_missing_files_are_reported() {
    let unknown = program(&["--policy", "strict"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("excellent"));
    let missing = program(&["--tenant", "/nonexistent.json"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
    let error = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(error.contains("/nonexistent.json"), "{error}");
}
