//! What is wrong with a field, in words. Never a rejected value.

use std::borrow::Cow;

use fluent_bundle::{FluentArgs, FluentValue};

use super::Locale;
use crate::domain::violation::CharacterType;
use crate::domain::{FieldError, PasswordRule, Violation};

/// The text whose attributes are the character types.
const TYPES: &str = "character_type";

/// The most values that a message lists.
const MOST_VALUES: usize = 8;

impl Locale {
    /// What is wrong with a field, to show beside it.
    pub fn fault(self, violation: &Violation) -> Cow<'static, str> {
        match violation {
            Violation::TooLong { max } => self.with(violation.code(), None, [("max", max.into())]),
            Violation::TooShort { min } => self.with(violation.code(), None, [("min", min.into())]),
            Violation::WrongType { expected } => {
                self.with(violation.code(), None, [("expected", (*expected).into())])
            }
            Violation::NotListed { values } if values.len() <= MOST_VALUES => {
                let values = values.join(&self.separator());
                self.with("not_listed", None, [("values", values.into())])
            }
            Violation::OutOfRange { min, max } => self.range(*min, *max),
            Violation::Password(rule) => self.password(rule),
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

    /// The same where it stands beside the field's label, with what is expected of that field.
    pub fn fault_of(self, error: &FieldError) -> Cow<'static, str> {
        let own = error.pointer.strip_prefix('/').and_then(|field| {
            let code = error.violation.code();
            self.attribute(code, field)
        });
        own.unwrap_or_else(|| self.fault(&error.violation))
    }

    fn password(self, rule: &PasswordRule) -> Cow<'static, str> {
        let code = rule.code();
        let (key, name) = code.split_once('.').unwrap_or((code, ""));
        let with =
            |parameter, number: usize| self.with(key, Some(name), [(parameter, number.into())]);
        match rule {
            PasswordRule::TooShort { min_length } => with("min_length", *min_length),
            PasswordRule::TooLong { max_bytes } => with("max_bytes", *max_bytes),
            PasswordRule::RepeatedCharacters { max }
            | PasswordRule::SequentialCharacters { max } => with("max", *max),
            PasswordRule::CharacterTypes { required, types, missing }
                if *required == types.len() =>
            {
                let missing = self.list(missing);
                self.with(key, Some("character_types_all"), [("missing", missing.into())])
            }
            PasswordRule::CharacterTypes { required, types, .. } => {
                let parameters =
                    [("required", required.into()), ("types", self.list(types).into())];
                self.with(key, Some(name), parameters)
            }
            PasswordRule::TooCommon
            | PasswordRule::ContainsUserInfo { .. }
            | PasswordRule::Breached
            | PasswordRule::UsedBefore
            | PasswordRule::TooWeak => self.attribute(key, name).unwrap_or_default(),
        }
    }

    fn range(self, min: Option<i64>, max: Option<i64>) -> Cow<'static, str> {
        const KEY: &str = "out_of_range";
        // As text: a number of Fluent's is a float.
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
        let word = |kind: &CharacterType| self.attribute(TYPES, kind.name()).unwrap_or_default();
        types.iter().map(word).collect::<Vec<_>>().join(&self.separator())
    }

    /// What stands between two things in a list.
    fn separator(self) -> Cow<'static, str> {
        self.attribute(TYPES, "separator").unwrap_or_default()
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
