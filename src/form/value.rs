//! The values of a posted body: strings borrowed, members in order, duplicate names kept.
//!
//! `serde_json::Value` does not fit: its maps lose duplicate names, and its strings are copies.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
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
    /// value, after blank ones and words for yes or no. Only forms have it.
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

/// The most members and elements of a JSON body together, and the most pairs of a form. Each costs
/// some 60 bytes and a microsecond, and no form that a person fills in has as many.
pub const MAX_MEMBERS: usize = 1_000;

/// The error of [`BodyValue::from_json`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonError {
    /// The bytes are not one JSON value in UTF-8.
    Malformed,
    /// It has more than [`MAX_MEMBERS`] members and elements.
    TooMany,
}

impl<'a> BodyValue<'a> {
    /// Parses a JSON value.
    ///
    /// # Errors
    /// When it is malformed, or has too many members and elements.
    pub fn from_json(bytes: &'a [u8]) -> Result<Self, JsonError> {
        let count = Cell::new(0);
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let value = ValueVisitor { count: &count }.deserialize(&mut json);
        match value.and_then(|value| json.end().map(|()| value)) {
            Ok(value) => Ok(value),
            Err(_) if count.get() > MAX_MEMBERS => Err(JsonError::TooMany),
            Err(_) => Err(JsonError::Malformed),
        }
    }
}

/// Reads a value, and counts the members and elements of the whole body.
#[derive(Clone, Copy)]
struct ValueVisitor<'c> {
    count: &'c Cell<usize>,
}

impl ValueVisitor<'_> {
    /// Counts a member or an element.
    fn add<E: Error>(self) -> Result<(), E> {
        self.count.set(self.count.get() + 1);
        if self.count.get() > MAX_MEMBERS { Err(E::custom("too many members")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for ValueVisitor<'_> {
    type Value = BodyValue<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Reads a member's name, borrowed unless it contains an escape.
struct NameVisitor;

impl<'de> DeserializeSeed<'de> for NameVisitor {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

impl<'de> Visitor<'de> for ValueVisitor<'_> {
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

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
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
        while let Some(element) = seq.next_element_seed(self)? {
            self.add()?;
            elements.push(element);
        }
        Ok(BodyValue::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = BodyMembers::new();
        while let Some((name, value)) = map.next_entry_seed(NameVisitor, self)? {
            self.add()?;
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
        let value = BodyValue::from_json(br#"{"a":"x","b":"\n"}"#).unwrap();
        let BodyValue::Object(members) = value else { panic!("an object") };
        assert!(matches!(members[0].1, BodyValue::Text(Cow::Borrowed("x"))));
        assert!(matches!(members[1].1, BodyValue::Text(Cow::Owned(_))));
    }

    #[test]
    fn duplicate_names_are_kept() {
        let value = BodyValue::from_json(br#"{"a":1,"a":2}"#).unwrap();
        assert!(matches!(value, BodyValue::Object(members) if members.len() == 2));
    }

    #[test]
    fn a_lone_surrogate_is_rejected() {
        let surrogate = BodyValue::from_json(br#""\ud800""#);
        assert_eq!(surrogate.err(), Some(JsonError::Malformed));
    }

    #[test]
    fn members_and_elements_are_counted_together_at_any_depth() {
        let body = |names: usize, elements: usize| {
            let names = "\"a\":0,".repeat(names);
            let elements = "0,".repeat(elements);
            format!("{{\"a\":{{{names}\"b\":[{elements}0]}}}}")
        };
        // Beside those that are repeated there are three.
        assert!(BodyValue::from_json(body(500, 497).as_bytes()).is_ok());
        let many = BodyValue::from_json(body(500, 498).as_bytes()).err();
        assert_eq!(many, Some(JsonError::TooMany));
    }

    #[test]
    fn debug_shows_no_content() {
        let value = BodyValue::Text("hunter2".into());
        assert_eq!(format!("{value:?}"), "Text");
    }
}
