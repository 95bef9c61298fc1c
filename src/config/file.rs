//! Text of files: the settings file with the position of each value, and the files of secrets.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use toml::de::DeTable;

use super::error::{ConfigError, ConfigErrors};
use super::setting::Origin;

/// The mark at the start of a file that some editors write.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The text of a settings file.
#[derive(Debug)]
pub(super) struct SettingsFile {
    /// The key of errors about the file itself: what names it.
    key: &'static str,
    name: Arc<str>,
    text: String,
}

impl SettingsFile {
    /// Reads a file that the option or the variable `key` names.
    ///
    /// # Errors
    /// When it cannot be read, or is not UTF-8.
    pub(super) fn read(path: &Path, key: &'static str) -> Result<Self, ConfigError> {
        let name: Arc<str> = path.display().to_string().into();
        let bytes = std::fs::read(path).map_err(|error| {
            let origin = Origin::WholeFile(Arc::clone(&name));
            ConfigError::new(key, origin, format_args!("a readable file: {error}"))
        })?;
        String::from_utf8(bytes)
            .map(|text| {
                let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text).to_owned();
                Self { key, name: Arc::clone(&name), text }
            })
            .map_err(|error| {
                let end = error.utf8_error().valid_up_to();
                let valid = error.as_bytes().get(..end).unwrap_or_default();
                let text = String::from_utf8_lossy(valid).into_owned();
                ConfigError::new(key, Self { key, name, text }.position(end), "UTF-8")
            })
    }

    /// Parses the file. Adds each error of its syntax to `errors`, and returns the rest of the file
    /// with the lines that have such an error, or that follow a header with one: their table is not known.
    pub(super) fn parse(&self, errors: &mut ConfigErrors) -> (DeTable<'_>, BTreeSet<usize>) {
        let (table, found) = DeTable::parse_recoverable(&self.text);
        let mut lines = BTreeSet::new();
        for error in found {
            let offset = error.span().map_or(0, |span| span.start);
            if lines.insert(self.line_and_column(offset).0) {
                // The message has no text of the file, unlike what `Display` writes.
                let expected = format!("TOML: {}", error.message());
                errors.push(ConfigError::new(self.key, self.position(offset), expected));
            }
        }
        let mut is_below_broken = false;
        for (number, line) in (1..).zip(self.text.lines()) {
            if line.trim_start().starts_with('[') {
                is_below_broken = lines.contains(&number);
            } else if is_below_broken {
                lines.insert(number);
            }
        }
        (table.into_inner(), lines)
    }

    /// The error of a file that sets no key. An editor or a copy empties a file before it writes it, and a
    /// pipe is empty once it was read: taken for settings, it would change all of them to their defaults.
    pub(super) fn without_keys(&self) -> ConfigError {
        let origin = Origin::WholeFile(Arc::clone(&self.name));
        ConfigError::new(self.key, origin, "at least one key; the file sets none")
    }

    /// The position of a byte offset.
    pub(super) fn position(&self, offset: usize) -> Origin {
        let (line, column) = self.line_and_column(offset);
        Origin::File { file: Arc::clone(&self.name), line, column }
    }

    fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        (line, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1)
    }
}

/// Removes what editors and `echo` add to a secret: a byte order mark, and line ends.
pub(super) fn trim_secret(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text).trim_end_matches(['\r', '\n'])
}
