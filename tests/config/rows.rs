//! Values that `config check` has to judge, one row each: what is set, and what it says.

use std::path::PathBuf;

use super::{TENANT, run, text};

/// The settings of an operator, and the errors of `config check`.
pub(super) struct Row {
    /// The settings file.
    pub(super) file: &'static [u8],
    /// The environment, beside [`TENANT`] where it sets nothing of it.
    pub(super) variables: &'static [(&'static str, &'static str)],
    /// The texts on stderr, one for each error; none where the settings are valid.
    pub(super) says: &'static [&'static str],
}

/// A row with an environment only.
pub(super) const fn set(
    variables: &'static [(&'static str, &'static str)],
    says: &'static [&'static str],
) -> Row {
    Row { file: b"", variables, says }
}

/// A row with a settings file only.
pub(super) const fn file(file: &'static str, says: &'static [&'static str]) -> Row {
    Row { file: file.as_bytes(), variables: &[], says }
}

/// Runs `config check` on each row. No value of a row may be in the output: each starts with or
/// contains `canary`, or is named in `says`.
pub(super) fn check(name: &str, rows: &[Row]) {
    let failed: Vec<_> =
        rows.iter().enumerate().filter_map(|(at, row)| failed(name, at, row)).collect();
    assert!(failed.is_empty(), "{} of {} rows:\n{}", failed.len(), rows.len(), failed.join("\n"));
}

/// Returns what `config check` says instead of what a row expects.
fn failed(name: &str, at: usize, row: &Row) -> Option<String> {
    let path = path(&format!("{name}-{at}"));
    std::fs::write(&path, row.file).unwrap();
    let given = |name: &str| row.variables.iter().any(|(given, _)| *given == name);
    let tenant = TENANT.iter().filter(|(name, _)| !given(name));
    let mut variables: Vec<_> = tenant.chain(row.variables).copied().collect();
    if !row.file.is_empty() {
        variables.push(("SIGNUP_CONFIG", path.to_str().unwrap()));
    }
    let output = run(&["config", "check"], &variables);
    std::fs::remove_file(&path).unwrap();
    let stderr = text(&output.stderr).replace(path.to_str().unwrap(), "FILE");
    let status = if row.says.is_empty() { 0 } else { 2 };
    let errors = stderr.lines().count().saturating_sub(1);
    let is_as_expected = output.status.code() == Some(status)
        && row.says.iter().all(|line| stderr.contains(line))
        && errors == row.says.len()
        && !stderr.contains("canary");
    let file = String::from_utf8_lossy(row.file);
    (!is_as_expected).then(|| format!("row {at}: {:?} {file:?}: {stderr}", row.variables))
}

pub(super) fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("signup-{name}-{}.toml", std::process::id()))
}

#[test]
fn the_tenants_domain() {
    const DOMAIN: &str = "auth0.domain (environment variable AUTH0_DOMAIN): expected the tenant's";
    check(
        "domain",
        &[
            set(&[("AUTH0_DOMAIN", "tenant.eu.auth0.com.")], &[]),
            set(&[("AUTH0_DOMAIN", "https://Tenant.EU.auth0.com/")], &[]),
            set(&[("AUTH0_DOMAIN", " tenant.eu.auth0.com\n")], &[]),
            set(&[("AUTH0_DOMAIN", "http://127.0.0.1:4010")], &[]),
            set(&[("AUTH0_DOMAIN", "http://localhost:4010/")], &[]),
            set(&[("AUTH0_DOMAIN", "http://[::1]:1")], &[]),
            set(
                &[("AUTH0_DOMAIN", "\"tenant.eu.auth0.com\"")],
                &[
                    "auth0.domain (environment variable AUTH0_DOMAIN): expected the value without the quotes around it",
                ],
            ),
            set(&[("AUTH0_DOMAIN", "tenant..auth0.com")], &[DOMAIN]),
            set(&[("AUTH0_DOMAIN", ".auth0.com")], &[DOMAIN]),
            set(&[("AUTH0_DOMAIN", "tenant.eu.auth0.com/../..")], &[DOMAIN]),
            set(&[("AUTH0_DOMAIN", "tenant.eu.auth0.com/path")], &[DOMAIN]),
            set(&[("AUTH0_DOMAIN", "user@tenant.eu.auth0.com")], &[DOMAIN]),
            set(&[("AUTH0_DOMAIN", "tenant.eu.auth0.com\\.evil.example")], &[DOMAIN]),
            set(&[("AUTH0_DOMAIN", "http://tenant.eu.auth0.com")], &[DOMAIN]),
            set(&[("AUTH0_DOMAIN", "https://https://tenant.eu.auth0.com")], &[DOMAIN]),
            set(&[("AUTH0_DOMAIN", "\u{201c}tenant.eu.auth0.com\u{201d}")], &[DOMAIN]),
            set(&[("AUTH0_DOMAIN", "{yourDomain}")], &[DOMAIN]),
            set(&[("AUTH0_DOMAIN", "acme_eu.auth0.com")], &[DOMAIN]),
        ],
    );
}

#[test]
fn the_audience_the_connection_and_the_client() {
    const AUDIENCE: &str = "auth0.audience (environment variable AUTH0_AUDIENCE): expected \
                            https://tenant.eu.auth0.com/api/v2/, with its trailing slash";
    check(
        "names",
        &[
            set(&[("AUTH0_AUDIENCE", "https://tenant.eu.auth0.com/api/v2/")], &[]),
            set(&[("AUTH0_AUDIENCE", "https://tenant.eu.auth0.com/api/v2")], &[AUDIENCE]),
            set(&[("AUTH0_AUDIENCE", "tenant.eu.auth0.com")], &[AUDIENCE]),
            set(&[("AUTH0_AUDIENCE", "https://tenant.eu.auth0.com/api/v3/")], &[AUDIENCE]),
            // It cannot be derived from a custom domain, and a lookalike of Auth0 is one.
            set(&[("AUTH0_DOMAIN", "login.example.com")], &["auth0.audience (not set"]),
            set(&[("AUTH0_DOMAIN", "evilauth0.com")], &["auth0.audience (not set"]),
            set(&[("AUTH0_DOMAIN", "auth0.com.example.org")], &["auth0.audience (not set"]),
            set(
                &[
                    ("AUTH0_DOMAIN", "login.example.com"),
                    ("AUTH0_AUDIENCE", "https://tenant.eu.auth0.com/api/v2"),
                ],
                &[
                    "auth0.audience (environment variable AUTH0_AUDIENCE): expected https://<tenant>.<region>.auth0.com/api/v2/, with its trailing slash",
                ],
            ),
            set(
                &[("AUTH0_CONNECTION", "con_canary1234567890")],
                &[
                    "the connection's name, such as Username-Password-Authentication, not its con_ id",
                ],
            ),
            set(&[("AUTH0_CONNECTION", "")], &[]),
            set(
                &[("SIGNUP__AUTH0_COMPAT__CONNECTION", "con_canary12345")],
                &["auth0_compat.connection ("],
            ),
            set(
                &[("AUTH0_CLIENT_ID", "'canary'")],
                &[
                    "auth0.client_id (environment variable AUTH0_CLIENT_ID): expected the value without the quotes",
                ],
            ),
            set(&[("AUTH0_CLIENT_ID", "canary id")], &["auth0.client_id ("]),
            set(&[("AUTH0_CLIENT_ID", "canary\n")], &[]),
            set(&[("AUTH0_CLIENT_ID", "")], &["auth0.client_id (not set"]),
            set(&[("SIGNUP__AUTH0__CUSTOM_DOMAIN", "login.example.com")], &[]),
            set(
                &[("SIGNUP__AUTH0__CUSTOM_DOMAIN", "https://login.example.com")],
                &["auth0.custom_domain ("],
            ),
        ],
    );
}

#[test]
fn the_listeners_have_ports_of_their_own() {
    const PORTS: &str = "expected http.port and admin.port to differ";
    check(
        "ports",
        &[
            set(
                &[("PORT", "9090")],
                &["http.port (environment variable PORT): expected http.port and"],
            ),
            set(&[("SIGNUP__ADMIN__PORT", "8080")], &["admin.port ("]),
            set(&[("SIGNUP__ADMIN__PORT", "8080"), ("SIGNUP__HTTP__HOST", "::")], &[PORTS]),
            set(&[("SIGNUP__ADMIN__PORT", "8080"), ("SIGNUP__ADMIN__HOST", "0.0.0.0")], &[PORTS]),
            set(&[("SIGNUP__ADMIN__PORT", "8080"), ("SIGNUP__ADMIN__HOST", "::1")], &[]),
            set(
                &[
                    ("SIGNUP__ADMIN__PORT", "8080"),
                    ("SIGNUP__ADMIN__HOST", "::1"),
                    ("SIGNUP__HTTP__HOST", "0.0.0.0"),
                ],
                &[],
            ),
            set(&[("PORT", "0"), ("SIGNUP__ADMIN__PORT", "0")], &[]),
        ],
    );
}

#[test]
fn times_that_have_to_fit_into_others() {
    check(
        "fit",
        &[
            set(
                &[("SIGNUP__AUTH0__TIMEOUT_MS", "20000")],
                &[
                    "auth0.timeout_ms (environment variable SIGNUP__AUTH0__TIMEOUT_MS): expected auth0.timeout_ms + auth0.budget.max_wait_ms to fit into http.request_timeout_ms",
                ],
            ),
            set(&[("SIGNUP__HTTP__REQUEST_TIMEOUT_MS", "9000")], &["http.request_timeout_ms ("]),
            set(&[("SIGNUP__AUTH0__BUDGET__MAX_WAIT_MS", "6000")], &["auth0.budget.max_wait_ms ("]),
            set(
                &[
                    ("SIGNUP__AUTH0__TIMEOUT_MS", "20000"),
                    ("SIGNUP__HTTP__REQUEST_TIMEOUT_MS", "23000"),
                ],
                &[],
            ),
            // A value that cannot be read is the only error.
            set(
                &[
                    ("SIGNUP__AUTH0__TIMEOUT_MS", "20000"),
                    ("SIGNUP__HTTP__REQUEST_TIMEOUT_MS", "x"),
                ],
                &["http.request_timeout_ms ("],
            ),
            set(&[("SIGNUP__AUTH0__BREAKER__PAUSE_MS", "60000")], &["auth0.breaker.pause_ms ("]),
            set(
                &[
                    ("SIGNUP__LEDGER__KEY_LIFETIME_HOURS", "720"),
                    ("SIGNUP__LEDGER__RETENTION_DAYS", "29"),
                ],
                &["ledger.key_lifetime_hours ("],
            ),
            set(
                &[
                    ("SIGNUP__FIELDS__USERNAME_MIN_LENGTH", "20"),
                    ("SIGNUP__FIELDS__USERNAME_MAX_LENGTH", "15"),
                ],
                &["fields.username_min_length ("],
            ),
        ],
    );
}

#[test]
fn networks_and_origins_name_the_entry_at_fault() {
    const NETWORK: &str = "expected an address or a network, such as 10.0.0.5 or 10.0.0.0/8";
    check(
        "lists",
        &[
            set(
                &[("SIGNUP__HTTP__TRUSTED_PROXIES", "10.0.0.1/8")],
                &[
                    "http.trusted_proxies (environment variable SIGNUP__HTTP__TRUSTED_PROXIES, entry 1): expected an address or a network",
                ],
            ),
            set(
                &[("SIGNUP__HTTP__TRUSTED_PROXIES", "10.0.0.1, 10.0.0.0/8, ::1, 0.0.0.0/0")],
                &["entry 4): expected an address or a network"],
            ),
            set(
                &[("SIGNUP__LIMITS__EXEMPT", "192.0.2.0/24,10.0.0.1/8")],
                &[
                    "limits.exempt (environment variable SIGNUP__LIMITS__EXEMPT, entry 2): expected an address or a network",
                ],
            ),
            set(&[("SIGNUP__LIMITS__EXEMPT", "192.0.2.7, 2001:db8::/32")], &[]),
            file("[limits]\nexempt = [\n  \"10.0.0.0/8\",\n  \"canary\",\n]\n", &[NETWORK]),
            file(
                "[http]\nallowed_origins = [\n  \"https://a.example\",\n  \"https://canary.example/\",\n  \"https://b.example\",\n  \"canary\", \"*\",\n]\n",
                &[
                    "http.allowed_origins (FILE, line 4, column 3, entry 2): expected an origin",
                    "http.allowed_origins (FILE, line 6, column 3, entry 4): expected an origin",
                    "http.allowed_origins (FILE, line 6, column 13, entry 5): expected an origin",
                ],
            ),
            file(
                "[http]\nallowed_origins = [\"https://a.example\", 5]\n",
                &[
                    "http.allowed_origins (FILE, line 2, column 41, entry 2): expected a string, not a whole number",
                ],
            ),
            set(
                &[("SIGNUP__PAGE__RETURN_TO", "https://a.example,http://canary.example")],
                &["page.return_to (environment variable SIGNUP__PAGE__RETURN_TO, entry 2)"],
            ),
            set(
                &[("SIGNUP__PAGE__RETURN_TO", "https://a.example,https://a.example/canary/*")],
                &["page.return_to (environment variable SIGNUP__PAGE__RETURN_TO, entry 2)"],
            ),
            set(
                &[("SIGNUP__EMAIL__ALLOW_DOMAINS", "example.com,*.canary.example")],
                &[
                    "email.allow_domains (environment variable SIGNUP__EMAIL__ALLOW_DOMAINS, entry 2)",
                ],
            ),
        ],
    );
}

#[test]
fn keys_of_user_metadata() {
    const KEY: &str = "expected a key that Auth0 accepts";
    check(
        "metadata",
        &[
            set(&[("SIGNUP__USER_METADATA__ALLOW", "plan, team_size, Größe")], &[]),
            set(
                &[("SIGNUP__USER_METADATA__ALLOW", "plan,$canary")],
                &[
                    "user_metadata.allow (environment variable SIGNUP__USER_METADATA__ALLOW, entry 2): expected a key that Auth0 accepts",
                ],
            ),
            set(&[("SIGNUP__USER_METADATA__ALLOW", "canary.b")], &[KEY]),
            set(
                &[("SIGNUP__USER_METADATA__ALLOW", "plan, \"canary\"")],
                &["entry 2): expected the value without the quotes around it"],
            ),
            set(
                &[
                    ("SIGNUP__FIELDS__IGNORE", "utm_*,'canary'"),
                    ("SIGNUP__AUTH0_COMPAT__CLIENT_IDS", "a, 'canary'"),
                    ("SIGNUP__USER_METADATA__KEYS__PLAN__VALUES", "free, \"canary\""),
                ],
                &[
                    "fields.ignore (",
                    "auth0_compat.client_ids (",
                    "user_metadata.keys.plan.values (",
                ],
            ),
            file("[user_metadata.keys.\"$plan\"]\nmax = 40\n", &[KEY]),
            file("[user_metadata.keys.\"a.b\"]\nmax = 40\n", &[KEY]),
            file("[user_metadata.keys.plan]\nmax = 40\n", &[]),
            // A quoted name with dots is a path too.
            file(
                "[user_metadata]\n\"keys.plan\" = { max = 0 }\n",
                &["user_metadata.keys.plan.max ("],
            ),
            file("[user_metadata.keys.plan]\nvalues = []\n", &["user_metadata.keys.plan.values ("]),
            file(
                "[user_metadata.keys.plan]\nmax = 4.5\n",
                &["user_metadata.keys.plan.max (FILE, line 2, column 7): expected a whole number"],
            ),
            file(
                "[user_metadata.keys.plan]\nrequired = \"true\"\n",
                &["user_metadata.keys.plan.required (FILE, line 2, column 12)"],
            ),
            set(
                &[
                    ("SIGNUP__USER_METADATA__KEYS__PLAN__MAX", "40"),
                    ("SIGNUP__USER_METADATA__KEYS__PLAN__REQUIRED", "true"),
                ],
                &[],
            ),
            set(
                &[("SIGNUP__USER_METADATA__KEYS__PLAN__MAX", "4x")],
                &["user_metadata.keys.plan.max ("],
            ),
        ],
    );
}

#[test]
fn levels_of_the_log() {
    const LEVEL: &str = "log.level (environment variable RUST_LOG): expected error | warn | info";
    check(
        "log",
        &[
            set(&[("RUST_LOG", "debug")], &[]),
            set(&[("RUST_LOG", "INFO")], &[]),
            set(&[("RUST_LOG", "")], &[]),
            set(&[("RUST_LOG", "warn,auth0_signup=debug,hyper::proto=off")], &[]),
            set(&[("RUST_LOG", "auth0_signup")], &[]),
            set(&[("RUST_LOG", "loud")], &[LEVEL]),
            set(&[("RUST_LOG", "INFOO")], &[LEVEL]),
            set(&[("RUST_LOG", "warn,loud")], &[LEVEL]),
            set(&[("RUST_LOG", "auth0_signup=loud")], &[LEVEL]),
            set(&[("RUST_LOG", "=")], &[LEVEL]),
            set(&[("RUST_LOG", ",")], &[LEVEL]),
            set(&[("RUST_LOG", "hyper=debug")], &[]),
            set(&[("RUST_LOG", "info,auth0_singup=debug")], &[LEVEL]),
            set(&[("RUST_LOG", "auth0_singup=debug")], &[LEVEL]),
            set(&[("RUST_LOG", "auth0-signup=debug")], &[LEVEL]),
            set(&[("RUST_LOG", "Auth0_Signup::http=debug")], &[LEVEL]),
            set(&[("RUST_LOG", "auth0=off")], &[LEVEL]),
            set(&[("RUST_LOG", "hyper")], &[LEVEL]),
            set(&[("RUST_LOG", "info,")], &[LEVEL]),
            file(
                "[log]\nlevel = \"INFOO\"\n",
                &["log.level (FILE, line 2, column 9): expected error | warn"],
            ),
        ],
    );
}

#[test]
fn the_services_own_url() {
    const URL: &str =
        "http.public_url (environment variable SIGNUP__HTTP__PUBLIC_URL): expected the URL";
    check(
        "public",
        &[
            set(&[("SIGNUP__HTTP__PUBLIC_URL", "https://signup.example.com/")], &[]),
            set(&[("SIGNUP__HTTP__PUBLIC_URL", "https://www.example.com/join/us")], &[]),
            set(&[("SIGNUP__HTTP__PUBLIC_URL", "https://www.example.com/signups/")], &[]),
            set(&[("SIGNUP__HTTP__PUBLIC_URL", "https://www.example.com/signup")], &[URL]),
            set(&[("SIGNUP__HTTP__PUBLIC_URL", "https://www.example.com/signup/")], &[URL]),
            set(&[("SIGNUP__HTTP__PUBLIC_URL", "https://www.example.com/dbconnections")], &[URL]),
            set(&[("SIGNUP__HTTP__PUBLIC_URL", "https://www.example.com/join?x")], &[URL]),
            set(&[("SIGNUP__HTTP__PUBLIC_URL", "https://www.example.com/a/../b")], &[URL]),
            set(&[("SIGNUP__HTTP__PUBLIC_URL", "https://www.example.com/a\"b")], &[URL]),
            set(&[("SIGNUP__HTTP__PUBLIC_URL", "www.example.com")], &[URL]),
        ],
    );
}

#[test]
fn a_challenge_that_lock_cannot_send() {
    const REJECTED: &str = "auth0_compat.without_challenge (";
    check(
        "lock",
        &[
            set(&[("SIGNUP__CHALLENGE__REQUIRED", "always")], &[]),
            set(&[("SIGNUP__CHALLENGE__FORM_TOKEN_REQUIRED", "true")], &[]),
            set(
                &[
                    ("SIGNUP__CHALLENGE__REQUIRED", "always"),
                    ("SIGNUP__AUTH0_COMPAT__ENABLED", "true"),
                ],
                &[REJECTED],
            ),
            set(
                &[
                    ("SIGNUP__CHALLENGE__REQUIRED", "always"),
                    ("SIGNUP__AUTH0_COMPAT__CLIENT_IDS", "a"),
                ],
                &[REJECTED],
            ),
            set(
                &[
                    ("SIGNUP__CHALLENGE__REQUIRED", "always"),
                    ("SIGNUP__AUTH0_COMPAT__WITHOUT_CHALLENGE", "true"),
                ],
                &[],
            ),
            set(
                &[
                    ("SIGNUP__CHALLENGE__REQUIRED", "always"),
                    ("SIGNUP__AUTH0_COMPAT__ENABLED", "false"),
                ],
                &[],
            ),
        ],
    );
}

#[test]
fn certificates_and_proxies_of_the_environment() {
    check(
        "outbound",
        &[
            set(&[("SSL_CERT_FILE", "")], &[]),
            set(
                &[("SSL_CERT_FILE", "/nonexistent.pem")],
                &[
                    "SSL_CERT_FILE (environment variable SSL_CERT_FILE): expected a readable file with certificates in PEM: No such file or directory",
                ],
            ),
            set(
                &[("SSL_CERT_FILE", "/tmp")],
                &[
                    "SSL_CERT_FILE (environment variable SSL_CERT_FILE): expected a readable file with certificates in PEM: ",
                ],
            ),
            set(
                &[("SSL_CERT_FILE", "/dev/null")],
                &[
                    "SSL_CERT_FILE (environment variable SSL_CERT_FILE): expected a readable file with certificates in PEM",
                ],
            ),
            set(&[("SSL_CERT_FILE", "Cargo.toml")], &["SSL_CERT_FILE ("]),
            set(
                &[("AUTH0_DOMAIN", "http://127.0.0.1:4010"), ("SSL_CERT_FILE", "/nonexistent.pem")],
                &[],
            ),
            set(
                &[("SIGNUP__AUTH0__CA_FILE", "/nonexistent.pem")],
                &[
                    "auth0.ca_file (environment variable SIGNUP__AUTH0__CA_FILE): expected a readable file with certificates in PEM: No such file or directory",
                ],
            ),
            set(&[("HTTPS_PROXY", "proxy.example:3128")], &[]),
            set(&[("HTTPS_PROXY", "http://user:canary@proxy.example:3128")], &[]),
            set(
                &[("HTTPS_PROXY", "ftp://user:canary@proxy.example")],
                &["HTTPS_PROXY (environment variable HTTPS_PROXY): expected a proxy"],
            ),
            set(
                &[("https_proxy", "http://")],
                &["https_proxy (environment variable https_proxy): expected a proxy"],
            ),
            set(
                &[("ALL_PROXY", "socks5://canary.example:1080")],
                &["ALL_PROXY (environment variable ALL_PROXY): expected a proxy"],
            ),
            set(&[("HTTPS_PROXY", "ftp://canary"), ("AUTH0_DOMAIN", "http://127.0.0.1:4010")], &[]),
        ],
    );
}
