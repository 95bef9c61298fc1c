//! `user_metadata`: the keys the operator allows, each with a type and bounds.
//!
//! Auth0 takes any object there and its owner may edit it, so nothing passes that is not listed.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;

use serde::Serialize;
use serde_json::Number;

use super::submission::{MAX_FAULTS, METADATA, pointer};
use super::value::Value;
use super::{FieldError, Violation};

/// The longest string a key takes unless narrowed, in code points: the limit of Auth0's public
/// sign-up endpoint.
pub const MAX_TEXT: usize = 500;

/// The keys that are taken, by name.
pub type MetadataRules = BTreeMap<String, MetadataRule>;

/// What one key takes.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataRule {
    /// The type and its bounds.
    pub kind: MetadataKind,
    /// Whether a sign-up without it is refused.
    pub required: bool,
}

/// The type of a key, with its bounds.
#[derive(Debug, Clone, PartialEq)]
pub enum MetadataKind {
    /// A string of so many code points.
    Text {
        /// The code points allowed, within 1..=500.
        length: RangeInclusive<usize>,
    },
    /// One of these strings.
    OneOf(Vec<String>),
    /// A whole number in this range; in a form, its decimal digits.
    Integer(RangeInclusive<i64>),
    /// `true` or `false`; in a form also `on`, as a ticked box sends.
    Boolean,
}

/// A value that met its rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum MetadataValue {
    /// A string.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A truth value.
    Boolean(bool),
}

impl MetadataValue {
    /// The string, where it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Integer(_) | Self::Boolean(_) => None,
        }
    }
}

impl MetadataRule {
    /// A string of at most [`MAX_TEXT`] code points that may be left out: what a key takes that
    /// is listed by name alone.
    pub const fn text() -> Self {
        Self { kind: MetadataKind::Text { length: 1..=MAX_TEXT }, required: false }
    }
}

impl MetadataKind {
    /// The JSON type, as `wrong_type` names it.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Text { .. } | Self::OneOf(_) => "string",
            Self::Integer(_) => "integer",
            Self::Boolean => "boolean",
        }
    }

    fn read(&self, value: &Value<'_>) -> Result<Option<MetadataValue>, Violation> {
        match value {
            Value::Null => Ok(None),
            Value::Text(text) if text.trim().is_empty() => Ok(None),
            Value::Text(text) => self.read_text(text.trim()).map(Some),
            Value::Number(number) => self.read_number(number).map(Some),
            Value::Bool(value) if *self == Self::Boolean => {
                Ok(Some(MetadataValue::Boolean(*value)))
            }
            Value::File => Err(Violation::NotAllowed),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(self.wrong_type()),
        }
    }

    fn read_text(&self, text: &str) -> Result<MetadataValue, Violation> {
        if text.chars().any(char::is_control) {
            return Err(Violation::ControlCharacter);
        }
        match self {
            Self::Text { length } => {
                let count = text.chars().count();
                if count > *length.end() {
                    Err(Violation::TooLong { max: *length.end() })
                } else if count < *length.start() {
                    Err(Violation::TooShort { min: *length.start() })
                } else {
                    Ok(MetadataValue::Text(text.to_owned()))
                }
            }
            Self::OneOf(values) if values.iter().any(|value| value == text) => {
                Ok(MetadataValue::Text(text.to_owned()))
            }
            Self::OneOf(values) => Err(Violation::NotListed { values: values.clone() }),
            Self::Integer(range) => {
                let number = text.parse().map_err(|_| Violation::Malformed)?;
                in_range(range, number)
            }
            Self::Boolean => match text {
                "true" | "on" => Ok(MetadataValue::Boolean(true)),
                "false" => Ok(MetadataValue::Boolean(false)),
                _ => Err(Violation::Malformed),
            },
        }
    }

    fn read_number(&self, number: &Number) -> Result<MetadataValue, Violation> {
        match self {
            Self::Integer(range) => {
                in_range(range, number.as_i64().ok_or_else(|| self.wrong_type())?)
            }
            Self::Text { .. } | Self::OneOf(_) | Self::Boolean => Err(self.wrong_type()),
        }
    }

    const fn wrong_type(&self) -> Violation {
        Violation::WrongType { expected: self.type_name() }
    }
}

fn in_range(range: &RangeInclusive<i64>, number: i64) -> Result<MetadataValue, Violation> {
    if range.contains(&number) {
        Ok(MetadataValue::Integer(number))
    } else {
        let (min, max) = bounds(range);
        Err(Violation::OutOfRange { min, max })
    }
}

/// The least and the greatest number, where somebody set one: the ends of the type are no bounds.
pub fn bounds(range: &RangeInclusive<i64>) -> (Option<i64>, Option<i64>) {
    let bound = |bound: &i64| (![i64::MIN, i64::MAX].contains(bound)).then_some(*bound);
    (bound(range.start()), bound(range.end()))
}

/// Applies the rules to the members given; adds a fault for each that breaks one, for each key
/// that is not allowed and for each required key that is absent.
pub fn check(
    rules: &MetadataRules,
    given: &[(Cow<'_, str>, Value<'_>)],
    faults: &mut Vec<FieldError>,
) -> BTreeMap<String, MetadataValue> {
    let mut taken = BTreeMap::new();
    let mut found = Vec::new();
    let mut settled = HashSet::new();
    for (key, value) in given {
        if found.len() >= MAX_FAULTS {
            break;
        }
        let read = match rules.get(key.as_ref()) {
            // A file is refused as such, whatever it is called.
            None if matches!(value, Value::File) => Err(Violation::NotAllowed),
            None => Err(Violation::UnknownField),
            Some(rule) => rule.kind.read(value),
        };
        match read {
            Ok(None) => continue,
            Ok(Some(value)) => {
                taken.insert(key.clone().into_owned(), value);
            }
            Err(violation) => {
                found.push(FieldError::at_path(pointer([METADATA, key]), violation));
            }
        }
        settled.insert(key.as_ref());
    }
    for (key, _) in
        rules.iter().filter(|(key, rule)| rule.required && !settled.contains(key.as_str()))
    {
        let at = pointer([METADATA, key]);
        // A key given twice is reported already, and is not among those given here.
        if !faults.iter().any(|known| known.pointer == at) {
            found.push(FieldError::at_path(at, Violation::Required));
        }
    }
    faults.append(&mut found);
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: &MetadataKind, json: &str) -> Result<Option<MetadataValue>, Violation> {
        kind.read(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn a_listed_key_takes_a_string_of_at_most_500_code_points() {
        let kind = MetadataRule::text().kind;
        let longest = "ü".repeat(MAX_TEXT);
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
        for json in ["true", "\"true\"", "\"on\""] {
            let read = read(&MetadataKind::Boolean, json);
            assert_eq!(read, Ok(Some(MetadataValue::Boolean(true))), "{json}");
        }
    }

    #[test]
    fn what_is_not_listed_or_is_missing_is_named() {
        let rule = MetadataRule { required: true, ..MetadataRule::text() };
        let rules = MetadataRules::from([("plan".to_owned(), rule)]);
        let mut faults = Vec::new();
        let given = [("role".into(), Value::Text("admin".into()))];
        assert!(check(&rules, &given, &mut faults).is_empty());
        let named: Vec<_> =
            faults.iter().map(|f| (f.pointer.as_ref(), f.violation.code())).collect();
        let expected =
            [("/user_metadata/role", "unknown_field"), ("/user_metadata/plan", "required")];
        assert_eq!(named, expected);
    }
}
