//! The words of the pages that are neither a problem nor a message about a field.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use fluent_bundle::FluentArgs;
use serde_json::json;

use super::view::Back;
use crate::domain::Field;
use crate::domain::submission::Control;
use crate::texts::Locale;

/// Defines [`Words`]: beside what is the same for all, a word for each attribute of the text
/// `page`, under the same name.
macro_rules! words {
    ($($name:ident)+) => {
        /// The words of one language, taken out of the catalogue once.
        #[derive(Debug)]
        pub struct Words {
            /// The language.
            pub locale: Locale,
            /// Its BCP 47 tag.
            pub lang: &'static str,
            /// `ltr` or `rtl`.
            pub dir: &'static str,
            fields: [Cow<'static, str>; Field::ALL.len()],
            /// What the box of the terms is called.
            pub(super) terms: Cow<'static, str>,
            $(pub(super) $name: Cow<'static, str>,)+
        }

        impl Words {
            fn new(locale: Locale) -> Self {
                let word = |name| locale.attribute(KEY, name).unwrap_or_default();
                let named = |name: &str| locale.attribute("field", name);
                Self {
                    locale,
                    lang: locale.tag(),
                    dir: locale.direction(),
                    fields: Field::ALL.map(|name| named(name.name()).unwrap_or_default()),
                    terms: named(Control::Terms.name()).unwrap_or_default(),
                    $($name: word(stringify!($name)),)+
                }
            }

            /// The attributes that have no parameters.
            #[cfg(test)]
            const NAMES: &'static [&'static str] = &[$(stringify!($name)),+];
        }
    };
}

words! {
    create_account error optional show show_password password_rules type_again submit
    accept_terms new_tab have_account log_in reset_password privacy choose created created_mail created_log_in
    back_to_form reference leave_empty script_suggestion script_offline script_wait script_working
    script_wait_minutes script_met script_unmet script_created script_accepted needs_script
}

/// The text whose attributes the words are.
const KEY: &str = "page";

/// From so many seconds on a wait is told in minutes.
const MINUTES_FROM_S: u64 = 120;

/// Of every language, in the order of [`Locale::ALL`].
static WORDS: LazyLock<[Words; Locale::ALL.len()]> = LazyLock::new(|| Locale::ALL.map(Words::new));

impl Words {
    /// The words of a language.
    pub fn of(locale: Locale) -> &'static Self {
        let [first, ..] = &*WORDS;
        WORDS.iter().find(|words| words.locale == locale).unwrap_or(first)
    }

    /// What a field is called.
    pub(super) fn field(&self, field: Field) -> &str {
        let at = Field::ALL.iter().position(|known| *known == field);
        at.and_then(|at| self.fields.get(at)).map_or("", Cow::as_ref)
    }

    /// The sentence beside the box of the terms: what stands before the link, in it and behind it.
    pub(super) fn acceptance(&self) -> (&str, &str, &str) {
        let (before, rest) = self.accept_terms.split_once('[').unwrap_or_default();
        let (link, after) = rest.split_once(']').unwrap_or_default();
        (before, link, after)
    }

    /// What `/signup.js` says by itself, in JSON.
    pub(super) fn script(&self) -> String {
        json!(BTreeMap::from(self.script_words())).to_string()
    }

    /// What a form of others is built with beside the labels: the words of `/signup.js`, and those that
    /// a form needs. The sentence of the terms has its link in brackets.
    pub fn texts(&self) -> BTreeMap<&'static str, &str> {
        let form = [
            ("submit", &*self.submit),
            ("choose", &*self.choose),
            ("optional", &*self.optional),
            ("accept_terms", &*self.accept_terms),
        ];
        form.into_iter().chain(self.script_words()).collect()
    }

    fn script_words(&self) -> [(&'static str, &str); 10] {
        [
            ("suggestion", &*self.script_suggestion),
            ("offline", &*self.script_offline),
            ("wait", &*self.script_wait),
            ("wait_minutes", &*self.script_wait_minutes),
            ("working", &*self.script_working),
            ("reference", &*self.reference),
            ("met", &*self.script_met),
            ("unmet", &*self.script_unmet),
            ("created", &*self.script_created),
            ("accepted", &*self.script_accepted),
        ]
    }

    /// When it is worth trying again; in minutes where that is easier to wait by.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    pub(super) fn try_again_in(&self, seconds: &u64) -> String {
        let (text, unit, number) = match *seconds {
            seconds @ ..MINUTES_FROM_S => ("try_again_in", "seconds", seconds),
            seconds => ("try_again_in_minutes", "minutes", seconds.div_ceil(60)),
        };
        let parameters = FluentArgs::from_iter([(unit, number)]);
        self.locale.formatted(KEY, Some(text), &parameters)
    }

    /// What leads to a page of another site.
    pub(super) fn back_to(&self, back: &Back) -> Cow<'_, str> {
        match back {
            Back::Form => Cow::Borrowed(&self.back_to_form),
            Back::Site(page) => {
                let site = page.host_str().unwrap_or_default();
                let parameters = FluentArgs::from_iter([("site", site)]);
                self.locale.formatted(KEY, Some("back_to_site"), &parameters).into()
            }
        }
    }

    /// Every text of the catalogue that pages show.
    #[cfg(test)]
    pub(crate) fn keys() -> impl Iterator<Item = String> {
        let plain = Self::NAMES
            .iter()
            .chain(&["try_again_in", "try_again_in_minutes", "back_to_site"])
            .map(|name| format!("{KEY}.{name}"));
        let fields = Field::ALL.map(Field::name).into_iter().chain([Control::Terms.name()]);
        plain.chain(fields.map(|field| format!("field.{field}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_to_the_terms_is_in_the_sentence_of_every_language() {
        for locale in Locale::ALL {
            let words = Words::of(locale);
            let (before, link, after) = words.acceptance();
            assert_eq!(format!("{before}[{link}]{after}"), words.accept_terms, "{locale:?}");
            assert!(!link.is_empty() && !format!("{before}{after}").trim().is_empty());
            assert!(!after.contains(['[', ']']) && !words.terms.is_empty(), "{locale:?}");
        }
    }
}
