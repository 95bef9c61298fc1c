//! A JSON value as it stands in a body: strings borrowed, members in order, repeated names kept.
//!
//! `serde_json::Value` cannot serve: its maps forget that a name was given twice, and its strings
//! are copies.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// A value of a submitted form.
///
/// `Debug` names the type and never the content, since it may be a password.
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Any JSON number.
    Number(Number),
    /// A string.
    Text(Cow<'a, str>),
    /// An array; its elements are kept for the sake of repeated names inside them.
    Array(Vec<Self>),
    /// An object, with repeated names as often as they were given.
    Object(Members<'a>),
    /// A part of a multipart form that is a file with content. No JSON value.
    File,
}

/// The members of an object in the order they were given.
pub type Members<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Bool(_) => "Bool",
            Self::Number(_) => "Number",
            Self::Text(_) => "Text",
            Self::Array(_) => "Array",
            Self::Object(_) => "Object",
            Self::File => "File",
        })
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

/// A member's name, borrowed where the body has no escape in it.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_str(ValueVisitor)? {
            Value::Text(text) => Ok(Self(text)),
            _ => Err(serde::de::Error::custom("a member's name is a string")),
        }
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members::new();
        while let Some((Name(name), value)) = map.next_entry()? {
            members.push((name, value));
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_without_escapes_are_borrowed_from_the_body() {
        let value: Value<'_> = serde_json::from_str(r#"{"a":"x","b":"\n"}"#).unwrap();
        let Value::Object(members) = value else { panic!("an object") };
        assert!(matches!(members[0].1, Value::Text(Cow::Borrowed("x"))));
        assert!(matches!(members[1].1, Value::Text(Cow::Owned(_))));
    }

    #[test]
    fn repeated_names_are_kept() {
        let value: Value<'_> = serde_json::from_str(r#"{"a":1,"a":2}"#).unwrap();
        assert!(matches!(value, Value::Object(members) if members.len() == 2));
    }

    #[test]
    fn a_lone_surrogate_is_not_a_string() {
        assert!(serde_json::from_str::<Value<'_>>(r#""\ud800""#).is_err());
    }

    #[test]
    fn debug_shows_no_content() {
        let value = Value::Text("hunter2".into());
        assert_eq!(format!("{value:?}"), "Text");
    }
}
