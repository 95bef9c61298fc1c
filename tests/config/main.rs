//! The settings files of the repository, and the command line that reads them.

#![expect(clippy::unwrap_used, reason = "what the tests share may fail as they do")]

mod documents;
mod rows;
mod start;
mod syntax;
#[path = "../shared/temp_dir.rs"]
mod temp_dir;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output};

use auth0_signup::config;
use serde_json::{Value, json};

use temp_dir::TempDir;

const TENANT: [(&str, &str); 3] = [
    ("AUTH0_DOMAIN", "tenant.eu.auth0.com"),
    ("AUTH0_CLIENT_ID", "id"),
    ("AUTH0_CLIENT_SECRET", "canary-secret"),
];

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auth0-signup"));
    command.args(arguments).env_clear().envs(variables.iter().copied()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn every_file_in_config_is_complete_with_a_tenant() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // The defaults name no tenant. The environment would override a file that does.
        let own = std::fs::read_to_string(&path).unwrap().contains("\ndomain = \"http");
        let tenant: &[(&str, &str)] = if own { &[] } else { &TENANT };
        let variables = tenant.iter().map(|(name, value)| (name.into(), value.into()));
        let loaded = config::load(Some(&path), variables.collect::<Vec<(OsString, OsString)>>());
        assert!(loaded.is_ok(), "{}: {}", path.display(), loaded.unwrap_err());
        files += 1;
    }
    assert_eq!(files, 4);
}

#[test]
fn all_errors_are_reported_at_once_without_secrets() {
    let wrong = [
        ("PORT", "hunter2"),
        ("SIGNUP__PASSWORD__POLICY", "strong"),
        ("SIGNUP__FIELDS__NICKNAME", "maybe"),
        ("SIGNUP__AUTH0__CLIENT_SECERT", "canary-secret"),
    ];
    for arguments in [["serve"].as_slice(), &["config", "check"]] {
        let output = run(arguments, &wrong);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let stderr = text(&output.stderr);
        for key in [
            "auth0.domain (not set; AUTH0_DOMAIN or SIGNUP__AUTH0__DOMAIN)",
            "auth0.client_id (not set",
            "auth0.client_secret (not set",
            "http.port (environment variable PORT): expected a whole number",
            "password.policy (environment variable SIGNUP__PASSWORD__POLICY)",
            "fields.nickname (environment variable SIGNUP__FIELDS__NICKNAME)",
            "auth0.client_secert (environment variable SIGNUP__AUTH0__CLIENT_SECERT)",
        ] {
            assert!(stderr.contains(key), "{key} in {stderr}");
        }
        assert!(!stderr.contains("canary-secret") && !stderr.contains("hunter2"), "{stderr}");
    }
}

#[test]
fn a_missing_file_and_one_that_is_no_toml_are_errors() {
    let no_toml = Path::new(env!("CARGO_MANIFEST_DIR")).join("LICENSE-MIT");
    for file in ["/nonexistent.toml", no_toml.to_str().unwrap()] {
        let output = run(&["config", "check", "--config", file], &TENANT);
        assert_eq!(output.status.code(), Some(2), "{file}");
        assert!(text(&output.stderr).contains("--config"), "{output:?}");
    }
}

#[test]
fn a_broken_header_causes_no_error_below_it() {
    let folder = TempDir::new();
    let file = folder.file("settings.toml", "[http\nport = 1\n[limits.email]\nbrust = 1\n");
    let output = run(&["config", "check", "--config", file.to_str().unwrap()], &TENANT);
    let stderr = text(&output.stderr);
    assert!(stderr.starts_with("auth0-signup: 2 errors in the settings:"), "{stderr}");
    assert!(stderr.contains("line 1, column 6): expected TOML: unclosed table"), "{stderr}");
    assert!(stderr.contains("limits.email.brust ("), "{stderr}");
}

#[test]
fn a_secret_may_come_from_a_file_but_not_twice() {
    let folder = TempDir::new();
    let file = folder.file("secret", "canary-secret\n");
    let path = file.to_str().unwrap();
    let from_file = [TENANT[0], TENANT[1], ("AUTH0_CLIENT_SECRET_FILE", path)];
    let output = run(&["config", "check"], &from_file);
    assert!(output.status.success(), "{output:?}");

    let both = [TENANT[0], TENANT[1], TENANT[2], ("AUTH0_CLIENT_SECRET_FILE", path)];
    let output = run(&["config", "check"], &both);
    std::fs::write(&file, " \n").unwrap();
    let blank = run(&["config", "check"], &from_file);
    for output in [output, blank] {
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let stderr = text(&output.stderr);
        assert!(stderr.contains("auth0.client_secret"), "{stderr}");
        assert!(!stderr.contains("canary"), "{stderr}");
    }
}

#[test]
fn the_result_of_a_check_is_also_json() {
    let check = |variables: &[(&str, &str)]| {
        let output = run(&["config", "check", "--json"], variables);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), json)
    };
    assert_eq!(check(&TENANT), (Some(0), json!({ "status": "ok", "errors": [] })));

    let folder = TempDir::new();
    let content = "[http]\nport = 1.5\nallowed_origins = [\"canary\"]\n";
    let file = folder.file("settings.toml", content);
    let path = file.to_str().unwrap();
    let (status, json) =
        check(&[TENANT[0], TENANT[1], ("SIGNUP_CONFIG", path), ("RUST_LOG", "canary")]);
    assert_eq!((status, &json["status"]), (Some(2), &json!("error")));
    let errors = json["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 4, "{json}");
    let of = |key: &str| errors.iter().find(|error| error["key"] == key).unwrap();
    let place = |key: &str| {
        let error = of(key);
        ["file", "line", "column", "entry", "variable"].map(|name| error[name].clone())
    };
    let null = Value::Null;
    assert_eq!(place("http.port"), [json!(path), json!(2), json!(8), null.clone(), null.clone()]);
    let entry = [json!(path), json!(3), json!(20), json!(1), null.clone()];
    assert_eq!(place("http.allowed_origins"), entry);
    let variable = [null.clone(), null.clone(), null.clone(), null.clone(), json!("RUST_LOG")];
    assert_eq!(place("log.level"), variable);
    assert_eq!(
        place("auth0.client_secret"),
        [null.clone(), null.clone(), null.clone(), null.clone(), null]
    );
    let reason = of("http.port")["reason"].as_str().unwrap();
    assert!(reason.starts_with("expected a whole number"), "{reason}");
    assert!(!json.to_string().contains("canary"), "{json}");
}

#[test]
fn show_prints_values_and_origins_but_no_secret() {
    let output = run(&["config", "show"], &TENANT);
    let stdout = text(&output.stdout);
    for line in [
        "auth0.client_secret = [redacted]  # environment variable AUTH0_CLIENT_SECRET\n",
        "auth0.domain = \"tenant.eu.auth0.com\"  # environment variable AUTH0_DOMAIN\n",
        "http.port = 8080  # default\n",
        "user_metadata.allow = []  # default\n",
    ] {
        assert!(stdout.contains(line), "{line} in {stdout}");
    }
    assert!(!stdout.contains("canary"), "{stdout}");
}

#[test]
fn every_key_is_in_the_documentation_and_every_key_there_exists() {
    let shown = text(&run(&["config", "show"], &TENANT).stdout);
    let keys: BTreeSet<_> = shown.lines().filter_map(|line| line.split_once(" = ")).collect();
    let keys = keys.into_iter().map(|(key, _)| key.to_owned()).collect::<BTreeSet<_>>();

    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, page) = page.split_once("\n## The sections\n").unwrap();
    let (table, _) = page.split_once("\n## ").unwrap();
    let mut documented = BTreeSet::new();
    for row in table.lines().filter(|line| line.starts_with("| `[") || line.contains("before all"))
    {
        let mut cells = row.split(" | ");
        let section = cells.next().unwrap();
        let section = section.split_once('[').map(|(_, name)| name.trim_end_matches("]`"));
        for key in cells.next().unwrap().split(", ").map(|key| key.trim_matches('`')) {
            documented.insert(section.map_or(key.to_owned(), |section| format!("{section}.{key}")));
        }
    }
    assert_eq!(documented, keys);
}

#[test]
fn a_wrong_number_of_threads_is_an_error_in_the_settings() {
    let variable = "TOKIO_WORKER_THREADS";
    for wrong in ["abc", "0", "-1", "1.5", "100000"] {
        for arguments in [["serve"].as_slice(), &["config", "check"]] {
            let output = run(arguments, &[TENANT.as_slice(), &[(variable, wrong)]].concat());
            let stderr = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{wrong}: {stderr}");
            assert!(stderr.contains("1 error in the settings"), "{stderr}");
            let expected =
                format!("{variable} (environment variable {variable}): expected a whole");
            assert!(stderr.contains(&expected), "{stderr}");
        }
    }
    for right in ["", " ", "1", " 3 "] {
        let output = run(&["config", "check"], &[TENANT.as_slice(), &[(variable, right)]].concat());
        assert_eq!(output.status.code(), Some(0), "{right:?}: {output:?}");
        // It fails for another reason, which a blank number of threads does not hide.
        let output = run(&["serve"], &[(variable, right)]);
        assert!(text(&output.stderr).contains("auth0.domain"), "{right:?}: {output:?}");
    }
}

#[test]
fn a_blank_value_in_a_file_is_found_there() {
    let folder = TempDir::new();
    let content = "[auth0]\ndomain = \" \"\nclient_secret = \"\"\n[http]\nhost = \"\"\n";
    let file = folder.file("settings.toml", content);
    let path = file.to_str().unwrap();
    let variables = [("AUTH0_CLIENT_ID", "id"), ("SIGNUP_CONFIG", path)];
    let stderr = text(&run(&["config", "check"], &variables).stderr);
    for (key, line) in [("auth0.domain", 2), ("auth0.client_secret", 3), ("http.host", 5)] {
        assert!(stderr.contains(&format!("{key} ({path}, line {line}, column ")), "{stderr}");
    }
    assert!(stderr.contains("3 errors") && !stderr.contains("not set"), "{stderr}");
}

#[test]
fn a_variable_that_is_not_utf8_is_an_error() {
    for name in ["PORT", "RUST_LOG", "TOKIO_WORKER_THREADS", "HTTPS_PROXY", "SSL_CERT_FILE"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_auth0-signup"));
        command.args(["config", "check"]).env_clear().envs(TENANT);
        let output = command.env(name, OsStr::from_bytes(b"4\xff")).output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {stderr}");
        assert!(stderr.contains(name) && stderr.contains("UTF-8"), "{name}: {stderr}");
    }
}

/// A command that reads the ledger only needs no proxy.
#[test]
fn a_variable_of_the_calls_to_auth0_stops_no_command_of_the_ledger() {
    let folder = TempDir::new();
    let database = format!("sqlite://{}", folder.path().join("signup.db").display());
    for name in ["HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_auth0-signup"));
        command.arg("migrate").env_clear().env("DATABASE_URL", &database);
        let output = command.env(name, OsStr::from_bytes(b"\xff")).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {output:?}");
    }
}

#[test]
fn a_required_list_that_nobody_has_set_is_not_set() {
    let provider = ("SIGNUP__CHALLENGE__CAPTCHA__PROVIDER", "turnstile");
    let stderr =
        text(&run(&["config", "check"], &[TENANT.as_slice(), &[provider]].concat()).stderr);
    let hosts = "challenge.captcha.hostnames (not set;";
    assert!(stderr.contains(hosts) && !stderr.contains("default.toml"), "{stderr}");
}

#[test]
fn an_unwritable_stderr_changes_no_exit_status() {
    for (arguments, expected) in [
        (["config", "check"].as_slice(), 2),
        (&["serve"], 2),
        (&["doctor", "--json"], 2),
        (&["healthcheck", "--address", "127.0.0.1:1"], 1),
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_auth0-signup"));
        command.args(arguments).env_clear().stderr(full);
        assert_eq!(command.output().unwrap().status.code(), Some(expected), "{arguments:?}");
    }
}

#[test]
fn every_error_of_limits_and_domains_is_reported() {
    let mut variables = TENANT.to_vec();
    let invalid = [
        ("SIGNUP__LIMITS__EXEMPT", "10.0.0.1/8, 192.0.2.0/24"),
        ("SIGNUP__LIMITS__POSTS__BURST", "-1"),
        ("SIGNUP__LIMITS__EMAIL__PER_HOUR", "0"),
        ("SIGNUP__LIMITS__EMAIL__IGNORE_DOTS", "a@gmail.com"),
        ("SIGNUP__LIMITS__MAX_BUCKETS", "10"),
        ("SIGNUP__EMAIL__ALLOW_DOMAINS", "*.example.com"),
        ("SIGNUP__EMAIL__DENY_DOMAINS", "https://evil.net"),
        ("SIGNUP__EMAIL__PLUS", "perhaps"),
        ("SIGNUP__SIGNUP__OPEN", "ajar"),
    ];
    variables.extend(invalid);
    let long = "x".repeat(501);
    variables.push(("SIGNUP__SIGNUP__CLOSED_TEXT", &long));
    let output = run(&["config", "check"], &variables);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let stderr = text(&output.stderr);
    for key in [
        "limits.exempt (",
        "limits.posts.burst (",
        "limits.email.per_hour (",
        "limits.email.ignore_dots (",
        "limits.max_buckets (",
        "email.allow_domains (",
        "email.deny_domains (",
        "email.plus (",
        "signup.open (",
        "signup.closed_text (",
    ] {
        assert!(stderr.contains(key), "{key} in {stderr}");
    }
    let both = [
        TENANT[0],
        TENANT[1],
        TENANT[2],
        ("SIGNUP__EMAIL__ALLOW_DOMAINS", "b\u{fc}cher.example"),
        ("SIGNUP__EMAIL__DENY_DOMAINS", "xn--bcher-kva.example"),
    ];
    let output = run(&["config", "check"], &both);
    assert!(text(&output.stderr).contains("email.deny_domains"), "{output:?}");
}

#[test]
fn every_error_of_the_terms_is_reported() {
    let check = |invalid: &[(&str, &str)]| {
        let output = run(&["config", "check"], &[&TENANT, invalid].concat());
        (output.status.code(), text(&output.stderr))
    };
    let (version, url) = ("SIGNUP__TERMS__VERSION", "SIGNUP__TERMS__URL");
    let (target, key) = ("SIGNUP__TERMS__TARGET", "SIGNUP__TERMS__KEY");
    let good = [(version, "2026-11"), (url, "https://www.example.com/terms")];
    assert_eq!(check(&good), (Some(0), String::new()));
    let in_user = [good[0], good[1], (target, "user_metadata")];
    let allowed = ("SIGNUP__USER_METADATA__ALLOW", "plan, terms");
    assert_eq!(check(&[good[0], good[1], allowed]).0, Some(0), "it is stored elsewhere");
    for (invalid, keys) in [
        (vec![(version, "2026 11"), (url, "http://www.example.com")], vec![version, url]),
        // In a form these words mean yes or no, whatever the version.
        (vec![(version, "1"), good[1]], vec![version]),
        (vec![(version, "off"), good[1]], vec![version]),
        (vec![good[0]], vec!["terms.url (not set"]),
        (vec![good[1]], vec!["terms.version (not set"]),
        (
            vec![
                good[0],
                good[1],
                (target, "metadata"),
                (key, "a.b"),
                ("SIGNUP__TERMS__REQUIRED", "perhaps"),
            ],
            vec![target, key, "SIGNUP__TERMS__REQUIRED"],
        ),
        (vec![good[0], good[1], (key, "email_verified")], vec![key]),
        (vec![good[0], good[1], (key, "username")], vec![key]),
        ([in_user.as_slice(), &[allowed]].concat(), vec!["terms.key ("]),
    ] {
        let (status, stderr) = check(&invalid);
        assert_eq!(status, Some(2), "{invalid:?}: {stderr}");
        let head =
            if keys.len() == 1 { "1 error ".to_owned() } else { format!("{} errors ", keys.len()) };
        assert!(stderr.contains(&head), "{head} in {stderr}");
        for key in keys {
            assert!(stderr.contains(key), "{key} in {stderr}");
        }
    }
}

/// A section that is switched off is read as strictly: the operator would find its errors when the
/// section is needed.
#[test]
fn a_wrong_value_is_an_error_for_every_key() {
    let schema: Value = serde_json::from_str(&config::schema()).unwrap();
    let folder = TempDir::new();
    let mut keys = 0;
    for (key, schema) in leaves("", &schema) {
        // No key has a date.
        let mut wrong = vec!["2026-01-01".to_owned()];
        if let Some(max) = schema["maximum"].as_u64() {
            wrong.push((max + 1).to_string());
        }
        if !schema["enum"].is_null() || !schema["anyOf"][0]["items"]["enum"].is_null() {
            wrong.push("\"zzz\"".to_owned());
        }
        for value in wrong {
            let file = folder.file("settings.toml", format!("{key} = {value}\n"));
            let variables = TENANT.iter().map(|(name, value)| (name.into(), value.into()));
            // The variable would hide the value of the file.
            let of_file = ["domain", "client_id", "client_secret"];
            let variables =
                variables.zip(of_file).filter(|(_, name)| key != format!("auth0.{name}"));
            let variables: Vec<(OsString, OsString)> = variables.map(|(pair, _)| pair).collect();
            let errors = config::load(Some(&file), variables).err().unwrap_or_default();
            assert!(errors.iter().any(|error| error.key == key), "{key} = {value}: {errors:?}");
        }
        keys += 1;
    }
    assert!(keys > 150, "{keys}");
}

/// The keys of a schema of settings, each with its own schema.
fn leaves(section: &str, schema: &Value) -> Vec<(String, Value)> {
    let Some(members) = schema["properties"].as_object() else { return Vec::new() };
    let of_member = |(name, member): (&String, &Value)| match member["properties"].as_object() {
        Some(_) => leaves(&format!("{section}{name}."), member),
        None => vec![(format!("{section}{name}"), member.clone())],
    };
    members.iter().flat_map(of_member).collect()
}
