//! Errors in the settings: the key, the origin of its value and what is expected. Never the value,
//! which may be a secret under a wrong name.

use std::fmt;

use super::variables::variables_of;

/// One error in the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} ({origin}): {expected}")]
pub struct ConfigError {
    /// The dotted key.
    pub key: String,
    /// The origin of the value, or how it can be set.
    pub origin: String,
    /// The expected value, starting with "expected".
    pub expected: String,
}

impl ConfigError {
    /// The error for a value that is not as expected.
    pub fn new(key: &str, origin: &str, expected: impl fmt::Display) -> Self {
        Self {
            key: key.to_owned(),
            origin: origin.to_owned(),
            expected: format!("expected {expected}"),
        }
    }

    /// The error for an unknown key.
    pub fn unknown(key: &str, origin: &str) -> Self {
        Self::new(key, origin, "a key of config/default.toml")
    }

    /// The error for layers that cannot be merged.
    pub(super) fn unmergeable() -> Self {
        Self::new("settings", "all layers", "tables where keys have members")
    }

    /// The error for a required key without a value.
    pub fn missing(key: &str, expected: impl fmt::Display) -> Self {
        let variables = variables_of(key).join(" or ");
        Self::new(key, &format!("not set; {variables}"), expected)
    }
}

/// All errors in the settings, reported together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// Adds an error.
    pub fn push(&mut self, error: ConfigError) {
        self.0.push(error);
    }

    /// Keeps only the errors for which `keep` returns true.
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
