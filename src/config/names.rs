//! The names of all keys, and the nearest one to a name that is unknown.

use std::collections::BTreeSet;

use super::open_tables::{OPEN_TABLES, open_table};
use super::variables::{CONFIG_FILE, is_judged, spellings};

/// The names of all keys.
#[derive(Debug, Clone)]
pub(super) struct KeyNames {
    keys: BTreeSet<String>,
    /// The variables that set them. A similar one is a mistake.
    variables: Vec<String>,
}

/// The kind of a dotted name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameKind {
    /// A key.
    Key,
    /// A table whose members the operator names, or a member of one.
    Open,
    /// A table of keys.
    Section,
    /// No name of `config/default.toml`.
    Unknown,
}

impl KeyNames {
    /// The names of these keys.
    pub(super) fn new(keys: BTreeSet<String>) -> Self {
        let variables = keys.iter().flat_map(|key| spellings(key)).filter(|name| is_judged(name));
        let variables = variables.chain([CONFIG_FILE.to_owned()]).collect();
        Self { keys, variables }
    }

    /// Every key, in alphabetical order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(String::as_str)
    }

    /// The kind of a dotted name.
    pub(super) fn kind(&self, name: &str) -> NameKind {
        let section = |known: &str| starts_with_table(known, name);
        if self.keys.contains(name) {
            NameKind::Key
        } else if open_table(name).is_some() {
            NameKind::Open
        } else if self.iter().chain(OPEN_TABLES).any(section) {
            NameKind::Section
        } else {
            NameKind::Unknown
        }
    }

    /// The key or section that an unknown name in a file most likely means.
    pub(super) fn nearest(&self, name: &str) -> Option<&str> {
        let sections = self.iter().filter_map(|key| Some(key.rsplit_once('.')?.0));
        nearest(name, self.iter().chain(sections).chain(OPEN_TABLES), 1 + name.len() / 4)
    }

    /// The variable that an unknown one most likely means: one edit away, or another use of
    /// underscores. `None` for the variables of other programs.
    pub(super) fn nearest_variable(&self, variable: &str) -> Option<&str> {
        let names = || self.variables.iter().map(String::as_str);
        // A start compares every variable of the environment with every name, which takes long.
        let length = variable.chars().count();
        let as_long = names().filter(|name| name.len().abs_diff(length) <= 1);
        let same_letters = names().find(|name| letters(name).eq(letters(variable)));
        same_letters.or_else(|| nearest(variable, as_long, 1))
    }

    /// The variable that one with this service's own prefix most likely means.
    pub(super) fn nearest_own(&self, variable: &str) -> Option<&str> {
        let names = self.variables.iter().map(String::as_str);
        self.nearest_variable(variable).or_else(|| nearest(variable, names, 1 + variable.len() / 4))
    }
}

fn starts_with_table(key: &str, table: &str) -> bool {
    key.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'))
}

/// The bytes of a name but for its underscores.
fn letters(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(|byte| *byte != b'_')
}

/// The nearest of these names, within `max` edits.
fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>, max: usize) -> Option<&'n str> {
    let distances = names.map(|known| (strsim::osa_distance(name, known), known));
    distances.filter(|(distance, _)| *distance <= max).min().map(|(_, known)| known)
}
