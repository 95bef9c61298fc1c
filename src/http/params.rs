//! The parameters of a message about a field: numbers and names, never a rejected value.

use serde_json::{Map, Value, json};

use crate::domain::violation::CharacterType;
use crate::domain::{PasswordRule, Violation};

/// The parameters of a violation's message, from which a front end can write its own.
pub(super) fn violation_params(violation: &Violation) -> Map<String, Value> {
    let names =
        |types: &[CharacterType]| -> Vec<_> { types.iter().map(|kind| kind.name()).collect() };
    let params = match violation {
        Violation::TooLong { max }
        | Violation::Password(
            PasswordRule::RepeatedCharacters { max } | PasswordRule::SequentialCharacters { max },
        ) => json!({ "max": max }),
        Violation::TooShort { min } => json!({ "min": min }),
        Violation::NotListed { values } => json!({ "values": values }),
        Violation::OutOfRange { min, max } => given_bounds(*min, *max),
        Violation::WrongType { expected } => json!({ "expected": expected }),
        Violation::Password(PasswordRule::TooShort { min_length }) => {
            json!({ "min_length": min_length })
        }
        Violation::Password(PasswordRule::TooLong { max_bytes }) => {
            json!({ "max_bytes": max_bytes })
        }
        Violation::Password(PasswordRule::CharacterTypes { required, types, missing }) => {
            json!({ "required": required, "types": names(types), "missing": names(missing) })
        }
        Violation::Password(PasswordRule::ContainsUserInfo { fields }) if !fields.is_empty() => {
            json!({ "fields": fields })
        }
        Violation::Password(
            PasswordRule::ContainsUserInfo { .. }
            | PasswordRule::TooCommon
            | PasswordRule::Breached
            | PasswordRule::UsedBefore
            | PasswordRule::TooWeak,
        )
        | Violation::Required
        | Violation::Malformed
        | Violation::NotAllowed
        | Violation::DomainNotAllowed
        | Violation::TermsRequired
        | Violation::TermsChanged
        | Violation::UnknownField
        | Violation::DuplicateField
        | Violation::ControlCharacter => return Map::new(),
    };
    members(params)
}

/// An object with the bounds of a number that there are.
pub(super) fn given_bounds(min: Option<i64>, max: Option<i64>) -> Value {
    let bounds = [("min", min), ("max", max)].into_iter();
    bounds.filter_map(|(name, bound)| Some((name, bound?))).collect()
}

/// The members of an object.
pub(super) fn members(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
