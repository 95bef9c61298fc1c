//! The ways in which settings are written: names, types, blank and quoted values, broken files.

use super::rows::{Row, check, file, path, set};
use super::{TENANT, run, text};

#[test]
fn a_secret_of_white_space() {
    const EXPECTED: &str = "expected a secret that is not blank";
    check(
        "blank-secret",
        &[
            set(&[("SIGNUP__SECRETS__KEY", ""), ("AUTH0_CLIENT_SECRET_PREVIOUS", "\n")], &[]),
            set(
                &[
                    ("SIGNUP__SECRETS__KEY", "  "),
                    ("DATABASE_URL", "\t"),
                    ("AUTH0_CLIENT_SECRET", " \n"),
                ],
                &[
                    "secrets.key (environment variable SIGNUP__SECRETS__KEY): expected a secret that is not blank",
                    "database.url (environment variable DATABASE_URL)",
                    "auth0.client_secret (environment variable AUTH0_CLIENT_SECRET)",
                ],
            ),
            file("[challenge.captcha]\nsecret = \" \"\n", &[EXPECTED]),
        ],
    );
}

#[test]
fn numbers_flags_and_times() {
    const PORT: &str =
        "http.port (environment variable PORT): expected a whole number from 0 to 65535";
    check(
        "numbers",
        &[
            set(&[("PORT", "8080")], &[]),
            set(&[("PORT", " 8080\r\n")], &[]),
            set(&[("PORT", "true")], &[PORT]),
            set(&[("PORT", "8080.6")], &[PORT]),
            set(&[("PORT", "+80")], &[PORT]),
            set(&[("PORT", "0x50")], &[PORT]),
            set(&[("PORT", "-1")], &[PORT]),
            set(&[("PORT", "99999999999999999999")], &[PORT]),
            set(
                &[("PORT", "\"8080\"")],
                &["http.port (environment variable PORT): expected the value without the quotes"],
            ),
            set(&[("SIGNUP__LIMITS__POSTS__BURST", "true")], &["limits.posts.burst ("]),
            set(&[("SIGNUP__LIMITS__POSTS__BURST", "1e3")], &["limits.posts.burst ("]),
            set(&[("SIGNUP__PAGE__ENABLED", "false")], &[]),
            set(&[("SIGNUP__PAGE__ENABLED", "1")], &["page.enabled ("]),
            set(&[("SIGNUP__PAGE__ENABLED", "yes")], &["page.enabled ("]),
            set(&[("SIGNUP__PAGE__ENABLED", "True")], &["page.enabled ("]),
            file(
                "[http]\nport = 8080.6\n",
                &[
                    "http.port (FILE, line 2, column 8): expected a whole number from 0 to 65535, not a float",
                ],
            ),
            file(
                "[http]\nport = true\n",
                &[
                    "http.port (FILE, line 2, column 8): expected a whole number from 0 to 65535, not a boolean",
                ],
            ),
            file(
                "[http]\nport = \"8080\"\n",
                &[
                    "http.port (FILE, line 2, column 8): expected a whole number from 0 to 65535, not a string",
                ],
            ),
            file(
                "[page]\nenabled = \"true\"\n",
                &["page.enabled (FILE, line 2, column 11): expected true or false, not a string"],
            ),
            file(
                "[page]\nname = 5\n",
                &["page.name (FILE, line 2, column 8): expected a string, not a whole number"],
            ),
            file(
                "[page]\nfields = 5\n",
                &[
                    "page.fields (FILE, line 2, column 10): expected a list of strings, not a whole number",
                ],
            ),
            file("[http]\nport = 0x1F90\n", &[]),
            file("[http]\nidle_timeout_ms = 620000\n", &[]),
            file("[http]\nidle_timeout_ms = 3600001\n", &["http.idle_timeout_ms ("]),
        ],
    );
}

#[test]
fn an_empty_variable_means_not_set() {
    check(
        "empty",
        &[
            set(
                &[
                    ("SIGNUP_CONFIG", ""),
                    ("AUTH0_CLIENT_SECRET_FILE", ""),
                    ("DATABASE_URL", ""),
                    ("DATABASE_URL_FILE", " "),
                    ("SIGNUP__SECRETS__KEY", ""),
                    ("SIGNUP__HTTP__PROT", ""),
                    ("PORT", " "),
                ],
                &[],
            ),
            set(&[("AUTH0_DOMAIN", ""), ("SIGNUP_CONFIG", "")], &["auth0.domain (not set"]),
            Row {
                file: b"[auth0]\nclient_secret = \"canary\"\n",
                variables: &[("AUTH0_CLIENT_SECRET", "")],
                says: &[],
            },
            Row {
                file: b"[auth0]\nclient_secret = \"\"\n",
                variables: &[("AUTH0_CLIENT_SECRET", "")],
                says: &["auth0.client_secret (FILE, line 2, column 17)"],
            },
        ],
    );
}

#[test]
fn unknown_names_name_the_nearest_key() {
    check(
        "unknown",
        &[
            set(
                &[("SIGNUP_HTTP_PORT", "1")],
                &[
                    "SIGNUP_HTTP_PORT (environment variable SIGNUP_HTTP_PORT): unknown; the nearest is SIGNUP__HTTP__PORT",
                ],
            ),
            set(&[("SIGNUP__HTTP_PORT", "1")], &["SIGNUP__HTTP__PORT"]),
            set(&[("AUTH0_CONECTION", "x")], &["AUTH0_CONNECTION"]),
            set(&[("AUTH0_CLIENTID", "x")], &["AUTH0_CLIENT_ID"]),
            set(&[("AUTHO_DOMAIN", "x")], &["AUTH0_DOMAIN"]),
            set(&[("AUTH0_CLIENT_SECRET_FIEL", "x")], &["AUTH0_CLIENT_SECRET_FILE"]),
            set(&[("DATABASE_URI", "canary")], &["unknown; the nearest is DATABASE_URL"]),
            set(&[("DATABASEURL", "canary")], &["unknown; the nearest is DATABASE_URL"]),
            set(&[("DATABASE_URLS", "canary")], &["unknown; the nearest is DATABASE_URL"]),
            set(&[("DATABASE_URI_FILE", "canary")], &["unknown; the nearest is DATABASE_URL_FILE"]),
            set(&[("RUSTLOG", "canary")], &["unknown; the nearest is RUST_LOG"]),
            set(&[("SIGNUP__CONFIG", "x")], &["SIGNUP_CONFIG"]),
            set(&[("SIGNUP__AUTH0__CLIENT_SECERT", "canary")], &["SIGNUP__AUTH0__CLIENT_SECRET"]),
            set(
                &[("SIGNUP__NOTHING__ALIKE", "canary")],
                &[
                    "nothing.alike (environment variable SIGNUP__NOTHING__ALIKE): unknown: config/default.toml lists every key",
                ],
            ),
            file("\n", &["SIGNUP_CONFIG (FILE): expected at least one key; the file sets none"]),
            file("# port = 1\n[http]\n", &["SIGNUP_CONFIG (FILE): expected at least one key"]),
            file("[user_metadata.keys.plan]\n", &[]),
            file(
                "[http]\nallow_origins = []\n",
                &[
                    "http.allow_origins (FILE, line 2, column 1): unknown; the nearest is http.allowed_origins",
                ],
            ),
            file(
                "[htttp]\nport = 1\n",
                &["htttp (FILE, line 1, column 2): unknown; the nearest is http"],
            ),
            file(
                "http = 1\n",
                &["http (FILE, line 1, column 8): expected a table, not a whole number"],
            ),
            file(
                "[http.port]\nx = 1\n",
                &[
                    "http.port (FILE, line 1, column 1): expected a whole number from 0 to 65535, not a table",
                ],
            ),
            // Auth0's own SDKs.
            set(
                &[
                    ("AUTH0_SECRET", "x"),
                    ("AUTH0_BASE_URL", "x"),
                    ("AUTH0_ISSUER_BASE_URL", "x"),
                    ("AUTH0_SCOPE", "x"),
                    ("AUTH0_CALLBACK_URL", "x"),
                    ("AUTH0_API_TOKEN", "x"),
                    ("AUTH0_TENANT", "x"),
                    ("AUTH0_ORGANIZATION", "x"),
                ],
                &[],
            ),
            // Kubernetes, for services named signup, signup-http and signup-admin.
            set(
                &[
                    ("SIGNUP_PORT", "tcp://10.0.0.1:80"),
                    ("SIGNUP_SERVICE_HOST", "10.0.0.1"),
                    ("SIGNUP_SERVICE_PORT", "80"),
                    ("SIGNUP_PORT_80_TCP_PROTO", "tcp"),
                    ("SIGNUP_HTTP_PORT", "tcp://10.0.0.1:80"),
                    ("SIGNUP_HTTP_SERVICE_HOST", "10.0.0.1"),
                    ("SIGNUP_ADMIN_PORT", "udp://10.0.0.1:80"),
                    ("PORTS", "x"),
                    ("DATABASE_HOST", "x"),
                    ("RUST_LOG_STYLE", "x"),
                ],
                &[],
            ),
        ],
    );
}

#[test]
fn a_broken_file_is_located() {
    check(
        "broken",
        &[
            Row {
                file: b"[auth0]\ndomain = tenant.eu.auth0.com\n",
                variables: &[("AUTH0_DOMAIN", "")],
                says: &["SIGNUP_CONFIG (FILE, line 2, column 10): expected TOML: "],
            },
            file("[http]\nport = \n", &["SIGNUP_CONFIG (FILE, line 2, column "]),
            file(
                "[auth0]\nclient_secret = canary\n",
                &["SIGNUP_CONFIG (FILE, line 2, column 17): expected TOML: "],
            ),
            file(
                "[http]\nport = 1\nport = 2\n",
                &["SIGNUP_CONFIG (FILE, line 3, column 1): expected TOML: duplicate key"],
            ),
            file("\u{feff}[http]\nport = 1\n", &[]),
            file("\u{feff}[http]\r\nport = \"x\"\r\n", &["http.port (FILE, line 2, column 8)"]),
            Row {
                file: b"[http]\nport = 1 # \xff\n",
                variables: &[],
                says: &["SIGNUP_CONFIG (FILE, line 2, column 12): expected UTF-8"],
            },
        ],
    );
    let output =
        run(&["config", "check"], &[("SIGNUP_CONFIG", "/nonexistent.toml"), ("PORT", "x")]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = text(&output.stderr);
    for line in [
        "SIGNUP_CONFIG (/nonexistent.toml): expected a readable file: No such file or directory",
        "http.port (",
    ] {
        assert!(stderr.contains(line), "{line} in {stderr}");
    }
    // It may be in the file.
    assert!(!stderr.contains("not set"), "{stderr}");
}

#[test]
fn secrets_as_env_files_and_editors_write_them() {
    check(
        "secrets",
        &[
            set(&[("AUTH0_CLIENT_SECRET", "canary\r\n")], &[]),
            set(&[("AUTH0_CLIENT_SECRET", "\u{feff}canary")], &[]),
            set(
                &[("AUTH0_CLIENT_SECRET", "can\nary")],
                &[
                    "auth0.client_secret (environment variable AUTH0_CLIENT_SECRET): expected one line without control characters",
                ],
            ),
            set(
                &[("AUTH0_CLIENT_SECRET", "'canary'")],
                &[
                    "auth0.client_secret (environment variable AUTH0_CLIENT_SECRET): expected the value without the quotes around it",
                ],
            ),
            set(
                &[("AUTH0_CLIENT_SECRET_FILE", "/nonexistent"), ("AUTH0_CLIENT_SECRET", "")],
                &[
                    "auth0.client_secret (environment variable AUTH0_CLIENT_SECRET_FILE): expected a readable file: No such file or directory",
                ],
            ),
        ],
    );
    for (content, status) in [
        ("canary\n", 0),
        ("canary\r\n\n", 0),
        ("\u{feff}canary\n", 0),
        ("\"canary\"\n", 2),
        ("can\nary\n", 2),
        ("\n", 2),
        ("", 2),
    ] {
        let path = path("secret-file");
        std::fs::write(&path, content).unwrap();
        let from_file = ("AUTH0_CLIENT_SECRET_FILE", path.to_str().unwrap());
        let output = run(&["config", "check"], &[TENANT[0], TENANT[1], from_file]);
        std::fs::remove_file(&path).unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{content:?}: {stderr}");
        assert_eq!(
            stderr.lines().count(),
            if status == 0 { 0 } else { 2 },
            "{content:?}: {stderr}"
        );
        assert!(!stderr.contains("ary"), "{content:?}: {stderr}");
    }
}
