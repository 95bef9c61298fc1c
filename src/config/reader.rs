//! Typed access to the merged layers. A value that cannot be read adds a [`ConfigError`] and is
//! replaced by a stand-in, so that one run reports every error.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use config::{Map, Value, ValueKind};
use secrecy::SecretString;

use super::error::{ConfigError, ConfigErrors};
use super::layers::Layers;

/// Reads settings and collects their errors.
#[derive(Debug)]
pub(super) struct Reader<'l> {
    layers: &'l Layers,
    errors: ConfigErrors,
    expected: BTreeMap<String, Expected>,
}

/// The expected values of a key, beyond the type of its default.
#[derive(Debug, Clone)]
pub(super) enum Expected {
    /// A whole number in this range.
    Integer(RangeInclusive<u64>),
    /// One of these words.
    Choice(Vec<String>),
}

impl<'l> Reader<'l> {
    /// Reads from these layers, starting with the errors found so far.
    pub(super) const fn new(layers: &'l Layers, errors: ConfigErrors) -> Self {
        Self { layers, errors, expected: BTreeMap::new() }
    }

    /// The expected values of all keys that were read, by key.
    pub(super) fn into_expected(self) -> BTreeMap<String, Expected> {
        self.expected
    }

    /// Returns the settings if there are no errors.
    ///
    /// # Errors
    /// All errors found.
    pub(super) fn finish<T>(self, settings: T) -> Result<T, ConfigErrors> {
        if self.errors.is_empty() { Ok(settings) } else { Err(self.errors) }
    }

    /// All errors found so far.
    pub(super) fn into_errors(self) -> ConfigErrors {
        self.errors
    }

    /// Adds an error for the value of `key`.
    pub(super) fn reject(&mut self, key: &str, expected: impl Display) {
        let error = match self.layers.value(key) {
            Some(value) if !is_blank(&value) => ConfigError::new(key, &origin(&value), expected),
            _ => ConfigError::missing(key, expected),
        };
        self.errors.push(error);
    }

    /// Adds an error for a value inside an open table.
    pub(super) fn reject_at(&mut self, key: &str, value: &Value, expected: impl Display) {
        self.errors.push(ConfigError::new(key, &origin(value), expected));
    }

    /// The file that a secret was read from.
    pub(super) fn secret_file(&self, key: &str) -> Option<PathBuf> {
        self.layers.secret_file(key)
    }

    /// Reads a string; `None` if blank.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let value = self.layers.value(key).filter(|value| !is_blank(value))?;
        let text = value.into_string().ok();
        if text.is_none() {
            self.reject(key, "a string");
        }
        text
    }

    /// Reads a required string. If it is not set, adds an error and returns an empty one.
    pub(super) fn required(&mut self, key: &str, expected: &str) -> String {
        let text = self.text(key);
        self.or_reject(key, text, expected, String::new())
    }

    /// Reads a required secret that must not be blank.
    pub(super) fn secret(&mut self, key: &str) -> SecretString {
        self.required(key, "a secret that is not blank").into()
    }

    /// Reads a whole number in `range`.
    pub(super) fn integer(&mut self, key: &str, range: &RangeInclusive<u64>) -> u64 {
        self.expected.insert(key.to_owned(), Expected::Integer(range.clone()));
        let number = self.layers.value(key).and_then(|value| value.into_uint().ok());
        let number = number.filter(|number| range.contains(number));
        self.or_reject(key, number, whole_number(range), *range.start())
    }

    /// Reads a whole number in `range` as a count of things in memory.
    pub(super) fn count(&mut self, key: &str, range: RangeInclusive<u64>) -> usize {
        usize::try_from(self.integer(key, &range)).unwrap_or(usize::MAX)
    }

    /// Reads a duration from a key that ends in `_ms`.
    pub(super) fn millis(&mut self, key: &str, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.integer(key, &range))
    }

    /// Reads a TCP port; 0 picks a free port.
    pub(super) fn port(&mut self, key: &str) -> u16 {
        u16::try_from(self.integer(key, &(0..=65535))).unwrap_or_default()
    }

    /// Reads an address to listen on.
    pub(super) fn host(&mut self, key: &str) -> IpAddr {
        let address = self.text(key).and_then(|text| text.parse().ok());
        let expected = "an IP address, such as 127.0.0.1 or ::";
        self.or_reject(key, address, expected, IpAddr::from([127, 0, 0, 1]))
    }

    /// Reads `true` or `false`.
    pub(super) fn flag(&mut self, key: &str) -> bool {
        let flag = self.layers.value(key).and_then(|value| value.into_bool().ok());
        self.or_reject(key, flag, "true or false", false)
    }

    /// Reads one of the named values.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let words = choices.iter().map(|(name, _)| (*name).to_owned()).collect();
        self.expected.insert(key.to_owned(), Expected::Choice(words));
        let text = self.text(key).unwrap_or_default();
        let chosen = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        if chosen.is_none() {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            self.reject(key, names.join(" | "));
        }
        chosen
    }

    /// Reads a list: a TOML array of strings, or one comma-separated string.
    pub(super) fn list(&mut self, key: &str) -> Vec<String> {
        let Some(value) = self.layers.value(key) else { return Vec::new() };
        self.or_reject(key, strings(value), "a list of strings", Vec::new())
    }

    /// Reads the members of an open table, in alphabetical order.
    pub(super) fn table(&mut self, key: &str) -> Vec<(String, Value)> {
        let Some(value) = self.layers.value(key) else { return Vec::new() };
        let table = self.or_reject(key, value.into_table().ok(), "a table", Map::new());
        let mut members: Vec<_> = table.into_iter().collect();
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        members
    }

    /// Returns the value that was read, or adds an error and returns the stand-in.
    fn or_reject<T>(
        &mut self,
        key: &str,
        read: Option<T>,
        expected: impl Display,
        stand_in: T,
    ) -> T {
        read.unwrap_or_else(|| {
            self.reject(key, expected);
            stand_in
        })
    }
}

/// Returns "a whole number from … to …".
pub(super) fn whole_number<T: Display>(range: &RangeInclusive<T>) -> String {
    format!("a whole number from {} to {}", range.start(), range.end())
}

/// Returns the strings of an array or of a comma-separated string, without blank ones.
pub(super) fn strings(value: Value) -> Option<Vec<String>> {
    let list = match value.kind {
        ValueKind::Array(items) => {
            items.into_iter().map(|item| item.into_string().ok()).collect::<Option<Vec<_>>>()?
        }
        ValueKind::String(text) => text.split(',').map(str::to_owned).collect(),
        _ => return None,
    };
    let trimmed = list.iter().map(|item| item.trim().to_owned());
    Some(trimmed.filter(|item| !item.is_empty()).collect())
}

fn is_blank(value: &Value) -> bool {
    matches!(&value.kind, ValueKind::String(text) if text.trim().is_empty())
}

fn origin(value: &Value) -> String {
    value.origin().unwrap_or("config/default.toml").to_owned()
}
