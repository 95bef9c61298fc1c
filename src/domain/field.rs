//! The fields that become root attributes of the user, and the password.

use std::fmt;

/// A field of the form, sent to Auth0 under the same name.
///
/// Errors are reported and attributes are sent in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// `email`
    Email,
    /// `password`
    Password,
    /// `given_name`
    GivenName,
    /// `family_name`
    FamilyName,
    /// `name`
    Name,
    /// `nickname`
    Nickname,
    /// `picture`
    Picture,
    /// `username`, only for a connection that uses usernames
    Username,
    /// `phone_number`, only for a connection that uses phone numbers
    PhoneNumber,
}

impl Field {
    /// Every field, in order.
    pub const ALL: [Self; 9] = [
        Self::Email,
        Self::Password,
        Self::GivenName,
        Self::FamilyName,
        Self::Name,
        Self::Nickname,
        Self::Picture,
        Self::Username,
        Self::PhoneNumber,
    ];

    /// The name on the wire: the same in forms, in JSON and at Auth0.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Password => "password",
            Self::GivenName => "given_name",
            Self::FamilyName => "family_name",
            Self::Name => "name",
            Self::Nickname => "nickname",
            Self::Picture => "picture",
            Self::Username => "username",
            Self::PhoneNumber => "phone_number",
        }
    }

    /// The RFC 6901 pointer to the field in a JSON body.
    pub const fn pointer(self) -> &'static str {
        match self {
            Self::Email => "/email",
            Self::Password => "/password",
            Self::GivenName => "/given_name",
            Self::FamilyName => "/family_name",
            Self::Name => "/name",
            Self::Nickname => "/nickname",
            Self::Picture => "/picture",
            Self::Username => "/username",
            Self::PhoneNumber => "/phone_number",
        }
    }

    /// Returns the field with exactly this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
