//! A user as the tenant returns it, with the members that clients get.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::Error as _;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::domain::{Attributes, Field, UserId};

/// A user with the root attributes that the tenant returned, its defaults included.
///
/// A response holds more and may hold anything. Other members are ignored, and an attribute of another
/// type counts as absent: an identity provider may send `"true"` or an address as `email_verified`.
#[derive(Clone)]
pub struct User {
    /// The id.
    pub user_id: UserId,
    /// The e-mail address.
    pub email: Option<Box<str>>,
    /// `true` if the address is verified.
    pub email_verified: Option<bool>,
    /// The root attributes, in the order of [`Field::ALL`].
    attributes: Vec<(Field, Box<str>)>,
}

/// A user that a create call created.
#[derive(Debug)]
pub struct CreatedUser {
    /// The user, as the tenant returned it.
    pub user: User,
    /// Auth0's id of the request.
    pub auth0_request_id: Option<String>,
}

impl User {
    /// A user of which only the id and the address are known.
    pub fn known(user_id: UserId, email: &str) -> Self {
        Self { user_id, email: Some(email.into()), email_verified: None, attributes: Vec::new() }
    }

    /// The user with this id that is linked to this profile: only its id and the address.
    pub(super) fn linked(self, user_id: UserId) -> Self {
        Self { user_id, email: self.email, email_verified: None, attributes: Vec::new() }
    }

    /// The names of the members that are read.
    pub(super) fn member_names() -> impl Iterator<Item = &'static str> {
        let attributes = Field::attributes().map(|(field, _)| field.name());
        ["user_id", "email", "email_verified"].into_iter().chain(attributes)
    }

    /// Returns whether the id is empty, with `auth0|` or without.
    pub(super) fn has_empty_id(&self) -> bool {
        self.user_id.connection_id().is_empty()
    }

    /// Returns whether this is not the user with that address, compared without case. A user without
    /// an address may be.
    pub fn has_other_email(&self, email: &str) -> bool {
        self.email.as_deref().is_some_and(|own| own.to_lowercase() != email.to_lowercase())
    }

    /// The same user with this address, unless it has one.
    #[must_use]
    pub(super) fn with_missing_email(mut self, email: &str) -> Self {
        self.email.get_or_insert_with(|| email.into());
        self
    }

    /// The same user with these root attributes.
    #[must_use]
    pub fn with_attributes(mut self, attributes: &Attributes) -> Self {
        self.attributes = attributes.iter().map(|(field, value)| (field, value.into())).collect();
        self
    }

    /// The value of a root attribute, if the tenant returned one.
    pub fn attribute(&self, field: Field) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| *known == field).map(|(_, value)| &**value)
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}

impl Serialize for User {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        members.serialize_entry("user_id", &self.user_id)?;
        if let Some(email) = &self.email {
            members.serialize_entry("email", email)?;
        }
        if let Some(verified) = self.email_verified {
            members.serialize_entry("email_verified", &verified)?;
        }
        for (field, value) in &self.attributes {
            members.serialize_entry(field.name(), value)?;
        }
        members.end()
    }
}

impl<'de> Deserialize<'de> for User {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = BTreeMap::<String, &RawValue>::deserialize(deserializer)?;
        let member = |name| members.get(name).copied();
        let user_id = member("user_id").ok_or_else(|| D::Error::missing_field("user_id"))?;
        let email = member("email").map(|email| serde_json::from_str(email.get())).transpose();
        Ok(Self {
            user_id: serde_json::from_str(user_id.get()).map_err(D::Error::custom)?,
            email: email.map_err(D::Error::custom)?.flatten(),
            email_verified: member("email_verified").and_then(readable),
            attributes: Field::attributes()
                .filter_map(|(field, _)| Some((field, readable(member(field.name())?)?)))
                .collect(),
        })
    }
}

/// Reads a value; `None` when it is of another type.
fn readable<'de, T: Deserialize<'de>>(value: &'de RawValue) -> Option<T> {
    serde_json::from_str(value.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_null_members_are_ignored() {
        let body = r#"{"user_id":"auth0|1","email":null,"name":"Ada","nickname":null,
            "app_metadata":{"name":"x"},"identities":[{}],"password":"p"}"#;
        let user: User = serde_json::from_str(body).unwrap();
        let written = serde_json::to_string(&user).unwrap();
        assert_eq!(written, r#"{"user_id":"auth0|1","name":"Ada"}"#);
        assert_eq!(user.attribute(Field::Name), Some("Ada"));
    }

    #[test]
    fn a_user_whose_id_or_address_cannot_be_read_is_an_error() {
        for body in [
            r#"{"email":"ada@example.com"}"#,
            r#"{"user_id":5}"#,
            r#"{"user_id":"a","email":5}"#,
            r#"{"user_id":"a","name":"#,
            "[]",
        ] {
            assert!(serde_json::from_str::<User>(body).is_err(), "{body}");
        }
    }

    #[test]
    fn attributes_have_one_order_and_one_value() {
        let body = r#"{"nickname":"a","name":"Ada","user_id":"a","nickname":"ada"}"#;
        let user: User = serde_json::from_str(body).unwrap();
        let written = serde_json::to_string(&user).unwrap();
        assert_eq!(written, r#"{"user_id":"a","name":"Ada","nickname":"ada"}"#);
    }

    #[test]
    fn an_attribute_of_another_type_is_absent() {
        // The last one is half of a character, which JavaScript writes and no text contains.
        for value in ["5", "null", "true", r#"["Ada"]"#, r#"{"name":"Ada"}"#, r#""\ud83d""#] {
            let body = format!(r#"{{"name":{value},"user_id":"a","nickname":"ada"}}"#);
            let user: User = serde_json::from_str(&body).unwrap();
            assert_eq!(
                (user.attribute(Field::Name), user.attribute(Field::Nickname)),
                (None, Some("ada"))
            );
        }
        for value in [r#""true""#, r#""ada@example.com""#, r#"["ada@example.com"]"#, "null", "1"] {
            let body = format!(r#"{{"user_id":"a","email_verified":{value}}}"#);
            assert_eq!(
                serde_json::from_str::<User>(&body).unwrap().email_verified,
                None,
                "{value}"
            );
        }
    }
}
