//! Typed access to the merged layers. A value that cannot be read adds a [`ConfigError`] and is
//! replaced by a stand-in, so that one run reports every error.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use secrecy::SecretString;

use super::error::{ConfigError, ConfigErrors};
use super::file::trim_secret;
use super::fit;
use super::layers::Layers;
use super::setting::{Origin, Setting, SettingValue, UNQUOTED};

/// The text that a key or an entry of a list may have.
const ONE_LINE: &str = "one line without control characters";

/// Reads settings and collects their errors.
#[derive(Debug)]
pub(super) struct Reader<'l> {
    layers: &'l Layers,
    errors: ConfigErrors,
    expected: BTreeMap<String, Expected>,
    /// The numbers that were read and are within their range.
    numbers: BTreeMap<String, u64>,
}

/// The expected values of a key, beyond the type of its default.
#[derive(Debug, Clone)]
pub(super) enum Expected {
    /// A whole number in this range.
    Integer(RangeInclusive<u64>),
    /// One of these words, or a list of them.
    Choice(Vec<String>),
}

impl<'l> Reader<'l> {
    /// Reads from these layers, starting with the errors found so far.
    pub(super) const fn new(layers: &'l Layers, errors: ConfigErrors) -> Self {
        Self { layers, errors, expected: BTreeMap::new(), numbers: BTreeMap::new() }
    }

    /// The expected values of all keys that were read, by key.
    pub(super) fn into_expected(self) -> BTreeMap<String, Expected> {
        self.expected
    }

    /// Returns the settings if there are no errors. They are `None` if an error leaves them too
    /// incomplete to build.
    ///
    /// # Errors
    /// All errors found.
    pub(super) fn finish<T>(self, settings: Option<T>) -> Result<T, ConfigErrors> {
        let errors = self.into_errors();
        settings.filter(|_| errors.is_empty()).ok_or(errors)
    }

    /// All errors found, also between numbers that have to fit into each other.
    pub(super) fn into_errors(mut self) -> ConfigErrors {
        let misfits: Vec<_> = fit::misfits(&self.numbers).collect();
        for misfit in misfits {
            // The operator looks for the error at a key that the operator set.
            let key = misfit.keys().find(|key| self.is_set(key));
            self.reject(key.unwrap_or("settings"), misfit);
        }
        self.errors
    }

    /// Leaves a number out of the rules on what has to fit: with other settings nothing uses it.
    pub(super) fn ignore_number(&mut self, key: &str) {
        self.numbers.remove(key);
    }

    /// Adds an error for the value of `key`, unless the value could not be read at all.
    pub(super) fn reject(&mut self, key: &str, expected: impl Display) {
        self.push(key, None, expected);
    }

    /// Adds an error for a value inside an open table.
    pub(super) fn reject_at(&mut self, key: &str, value: &Setting, expected: impl Display) {
        self.errors.push(ConfigError::new(key, value.origin.clone(), expected));
    }

    fn push(&mut self, key: &str, entry: Option<(usize, Origin)>, expected: impl Display) {
        if self.layers.is_unreadable(key) {
            return;
        }
        let given = self.layers.value(key).filter(|value| !value.is_unset());
        let (entry, origin) = entry.unzip();
        let origin = origin.or_else(|| Some(given?.origin.clone())).unwrap_or(Origin::Unset);
        if origin == Origin::Unset && self.layers.is_file_broken() {
            return;
        }
        self.errors.push(ConfigError { entry, ..ConfigError::new(key, origin, expected) });
    }

    /// Returns whether the key has a value that is not blank, even one that cannot be read.
    pub(super) fn is_given(&self, key: &str) -> bool {
        self.layers.is_unreadable(key)
            || self.layers.value(key).is_some_and(|value| !value.is_blank())
    }

    /// Returns whether a file or the environment sets the key.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.layers.value(key).is_some_and(|value| value.origin != Origin::Default)
    }

    /// Reads a string; `None` if blank.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let text = self.string(key)?.trim();
        self.one_line(key, text).map(str::to_owned)
    }

    /// The string as it was written; `None` if blank.
    fn string(&mut self, key: &str) -> Option<&'l str> {
        let value = self.layers.value(key).filter(|value| !value.is_blank())?;
        if let SettingValue::Text(text) = &value.value {
            return Some(text);
        }
        self.reject_type(key, Some(value), "a string");
        None
    }

    /// Returns the text unless it has control characters, which are an error.
    fn one_line<'t>(&mut self, key: &str, text: &'t str) -> Option<&'t str> {
        if text.chars().any(char::is_control) {
            self.reject(key, ONE_LINE);
            return None;
        }
        Some(text)
    }

    /// Reads and parses a string; `None` if blank or not as `expected`.
    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        expected: impl Display,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let parsed = parse(&self.text(key)?);
        if parsed.is_none() {
            self.reject(key, expected);
        }
        parsed
    }

    /// Reads a required string. If it is not set, adds an error and returns an empty one.
    pub(super) fn required(&mut self, key: &str, expected: &str) -> String {
        self.required_parsed(key, expected, |text| Some(text.to_owned())).unwrap_or_default()
    }

    /// Reads and parses a required string.
    pub(super) fn required_parsed<T>(
        &mut self,
        key: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        if !self.is_given(key) {
            self.reject(key, expected);
        }
        self.parsed(key, expected, parse)
    }

    /// Reads a required secret.
    pub(super) fn secret(&mut self, key: &str) -> SecretString {
        if !self.is_given(key) {
            self.reject(key, "a secret that is not blank");
        }
        self.optional_secret(key).unwrap_or_default()
    }

    /// Reads a secret; `None` if blank. Spaces around it belong to it, line ends do not.
    pub(super) fn optional_secret(&mut self, key: &str) -> Option<SecretString> {
        let text = trim_secret(self.string(key)?);
        self.one_line(key, text).map(Into::into)
    }

    /// Reads a secret in PEM; `None` if blank. Its line ends may be written as `\n`, since an env
    /// file keeps a value in one line.
    pub(super) fn optional_pem(&mut self, key: &str) -> Option<SecretString> {
        Some(self.string(key)?.trim().replace("\\n", "\n").into())
    }

    /// Reads a whole number in `range`.
    pub(super) fn integer(&mut self, key: &str, range: &RangeInclusive<u64>) -> u64 {
        self.expected.insert(key.to_owned(), Expected::Integer(range.clone()));
        let value = self.layers.value(key);
        let number = value.and_then(Setting::integer).and_then(|number| u64::try_from(number).ok());
        let Some(number) = number.filter(|number| range.contains(number)) else {
            let mistyped = value.filter(|value| value.integer().is_none());
            self.reject_type(key, mistyped, whole_number(range));
            return *range.start();
        };
        if !self.layers.is_unreadable(key) {
            self.numbers.insert(key.to_owned(), number);
        }
        number
    }

    /// Reads a whole number in `range`, which is within 32 bits.
    pub(super) fn number(&mut self, key: &str, range: RangeInclusive<u32>) -> u32 {
        let range = u64::from(*range.start())..=u64::from(*range.end());
        u32::try_from(self.integer(key, &range)).unwrap_or(u32::MAX)
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
        let expected = "an IP address, such as 127.0.0.1 or ::";
        let address = self.required_parsed(key, expected, |text| text.parse().ok());
        address.unwrap_or(IpAddr::from([127, 0, 0, 1]))
    }

    /// Reads `true` or `false`.
    pub(super) fn flag(&mut self, key: &str) -> bool {
        let value = self.layers.value(key);
        let flag = value.and_then(Setting::flag);
        flag.unwrap_or_else(|| {
            self.reject_type(key, value, "true or false");
            false
        })
    }

    /// Reads one of the named values.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let expected = self.expect(key, choices);
        self.required_parsed(key, &expected, |text| chosen(choices, text))
    }

    /// Reads one of the named values; `None` if blank.
    pub(super) fn optional_choice<T: Copy>(
        &mut self,
        key: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let expected = self.expect(key, choices);
        self.parsed(key, expected, |text| chosen(choices, text))
    }

    /// Reads a list of named values.
    pub(super) fn choices<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Vec<T> {
        let expected = self.expect(key, choices);
        self.entries(key, expected, |text| chosen(choices, text))
    }

    /// Records the names of the values that a key expects, and returns them as text.
    fn expect<T>(&mut self, key: &str, choices: &[(&str, T)]) -> String {
        let words: Vec<_> = choices.iter().map(|(name, _)| (*name).to_owned()).collect();
        let expected = words.join(" | ");
        self.expected.insert(key.to_owned(), Expected::Choice(words));
        expected
    }

    /// Reads a list: a TOML array of strings, or one comma-separated string. Blank entries are
    /// skipped.
    pub(super) fn list(&mut self, key: &str) -> Vec<String> {
        self.entries(key, ONE_LINE, |text| Some(text.to_owned()))
    }

    /// Reads a list and parses each of its entries.
    pub(super) fn entries<T>(
        &mut self,
        key: &str,
        expected: impl Display,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let Some(value) = self.layers.value(key) else { return Vec::new() };
        let Some(entries) = value.entries() else {
            self.reject_type(key, Some(value), "a list of strings");
            return Vec::new();
        };
        let mut parsed = Vec::new();
        for (at, entry) in entries.iter().enumerate().filter(|(_, entry)| !entry.is_blank()) {
            let place = Some((at + 1, entry.origin.clone()));
            match entry.text() {
                None => self.push(key, place, entry.instead_of("a string")),
                Some(_) if entry.is_quoted() => self.push(key, place, UNQUOTED),
                Some(text) if text.chars().any(char::is_control) => self.push(key, place, ONE_LINE),
                Some(text) => match parse(text) {
                    Some(entry) => parsed.push(entry),
                    None => self.push(key, place, &expected),
                },
            }
        }
        parsed
    }

    /// Reads the members of an open table, in alphabetical order.
    pub(super) fn table(&mut self, key: &str) -> Vec<(String, Setting)> {
        let Some(value) = self.layers.value(key) else { return Vec::new() };
        let Some(members) = value.table() else {
            self.reject_type(key, Some(value), "a table");
            return Vec::new();
        };
        members.iter().map(|(name, member)| (name.clone(), member.clone())).collect()
    }

    /// Adds an error. Names the type of the value if that is wrong.
    fn reject_type(&mut self, key: &str, mistyped: Option<&Setting>, expected: impl Display) {
        match mistyped {
            Some(value) => self.reject(key, value.instead_of(expected)),
            None => self.reject(key, expected),
        }
    }
}

/// Returns the value with exactly this name.
fn chosen<T: Copy>(choices: &[(&str, T)], text: &str) -> Option<T> {
    choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice)
}

/// Returns "a whole number from … to …".
pub(super) fn whole_number<T: Display>(range: &RangeInclusive<T>) -> String {
    format!("a whole number from {} to {}", range.start(), range.end())
}
