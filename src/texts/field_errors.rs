//! Messages of field errors and password rules. They never contain a rejected value.

use std::borrow::Cow;

use fluent_bundle::{FluentArgs, FluentValue};

use super::Locale;
use crate::domain::violation::CharacterType;
use crate::domain::{FieldError, PasswordRule, Violation};

/// The message whose attributes are the character types.
const CHARACTER_TYPE: &str = "character_type";

/// The message whose attributes are the rules listed before a password is chosen.
const PASSWORD_RULE: &str = "password_rule";

/// The message whose attributes are the kinds of personal information.
const PERSONAL_INFORMATION: &str = "personal_information";

/// The message of an acceptance of other terms.
const TERMS_CHANGED: &str = "terms_changed";

/// The attribute for a form that has the terms in force.
const ON_NEW_FORM: &str = "on_new_form";

/// The maximum number of values that a message lists.
const MAX_VALUES: usize = 8;

impl Locale {
    /// The message of an error for its field: the field's own text if there is one.
    pub fn field_error(self, error: &FieldError) -> Cow<'static, str> {
        let own = error.pointer.strip_prefix('/').and_then(|field| {
            let code = error.violation.code();
            self.attribute(code, field)
        });
        own.unwrap_or_else(|| self.violation(&error.violation))
    }

    /// The message of an error on a form that is rendered again, and so has the terms in force.
    pub fn field_error_on_new_form(self, error: &FieldError) -> Cow<'static, str> {
        let own = match error.violation {
            Violation::TermsChanged => self.attribute(TERMS_CHANGED, ON_NEW_FORM),
            _ => None,
        };
        own.unwrap_or_else(|| self.field_error(error))
    }

    /// The message of a violation, the same for every field.
    pub fn violation(self, violation: &Violation) -> Cow<'static, str> {
        match violation {
            Violation::TooLong { max } => self.with(violation.code(), None, [("max", max.into())]),
            Violation::TooShort { min } => self.with(violation.code(), None, [("min", min.into())]),
            Violation::WrongType { expected } => {
                self.with(violation.code(), None, [("expected", (*expected).into())])
            }
            Violation::NotListed { values } if values.len() <= MAX_VALUES => {
                let values = values.join(&self.separator());
                self.with("not_listed", None, [("values", values.into())])
            }
            Violation::OutOfRange { min, max } => self.range(*min, *max),
            Violation::TermsChanged => self.text(TERMS_CHANGED),
            Violation::Password(rule) => {
                let (key, name) = split(rule);
                self.rule(key, name, rule)
            }
            Violation::Required
            | Violation::Malformed
            | Violation::NotAllowed
            | Violation::NotListed { .. }
            | Violation::DomainNotAllowed
            | Violation::TermsRequired
            | Violation::UnknownField
            | Violation::DuplicateField
            | Violation::ControlCharacter => self.text(violation.code()),
        }
    }

    /// The text of a password rule in the list that is shown before a password is chosen.
    pub fn password_rule(self, rule: &PasswordRule) -> Cow<'static, str> {
        let (_, name) = split(rule);
        self.rule(PASSWORD_RULE, name, rule)
    }

    /// The text of a rule, from the attribute `name` of the message `key`.
    fn rule(self, key: &str, name: &str, rule: &PasswordRule) -> Cow<'static, str> {
        let with =
            |parameter, number: usize| self.with(key, Some(name), [(parameter, number.into())]);
        match rule {
            PasswordRule::TooShort { min_length } => with("min_length", *min_length),
            PasswordRule::RepeatedCharacters { max }
            | PasswordRule::SequentialCharacters { max } => with("max", *max),
            PasswordRule::CharacterTypes { required, types, missing } => {
                let all = *required == types.len();
                let name = if all { "character_types_all" } else { name };
                let parameters = [
                    ("required", required.into()),
                    ("types", self.list(types).into()),
                    ("missing", self.list(missing).into()),
                ];
                self.with(key, Some(name), parameters)
            }
            PasswordRule::ContainsUserInfo { fields } if !fields.is_empty() => {
                let kinds = self.personal_information(fields).join(&self.separator());
                self.with(key, Some("contains_user_info_kinds"), [("kinds", kinds.into())])
            }
            PasswordRule::ContainsUserInfo { .. }
            | PasswordRule::TooLong { .. }
            | PasswordRule::TooCommon
            | PasswordRule::Breached
            | PasswordRule::UsedBefore
            | PasswordRule::TooWeak => self.attribute(key, name).unwrap_or_default(),
        }
    }

    fn range(self, min: Option<i64>, max: Option<i64>) -> Cow<'static, str> {
        const KEY: &str = "out_of_range";
        // As text, since a Fluent number is a float.
        let text = |bound: i64| FluentValue::from(bound.to_string());
        match (min, max) {
            (Some(min), Some(max)) => {
                self.with(KEY, None, [("min", text(min)), ("max", text(max))])
            }
            (Some(min), None) => self.with(KEY, Some("min"), [("min", text(min))]),
            (None, Some(max)) => self.with(KEY, Some("max"), [("max", text(max))]),
            (None, None) => self.text(Violation::NotAllowed.code()),
        }
    }

    fn list(self, types: &[CharacterType]) -> String {
        let text =
            |kind: &CharacterType| self.attribute(CHARACTER_TYPE, kind.name()).unwrap_or_default();
        types.iter().map(text).collect::<Vec<_>>().join(&self.separator())
    }

    /// The kinds of personal information that these fields hold, each once.
    fn personal_information(self, fields: &[Cow<'_, str>]) -> Vec<Cow<'static, str>> {
        let mut kinds = Vec::new();
        for field in fields {
            let field = match &**field {
                "user_metadata.name" => "name",
                "user_metadata.first" => "given_name",
                "user_metadata.last" => "family_name",
                field => field,
            };
            let kind = self.attribute(PERSONAL_INFORMATION, field);
            let kind = kind.or_else(|| self.attribute(PERSONAL_INFORMATION, "other"));
            kinds.extend(kind.filter(|kind| !kinds.contains(kind)));
        }
        kinds
    }

    /// The separator between two items of a list.
    fn separator(self) -> Cow<'static, str> {
        self.attribute(CHARACTER_TYPE, "separator").unwrap_or_default()
    }

    fn with<const N: usize>(
        self,
        key: &str,
        attribute: Option<&str>,
        parameters: [(&str, FluentValue<'_>); N],
    ) -> Cow<'static, str> {
        self.formatted(key, attribute, &FluentArgs::from_iter(parameters)).into()
    }
}

/// Splits the code of a rule into its message and attribute.
fn split(rule: &PasswordRule) -> (&'static str, &'static str) {
    let code = rule.code();
    code.split_once('.').unwrap_or((code, ""))
}
