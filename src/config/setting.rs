//! A value of the settings as it was written, with its origin. Values are never coerced: text in a
//! variable is read as the type that its key expects, and a value of a file has its own type.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeValue;

use super::variables::variables_of;

/// A value with its origin.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The value.
    pub(super) value: SettingValue,
    /// The place that it comes from.
    pub(super) origin: Origin,
}

/// A value as it was written.
#[derive(Debug, Clone)]
pub(super) enum SettingValue {
    /// A string, or the text of a variable.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Boolean(bool),
    /// A list.
    List(Vec<Setting>),
    /// A table.
    Table(BTreeMap<String, Setting>),
    /// Another type, which no key has.
    Other(&'static str),
}

/// The place that a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// No layer sets the key.
    Unset,
    /// `config/default.toml`.
    Default,
    /// A position in a file.
    File {
        /// The path.
        file: Arc<str>,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
    },
    /// A file as a whole.
    WholeFile(Arc<str>),
    /// An environment variable.
    Variable(String),
}

/// The expected value in place of one in quotes.
pub(super) const UNQUOTED: &str = "the value without the quotes around it, which env files keep";

/// Returns whether text has the same quote at both ends.
pub(super) fn is_quoted(text: &str) -> bool {
    let inner = |quote| text.strip_prefix(quote).is_some_and(|text| text.ends_with(quote));
    inner('"') || inner('\'')
}

impl Setting {
    /// The text of a variable.
    pub(super) const fn variable(name: String, text: String) -> Self {
        Self { value: SettingValue::Text(text), origin: Origin::Variable(name) }
    }

    /// A table without members.
    pub(super) const fn empty_table(origin: Origin) -> Self {
        Self { value: SettingValue::Table(BTreeMap::new()), origin }
    }

    /// The place in its file: the line and the column. Variables come first, by their names.
    pub(super) const fn position(&self) -> (usize, usize) {
        match self.origin {
            Origin::File { line, column, .. } => (line, column),
            Origin::Unset | Origin::Default | Origin::WholeFile(_) | Origin::Variable(_) => (0, 0),
        }
    }

    /// Converts a value of a TOML file. `at` returns the origin of a byte offset.
    pub(super) fn from_toml(value: &Spanned<DeValue<'_>>, at: &impl Fn(usize) -> Origin) -> Self {
        let origin = at(value.span().start);
        let value = match value.get_ref() {
            DeValue::String(text) => SettingValue::Text(text.clone().into_owned()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(SettingValue::Other("a number beyond 64 bits"), SettingValue::Integer),
            DeValue::Boolean(flag) => SettingValue::Boolean(*flag),
            DeValue::Array(items) => {
                SettingValue::List(items.iter().map(|item| Self::from_toml(item, at)).collect())
            }
            DeValue::Table(members) => {
                let members = members.iter().map(|(name, value)| {
                    (name.get_ref().clone().into_owned(), Self::from_toml(value, at))
                });
                SettingValue::Table(members.collect())
            }
            DeValue::Float(_) => SettingValue::Other("a float"),
            DeValue::Datetime(_) => SettingValue::Other("a date"),
        };
        Self { value, origin }
    }

    /// Adds the type of this value to the expected one. A variable has no type of its own.
    pub(super) fn instead_of(&self, expected: impl fmt::Display) -> String {
        let name = match &self.value {
            SettingValue::Text(_) if self.is_untyped() => return expected.to_string(),
            SettingValue::Text(_) => "a string",
            SettingValue::Integer(_) => "a whole number",
            SettingValue::Boolean(_) => "a boolean",
            SettingValue::List(_) => "a list",
            SettingValue::Table(_) => "a table",
            SettingValue::Other(name) => name,
        };
        format!("{expected}, not {name}")
    }

    /// Returns whether this is blank text, which means "not set".
    pub(super) fn is_blank(&self) -> bool {
        matches!(&self.value, SettingValue::Text(text) if text.trim().is_empty())
    }

    /// Returns whether this is text that is not empty, and blank.
    pub(super) fn is_white_space(&self) -> bool {
        self.is_blank() && !matches!(&self.value, SettingValue::Text(text) if text.is_empty())
    }

    /// Returns whether nobody has set this: its default is blank text or an empty list.
    pub(super) fn is_unset(&self) -> bool {
        let is_empty = matches!(&self.value, SettingValue::List(entries) if entries.is_empty());
        self.origin == Origin::Default && (self.is_blank() || is_empty)
    }

    /// The string, without the white space around it.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            SettingValue::Text(text) => Some(text.trim()),
            _ => None,
        }
    }

    /// The whole number. The text of a variable is decimal digits, after a minus where negative.
    pub(super) fn integer(&self) -> Option<i64> {
        match &self.value {
            SettingValue::Integer(number) => Some(*number),
            SettingValue::Text(text) if self.is_untyped() && !text.contains('+') => {
                text.trim().parse().ok()
            }
            _ => None,
        }
    }

    /// The flag: `true` or `false`.
    pub(super) fn flag(&self) -> Option<bool> {
        match &self.value {
            SettingValue::Boolean(flag) => Some(*flag),
            SettingValue::Text(text) if self.is_untyped() => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The entries of a list, or of comma-separated text.
    pub(super) fn entries(&self) -> Option<Vec<Self>> {
        match &self.value {
            SettingValue::List(entries) => Some(entries.clone()),
            SettingValue::Text(text) => {
                let entry = |text: &str| Self {
                    value: SettingValue::Text(text.to_owned()),
                    origin: self.origin.clone(),
                };
                Some(text.split(',').map(entry).collect())
            }
            _ => None,
        }
    }

    /// The members of a table.
    pub(super) const fn table(&self) -> Option<&BTreeMap<String, Self>> {
        match &self.value {
            SettingValue::Table(members) => Some(members),
            _ => None,
        }
    }

    /// Returns whether this is text of a variable in quotes, such as an entry of a list.
    pub(super) fn is_quoted(&self) -> bool {
        self.is_untyped() && self.text().is_some_and(is_quoted)
    }

    const fn is_untyped(&self) -> bool {
        matches!(self.origin, Origin::Variable(_))
    }
}

impl Origin {
    /// Writes the origin of the value of `key`.
    pub(super) fn describe(&self, key: &str) -> String {
        match self {
            Self::Unset => format!("not set; {}", variables_of(key).join(" or ")),
            Self::Default => "config/default.toml".to_owned(),
            Self::File { file, line, column } => format!("{file}, line {line}, column {column}"),
            Self::WholeFile(file) => file.as_ref().to_owned(),
            Self::Variable(name) => format!("environment variable {name}"),
        }
    }
}

impl fmt::Display for SettingValue {
    /// Writes the value in the syntax of TOML.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Integer(number) => number.fmt(f),
            Self::Boolean(flag) => flag.fmt(f),
            Self::List(entries) => {
                let entries = entries.iter().map(|entry| entry.value.to_string());
                write!(f, "[{}]", entries.collect::<Vec<_>>().join(", "))
            }
            Self::Table(members) => {
                let members =
                    members.iter().map(|(name, member)| format!("{name:?} = {}", member.value));
                write!(f, "{{ {} }}", members.collect::<Vec<_>>().join(", "))
            }
            Self::Other(name) => f.write_str(name),
        }
    }
}
