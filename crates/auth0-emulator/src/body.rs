//! Request bodies as ordered lists of members. The order matters: errors are reported in it.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::journal::JournalEntry;

/// A parsed request body.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum ParsedBody {
    /// A JSON object or a form, with its members in the order received.
    Object(BodyMembers),
    /// Any other JSON value.
    Other(Value),
}

/// Reason a body cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// The media type is neither JSON nor a form.
    MediaType,
    /// The media type is JSON, but the body is not valid JSON.
    Json,
}

/// The members of an object, in order. If a name is repeated, the later value replaces the earlier
/// one in its position, as in JavaScript.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct BodyMembers(Vec<(String, Value)>);

impl BodyMembers {
    /// Adds a member, or replaces the value of an existing one.
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

    /// The value of a member, if it is a string.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// The value of a member, if it is a boolean.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool()
    }

    /// The members in order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Maps every value, keeping the names.
    pub(crate) fn map(self, f: impl Fn(&str, Value) -> Value) -> Self {
        Self(self.0.into_iter().map(|(name, value)| (name.clone(), f(&name, value))).collect())
    }

    /// Keeps only the members with these names.
    pub(crate) fn only(self, names: &[&str]) -> Self {
        Self(self.0.into_iter().filter(|(name, _)| names.contains(&name.as_str())).collect())
    }

    /// The members as a map, without their order.
    pub(crate) fn to_map(&self) -> Map<String, Value> {
        self.0.iter().cloned().collect()
    }
}

impl ParsedBody {
    /// Parses the body of a request by its media type.
    ///
    /// # Errors
    ///
    /// Returns an error if the media type is not supported or the JSON is invalid.
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

    /// The members; empty if the body is not an object.
    pub(crate) fn into_members(self) -> BodyMembers {
        match self {
            Self::Object(members) => members,
            Self::Other(_) => BodyMembers::default(),
        }
    }
}

impl<'de> Deserialize<'de> for BodyMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

/// Deserializes [`BodyMembers`], in their order.
struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = BodyMembers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<BodyMembers, A::Error> {
        let mut members = BodyMembers::default();
        while let Some((name, value)) = map.next_entry()? {
            members.put(name, value);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_the_last_of_repeated_values() {
        let body: ParsedBody = serde_json::from_str(r#"{"z":1,"a":2,"z":3}"#).unwrap();
        let members = body.into_members();
        let names: Vec<_> = members.iter().map(|(name, value)| (name, value.as_i64())).collect();
        assert_eq!(names, [("z", Some(3)), ("a", Some(2))]);
    }

    #[test]
    fn non_object_values_are_kept() {
        for text in ["null", "true", "3", "-1", "1.5", "\"x\"", "[1,{\"a\":null}]"] {
            let body: ParsedBody = serde_json::from_str(text).unwrap();
            assert_eq!(body, ParsedBody::Other(serde_json::from_str(text).unwrap()));
        }
    }
}
