//! Typed access to the merged layers. Each reading that fails adds a [`Fault`] and goes on with a
//! stand-in, so that one run tells everything that is wrong.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use config::{Value, ValueKind};
use secrecy::SecretString;

use super::fault::{Fault, Faults};
use super::layers::Layers;

/// Reads settings and gathers what is wrong with them.
#[derive(Debug)]
pub struct Reader<'l> {
    layers: &'l Layers,
    faults: Faults,
}

impl<'l> Reader<'l> {
    /// Reads from these layers; `faults` are those found so far.
    pub const fn new(layers: &'l Layers, faults: Faults) -> Self {
        Self { layers, faults }
    }

    /// The settings, or all faults.
    ///
    /// # Errors
    /// The faults, when there is any.
    pub fn finish<T>(self, settings: T) -> Result<T, Faults> {
        if self.faults.is_empty() { Ok(settings) } else { Err(self.faults) }
    }

    /// All faults so far.
    pub fn into_faults(self) -> Faults {
        self.faults
    }

    /// Adds a fault of the value under `key`.
    pub fn fault(&mut self, key: &str, expected: impl std::fmt::Display) {
        let fault = match self.layers.value(key) {
            Some(value) if !is_blank(&value) => Fault::new(key, &origin(&value), expected),
            _ => Fault::missing(key, expected),
        };
        self.faults.push(fault);
    }

    /// Adds a fault of a value inside an open table.
    pub fn fault_at(&mut self, key: &str, value: &Value, expected: impl std::fmt::Display) {
        self.faults.push(Fault::new(key, &origin(value), expected));
    }

    /// A string, `None` when blank.
    pub fn text(&mut self, key: &str) -> Option<String> {
        let value = self.layers.value(key).filter(|value| !is_blank(value))?;
        match value.into_string() {
            Ok(text) => Some(text),
            Err(_) => {
                self.fault(key, "a string");
                None
            }
        }
    }

    /// A string that must be set; empty, and a fault, when it is not.
    pub fn required(&mut self, key: &str, expected: &str) -> String {
        match self.text(key) {
            Some(text) => text,
            None => {
                self.fault(key, expected);
                String::new()
            }
        }
    }

    /// A secret that must be set and not blank.
    pub fn secret(&mut self, key: &str) -> SecretString {
        self.required(key, "a secret that is not blank").into()
    }

    /// A whole number in `range`.
    pub fn integer(&mut self, key: &str, range: RangeInclusive<u64>) -> u64 {
        let number = self.layers.value(key).and_then(|value| value.into_uint().ok());
        match number.filter(|number| range.contains(number)) {
            Some(number) => number,
            None => {
                self.fault(key, whole_number(&range));
                *range.start()
            }
        }
    }

    /// A whole number in `range` that counts things in memory.
    pub fn count(&mut self, key: &str, range: RangeInclusive<u64>) -> usize {
        usize::try_from(self.integer(key, range)).unwrap_or(usize::MAX)
    }

    /// A duration whose key ends in `_ms`.
    pub fn millis(&mut self, key: &str, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.integer(key, range))
    }

    /// A TCP port; 0 asks for any free one.
    pub fn port(&mut self, key: &str) -> u16 {
        u16::try_from(self.integer(key, 0..=65535)).unwrap_or_default()
    }

    /// An address to listen on.
    pub fn host(&mut self, key: &str) -> IpAddr {
        match self.text(key).and_then(|text| text.parse().ok()) {
            Some(address) => address,
            None => {
                self.fault(key, "an IP address, such as 127.0.0.1 or ::");
                IpAddr::from([127, 0, 0, 1])
            }
        }
    }

    /// A truth value.
    pub fn flag(&mut self, key: &str) -> bool {
        match self.layers.value(key).and_then(|value| value.into_bool().ok()) {
            Some(flag) => flag,
            None => {
                self.fault(key, "true or false");
                false
            }
        }
    }

    /// One of the named values.
    pub fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(key).unwrap_or_default();
        let chosen = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        if chosen.is_none() {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            self.fault(key, names.join(" | "));
        }
        chosen
    }

    /// A list: a TOML array of strings, or one comma-separated string.
    pub fn list(&mut self, key: &str) -> Vec<String> {
        let Some(value) = self.layers.value(key) else { return Vec::new() };
        if let Some(list) = strings(value) {
            list
        } else {
            self.fault(key, "a list of strings");
            Vec::new()
        }
    }

    /// The members of an open table, in alphabetical order.
    pub fn table(&mut self, key: &str) -> Vec<(String, Value)> {
        let Some(value) = self.layers.value(key) else { return Vec::new() };
        match value.into_table() {
            Ok(table) => {
                let mut members: Vec<_> = table.into_iter().collect();
                members.sort_by(|(a, _), (b, _)| a.cmp(b));
                members
            }
            Err(_) => {
                self.fault(key, "a table");
                Vec::new()
            }
        }
    }
}

/// "a whole number from … to …"
pub fn whole_number<T: std::fmt::Display>(range: &RangeInclusive<T>) -> String {
    format!("a whole number from {} to {}", range.start(), range.end())
}

/// The strings of an array, or of a comma-separated string; blank ones are left out.
pub fn strings(value: Value) -> Option<Vec<String>> {
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
