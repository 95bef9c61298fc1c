//! What is wrong with a field, in words. Never a rejected value.

use std::borrow::Cow;

use fluent_bundle::{FluentArgs, FluentValue};

use super::Locale;
use crate::domain::violation::CharacterType;
use crate::domain::{FieldError, PasswordRule, Violation};

impl Locale {
    /// What is wrong with a field, to show beside it.
    pub fn fault(self, violation: &Violation) -> Cow<'static, str> {
        match violation {
            Violation::TooLong { max } => self.with(violation.code(), None, [("max", max.into())]),
            Violation::TooShort { min } => self.with(violation.code(), None, [("min", min.into())]),
            Violation::WrongType { expected } => {
                self.with(violation.code(), None, [("expected", (*expected).into())])
            }
            Violation::Password(rule) => self.password(rule),
            Violation::Required
            | Violation::Malformed
            | Violation::NotAllowed
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

    fn list(self, types: &[CharacterType]) -> String {
        const KEY: &str = "character_type";
        let word = |kind: &CharacterType| self.attribute(KEY, kind.name()).unwrap_or_default();
        let separator = self.attribute(KEY, "separator").unwrap_or_default();
        types.iter().map(word).collect::<Vec<_>>().join(&separator)
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
