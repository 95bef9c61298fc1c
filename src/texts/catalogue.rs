//! The catalogue of texts: parsed once, shared by all threads, formatted with their parameters.

use std::borrow::Cow;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

use super::{Locale, PerLocale};

/// The texts of a language.
type Bundle = FluentBundle<FluentResource>;

/// The texts of every language.
static BUNDLES: LazyLock<PerLocale<Bundle>> = LazyLock::new(|| PerLocale::new(bundle));

/// Parses all texts, so that the first request does not have to.
pub fn load() {
    LazyLock::force(&BUNDLES);
}

/// Parses the texts of a language. A text that does not parse is left out; a test checks that all
/// are present.
fn bundle(locale: Locale) -> Bundle {
    let language = locale.tag().parse::<LanguageIdentifier>().unwrap_or_default();
    let mut bundle = Bundle::new_concurrent(vec![language]);
    // Isolation marks would appear in JSON of every language. Arabic writes them where a parameter may
    // be Latin.
    bundle.set_use_isolating(false);
    for source in locale.sources() {
        let resource = FluentResource::try_new(source.to_owned());
        bundle.add_resource_overriding(resource.unwrap_or_else(|(readable, _)| readable));
    }
    if locale == Locale::Ar {
        // Only a second function of this name would be an error.
        drop(bundle.add_function("PLURAL", |numbers, _| arabic_form(numbers).into()));
    }
    bundle
}

/// The plural form of a whole number in Arabic (CLDR), apart from `zero`, which no text has. The rules
/// of `intl_pluralrules` 7.0.2 compare the number where CLDR compares its last two digits, so that 103
/// has another form than 3 there.
fn arabic_form(numbers: &[FluentValue<'_>]) -> &'static str {
    let number = match numbers {
        [FluentValue::Number(number)] => number.value,
        _ => return "other",
    };
    match (number, number % 100.0) {
        (1.0, _) => "one",
        (2.0, _) => "two",
        (_, 3.0..=10.0) => "few",
        (_, 11.0..=99.0) => "many",
        _ => "other",
    }
}

impl Locale {
    fn bundle(self) -> &'static Bundle {
        BUNDLES.get(self)
    }

    /// A text without parameters.
    pub fn text(self, key: &str) -> Cow<'static, str> {
        let bundle = self.bundle();
        let value = bundle.get_message(key).and_then(|message| message.value());
        value.map(|value| bundle.format_pattern(value, None, &mut Vec::new())).unwrap_or_default()
    }

    /// An attribute of a text, without parameters. `None` if there is none.
    pub fn attribute(self, key: &str, attribute: &str) -> Option<Cow<'static, str>> {
        let bundle = self.bundle();
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
        let bundle = self.bundle();
        let value = bundle.get_message(key).and_then(|message| match attribute {
            Some(attribute) => Some(message.get_attribute(attribute)?.value()),
            None => message.value(),
        });
        let text =
            value.map(|value| bundle.format_pattern(value, Some(parameters), &mut Vec::new()));
        text.unwrap_or_default().into_owned()
    }
}
