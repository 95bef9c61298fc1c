//! Request bodies as lists of members that keep their order, which the order of errors follows.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::journal::JournalEntry;

/// A body that has been read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ParsedBody {
    /// An object: its members in the order they came.
    Object(BodyMembers),
    /// Any other JSON value.
    Other(Value),
}

/// Why a body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// It is neither JSON nor a form.
    MediaType,
    /// It says it is JSON and is not.
    Json,
}

/// The members of an object, in order. Of two with one name the later value stands in the earlier
/// one's place, as in JavaScript.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct BodyMembers(Vec<(String, Value)>);

impl BodyMembers {
    /// Adds a member.
    fn put(&mut self, name: String, value: Value) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    /// The value of a member.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The text of a member, if it is text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// The value of a member that is a switch.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool()
    }

    /// The members in order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The members with other values under the same names.
    pub(crate) fn map(self, f: impl Fn(&str, Value) -> Value) -> Self {
        Self(self.0.into_iter().map(|(name, value)| (name.clone(), f(&name, value))).collect())
    }

    /// The members of those names alone.
    pub(crate) fn only(self, names: &[&str]) -> Self {
        Self(self.0.into_iter().filter(|(name, _)| names.contains(&name.as_str())).collect())
    }

    /// The members as a map, without their order.
    pub(crate) fn to_map(&self) -> Map<String, Value> {
        self.0.iter().cloned().collect()
    }
}

impl ParsedBody {
    /// Reads the body of a request by its media type.
    ///
    /// # Errors
    ///
    /// When the media type is another, or the JSON is none.
    pub(crate) fn parse(entry: &JournalEntry) -> Result<Self, BodyError> {
        let media_type = entry.header("content-type").unwrap_or_default();
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => serde_json::from_slice(&entry.body).map_err(|_| BodyError::Json),
            "application/x-www-form-urlencoded" => {
                let mut members = BodyMembers::default();
                for (name, value) in entry.form() {
                    members.put(name, Value::from(value));
                }
                Ok(Self::Object(members))
            }
            _ => Err(BodyError::MediaType),
        }
    }

    /// The members; none if the body is no object.
    pub(crate) fn into_members(self) -> BodyMembers {
        match self {
            Self::Object(members) => members,
            Self::Other(_) => BodyMembers::default(),
        }
    }
}

impl<'de> Deserialize<'de> for ParsedBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BodyVisitor)
    }
}

/// Reads a [`ParsedBody`]; only the outermost object needs its order.
struct BodyVisitor;

impl<'de> Visitor<'de> for BodyVisitor {
    type Value = ParsedBody;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ParsedBody, A::Error> {
        let mut members = BodyMembers::default();
        while let Some((name, value)) = map.next_entry()? {
            members.put(name, value);
        }
        Ok(ParsedBody::Object(members))
    }

    fn visit_unit<E>(self) -> Result<ParsedBody, E> {
        Ok(ParsedBody::Other(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<ParsedBody, E> {
        Ok(ParsedBody::Other(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<ParsedBody, E> {
        Ok(ParsedBody::Other(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<ParsedBody, E> {
        Ok(ParsedBody::Other(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<ParsedBody, E> {
        Ok(ParsedBody::Other(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<ParsedBody, E> {
        Ok(ParsedBody::Other(value.into()))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<ParsedBody, A::Error> {
        let mut items: Vec<Value> = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(ParsedBody::Other(Value::Array(items)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_the_later_of_two_values() {
        let body: ParsedBody = serde_json::from_str(r#"{"z":1,"a":2,"z":3}"#).unwrap();
        let members = body.into_members();
        let names: Vec<_> = members.iter().map(|(name, value)| (name, value.as_i64())).collect();
        assert_eq!(names, [("z", Some(3)), ("a", Some(2))]);
    }

    #[test]
    fn other_values_are_kept_as_they_are() {
        for text in ["null", "true", "3", "-1", "1.5", "\"x\"", "[1,{\"a\":null}]"] {
            let body: ParsedBody = serde_json::from_str(text).unwrap();
            assert_eq!(body, ParsedBody::Other(serde_json::from_str(text).unwrap()));
        }
    }
}
