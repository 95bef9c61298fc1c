//! `[page.labels]` and `[page.options]`: labels for keys of `user_metadata` and for their values.

use std::collections::BTreeMap;

use super::reader::Reader;
use super::setting::Setting;
use crate::domain::Rules;
use crate::domain::metadata::MetadataKind;
use crate::texts::Locale;

/// A label in one or more languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The text for languages that are not listed.
    common: String,
    by_language: Vec<(Locale, String)>,
}

/// The labels for keys of `user_metadata` and for their values.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    keys: BTreeMap<String, Label>,
    options: BTreeMap<(String, String), Label>,
}

impl Label {
    /// The same text for every language.
    pub const fn common(text: String) -> Self {
        Self { common: text, by_language: Vec::new() }
    }

    /// The text for a language.
    pub fn in_language(&self, locale: Locale) -> &str {
        let translated = self.by_language.iter().find(|(known, _)| *known == locale);
        translated.map_or(&self.common, |(_, text)| text)
    }
}

impl Labels {
    /// The label of a key, if one is configured.
    pub fn key(&self, key: &str) -> Option<&Label> {
        self.keys.get(key)
    }

    /// The label of a value of a key, if one is configured.
    pub fn option(&self, key: &str, value: &str) -> Option<&Label> {
        self.options.get(&(key.to_owned(), value.to_owned()))
    }
}

/// Reads the labels and checks their keys against `rules`, unless the rules themselves are invalid.
pub(super) fn read(reader: &mut Reader<'_>, rules: Option<&Rules>) -> Labels {
    const LABELS: &str = "page.labels";
    const OPTIONS: &str = "page.options";
    let mut labels = Labels::default();
    let rule = |key: &str| rules.map(|rules| rules.metadata.get(key));
    for (key, value) in reader.table(LABELS) {
        let at = format!("{LABELS}.{key}");
        if rule(&key) == Some(None) {
            reader.reject_at(&at, &value, "a key that [user_metadata] accepts");
        }
        if let Some(label) = label(reader, &at, &value) {
            labels.keys.insert(key, label);
        }
    }
    for (key, table) in reader.table(OPTIONS) {
        let at = format!("{OPTIONS}.{key}");
        let Some(members) = table.table() else {
            reader.reject_at(&at, &table, table.instead_of("a table"));
            continue;
        };
        for (value, text) in members {
            let at = format!("{at}.{value}");
            let is_known = rule(&key).is_none_or(|rule| {
                rule.is_some_and(|rule| {
                    matches!(&rule.kind, MetadataKind::OneOf(values) if values.contains(value))
                })
            });
            if !is_known {
                reader.reject_at(&at, text, "one of the values of that key of [user_metadata]");
            }
            if let Some(label) = label(reader, &at, text) {
                labels.options.insert((key.clone(), value.clone()), label);
            }
        }
    }
    labels
}

/// Reads a label: one text for all languages, or a table with one per language. A language that is
/// not in the table gets the first text that is, in the order of the languages.
pub(super) fn label(reader: &mut Reader<'_>, at: &str, value: &Setting) -> Option<Label> {
    let text = |value: &Setting| value.text().filter(|text| !text.is_empty()).map(str::to_owned);
    let Some(table) = value.table() else {
        let common = text(value).map(Label::common);
        if common.is_none() {
            reader.reject_at(at, value, "a text, or a table of texts by language");
        }
        return common;
    };
    let mut by_language = Vec::new();
    for (tag, value) in table {
        if let Some(translated) = Locale::from_tag(tag).zip(text(value)) {
            by_language.push(translated);
        } else {
            let tags = Locale::ALL.map(Locale::tag).join(" | ");
            reader.reject_at(&format!("{at}.{tag}"), value, format!("a text, under {tags}"));
        }
    }
    let order = |locale: &Locale| Locale::ALL.iter().position(|known| known == locale);
    by_language.sort_by_key(|(locale, _)| order(locale));
    if table.is_empty() {
        reader.reject_at(at, value, "a text, or a table of texts by language");
    }
    let common = by_language.first().map(|(_, text)| text.clone())?;
    Some(Label { common, by_language })
}

#[cfg(test)]
mod tests {
    use super::super::error::ConfigErrors;
    use super::super::fields;
    use super::super::layers::Layers;
    use super::super::tests::load_with;
    use super::*;

    #[test]
    fn labels_need_an_existing_key_and_value() {
        let file = std::env::temp_dir().join(format!("labels-{}.toml", std::process::id()));
        let text = "[user_metadata.keys.plan]\nvalues = [\"free\"]\n\
                    [page.labels]\nplan = { en = \"Plan\", tlh = \"x\", de = \"\" }\nrole = \"Role\"\n\
                    [page.options]\nrole = \"x\"\n\
                    [page.options.plan]\nfree = \"Free\"\ngold = \"Gold\"\n";
        std::fs::write(&file, text).unwrap();
        let mut errors = ConfigErrors::default();
        let layers = Layers::read(Some(&file), [], &mut errors);
        std::fs::remove_file(&file).unwrap();
        let mut reader = Reader::new(&layers, errors);
        let rules = fields::read(&mut reader);
        let labels = read(&mut reader, rules.as_ref());
        assert_eq!(labels.key("plan").unwrap().in_language(Locale::Fr), "Plan");
        assert_eq!(labels.option("plan", "free").unwrap().in_language(Locale::De), "Free");
        let mut errors: Vec<_> = reader.into_errors().iter().map(ToString::to_string).collect();
        errors.sort();
        let keys = [
            "page.labels.plan.de",
            "page.labels.plan.tlh",
            "page.labels.role",
            "page.options.plan.gold",
            "page.options.role",
        ];
        let keys = keys.map(|key| errors.iter().any(|error| error.starts_with(key)));
        assert!(errors.len() == keys.len() && keys.iter().all(|found| *found), "{errors:?}");
    }

    #[test]
    fn a_label_may_come_from_the_environment() {
        let settings = load_with(&[
            ("SIGNUP__USER_METADATA__ALLOW", "plan"),
            ("SIGNUP__PAGE__LABELS__PLAN", "Tariff"),
        ])
        .unwrap();
        let label = settings.page.labels.key("plan").unwrap();
        assert_eq!(label.in_language(Locale::De), "Tariff");
    }
}
