//! Errors in the settings: the key, the origin of its value and what is expected. Never the value,
//! which may be a secret under a wrong name.

use std::fmt;

use serde_json::{Value, json};

use super::setting::{Origin, Setting};

/// One error in the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The dotted key, or the name of a variable that sets none.
    pub key: String,
    /// The origin of the value.
    pub origin: Origin,
    /// The entry of a list, from 1.
    pub entry: Option<usize>,
    /// The reason, and what is expected.
    pub reason: String,
}

impl ConfigError {
    /// The error for a value that is not as expected.
    pub(super) fn new(key: &str, origin: Origin, expected: impl fmt::Display) -> Self {
        let reason = format!("expected {expected}");
        Self { key: key.to_owned(), origin, entry: None, reason }
    }

    /// The error for a value of the wrong type.
    pub(super) fn mistyped(key: &str, value: &Setting, expected: &str) -> Self {
        Self::new(key, value.origin.clone(), value.instead_of(expected))
    }

    /// The error for an unknown name, with the nearest known one.
    pub(super) fn unknown(key: &str, origin: Origin, nearest: Option<&str>) -> Self {
        let reason = nearest.map_or_else(
            || "unknown: config/default.toml lists every key".to_owned(),
            |nearest| format!("unknown; the nearest is {nearest}"),
        );
        Self { key: key.to_owned(), origin, entry: None, reason }
    }

    /// The section of the key.
    pub(super) fn section(&self) -> &str {
        self.key.split('.').next().unwrap_or_default()
    }

    fn to_json(&self) -> Value {
        let (mut variable, mut file, mut position) = (None, None, (None, None));
        match &self.origin {
            Origin::Unset | Origin::Default => {}
            Origin::Variable(name) => variable = Some(name),
            Origin::WholeFile(path) => file = Some(path),
            Origin::File { file: path, line, column } => {
                (file, position) = (Some(path), (Some(line), Some(column)));
            }
        }
        json!({
            "key": self.key,
            "variable": variable,
            "file": file.map(AsRef::<str>::as_ref),
            "line": position.0,
            "column": position.1,
            "entry": self.entry,
            "reason": self.reason,
        })
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.key, self.origin.describe(&self.key))?;
        if let Some(entry) = self.entry {
            write!(f, ", entry {entry}")?;
        }
        write!(f, "): {}", self.reason)
    }
}

/// All errors in the settings, reported together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// Adds an error, once: two sections may read one key.
    pub fn push(&mut self, error: ConfigError) {
        if !self.0.contains(&error) {
            self.0.push(error);
        }
    }

    /// Keeps only the errors that `keep` accepts.
    pub(super) fn retain(&mut self, keep: impl FnMut(&ConfigError) -> bool) {
        self.0.retain(keep);
    }

    /// Returns whether there are no errors.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Iterates over the errors.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }

    /// The result of `config check --json`.
    pub fn to_json(&self) -> Value {
        let status = if self.is_empty() { "ok" } else { "error" };
        let errors: Vec<_> = self.iter().map(ConfigError::to_json).collect();
        json!({ "status": status, "errors": errors })
    }
}

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let errors = if count == 1 { "error" } else { "errors" };
        write!(f, "{count} {errors} in the settings:")?;
        self.0.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}
