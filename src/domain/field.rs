//! The fields of a sign-up, each with one descriptor.
//!
//! The form, the built-in page, the policy, the OpenAPI document, the create call and the
//! Auth0-compatible endpoint are all made from these descriptors. Sources of the lengths:
//! `CreateUserRequestContent` in Auth0's Management API document.

use std::fmt;

use super::EmailAddress;

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

/// Descriptor of a field. The label and the texts of its errors are in `locales/`, under its name.
#[derive(Debug)]
pub struct FieldSpec {
    /// The name in forms, in JSON and at Auth0.
    pub name: &'static str,
    /// The JSON pointer (RFC 6901) to the field in a body.
    pub pointer: &'static str,
    /// The kind of value, which decides how it is parsed and entered.
    pub kind: FieldKind,
    /// The `autocomplete` token of its input (HTML, "Autofill"; WCAG 2.2, criterion 1.3.5).
    pub autocomplete: &'static str,
    /// The place on the built-in page, from the top.
    pub page_order: u8,
    /// The meaning, for the OpenAPI document.
    pub description: &'static str,
    /// A valid value, for the OpenAPI document.
    pub example: &'static str,
}

/// Kind of a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// The e-mail address, of at most this many UTF-16 units. Always required.
    Email {
        /// The maximum length.
        max_length: usize,
    },
    /// The password. Always required, and never shown again.
    Password,
    /// A root attribute, which may be absent.
    Attribute(AttributeKind),
}

/// Kind of a root attribute's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeKind {
    /// A name of a person, of 1 to this many code points.
    PersonName {
        /// The maximum length.
        max_length: usize,
    },
    /// The URL of a picture.
    Picture,
    /// A username, within the connection's own bounds.
    Username,
    /// A phone number.
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

    /// The descriptor of the field.
    pub const fn spec(self) -> &'static FieldSpec {
        match self {
            Self::Email => &FieldSpec {
                name: "email",
                pointer: "/email",
                kind: FieldKind::Email { max_length: EmailAddress::MAX_LENGTH },
                autocomplete: "email",
                page_order: 6,
                description: "The e-mail address",
                example: "ada@example.com",
            },
            Self::Password => &FieldSpec {
                name: "password",
                pointer: "/password",
                kind: FieldKind::Password,
                autocomplete: "new-password",
                page_order: 8,
                description: "The password",
                example: "Difference-Engine-1843",
            },
            Self::GivenName => &FieldSpec {
                name: "given_name",
                pointer: "/given_name",
                kind: FieldKind::Attribute(AttributeKind::PersonName { max_length: 150 }),
                autocomplete: "given-name",
                page_order: 1,
                description: "The first name",
                example: "Ada",
            },
            Self::FamilyName => &FieldSpec {
                name: "family_name",
                pointer: "/family_name",
                kind: FieldKind::Attribute(AttributeKind::PersonName { max_length: 150 }),
                autocomplete: "family-name",
                page_order: 2,
                description: "The last name",
                example: "Lovelace",
            },
            // The schema's length. A page of Auth0's documentation gives other numbers for `name`
            // and `nickname`, which the validator does not enforce.
            Self::Name => &FieldSpec {
                name: "name",
                pointer: "/name",
                kind: FieldKind::Attribute(AttributeKind::PersonName { max_length: 300 }),
                autocomplete: "name",
                page_order: 3,
                description: "The full name",
                example: "Ada Lovelace",
            },
            Self::Nickname => &FieldSpec {
                name: "nickname",
                pointer: "/nickname",
                kind: FieldKind::Attribute(AttributeKind::PersonName { max_length: 300 }),
                autocomplete: "nickname",
                page_order: 4,
                description: "The nickname",
                example: "Countess",
            },
            Self::Picture => &FieldSpec {
                name: "picture",
                pointer: "/picture",
                kind: FieldKind::Attribute(AttributeKind::Picture),
                autocomplete: "photo",
                page_order: 9,
                description: "The URL of a picture",
                example: "https://www.example.com/ada.png",
            },
            Self::Username => &FieldSpec {
                name: "username",
                pointer: "/username",
                kind: FieldKind::Attribute(AttributeKind::Username),
                autocomplete: "username",
                page_order: 5,
                description: "The username, for a connection that uses usernames",
                example: "countess",
            },
            Self::PhoneNumber => &FieldSpec {
                name: "phone_number",
                pointer: "/phone_number",
                kind: FieldKind::Attribute(AttributeKind::PhoneNumber),
                autocomplete: "tel",
                page_order: 7,
                description: "The phone number, for a connection that uses phone numbers",
                example: "+441632960961",
            },
        }
    }

    /// The name in forms, in JSON and at Auth0.
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    /// The JSON pointer (RFC 6901) to the field in a body.
    pub const fn pointer(self) -> &'static str {
        self.spec().pointer
    }

    /// The field of exactly this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// The root attributes in order, each with the kind of its value.
    pub fn attributes() -> impl Iterator<Item = (Self, AttributeKind)> {
        Self::ALL.into_iter().filter_map(|field| match field.spec().kind {
            FieldKind::Attribute(kind) => Some((field, kind)),
            FieldKind::Email { .. } | FieldKind::Password => None,
        })
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_pointers_and_places_are_unique() {
        let specs = Field::ALL.map(Field::spec);
        let names: BTreeSet<_> = specs.iter().map(|spec| spec.name).collect();
        let places: BTreeSet<_> = specs.iter().map(|spec| spec.page_order).collect();
        assert_eq!((names.len(), places.len()), (specs.len(), specs.len()));
        assert!(specs.iter().all(|spec| spec.pointer.strip_prefix('/') == Some(spec.name)));
    }

    #[test]
    fn the_order_of_all_is_the_order_of_the_variants() {
        assert!(Field::ALL.is_sorted());
    }
}
