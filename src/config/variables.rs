//! The names of environment variables, and the keys that they set.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::open_tables::open_table;
use crate::tls::CERT_FILE;

/// Names that the ecosystem already uses, and the keys that they set.
const ALIASES: [(&str, &str); 11] = [
    ("AUTH0_DOMAIN", "auth0.domain"),
    ("AUTH0_CLIENT_ID", "auth0.client_id"),
    ("AUTH0_CLIENT_SECRET", "auth0.client_secret"),
    ("AUTH0_CLIENT_SECRET_PREVIOUS", "auth0.client_secret_previous"),
    ("AUTH0_CLIENT_ASSERTION_SIGNING_KEY", "auth0.client_assertion_signing_key"),
    ("AUTH0_CLIENT_ASSERTION_SIGNING_ALG", "auth0.client_assertion_signing_alg"),
    ("AUTH0_AUDIENCE", "auth0.audience"),
    ("AUTH0_CONNECTION", "auth0.connection"),
    ("DATABASE_URL", "database.url"),
    ("PORT", "http.port"),
    ("RUST_LOG", "log.level"),
];

/// The variable that names the settings file.
pub const CONFIG_FILE: &str = "SIGNUP_CONFIG";

/// The variables that name a proxy. The first that is set counts.
pub(super) const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The variables that name the hosts without a proxy. The first that is set counts.
pub(super) const PROXY_EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The variable that sets the number of runtime threads.
pub(super) const WORKER_THREADS: &str = "TOKIO_WORKER_THREADS";

/// The keys whose values are never shown, and may come from a file named by `…_FILE`.
pub(super) const SECRETS: [&str; 9] = [
    "auth0.client_assertion_signing_key",
    "auth0.client_secret",
    "auth0.client_secret_previous",
    "challenge.captcha.secret",
    "database.url",
    "http.server_clients",
    "secrets.key",
    "secrets.previous_key",
    "traces.headers",
];

/// The start of the names that belong to this service alone. They take precedence over aliases.
pub(super) const PREFIX: &str = "SIGNUP__";

/// Returns the variables that set a key, in the order in which an operator would try them.
pub(super) fn variables_of(key: &str) -> Vec<String> {
    let aliases = ALIASES.iter().filter(|(_, aliased)| *aliased == key);
    let own = format!("{PREFIX}{}", key.replace('.', "__").to_uppercase());
    aliases.map(|(name, _)| (*name).to_owned()).chain([own]).collect()
}

/// Returns every variable that concerns a key, with those that name a secret's file.
pub(super) fn spellings(key: &str) -> Vec<String> {
    let mut names = variables_of(key);
    if SECRETS.contains(&key) {
        names.extend(variables_of(key).iter().map(|name| format!("{name}_FILE")));
    }
    names
}

/// Returns whether a variable of other programs is one that this program honours.
pub(super) fn is_shared(name: &str) -> bool {
    [CERT_FILE, WORKER_THREADS].contains(&name)
        || PROXIES.contains(&name)
        || PROXY_EXCEPTIONS.contains(&name)
}

/// Returns whether a variable holds a secret itself.
pub(super) fn is_secret(name: &str) -> bool {
    key_of(name).is_some_and(|(key, is_file)| !is_file && SECRETS.contains(&key.as_str()))
}

/// Returns whether a name is specific enough that a similar one is a mistake. `PORT` is near to
/// variables of other programs.
pub(super) fn is_judged(name: &str) -> bool {
    name != "PORT"
}

/// Lowers the case of a dotted name, but not that of a member that the operator names if it is mixed:
/// `USER_METADATA.KEYS.companyName.TYPE` is `user_metadata.keys.companyName.type`.
fn with_plain_case(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let Some((table, member)) = open_table(&lower) else { return lower };
    let written = name.get(name.len() - member.len()..).unwrap_or_default().split('.');
    let member = written.map(|part| {
        let is_mixed = part.bytes().any(|byte| byte.is_ascii_lowercase());
        if is_mixed { part.to_owned() } else { part.to_ascii_lowercase() }
    });
    let parts = std::iter::once(table.to_owned()).chain(member).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(".")
}

/// Returns the key that a variable sets, and whether it names a file that contains the secret.
pub(super) fn key_of(name: &str) -> Option<(String, bool)> {
    let plain = |name: &str| {
        let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
        alias
            .map(|(_, key)| (*key).to_owned())
            .or_else(|| Some(with_plain_case(&name.strip_prefix(PREFIX)?.replace("__", "."))))
    };
    let secret = name.strip_suffix("_FILE").and_then(plain);
    match secret.filter(|key| SECRETS.contains(&key.as_str())) {
        Some(key) => Some((key, true)),
        None => plain(name).map(|key| (key, false)),
    }
}

/// Returns the files that the settings are read from: the settings file, and those of secrets. One that is
/// missing counts too, since it may appear.
pub fn settings_files(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Vec<PathBuf> {
    let secret = |(name, value): (OsString, OsString)| {
        let is_file = key_of(name.to_str()?).is_some_and(|(_, is_file)| is_file);
        let path = value.to_str()?.trim();
        (is_file && !path.is_empty()).then(|| path.into())
    };
    file.map(Path::to_owned).into_iter().chain(environment.into_iter().filter_map(secret)).collect()
}
