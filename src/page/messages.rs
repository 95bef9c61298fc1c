//! The texts of the pages that belong to no problem and to no field error.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use fluent_bundle::FluentArgs;
use serde_json::json;

use super::model::BackLink;
use crate::domain::Field;
use crate::form::ControlField;
use crate::texts::Locale;

/// Defines [`Messages`]: the common fields, and a field for each attribute of the message `page`,
/// with the same name.
macro_rules! messages {
    ($($name:ident)+) => {
        /// The texts of one language, read from the catalogue once.
        #[derive(Debug)]
        pub struct Messages {
            /// The language.
            pub locale: Locale,
            /// Its BCP 47 tag.
            pub lang: &'static str,
            /// `ltr` or `rtl`.
            pub dir: &'static str,
            fields: [Cow<'static, str>; Field::ALL.len()],
            /// The name of the terms.
            pub(super) terms: Cow<'static, str>,
            $(pub(super) $name: Cow<'static, str>,)+
        }

        impl Messages {
            fn new(locale: Locale) -> Self {
                let text = |name| locale.attribute(KEY, name).unwrap_or_default();
                let field = |name: &str| locale.attribute("field", name);
                Self {
                    locale,
                    lang: locale.tag(),
                    dir: locale.direction(),
                    fields: Field::ALL.map(|name| field(name.name()).unwrap_or_default()),
                    terms: field(ControlField::Terms.name()).unwrap_or_default(),
                    $($name: text(stringify!($name)),)+
                }
            }

            /// The attributes without parameters.
            #[cfg(test)]
            const NAMES: &'static [&'static str] = &[$(stringify!($name)),+];
        }
    };
}

messages! {
    create_account error optional show show_password password_rules enter_password_again submit
    accept_terms new_tab have_account log_in reset_password privacy choose success_title success_confirm_email
    success_log_in
    back_to_form reference leave_empty script_suggestion script_offline script_wait script_working
    script_wait_minutes script_met script_unmet script_created script_accepted needs_script
}

/// The message whose attributes are the texts.
const KEY: &str = "page";

/// A wait of at least this many seconds is given in minutes.
const MINUTES_FROM_S: u64 = 120;

/// The texts of every language, in the order of [`Locale::ALL`].
static MESSAGES: LazyLock<[Messages; Locale::ALL.len()]> =
    LazyLock::new(|| Locale::ALL.map(Messages::new));

impl Messages {
    /// The texts of a language.
    pub fn for_locale(locale: Locale) -> &'static Self {
        let [first, ..] = &*MESSAGES;
        MESSAGES.iter().find(|messages| messages.locale == locale).unwrap_or(first)
    }

    /// The name of a field.
    pub(super) fn field(&self, field: Field) -> &str {
        let at = Field::ALL.iter().position(|known| *known == field);
        at.and_then(|at| self.fields.get(at)).map_or("", Cow::as_ref)
    }

    /// The sentence beside the checkbox of the terms: the texts before, in and after the link.
    pub(super) fn acceptance(&self) -> (&str, &str, &str) {
        let (before, rest) = self.accept_terms.split_once('[').unwrap_or_default();
        let (link, after) = rest.split_once(']').unwrap_or_default();
        (before, link, after)
    }

    /// The texts of `/signup.js`, in JSON.
    pub(super) fn script(&self) -> String {
        json!(BTreeMap::from(self.script_texts())).to_string()
    }

    /// The texts that a form of another site needs besides its labels, and those of `/signup.js`.
    /// The sentence of the terms has its link in brackets.
    pub fn texts(&self) -> BTreeMap<&'static str, &str> {
        let form = [
            ("submit", &*self.submit),
            ("choose", &*self.choose),
            ("optional", &*self.optional),
            ("accept_terms", &*self.accept_terms),
        ];
        form.into_iter().chain(self.script_texts()).collect()
    }

    fn script_texts(&self) -> [(&'static str, &str); 10] {
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

    /// The text for a wait, in seconds or in minutes.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    pub(super) fn try_again_in(&self, seconds: &u64) -> String {
        let (text, unit, number) = match *seconds {
            seconds @ ..MINUTES_FROM_S => ("try_again_in", "seconds", seconds),
            seconds => ("try_again_in_minutes", "minutes", seconds.div_ceil(60)),
        };
        let parameters = FluentArgs::from_iter([(unit, number)]);
        self.locale.formatted(KEY, Some(text), &parameters)
    }

    /// The text of the link back.
    pub(super) fn back_to(&self, back: &BackLink) -> Cow<'_, str> {
        match back {
            BackLink::Form => Cow::Borrowed(&self.back_to_form),
            BackLink::Site(page) => {
                let site = page.host_str().unwrap_or_default();
                let parameters = FluentArgs::from_iter([("site", site)]);
                self.locale.formatted(KEY, Some("back_to_site"), &parameters).into()
            }
        }
    }

    /// The keys of all texts that pages show.
    #[cfg(test)]
    pub(crate) fn keys() -> impl Iterator<Item = String> {
        let plain = Self::NAMES
            .iter()
            .chain(&["try_again_in", "try_again_in_minutes", "back_to_site"])
            .map(|name| format!("{KEY}.{name}"));
        let fields = Field::ALL.map(Field::name).into_iter().chain([ControlField::Terms.name()]);
        plain.chain(fields.map(|field| format!("field.{field}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_to_the_terms_is_in_the_sentence_of_every_language() {
        for locale in Locale::ALL {
            let messages = Messages::for_locale(locale);
            let (before, link, after) = messages.acceptance();
            assert_eq!(format!("{before}[{link}]{after}"), messages.accept_terms, "{locale:?}");
            assert!(!link.is_empty() && !format!("{before}{after}").trim().is_empty());
            assert!(!after.contains(['[', ']']) && !messages.terms.is_empty(), "{locale:?}");
        }
    }
}
