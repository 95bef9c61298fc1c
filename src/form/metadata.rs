//! `user_metadata` of a form, read by the rules of its keys.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;

use serde_json::Number;

use super::MAX_ERRORS;
use super::pointer::pointer;
use super::value::BodyValue;
use crate::domain::invisible::trim;
use crate::domain::metadata::{MetadataKind, MetadataRules, MetadataValue, USER_METADATA, bounds};
use crate::domain::{FieldError, Violation, check_length, parse_boolean};

/// Reads the members that meet their rules. Adds an error for each that does not, for each key that
/// is not allowed and for each required key that is absent.
pub(super) fn read_metadata(
    rules: &MetadataRules,
    members: &[(Cow<'_, str>, BodyValue<'_>)],
    errors: &mut Vec<FieldError>,
) -> BTreeMap<String, MetadataValue> {
    let mut accepted = BTreeMap::new();
    let mut found = Vec::new();
    let mut given = HashSet::new();
    for (key, value) in members {
        if found.len() >= MAX_ERRORS {
            break;
        }
        let read = match rules.get(key.as_ref()) {
            // A file is reported as such, whatever its name.
            None if matches!(value, BodyValue::File) => Err(Violation::NotAllowed),
            None => Err(Violation::UnknownField),
            Some(rule) => read_value(&rule.kind, value),
        };
        match read {
            Ok(None) => continue,
            Ok(Some(value)) => {
                accepted.insert(key.clone().into_owned(), value);
            }
            Err(violation) => {
                found.push(FieldError::at_path(pointer([USER_METADATA, key]), violation));
            }
        }
        given.insert(key.as_ref());
    }
    let required = rules.iter().filter(|(_, rule)| rule.required).map(|(key, _)| key);
    let whole = pointer([USER_METADATA]);
    for key in required.filter(|key| !given.contains(key.as_str())) {
        let at = pointer([USER_METADATA, key]);
        // A duplicate, or a duplicate of them all, is already reported, and is not among `members`.
        if !errors.iter().any(|known| known.pointer == at || known.pointer == whole) {
            found.push(FieldError::at_path(at, Violation::Required));
        }
    }
    errors.append(&mut found);
    accepted
}

/// Reads a value of this kind. Returns `None` for null and for text of which nothing is visible.
fn read_value(
    kind: &MetadataKind,
    value: &BodyValue<'_>,
) -> Result<Option<MetadataValue>, Violation> {
    match value {
        BodyValue::Null => Ok(None),
        BodyValue::Text(text) => trim(text).map(|text| read_text(kind, text)).transpose(),
        BodyValue::Number(number) => read_number(kind, number).map(Some),
        BodyValue::Bool(value) if *kind == MetadataKind::Boolean => {
            Ok(Some(MetadataValue::Boolean(*value)))
        }
        BodyValue::Checkbox(text) if *kind == MetadataKind::Boolean => {
            trim(text).map(|text| read_text(kind, text)).transpose()
        }
        BodyValue::Checkbox(_) => Err(Violation::DuplicateField),
        BodyValue::File => Err(Violation::NotAllowed),
        BodyValue::Bool(_) | BodyValue::Array(_) | BodyValue::Object(_) => Err(wrong_type(kind)),
    }
}

fn read_text(kind: &MetadataKind, text: &str) -> Result<MetadataValue, Violation> {
    if text.chars().any(char::is_control) {
        return Err(Violation::ControlCharacter);
    }
    match kind {
        MetadataKind::Text { length } => {
            check_length(text, length).map(|()| MetadataValue::Text(text.to_owned()))
        }
        MetadataKind::OneOf(values) if values.iter().any(|value| value == text) => {
            Ok(MetadataValue::Text(text.to_owned()))
        }
        MetadataKind::OneOf(values) => Err(Violation::NotListed { values: values.clone() }),
        MetadataKind::Integer(range) => {
            let number = text.parse().map_err(|_| Violation::Malformed)?;
            check_range(range, number)
        }
        MetadataKind::Boolean => {
            parse_boolean(text).map(MetadataValue::Boolean).ok_or(Violation::Malformed)
        }
    }
}

fn read_number(kind: &MetadataKind, number: &Number) -> Result<MetadataValue, Violation> {
    match kind {
        MetadataKind::Integer(range) => {
            check_range(range, number.as_i64().ok_or_else(|| wrong_type(kind))?)
        }
        MetadataKind::Text { .. } | MetadataKind::OneOf(_) | MetadataKind::Boolean => {
            Err(wrong_type(kind))
        }
    }
}

const fn wrong_type(kind: &MetadataKind) -> Violation {
    Violation::WrongType { expected: kind.type_name() }
}

fn check_range(range: &RangeInclusive<i64>, number: i64) -> Result<MetadataValue, Violation> {
    if range.contains(&number) {
        Ok(MetadataValue::Integer(number))
    } else {
        let (min, max) = bounds(range);
        Err(Violation::OutOfRange { min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::metadata::{MAX_TEXT_LENGTH, MetadataRule};

    fn read(kind: &MetadataKind, json: &str) -> Result<Option<MetadataValue>, Violation> {
        read_value(kind, &BodyValue::from_json(json.as_bytes()).unwrap())
    }

    #[test]
    fn a_key_listed_by_name_accepts_a_string_of_at_most_500_code_points() {
        let kind = MetadataRule::text().kind;
        let longest = "ü".repeat(MAX_TEXT_LENGTH);
        assert_eq!(
            read(&kind, &format!("\" {longest} \"")),
            Ok(Some(MetadataValue::Text(longest.clone())))
        );
        let too_long = read(&kind, &format!("\"{longest}x\""));
        assert_eq!(too_long, Err(Violation::TooLong { max: 500 }));
        assert_eq!(read(&kind, "\" \""), Ok(None));
        assert_eq!(read(&kind, "5"), Err(Violation::WrongType { expected: "string" }));
        assert_eq!(read(&kind, r#""a\u0007""#), Err(Violation::ControlCharacter));
    }

    #[test]
    fn forms_and_json_give_the_same_typed_value() {
        let integer = MetadataKind::Integer(1..=5);
        for json in ["5", "\"5\"", "\" 5 \""] {
            assert_eq!(read(&integer, json), Ok(Some(MetadataValue::Integer(5))), "{json}");
        }
        let beyond = Violation::OutOfRange { min: Some(1), max: Some(5) };
        assert_eq!(read(&integer, "6"), Err(beyond));
        let beyond = Violation::OutOfRange { min: Some(18), max: None };
        assert_eq!(read(&MetadataKind::Integer(18..=i64::MAX), "17"), Err(beyond));
        let values = vec!["free".to_owned(), "pro".to_owned()];
        let unlisted = Violation::NotListed { values: values.clone() };
        assert_eq!(read(&MetadataKind::OneOf(values), "\"gold\""), Err(unlisted));
        assert_eq!(read(&integer, "1.5"), Err(Violation::WrongType { expected: "integer" }));
        assert_eq!(read(&integer, "\"five\""), Err(Violation::Malformed));
        for json in ["true", "\"true\"", "\"on\"", "\"1\"", "\"yes\"", "\"True\""] {
            let read = read(&MetadataKind::Boolean, json);
            assert_eq!(read, Ok(Some(MetadataValue::Boolean(true))), "{json}");
        }
    }

    #[test]
    fn unknown_and_missing_keys_are_reported() {
        let rule = MetadataRule { required: true, ..MetadataRule::text() };
        let rules = MetadataRules::from([("plan".to_owned(), rule)]);
        let mut errors = Vec::new();
        let members = [("role".into(), BodyValue::Text("admin".into()))];
        assert!(read_metadata(&rules, &members, &mut errors).is_empty());
        let reported: Vec<_> =
            errors.iter().map(|e| (e.pointer.as_ref(), e.violation.code())).collect();
        let expected =
            [("/user_metadata/role", "unknown_field"), ("/user_metadata/plan", "required")];
        assert_eq!(reported, expected);
    }
}
