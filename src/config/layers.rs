//! The layers of settings: `config/default.toml` (compiled in), a file, the environment. Later
//! layers win, and each value keeps its origin.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, ConfigErrors};
use super::file::{SettingsFile, trim_secret};
use super::names::{KeyNames, NameKind};
use super::open_tables::open_table;
use super::setting::{Origin, Setting, SettingValue, UNQUOTED, is_quoted};
use super::variables::{CONFIG_FILE, PREFIX, SECRETS, is_secret, is_shared, key_of};

/// Every key with its default: the reference that `docs/configuration.md` links to.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// The start of the addresses that Kubernetes puts into variables, such as `SIGNUP_PORT`.
const KUBERNETES: [&str; 3] = ["tcp://", "udp://", "sctp://"];

/// All layers merged.
#[derive(Debug, Clone)]
pub struct Layers {
    /// The value of each key, of each table whose members the operator names, and of each variable
    /// that other programs share with this one.
    values: BTreeMap<String, Setting>,
    names: KeyNames,
    /// The keys whose value could not be read. Their errors are reported already.
    unreadable: BTreeSet<String>,
    /// True if the settings file could not be read as a whole. What is missing may be in it.
    is_file_broken: bool,
}

impl Layers {
    /// Merges the file and the environment into the defaults.
    ///
    /// Adds to `errors` values that cannot be read, unknown names, a file without any key, and secrets
    /// that are given both as a value and as a file.
    pub fn read(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        errors: &mut ConfigErrors,
    ) -> Self {
        let mut layers = Self::defaults();
        let environment: Vec<_> = environment.into_iter().collect();
        if let Some(file) = file {
            let is_named =
                environment.iter().any(|(name, value)| name == CONFIG_FILE && value == file);
            let key = if is_named { CONFIG_FILE } else { "--config" };
            match SettingsFile::read(file, key) {
                Ok(file) => layers.read_file(&file, errors),
                Err(error) => errors.push(error),
            }
            layers.is_file_broken = errors.iter().any(|error| error.key == key);
        }
        layers.read_environment(environment, errors);
        layers.reject_blank_secrets(errors);
        layers
    }

    /// The value of a key in the last layer that sets it.
    pub fn value(&self, key: &str) -> Option<&Setting> {
        self.values.get(key)
    }

    /// The keys whose values differ, in alphabetical order.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let value = |layers: &Self, key: &str| Some(layers.value(key)?.value.to_string());
        let differs = |key: &&String| value(self, key) != value(other, key);
        let keys: BTreeSet<_> = self.values.keys().chain(other.values.keys()).collect();
        keys.into_iter().filter(differs).filter(|key| self.is_key(key)).cloned().collect()
    }

    /// These layers with the values of `other` for some keys.
    pub(super) fn with(&self, other: &Self, is_of_other: impl Fn(&str) -> bool) -> Self {
        let values = self.values.iter().filter(|(key, _)| !is_of_other(key));
        let others = other.values.iter().filter(|(key, _)| is_of_other(key));
        let values = values.chain(others).map(|(key, value)| (key.clone(), value.clone()));
        Self { values: values.collect(), ..self.clone() }
    }

    /// Returns whether this key exists.
    pub(super) fn is_key(&self, key: &str) -> bool {
        matches!(self.names.kind(key), NameKind::Key | NameKind::Open)
    }

    /// Returns whether the value of this key could not be read, which is reported already.
    pub(super) fn is_unreadable(&self, key: &str) -> bool {
        self.unreadable.contains(key)
    }

    /// Returns whether a key that is not set may be so only because the settings file has errors of its
    /// own, which are reported already.
    pub(super) const fn is_file_broken(&self) -> bool {
        self.is_file_broken
    }

    /// Every key of the defaults, in alphabetical order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.names.iter()
    }

    /// Every value with its key, in alphabetical order.
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &Setting)> {
        let values = self.values.iter().map(|(key, setting)| (key.as_str(), setting));
        values.filter(|(key, _)| self.is_key(key))
    }

    fn defaults() -> Self {
        let mut values = BTreeMap::new();
        // A test excludes errors.
        let (table, _) = DeTable::parse_recoverable(DEFAULTS);
        for (name, value) in table.get_ref() {
            flatten(name.get_ref(), Setting::from_toml(value, &|_| Origin::Default), &mut values);
        }
        let names = KeyNames::new(values.keys().cloned().collect());
        Self { values, names, unreadable: BTreeSet::new(), is_file_broken: false }
    }

    fn read_file(&mut self, file: &SettingsFile, errors: &mut ConfigErrors) {
        let (table, broken_lines) = file.parse(errors);
        self.read_table("", &table, &|offset| file.position(offset), &broken_lines, errors);
        let is_of_file = |setting: &Setting| matches!(setting.origin, Origin::File { .. });
        if errors.is_empty() && !self.values.values().any(is_of_file) {
            errors.push(file.without_keys());
        }
    }

    /// Reads the members of a section. `section` is empty or ends in a dot.
    fn read_table(
        &mut self,
        section: &str,
        table: &DeTable<'_>,
        at: &impl Fn(usize) -> Origin,
        broken_lines: &BTreeSet<usize>,
        errors: &mut ConfigErrors,
    ) {
        for (name, value) in table {
            let (key, origin) = (format!("{section}{}", name.get_ref()), at(name.span().start));
            let is_broken =
                matches!(&origin, Origin::File { line, .. } if broken_lines.contains(line));
            match (self.names.kind(&key), value.get_ref()) {
                _ if is_broken => drop(self.unreadable.insert(key)),
                (NameKind::Section, DeValue::Table(members)) => {
                    self.read_table(&format!("{key}."), members, at, broken_lines, errors);
                }
                (NameKind::Section, _) => {
                    let setting = Setting::from_toml(value, at);
                    errors.push(ConfigError::mistyped(&key, &setting, "a table"));
                }
                (NameKind::Key | NameKind::Open, _) => {
                    self.insert(key, Setting::from_toml(value, at));
                }
                (NameKind::Unknown, _) => {
                    let nearest = self.names.nearest(&key);
                    errors.push(ConfigError::unknown(&key, origin, nearest));
                }
            }
        }
    }

    fn read_environment(
        &mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        errors: &mut ConfigErrors,
    ) {
        let named = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        let mut variables: Vec<_> = variables.into_iter().filter_map(named).collect();
        // Own names are read last, so that they win over aliases.
        variables.sort_by_key(|(name, _)| name.starts_with(PREFIX));
        let mut secret_files = BTreeMap::new();
        for (name, value) in variables {
            let text = value.to_str();
            let is_blank = text.is_some_and(|text| text.trim().is_empty());
            let is_empty = text.is_some_and(|text| trim_secret(text).is_empty());
            // Compose files set missing variables to an empty string. White space in place of a secret is
            // an error.
            if name == CONFIG_FILE || is_empty || (is_blank && !is_secret(&name)) {
                continue;
            }
            if is_shared(&name) {
                match text {
                    Some(text) => self.set(name.clone(), name, text, errors),
                    None => self.reject(name.clone(), name, "UTF-8", errors),
                }
                continue;
            }
            let known = key_of(&name).filter(|(key, _)| self.is_key(key));
            let Some((key, is_secret_file)) = known else {
                self.judge_unknown(&name, text.unwrap_or_default(), errors);
                continue;
            };
            match text {
                None => self.reject(key, name, "UTF-8", errors),
                Some(text) if is_secret_file => {
                    secret_files.insert(key, (name, text.to_owned()));
                }
                Some(text) => self.set(key, name, text, errors),
            }
        }
        for (key, (name, path)) in secret_files {
            let given = self.values.get(&key).filter(|setting| !setting.is_blank());
            match std::fs::read_to_string(path.trim()) {
                _ if given.is_some_and(|setting| setting.origin != Origin::Default) => {
                    self.reject(key, name, "either the value or the file, not both", errors);
                }
                Ok(text) if text.trim().is_empty() => {
                    self.reject(key, name, "a file that is not blank", errors);
                }
                Ok(text) => self.set(key, name, &text, errors),
                Err(error) => {
                    let expected = format!("a readable file: {error}");
                    self.reject(key, name, expected, errors);
                }
            }
        }
    }

    /// Adds an error for each secret of white space alone, as a faulty template leaves it. Taken for one that
    /// is not set, it would be replaced by a default without a word.
    fn reject_blank_secrets(&mut self, errors: &mut ConfigErrors) {
        for key in SECRETS {
            let given = self.values.get(key).filter(|setting| setting.is_white_space());
            if let Some(setting) = given {
                let origin = setting.origin.clone();
                errors.push(ConfigError::new(key, origin, "a secret that is not blank"));
                self.unreadable.insert(key.to_owned());
            }
        }
    }

    /// Sets a key to the text of a variable or of the file that it names.
    fn set(&mut self, key: String, variable: String, text: &str, errors: &mut ConfigErrors) {
        let text = trim_secret(text);
        if is_quoted(text.trim()) {
            return self.reject(key, variable, UNQUOTED, errors);
        }
        self.insert(key, Setting::variable(variable, text.to_owned()));
    }

    /// Sets a key, or a member of a table whose members the operator names.
    fn insert(&mut self, key: String, setting: Setting) {
        match open_table(&key) {
            Some((table, member)) if !member.is_empty() => {
                let empty = Setting::empty_table(setting.origin.clone());
                put(self.values.entry(table.to_owned()).or_insert(empty), member, setting);
            }
            _ => drop(self.values.insert(key, setting)),
        }
    }

    fn reject(
        &mut self,
        key: String,
        variable: String,
        expected: impl std::fmt::Display,
        errors: &mut ConfigErrors,
    ) {
        errors.push(ConfigError::new(&key, Origin::Variable(variable), expected));
        self.unreadable.insert(key);
    }

    /// Adds an error for a variable that sets no key, if it has this service's own prefix or is a
    /// misspelt name. Other programs have variables with similar names.
    fn judge_unknown(&self, name: &str, text: &str, errors: &mut ConfigErrors) {
        if KUBERNETES.iter().any(|scheme| text.starts_with(scheme)) {
            return;
        }
        let own = key_of(name).filter(|_| name.starts_with(PREFIX)).map(|(key, _)| key);
        let nearest = match own {
            Some(_) => self.names.nearest_own(name),
            None => self.names.nearest_variable(name),
        };
        if own.is_some() || nearest.is_some() {
            let key = own.unwrap_or_else(|| name.to_owned());
            errors.push(ConfigError::unknown(&key, Origin::Variable(name.to_owned()), nearest));
        }
    }
}

/// Adds every leaf below a value to `values`, under its dotted key.
fn flatten(key: &str, setting: Setting, values: &mut BTreeMap<String, Setting>) {
    match setting.value {
        SettingValue::Table(members) => {
            for (name, member) in members {
                flatten(&format!("{key}.{name}"), member, values);
            }
        }
        _ => drop(values.insert(key.to_owned(), setting)),
    }
}

/// Puts a value into the table at this dotted path.
fn put(table: &mut Setting, path: &str, setting: Setting) {
    if table.table().is_none() {
        *table = Setting::empty_table(setting.origin.clone());
    }
    let SettingValue::Table(members) = &mut table.value else { return };
    match path.split_once('.') {
        Some((name, rest)) => {
            let empty = Setting::empty_table(setting.origin.clone());
            put(members.entry(name.to_owned()).or_insert(empty), rest, setting);
        }
        None => drop(members.insert(path.to_owned(), setting)),
    }
}

#[cfg(test)]
impl Layers {
    /// The defaults with these variables, and the errors of the variables.
    pub(super) fn from_variables(variables: &[(&str, &str)]) -> (Self, ConfigErrors) {
        let mut errors = ConfigErrors::default();
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        (Self::read(None, variables, &mut errors), errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (Layers, Vec<String>) {
        let (layers, errors) = Layers::from_variables(variables);
        (layers, errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_defaults_are_toml() {
        assert!(DeTable::parse(DEFAULTS).is_ok());
    }

    #[test]
    fn the_environment_wins_over_the_defaults_and_own_names_over_aliases() {
        for order in [[0, 1], [1, 0]] {
            let both = [("PORT", "1"), ("SIGNUP__HTTP__PORT", "2")];
            let (layers, errors) = read(&order.map(|at| both[at]));
            assert!(errors.is_empty(), "{errors:?}");
            assert_eq!(layers.value("http.port").unwrap().integer(), Some(2));
        }
    }

    #[test]
    fn a_member_in_mixed_case_keeps_it() {
        let (layers, errors) = read(&[
            ("SIGNUP__USER_METADATA__KEYS__companyName__REQUIRED", "true"),
            ("SIGNUP__USER_METADATA__KEYS__PLAN__REQUIRED", "true"),
            ("SIGNUP__PAGE__LABELS__companyName", "Company"),
        ]);
        assert!(errors.is_empty(), "{errors:?}");
        let members = |table: &str| match &layers.value(table).unwrap().value {
            SettingValue::Table(members) => members.keys().cloned().collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(members("user_metadata.keys"), ["companyName", "plan"]);
        assert_eq!(members("page.labels"), ["companyName"]);
        assert_eq!(read(&[("SIGNUP__HTTP__Port", "1")]).1, Vec::<String>::new());
    }

    #[test]
    fn secrets_are_not_parsed() {
        for secret in ["0123456789", "true", "[a,b]", "1e5", " x "] {
            let (layers, _) = read(&[("AUTH0_CLIENT_SECRET", secret)]);
            let value = &layers.value("auth0.client_secret").unwrap().value;
            assert!(matches!(value, SettingValue::Text(text) if text == secret), "{value:?}");
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
