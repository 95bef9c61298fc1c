//! The catalogue of texts: parsed once, shared by all threads, formatted with their parameters.

use std::borrow::Cow;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use unic_langid::LanguageIdentifier;

use super::Locale;

/// The texts of a language.
type Bundle = FluentBundle<FluentResource>;

/// The texts of every language, in the order of [`Locale::ALL`].
static BUNDLES: LazyLock<[Bundle; Locale::ALL.len()]> = LazyLock::new(|| Locale::ALL.map(bundle));

/// Parses all texts, so that the first request does not have to.
pub fn load() {
    LazyLock::force(&BUNDLES);
}

/// Parses the texts of a language. A text that does not parse is left out; a test checks that all
/// are present.
fn bundle(locale: Locale) -> Bundle {
    let language = locale.tag().parse::<LanguageIdentifier>().unwrap_or_default();
    let mut bundle = Bundle::new_concurrent(vec![language]);
    // Isolation marks would appear in JSON too, and all parameters are numbers or texts of the same
    // language.
    bundle.set_use_isolating(false);
    for source in locale.sources() {
        let resource = FluentResource::try_new(source.to_owned());
        bundle.add_resource_overriding(resource.unwrap_or_else(|(readable, _)| readable));
    }
    bundle
}

impl Locale {
    fn bundle(self) -> Option<&'static Bundle> {
        let at = Self::ALL.iter().position(|locale| *locale == self)?;
        BUNDLES.get(at)
    }

    /// A text without parameters.
    pub fn text(self, key: &str) -> Cow<'static, str> {
        let pattern = self.bundle().and_then(|bundle| {
            let value = bundle.get_message(key)?.value()?;
            Some(bundle.format_pattern(value, None, &mut Vec::new()))
        });
        pattern.unwrap_or_default()
    }

    /// An attribute of a text, without parameters. `None` if there is none.
    pub fn attribute(self, key: &str, attribute: &str) -> Option<Cow<'static, str>> {
        let bundle = self.bundle()?;
        let value = bundle.get_message(key)?.get_attribute(attribute)?.value();
        Some(bundle.format_pattern(value, None, &mut Vec::new()))
    }

    /// A text, or its attribute, with parameters.
    pub fn formatted(
        self,
        key: &str,
        attribute: Option<&str>,
        parameters: &FluentArgs<'_>,
    ) -> String {
        let formatted = self.bundle().and_then(|bundle| {
            let message = bundle.get_message(key)?;
            let value = match attribute {
                Some(attribute) => message.get_attribute(attribute)?.value(),
                None => message.value()?,
            };
            let text = bundle.format_pattern(value, Some(parameters), &mut Vec::new());
            Some(text.into_owned())
        });
        formatted.unwrap_or_default()
    }
}

/// Every text of a language: `key` or `key.attribute`, with its parameters.
#[cfg(test)]
pub(crate) fn texts_of(
    locale: Locale,
) -> std::collections::BTreeMap<String, std::collections::BTreeSet<String>> {
    tests::texts_of(locale)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};
    use fluent_syntax::parser::parse;

    use super::*;

    pub(super) fn texts_of(locale: Locale) -> BTreeMap<String, BTreeSet<String>> {
        let mut texts = BTreeMap::new();
        for source in locale.sources() {
            for entry in parse(source).unwrap().body {
                match entry {
                    Entry::Message(message) => {
                        let id = message.id.name;
                        let value = message.value.map(|value| (id.to_owned(), value));
                        let attributes = message.attributes.into_iter();
                        let attributes = attributes.map(|attribute| {
                            (format!("{id}.{}", attribute.id.name), attribute.value)
                        });
                        for (key, pattern) in value.into_iter().chain(attributes) {
                            let duplicate = texts.insert(key.clone(), parameters(&pattern));
                            assert!(duplicate.is_none(), "{locale:?}: duplicate key {key}");
                        }
                    }
                    Entry::Comment(_) | Entry::GroupComment(_) | Entry::ResourceComment(_) => {}
                    Entry::Term(_) | Entry::Junk { .. } => panic!("{locale:?}: {entry:?}"),
                }
            }
        }
        texts
    }

    fn parameters(pattern: &Pattern<&str>) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for element in &pattern.elements {
            if let PatternElement::Placeable { expression } = element {
                match expression {
                    Expression::Inline(inline) => found.extend(variable(inline)),
                    Expression::Select { selector, variants } => {
                        found.extend(variable(selector));
                        let all: Vec<_> =
                            variants.iter().map(|variant| parameters(&variant.value)).collect();
                        assert!(all.iter().all(|some| *some == all[0]), "{variants:?}");
                        found.extend(all.into_iter().flatten());
                    }
                }
            }
        }
        found
    }

    fn variable(inline: &InlineExpression<&str>) -> Option<String> {
        match inline {
            InlineExpression::VariableReference { id } => Some(id.name.to_owned()),
            _ => None,
        }
    }

    #[test]
    fn every_language_has_the_texts_of_english_with_the_same_parameters() {
        let english = texts_of(Locale::En);
        for locale in Locale::ALL {
            assert_eq!(texts_of(locale), english, "{locale:?}");
        }
    }

    #[test]
    fn every_text_can_be_formatted() {
        for locale in Locale::ALL {
            for (key, names) in texts_of(locale) {
                let mut parameters = FluentArgs::new();
                for name in &names {
                    parameters.set(name.clone(), 3);
                }
                let (id, attribute) = match key.split_once('.') {
                    Some((id, attribute)) => (id, Some(attribute)),
                    None => (key.as_str(), None),
                };
                let text = locale.formatted(id, attribute, &parameters);
                assert!(!text.is_empty() && !text.contains(['{', '}']), "{locale:?} {key}: {text}");
            }
        }
    }
}
