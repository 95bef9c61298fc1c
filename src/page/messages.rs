//! The texts of the pages that belong to no problem and to no field error.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use fluent_bundle::{FluentArgs, FluentValue};
use serde_json::json;

use super::greeting::Greeting;
use super::model::BackLink;
use crate::config::Label;
use crate::domain::{Field, PasswordRule, Violation};
use crate::form::ControlField;
use crate::texts::{Locale, PerLocale};

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
            /// The texts of `/signup.js`, in JSON, made at their first use.
            script_json: OnceLock<String>,
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
                    script_json: OnceLock::new(),
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
    create_account error colon optional or show hide show_password hide_password password_rules password_rules_unmet
    enter_password_again submit accept_terms new_tab have_account log_in reset_password privacy choose
    success_title success_created success_confirm_email success_log_in success_accepted_title success_accepted
    back_to_form reference leave_empty needs_script
    script_suggestion script_caps_lock script_password_shown script_password_hidden script_submitting
    script_retrying script_checking script_offline_heading script_offline script_wait script_wait_minutes
    script_met script_unmet
}

/// The attributes of `page` with a parameter, and its name.
const WITH_PARAMETER: [(&str, &str); 7] = [
    ("continue_with", "provider"),
    ("success_title_name", "name"),
    ("success_created_email", "email"),
    ("success_accepted_email", "email"),
    ("back_to_site", "site"),
    ("try_again_in", "seconds"),
    ("try_again_in_minutes", "minutes"),
];

/// The message whose attributes are the texts.
const KEY: &str = "page";

/// A wait of at least this many seconds is given in minutes.
const MINUTES_FROM_S: u64 = 120;

/// The texts of every language.
static MESSAGES: LazyLock<PerLocale<Messages>> = LazyLock::new(|| PerLocale::new(Messages::new));

impl Messages {
    /// The texts of a language.
    pub fn for_locale(locale: Locale) -> &'static Self {
        MESSAGES.get(locale)
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
    pub(super) fn script(&self) -> &str {
        self.script_json.get_or_init(|| json!(self.script_texts()).to_string())
    }

    /// The texts that a form of another site needs besides its labels, and those of `/signup.js`.
    /// The sentence of the terms has its link in brackets.
    pub fn texts(&self) -> BTreeMap<&'static str, Cow<'_, str>> {
        let form = [
            ("create_account", &self.create_account),
            ("have_account", &self.have_account),
            ("password_rules", &self.password_rules),
            ("submit", &self.submit),
            ("choose", &self.choose),
            ("optional", &self.optional),
            ("accept_terms", &self.accept_terms),
            ("terms", &self.terms),
        ];
        let form = form.into_iter().map(|(name, text)| (name, Cow::Borrowed(&**text)));
        form.chain(self.script_texts()).collect()
    }

    /// The texts of `/signup.js` by their names there. It replaces words such as `%name%`.
    fn script_texts(&self) -> BTreeMap<&'static str, Cow<'_, str>> {
        let plain = [
            ("suggestion", &self.script_suggestion),
            ("caps_lock", &self.script_caps_lock),
            ("show", &self.show),
            ("hide", &self.hide),
            ("show_password", &self.show_password),
            ("hide_password", &self.hide_password),
            ("password_shown", &self.script_password_shown),
            ("password_hidden", &self.script_password_hidden),
            ("password_rules_unmet", &self.password_rules_unmet),
            ("submitting", &self.script_submitting),
            ("retrying", &self.script_retrying),
            ("checking", &self.script_checking),
            ("offline_heading", &self.script_offline_heading),
            ("offline", &self.script_offline),
            ("wait", &self.script_wait),
            ("wait_minutes", &self.script_wait_minutes),
            ("reference", &self.reference),
            ("colon", &self.colon),
            ("met", &self.script_met),
            ("unmet", &self.script_unmet),
            ("log_in", &self.log_in),
            ("reset_password", &self.reset_password),
            ("success_title", &self.success_title),
            ("created", &self.success_created),
            ("confirm_email", &self.success_confirm_email),
            ("then_log_in", &self.success_log_in),
            ("accepted_title", &self.success_accepted_title),
            ("accepted", &self.success_accepted),
        ];
        let password = |rule| self.locale.violation(&Violation::Password(rule));
        let made = [
            ("success_title_name", self.with("success_title_name", "%name%").into()),
            ("created_email", self.with("success_created_email", "%email%").into()),
            ("accepted_email", self.with("success_accepted_email", "%email%").into()),
            ("password_too_long", password(PasswordRule::TooLong { max_bytes: 0 })),
            ("password_too_common", password(PasswordRule::TooCommon)),
        ];
        let plain = plain.into_iter().map(|(name, text)| (name, Cow::Borrowed(&**text)));
        plain.chain(made).collect()
    }

    /// A text after its label.
    pub fn labelled(&self, label: &str, text: &str) -> String {
        format!("{label}{}{text}", self.colon)
    }

    /// An attribute of `page` with its one parameter.
    fn with<'v>(&self, name: &str, value: impl Into<FluentValue<'v>>) -> String {
        let parameter = WITH_PARAMETER.iter().find(|(known, _)| *known == name);
        let parameter = parameter.map_or("", |(_, parameter)| parameter);
        self.locale.formatted(KEY, Some(name), &FluentArgs::from_iter([(parameter, value)]))
    }

    /// A text of the operator, in this language.
    pub(super) fn own<'l>(&self, label: &'l Label) -> &'l str {
        label.in_language(self.locale)
    }

    /// The heading of the page after a sign-up.
    pub(super) fn success_heading(&self, greeting: &Greeting) -> Cow<'_, str> {
        match &greeting.name {
            Some(name) => self.with("success_title_name", name.as_str()).into(),
            None => Cow::Borrowed(&self.success_title),
        }
    }

    /// The sentence that the account exists.
    pub(super) fn created(&self, greeting: &Greeting) -> Cow<'_, str> {
        match &greeting.email {
            Some(email) => self.with("success_created_email", email.as_str()).into(),
            None => Cow::Borrowed(&self.success_created),
        }
    }

    /// The sentence that does not reveal if the account is new.
    pub(super) fn accepted(&self, greeting: &Greeting) -> Cow<'_, str> {
        match &greeting.email {
            Some(email) => self.with("success_accepted_email", email.as_str()).into(),
            None => Cow::Borrowed(&self.success_accepted),
        }
    }

    /// The text of the link to the login at a provider.
    pub(super) fn continue_with(&self, provider: &str) -> String {
        self.with("continue_with", provider)
    }

    /// The text for a wait, in seconds or in minutes.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    pub(super) fn try_again_in(&self, seconds: &u64) -> String {
        match *seconds {
            seconds @ ..MINUTES_FROM_S => self.with("try_again_in", seconds),
            seconds => self.with("try_again_in_minutes", seconds.div_ceil(60)),
        }
    }

    /// The text of the link back.
    pub(super) fn back_to(&self, back: &BackLink) -> Cow<'_, str> {
        match back {
            BackLink::Form => Cow::Borrowed(&self.back_to_form),
            BackLink::Site(page) => {
                self.with("back_to_site", page.host_str().unwrap_or_default()).into()
            }
        }
    }

    /// The keys of all texts that pages show.
    #[cfg(test)]
    pub(crate) fn keys() -> impl Iterator<Item = String> {
        let plain = Self::NAMES
            .iter()
            .copied()
            .chain(WITH_PARAMETER.map(|(name, _)| name))
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
