//! The values of a posted body: strings borrowed, members in order, duplicate names kept.
//!
//! `serde_json::Value` does not fit: its maps lose duplicate names, and its strings are copies.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// A value of a posted body.
///
/// `Debug` shows the type and never the content, which may be a password.
pub enum BodyValue<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Any JSON number.
    Number(Number),
    /// A string.
    Text(Cow<'a, str>),
    /// An array. Its elements are kept because they may contain duplicate names.
    Array(Vec<Self>),
    /// An object, with every occurrence of a duplicate name.
    Object(BodyMembers<'a>),
    /// A file with content in a multipart form. JSON has no equivalent.
    File,
    /// A checkbox with a hidden field of the same name, as Rails and PHP write it: the last
    /// value, after words for yes or no. Only forms have it.
    Checkbox(Cow<'a, str>),
}

/// The members of an object, in the order of the body.
pub type BodyMembers<'a> = Vec<(Cow<'a, str>, BodyValue<'a>)>;

impl fmt::Debug for BodyValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Bool(_) => "Bool",
            Self::Number(_) => "Number",
            Self::Text(_) => "Text",
            Self::Array(_) => "Array",
            Self::Object(_) => "Object",
            Self::File => "File",
            Self::Checkbox(_) => "Checkbox",
        })
    }
}

impl<'de> Deserialize<'de> for BodyValue<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

/// A member's name, borrowed unless it contains an escape.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_str(ValueVisitor)? {
            BodyValue::Text(text) => Ok(Self(text)),
            _ => Err(serde::de::Error::custom("a member's name is a string")),
        }
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = BodyValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(BodyValue::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(BodyValue::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(BodyValue::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(BodyValue::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
        Number::from_f64(value)
            .map(BodyValue::Number)
            .ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(BodyValue::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(BodyValue::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(BodyValue::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = BodyMembers::new();
        while let Some((Name(name), value)) = map.next_entry()? {
            members.push((name, value));
        }
        Ok(BodyValue::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_without_escapes_are_borrowed_from_the_body() {
        let value: BodyValue<'_> = serde_json::from_str(r#"{"a":"x","b":"\n"}"#).unwrap();
        let BodyValue::Object(members) = value else { panic!("an object") };
        assert!(matches!(members[0].1, BodyValue::Text(Cow::Borrowed("x"))));
        assert!(matches!(members[1].1, BodyValue::Text(Cow::Owned(_))));
    }

    #[test]
    fn duplicate_names_are_kept() {
        let value: BodyValue<'_> = serde_json::from_str(r#"{"a":1,"a":2}"#).unwrap();
        assert!(matches!(value, BodyValue::Object(members) if members.len() == 2));
    }

    #[test]
    fn a_lone_surrogate_is_rejected() {
        assert!(serde_json::from_str::<BodyValue<'_>>(r#""\ud800""#).is_err());
    }

    #[test]
    fn debug_shows_no_content() {
        let value = BodyValue::Text("hunter2".into());
        assert_eq!(format!("{value:?}"), "Text");
    }
}
