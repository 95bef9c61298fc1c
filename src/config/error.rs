//! What is wrong with the settings: the key, where its value came from, what is expected. Never
//! the value, which may be a secret put under the wrong name.

use std::fmt;

use super::layers;

/// One fault of the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} ({origin}): {expected}")]
pub struct ConfigError {
    /// The dotted key.
    pub key: String,
    /// Where the value came from, or how it can be set.
    pub origin: String,
    /// What is expected, starting with "expected".
    pub expected: String,
}

impl ConfigError {
    /// A value that is not what is expected.
    pub fn new(key: &str, origin: &str, expected: impl fmt::Display) -> Self {
        Self {
            key: key.to_owned(),
            origin: origin.to_owned(),
            expected: format!("expected {expected}"),
        }
    }

    /// A key that does not exist.
    pub fn unknown(key: &str, origin: &str) -> Self {
        Self::new(key, origin, "a key of config/default.toml")
    }

    /// Layers that do not fit over one another.
    pub(super) fn unmergeable() -> Self {
        Self::new("settings", "all layers", "tables where keys have members")
    }

    /// A key that has no value and needs one.
    pub fn missing(key: &str, expected: impl fmt::Display) -> Self {
        let variables = layers::variables(key).join(" or ");
        Self::new(key, &format!("not set; {variables}"), expected)
    }
}

/// All faults of the settings, told together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// Adds one.
    pub fn push(&mut self, fault: ConfigError) {
        self.0.push(fault);
    }

    /// Keeps those that are meant.
    pub(super) fn retain(&mut self, meant: impl FnMut(&ConfigError) -> bool) {
        self.0.retain(meant);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }
}

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let faults = if count == 1 { "fault" } else { "faults" };
        write!(f, "{count} {faults} in the settings:")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}
