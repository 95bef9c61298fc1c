//! `[page.labels]` and `[page.options]`: what keys of `user_metadata` and their values are called.

use std::collections::BTreeMap;

use config::Value;

use super::reader::Reader;
use crate::domain::Rules;
use crate::domain::metadata::MetadataKind;
use crate::texts::Locale;

/// What something is called, in one language or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// For languages that have no word of their own.
    common: String,
    own: Vec<(Locale, String)>,
}

/// What the keys of `user_metadata` are called, and their values.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    keys: BTreeMap<String, Label>,
    options: BTreeMap<(String, String), Label>,
}

impl Label {
    /// The same word in every language.
    pub const fn common(word: String) -> Self {
        Self { common: word, own: Vec::new() }
    }

    /// The word of a language.
    pub fn in_language(&self, locale: Locale) -> &str {
        let own = self.own.iter().find(|(known, _)| *known == locale);
        own.map_or(&self.common, |(_, word)| word)
    }
}

impl Labels {
    /// What a key is called, where the operator says so.
    pub fn key(&self, key: &str) -> Option<&Label> {
        self.keys.get(key)
    }

    /// What a value of a key is called, where the operator says so.
    pub fn option(&self, key: &str, value: &str) -> Option<&Label> {
        self.options.get(&(key.to_owned(), value.to_owned()))
    }
}

/// `rules`: those of the keys; `None` where they cannot be read.
pub(super) fn read(reader: &mut Reader<'_>, rules: Option<&Rules>) -> Labels {
    const LABELS: &str = "page.labels";
    const OPTIONS: &str = "page.options";
    let mut labels = Labels::default();
    let rule = |key: &str| rules.map(|rules| rules.metadata.get(key));
    for (key, value) in reader.table(LABELS) {
        let at = format!("{LABELS}.{key}");
        if rule(&key) == Some(None) {
            reader.fault_at(&at, &value, "a key that [user_metadata] takes");
        }
        if let Some(label) = label(reader, &at, &value) {
            labels.keys.insert(key, label);
        }
    }
    for (key, table) in reader.table(OPTIONS) {
        let at = format!("{OPTIONS}.{key}");
        let Ok(words) = table.clone().into_table() else {
            reader.fault_at(&at, &table, "a table");
            continue;
        };
        for (value, word) in words {
            let at = format!("{at}.{value}");
            let known = rule(&key).is_none_or(|rule| {
                rule.is_some_and(|rule| {
                    matches!(&rule.kind, MetadataKind::OneOf(values) if values.contains(&value))
                })
            });
            if !known {
                reader.fault_at(&at, &word, "one of the values of that key of [user_metadata]");
            }
            if let Some(label) = label(reader, &at, &word) {
                labels.options.insert((key.clone(), value), label);
            }
        }
    }
    labels
}

/// A word for all languages, or a table of one word a language. Where a language has none it is the
/// first of those there are, in the order of the languages.
fn label(reader: &mut Reader<'_>, at: &str, value: &Value) -> Option<Label> {
    let word = |value: &Value| {
        let word = value.clone().into_string().ok().map(|word| word.trim().to_owned());
        word.filter(|word| !word.is_empty())
    };
    let Ok(table) = value.clone().into_table() else {
        let common = word(value).map(Label::common);
        if common.is_none() {
            reader.fault_at(at, value, "a word, or a table of words by language");
        }
        return common;
    };
    let mut own = Vec::new();
    for (tag, value) in &table {
        if let Some(named) = Locale::from_tag(tag).zip(word(value)) {
            own.push(named);
        } else {
            let tags = Locale::ALL.map(Locale::tag).join(" | ");
            reader.fault_at(&format!("{at}.{tag}"), value, format!("a word, under {tags}"));
        }
    }
    let place = |locale: &Locale| Locale::ALL.iter().position(|known| known == locale);
    own.sort_by_key(|(locale, _)| place(locale));
    if table.is_empty() {
        reader.fault_at(at, value, "a word, or a table of words by language");
    }
    let common = own.first().map(|(_, word)| word.clone())?;
    Some(Label { common, own })
}

#[cfg(test)]
mod tests {
    use super::super::error::ConfigErrors;
    use super::super::layers::Layers;
    use super::super::{fields, load};
    use super::*;

    #[test]
    fn every_label_is_of_something_that_there_is() {
        let file = std::env::temp_dir().join(format!("labels-{}.toml", std::process::id()));
        let text = "[user_metadata.keys.plan]\nvalues = [\"free\"]\n\
                    [page.labels]\nplan = { en = \"Plan\", tlh = \"x\", de = \"\" }\nrole = \"Role\"\n\
                    [page.options]\nrole = \"x\"\n\
                    [page.options.plan]\nfree = \"Free\"\ngold = \"Gold\"\n";
        std::fs::write(&file, text).unwrap();
        let mut faults = ConfigErrors::default();
        let layers = Layers::read(Some(&file), [], &mut faults).unwrap();
        std::fs::remove_file(&file).unwrap();
        let mut reader = Reader::new(&layers, faults);
        let rules = fields::read(&mut reader);
        let labels = read(&mut reader, rules.as_ref());
        assert_eq!(labels.key("plan").unwrap().in_language(Locale::Fr), "Plan");
        assert_eq!(labels.option("plan", "free").unwrap().in_language(Locale::De), "Free");
        let mut faults: Vec<_> = reader.into_faults().iter().map(ToString::to_string).collect();
        faults.sort();
        let keys = [
            "page.labels.plan.de",
            "page.labels.plan.tlh",
            "page.labels.role",
            "page.options.plan.gold",
            "page.options.role",
        ];
        let keys = keys.map(|key| faults.iter().any(|fault| fault.starts_with(key)));
        assert!(faults.len() == keys.len() && keys.iter().all(|told| *told), "{faults:?}");
    }

    #[test]
    fn a_label_may_come_from_the_environment() {
        let variables = [
            ("AUTH0_DOMAIN", "tenant.eu.auth0.com"),
            ("AUTH0_CLIENT_ID", "id"),
            ("AUTH0_CLIENT_SECRET", "secret"),
            ("SIGNUP__USER_METADATA__ALLOW", "plan"),
            ("SIGNUP__PAGE__LABELS__PLAN", "Tariff"),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let settings = load(None, variables).unwrap();
        let label = settings.page.labels.key("plan").unwrap();
        assert_eq!(label.in_language(Locale::De), "Tariff");
    }
}
