//! `[user_metadata]`: the accepted keys.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::identifiers::{METADATA_KEY, parse_metadata_key};
use super::reader::{Reader, whole_number};
use super::setting::Setting;
use crate::domain::metadata::{MAX_TEXT_LENGTH, MetadataKind, MetadataRule, MetadataRules};

/// The key of the table with types and bounds.
pub(super) const KEYS: &str = "user_metadata.keys";

/// The types of values.
const TYPES: [&str; 3] = ["string", "integer", "boolean"];

/// The members of a key's table.
const MEMBERS: [&str; 5] = ["type", "values", "min", "max", "required"];

/// Reads the rules of the keys, and their order: that of the list, then that of the tables.
pub(super) fn read(reader: &mut Reader<'_>) -> (MetadataRules, Vec<String>) {
    let allowed = reader.entries("user_metadata.allow", METADATA_KEY, parse_metadata_key);
    let mut order = allowed.clone();
    let mut rules: MetadataRules =
        allowed.into_iter().map(|key| (key, MetadataRule::text())).collect();
    let mut tables = reader.table(KEYS);
    tables.sort_by_key(|(_, table)| table.position());
    for (key, value) in tables {
        let at = format!("{KEYS}.{key}");
        if parse_metadata_key(&key).is_none() {
            reader.reject_at(&at, &value, METADATA_KEY);
            continue;
        }
        match value.table() {
            Some(table) => {
                let rule = KeyTable { at, table, reader }.read();
                if rules.insert(key.clone(), rule).is_none() {
                    order.push(key);
                }
            }
            None => reader.reject_at(&at, &value, value.instead_of("a table")),
        }
    }
    let mut listed = BTreeSet::new();
    order.retain(|key| listed.insert(key.clone()));
    (rules, order)
}

/// The JSON Schema of one key's table.
pub(super) fn schema() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "type": { "enum": TYPES },
            "values": { "type": "array", "items": { "type": "string" }, "minItems": 1, "uniqueItems": true },
            "min": { "type": "integer" },
            "max": { "type": "integer" },
            "required": { "type": "boolean" },
        },
    })
}

/// The table of one key.
struct KeyTable<'k, 'l> {
    at: String,
    table: &'k BTreeMap<String, Setting>,
    reader: &'k mut Reader<'l>,
}

impl KeyTable<'_, '_> {
    fn read(mut self) -> MetadataRule {
        let unknown: Vec<_> =
            self.table.keys().filter(|name| !MEMBERS.contains(&name.as_str())).cloned().collect();
        for name in unknown {
            self.reject(&name, MEMBERS.join(" | "));
        }
        let required = self.member("required", "true or false", Setting::flag);
        MetadataRule { kind: self.kind(), required: required.unwrap_or(false) }
    }

    fn kind(&mut self) -> MetadataKind {
        let expected = "a list of one or more strings, each once and without quotes";
        let values = self.member("values", expected, distinct_texts);
        let name = self.member("type", "string | integer | boolean", |value| {
            let name = value.text()?;
            TYPES.into_iter().find(|known| *known == name)
        });
        match (name.unwrap_or("string"), values) {
            ("boolean", _) => {
                self.reject_all(&["values", "min", "max"], "no bounds, because a boolean has none");
                MetadataKind::Boolean
            }
            ("integer", _) => {
                self.reject_all(&["values"], "min and max instead");
                let widest = i64::MIN..=i64::MAX;
                MetadataKind::Integer(self.range("a whole number", widest, Setting::integer))
            }
            (_, Some(values)) => {
                self.reject_all(
                    &["min", "max"],
                    "no bounds, because values lists what is accepted",
                );
                MetadataKind::OneOf(values)
            }
            (_, None) => {
                let widest = 1..=MAX_TEXT_LENGTH;
                let length = |value: &Setting| {
                    let length = usize::try_from(value.integer()?).ok()?;
                    widest.contains(&length).then_some(length)
                };
                let expected = whole_number(&widest);
                MetadataKind::Text { length: self.range(&expected, widest.clone(), length) }
            }
        }
    }

    /// Reads `min` and `max`, which default to the bounds of `widest`.
    fn range<T: Copy + PartialOrd>(
        &mut self,
        expected: &str,
        widest: RangeInclusive<T>,
        read: impl Fn(&Setting) -> Option<T>,
    ) -> RangeInclusive<T> {
        let min = self.member("min", expected, &read).unwrap_or(*widest.start());
        let max = self.member("max", expected, &read).unwrap_or(*widest.end());
        if min > max {
            self.reject("max", "no less than min");
        }
        min..=max
    }

    /// Adds an error for each given member that has no meaning for this type.
    fn reject_all(&mut self, names: &[&str], expected: &str) {
        for name in names {
            self.reject(name, expected);
        }
    }

    fn member<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&Setting) -> Option<T>,
    ) -> Option<T> {
        let read = read(self.table.get(name)?);
        if read.is_none() {
            self.reject(name, expected);
        }
        read
    }

    fn reject(&mut self, name: &str, expected: impl std::fmt::Display) {
        if let Some(value) = self.table.get(name) {
            self.reader.reject_at(&format!("{}.{name}", self.at), value, expected);
        }
    }
}

/// The strings of a list; `None` if there are none, or one is quoted, of another type, or there twice.
fn distinct_texts(list: &Setting) -> Option<Vec<String>> {
    let entries = list.entries()?;
    let texts = entries.iter().filter(|entry| !entry.is_blank()).map(|entry| {
        let text = entry.text().filter(|_| !entry.is_quoted());
        text.map(str::to_owned)
    });
    let texts: Vec<_> = texts.collect::<Option<_>>()?;
    let distinct: BTreeSet<_> = texts.iter().collect();
    (!texts.is_empty() && distinct.len() == texts.len()).then_some(texts)
}
