//! The layers of settings: `config/default.toml` (compiled in), a file, the environment. Later
//! layers win, and each value keeps its origin.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use config::{
    Config, ConfigError as LibraryError, File, FileFormat, Map, Source, Value, ValueKind,
};

use super::error::{ConfigError, ConfigErrors};
use super::variables::{PREFIX, SECRETS, key_of};

/// Every key with its default: the reference that `docs/configuration.md` links to.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// The tables whose members the operator names.
const OPEN_TABLES: [&str; 3] = ["page.labels", "page.options", "user_metadata.keys"];

/// All layers merged.
#[derive(Debug)]
pub struct Layers {
    merged: Value,
    known: BTreeSet<String>,
    /// The files that secrets were read from, by key.
    secret_files: BTreeMap<String, PathBuf>,
}

impl Layers {
    /// Merges the file and the environment into the defaults.
    ///
    /// Adds to `errors` values that cannot be read, unknown keys, and secrets that are given both
    /// as a value and as a file.
    ///
    /// # Errors
    /// Only if the compiled-in defaults cannot be merged, which a test excludes.
    pub fn read(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        errors: &mut ConfigErrors,
    ) -> Result<Self, LibraryError> {
        let defaults = File::from_str(DEFAULTS, FileFormat::Toml);
        let mut known = BTreeSet::new();
        for_each_leaf(
            "",
            &Value::new(None, ValueKind::Table(defaults.collect()?)),
            &mut |key, _| {
                known.insert(key.to_owned());
            },
        );
        let mut builder = Config::builder().add_source(defaults);
        let mut given = BTreeSet::new();

        if let Some(path) = file {
            let origin = path.display().to_string();
            let source = File::from(path).format(FileFormat::Toml);
            match source.collect() {
                Ok(table) => {
                    let root = Value::new(Some(&origin), ValueKind::Table(table));
                    for_each_leaf("", &root, &mut |key, value| {
                        if !is_known(&known, key) {
                            errors.push(ConfigError::unknown(key, &origin));
                        }
                        let blank = matches!(&value.kind, ValueKind::String(s) if s.is_empty());
                        if SECRETS.contains(&key) && !blank {
                            given.insert(key.to_owned());
                        }
                    });
                    builder = builder.add_source(source);
                }
                // The parser's own message quotes the line, which may contain a secret.
                Err(_) => {
                    errors.push(ConfigError::new("--config", &origin, "a readable TOML file"));
                }
            }
        }

        let environment = Environment::read(environment, &known, given, errors);
        let secret_files = environment.secret_files.clone();
        let merged = builder.add_source(environment).build()?.cache;
        Ok(Self { merged, known, secret_files })
    }

    /// The value of a key in the last layer that sets it.
    pub fn value(&self, key: &str) -> Option<Value> {
        // Not `Config::get`, which builds a new value without the origin.
        let mut value = &self.merged;
        for name in key.split('.') {
            let ValueKind::Table(table) = &value.kind else { return None };
            value = table.get(name)?;
        }
        Some(value.clone())
    }

    /// The file that a secret was read from.
    pub(super) fn secret_file(&self, key: &str) -> Option<PathBuf> {
        self.secret_files.get(key).cloned()
    }

    /// Returns whether this key exists.
    pub(super) fn is_key(&self, key: &str) -> bool {
        is_known(&self.known, key)
    }

    /// Every key of the defaults, in alphabetical order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.known.iter().map(String::as_str)
    }
}

fn is_known(known: &BTreeSet<String>, key: &str) -> bool {
    let open = |table: &&str| key.strip_prefix(*table).is_some_and(|rest| rest.starts_with('.'));
    known.contains(key) || OPEN_TABLES.iter().any(open)
}

/// Calls `each` with the dotted key and the value of every leaf below `value`.
fn for_each_leaf(key: &str, value: &Value, each: &mut impl FnMut(&str, &Value)) {
    match &value.kind {
        ValueKind::Table(table) => {
            for (name, value) in table {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                for_each_leaf(&key, value, each);
            }
        }
        _ => each(key, value),
    }
}

/// The values of environment variables, by key.
#[derive(Debug, Clone, Default)]
struct Environment {
    values: BTreeMap<String, Value>,
    secret_files: BTreeMap<String, PathBuf>,
}

impl Environment {
    /// Reads the variables. `given` are the secrets whose value is in the settings file.
    fn read(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        known: &BTreeSet<String>,
        mut given: BTreeSet<String>,
        errors: &mut ConfigErrors,
    ) -> Self {
        let mut environment = Self::default();
        let mut files = BTreeMap::new();
        let mut own = BTreeSet::new();
        for (name, value) in variables {
            let Some(name) = name.to_str() else { continue };
            let Some((key, secret_file)) = key_of(name) else { continue };
            let origin = format!("environment variable {name}");
            if !is_known(known, &key) {
                errors.push(ConfigError::unknown(&key, &origin));
                continue;
            }
            let Some(value) = value.to_str() else {
                errors.push(ConfigError::new(&key, &origin, "UTF-8"));
                continue;
            };
            // Compose files set missing variables to an empty string. A blank secret is not skipped:
            // it counts as no secret.
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
                errors.push(ConfigError::new(&key, &origin, expected));
            } else {
                environment.read_secret(key, &origin, &path, errors);
            }
        }
        environment
    }

    fn read_secret(&mut self, key: String, origin: &str, path: &str, errors: &mut ConfigErrors) {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let text = ValueKind::String(without_newline(&text).to_owned());
                let value = Value::new(Some(&origin.to_owned()), text);
                self.secret_files.insert(key.clone(), path.into());
                self.values.insert(key, value);
            }
            Err(error) => {
                let expected = format!("a readable UTF-8 file ({})", error.kind());
                errors.push(ConfigError::new(&key, origin, expected));
            }
        }
    }
}

/// The text of a secret's file without one newline at its end.
pub fn without_newline(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

impl Source for Environment {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, LibraryError> {
        Ok(self.values.clone().into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (Layers, Vec<String>) {
        let mut errors = ConfigErrors::default();
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let layers = Layers::read(None, variables.collect::<Vec<_>>(), &mut errors).unwrap();
        (layers, errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_environment_wins_over_the_defaults_and_own_names_over_aliases() {
        for order in [[0, 1], [1, 0]] {
            let both = [("PORT", "1"), ("SIGNUP__HTTP__PORT", "2")];
            let (layers, errors) = read(&order.map(|at| both[at]));
            assert!(errors.is_empty(), "{errors:?}");
            assert_eq!(layers.value("http.port").unwrap().into_int().unwrap(), 2);
        }
    }

    #[test]
    fn variables_of_other_programs_are_ignored() {
        // Kubernetes injects these for a Service named "signup".
        let (_, errors) =
            read(&[("SIGNUP_PORT", "tcp://10.0.0.1:80"), ("SIGNUP_SERVICE_HOST", "x")]);
        assert!(errors.is_empty(), "{errors:?}");
    }

    #[test]
    fn an_unknown_key_is_reported_with_its_variable() {
        let (_, errors) = read(&[("SIGNUP__HTTP__PROT", "1")]);
        assert_eq!(errors.len(), 1);
        assert!(errors[0].contains("http.prot") && errors[0].contains("SIGNUP__HTTP__PROT"));
    }

    #[test]
    fn secrets_are_not_parsed_or_trimmed() {
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
