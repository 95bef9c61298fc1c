//! The layers a setting comes from, laid over one another: `config/default.toml` (compiled in),
//! a file, the environment. Later wins; each value remembers where it came from.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;

use config::{
    Config, ConfigError as LibraryError, File, FileFormat, Map, Source, Value, ValueKind,
};

use super::error::{ConfigError, ConfigErrors};

/// Every key with its default; the reference that `docs/configuration.md` points to.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Names that the ecosystem already uses, and the keys they set.
const ALIASES: [(&str, &str); 8] = [
    ("AUTH0_DOMAIN", "auth0.domain"),
    ("AUTH0_CLIENT_ID", "auth0.client_id"),
    ("AUTH0_CLIENT_SECRET", "auth0.client_secret"),
    ("AUTH0_AUDIENCE", "auth0.audience"),
    ("AUTH0_CONNECTION", "auth0.connection"),
    ("DATABASE_URL", "database.url"),
    ("PORT", "http.port"),
    ("RUST_LOG", "log.level"),
];

/// The keys whose values are never shown, and may come from a file named by `…_FILE`.
pub(super) const SECRETS: [&str; 5] = [
    "auth0.client_secret",
    "challenge.captcha.secret",
    "database.url",
    "secrets.key",
    "secrets.previous_key",
];

/// Tables whose members the operator names.
const OPEN_TABLES: [&str; 3] = ["page.labels", "page.options", "user_metadata.keys"];

const PREFIX: &str = "SIGNUP__";

/// All layers merged.
#[derive(Debug)]
pub struct Layers {
    merged: Value,
    known: BTreeSet<String>,
}

impl Layers {
    /// Lays the file and the environment over the defaults.
    ///
    /// Reports into `faults` what cannot be read, keys that do not exist, and secrets that are
    /// given both as a value and as a file.
    ///
    /// # Errors
    /// Only when the compiled-in defaults cannot be merged, which a test excludes.
    pub fn read(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        faults: &mut ConfigErrors,
    ) -> Result<Self, LibraryError> {
        let defaults = File::from_str(DEFAULTS, FileFormat::Toml);
        let mut known = BTreeSet::new();
        flatten("", &Value::new(None, ValueKind::Table(defaults.collect()?)), &mut |key, _| {
            known.insert(key.to_owned());
        });
        let mut builder = Config::builder().add_source(defaults);
        let mut given = BTreeSet::new();

        if let Some(path) = file {
            let origin = path.display().to_string();
            let source = File::from(path).format(FileFormat::Toml);
            match source.collect() {
                Ok(table) => {
                    let root = Value::new(Some(&origin), ValueKind::Table(table));
                    flatten("", &root, &mut |key, value| {
                        if !is_known(&known, key) {
                            faults.push(ConfigError::unknown(key, &origin));
                        }
                        let blank = matches!(&value.kind, ValueKind::String(s) if s.is_empty());
                        if SECRETS.contains(&key) && !blank {
                            given.insert(key.to_owned());
                        }
                    });
                    builder = builder.add_source(source);
                }
                // The parser's own message quotes the line, which may hold a secret.
                Err(_) => {
                    faults.push(ConfigError::new("--config", &origin, "a readable TOML file"))
                }
            }
        }

        let environment = Environment::read(environment, &known, given, faults);
        let merged = builder.add_source(environment).build()?.cache;
        Ok(Self { merged, known })
    }

    /// The value of a key, as the last layer has it.
    pub fn value(&self, key: &str) -> Option<Value> {
        // Walked by hand: `Config::get` makes the value anew and loses where it came from.
        let mut value = &self.merged;
        for name in key.split('.') {
            let ValueKind::Table(table) = &value.kind else { return None };
            value = table.get(name)?;
        }
        Some(value.clone())
    }

    /// Whether there is such a key.
    pub(super) fn is_key(&self, key: &str) -> bool {
        is_known(&self.known, key)
    }

    /// Every key of the defaults, in alphabetical order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.known.iter().map(String::as_str)
    }
}

/// The variables that set a key, as an operator would write them.
pub(super) fn variables(key: &str) -> Vec<String> {
    let aliases = ALIASES.iter().filter(|(_, aliased)| *aliased == key);
    let own = format!("{PREFIX}{}", key.replace('.', "__").to_uppercase());
    aliases.map(|(name, _)| (*name).to_owned()).chain([own]).collect()
}

fn is_known(known: &BTreeSet<String>, key: &str) -> bool {
    let open = |table: &&str| key.strip_prefix(*table).is_some_and(|rest| rest.starts_with('.'));
    known.contains(key) || OPEN_TABLES.iter().any(open)
}

/// Calls `each` with every leaf below `value` and its dotted key.
fn flatten(key: &str, value: &Value, each: &mut impl FnMut(&str, &Value)) {
    match &value.kind {
        ValueKind::Table(table) => {
            for (name, value) in table {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                flatten(&key, value, each);
            }
        }
        _ => each(key, value),
    }
}

/// The variables that set something, by key.
#[derive(Debug, Clone, Default)]
struct Environment {
    values: BTreeMap<String, Value>,
}

impl Environment {
    /// `given` are the secrets whose value stands in the settings file.
    fn read(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        known: &BTreeSet<String>,
        mut given: BTreeSet<String>,
        faults: &mut ConfigErrors,
    ) -> Self {
        let mut environment = Self::default();
        let mut files = BTreeMap::new();
        let mut own = BTreeSet::new();
        for (name, value) in variables {
            let Some(name) = name.to_str() else { continue };
            let Some((key, secret_file)) = key_of(name) else { continue };
            let origin = format!("environment variable {name}");
            if !is_known(known, &key) {
                faults.push(ConfigError::unknown(&key, &origin));
                continue;
            }
            let Some(value) = value.to_str() else {
                faults.push(ConfigError::new(&key, &origin, "UTF-8"));
                continue;
            };
            // Compose files set variables to nothing; a secret that is blank is told as such.
            if value.trim().is_empty() && !SECRETS.contains(&key.as_str()) {
                continue;
            }
            if secret_file {
                files.insert(key, (origin, value.to_owned()));
            } else if name.starts_with(PREFIX) || !own.contains(&key) {
                if name.starts_with(PREFIX) {
                    own.insert(key.clone());
                }
                let value = Value::new(Some(&origin), ValueKind::String(value.to_owned()));
                environment.values.insert(key, value);
            }
        }
        given.extend(environment.values.keys().cloned());
        for (key, (origin, path)) in files {
            if given.contains(&key) {
                let expected = "either the value or the file, not both";
                faults.push(ConfigError::new(&key, &origin, expected));
            } else {
                environment.read_secret(key, &origin, &path, faults);
            }
        }
        environment
    }

    fn read_secret(&mut self, key: String, origin: &str, path: &str, faults: &mut ConfigErrors) {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let text = text.strip_suffix('\n').unwrap_or(&text);
                let text = text.strip_suffix('\r').unwrap_or(text).to_owned();
                let value = Value::new(Some(&origin.to_owned()), ValueKind::String(text));
                self.values.insert(key, value);
            }
            Err(error) => {
                let expected = format!("a readable UTF-8 file ({})", error.kind());
                faults.push(ConfigError::new(&key, origin, expected));
            }
        }
    }
}

impl Source for Environment {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, LibraryError> {
        Ok(self.values.clone().into_iter().collect())
    }
}

/// The key that a variable sets, and whether it names a file that holds the secret.
fn key_of(name: &str) -> Option<(String, bool)> {
    let plain = |name: &str| {
        let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
        alias
            .map(|(_, key)| (*key).to_owned())
            .or_else(|| Some(name.strip_prefix(PREFIX)?.to_lowercase().replace("__", ".")))
    };
    let secret = name.strip_suffix("_FILE").and_then(plain);
    match secret.filter(|key| SECRETS.contains(&key.as_str())) {
        Some(key) => Some((key, true)),
        None => plain(name).map(|key| (key, false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (Layers, Vec<String>) {
        let mut faults = ConfigErrors::default();
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let layers = Layers::read(None, variables.collect::<Vec<_>>(), &mut faults).unwrap();
        (layers, faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_environment_wins_over_the_defaults_and_own_names_over_aliases() {
        for order in [[0, 1], [1, 0]] {
            let both = [("PORT", "1"), ("SIGNUP__HTTP__PORT", "2")];
            let (layers, faults) = read(&order.map(|at| both[at]));
            assert!(faults.is_empty(), "{faults:?}");
            assert_eq!(layers.value("http.port").unwrap().into_int().unwrap(), 2);
        }
    }

    #[test]
    fn variables_of_others_are_left_alone() {
        // Kubernetes injects these for a Service named "signup".
        let (_, faults) =
            read(&[("SIGNUP_PORT", "tcp://10.0.0.1:80"), ("SIGNUP_SERVICE_HOST", "x")]);
        assert!(faults.is_empty(), "{faults:?}");
    }

    #[test]
    fn a_key_that_does_not_exist_is_named_with_its_variable() {
        let (_, faults) = read(&[("SIGNUP__HTTP__PROT", "1")]);
        assert_eq!(faults.len(), 1);
        assert!(faults[0].contains("http.prot") && faults[0].contains("SIGNUP__HTTP__PROT"));
    }

    #[test]
    fn secrets_arrive_as_they_are() {
        for secret in ["0123456789", "true", "[a,b]", "1e5", " x "] {
            let (layers, _) = read(&[("AUTH0_CLIENT_SECRET", secret)]);
            let value = layers.value("auth0.client_secret").unwrap();
            assert_eq!(value.into_string().unwrap(), secret);
        }
    }

    #[test]
    fn every_secret_is_a_key() {
        let (layers, _) = read(&[]);
        for secret in SECRETS {
            assert!(layers.keys().any(|key| key == secret), "{secret}");
        }
    }
}
