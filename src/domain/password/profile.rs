//! Passwords that contain personal data, which Auth0 calls profile data.
//!
//! Owns the list of compared fields and the comparison. Must not know where their values come from.
//! No public package implements this rule; it follows Auth0's page "Password Options in Auth0
//! Database Connections". That page does not say whether case matters. Here it does not, so a
//! password that differs from a name only by case is never sent.

use std::borrow::Cow;
use std::fmt;

use super::lower_case;
use super::settings::{PolicyError, ProfileDataSettings};
use crate::domain::Field;

/// The maximum number of entries in `password_options.profile_data.blocked_fields`.
const MAX_BLOCKED_FIELDS: usize = 12;

/// The fields that a legacy policy compares (`password_no_personal_info`). `given_name` and
/// `family_name` are not among them.
const LEGACY_FIELDS: [&str; 7] = [
    "email",
    "name",
    "nickname",
    "username",
    "user_metadata.name",
    "user_metadata.first",
    "user_metadata.last",
];

/// The user's data that a password is compared with.
#[derive(Clone, Copy, Default)]
pub struct Profile<'a> {
    /// The e-mail address. Only its local part is compared.
    pub email: &'a str,
    /// The root attributes, given or composed.
    pub attributes: &'a [(Field, &'a str)],
    /// The string members of `user_metadata`.
    pub user_metadata: &'a [(&'a str, &'a str)],
}

impl fmt::Debug for Profile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Profile(_)")
    }
}

impl<'a> Profile<'a> {
    /// Returns the text that is compared for this field, if there is any.
    fn value(&self, field: &str) -> Option<&'a str> {
        let value = match field {
            "email" => self.email.rsplit_once('@').map(|(local_part, _)| local_part),
            _ => match field.strip_prefix("user_metadata.") {
                None => {
                    let mut attributes = self.attributes.iter();
                    attributes.find(|(known, _)| known.name() == field).map(|(_, value)| *value)
                }
                Some(key) => {
                    let mut members = self.user_metadata.iter();
                    members.find(|(name, _)| *name == key).map(|(_, value)| *value)
                }
            },
        };
        value.filter(|value| !value.is_empty())
    }
}

/// The fields whose values a password must not contain.
#[derive(Debug)]
pub(super) struct BlockedFields(pub(super) Vec<Cow<'static, str>>);

impl BlockedFields {
    /// Reads the list of fields. The caller has checked that the rule is active.
    pub(super) fn new(settings: &ProfileDataSettings) -> Result<Self, PolicyError> {
        let Some(fields) = &settings.blocked_fields else {
            return Ok(Self(LEGACY_FIELDS.map(Cow::Borrowed).to_vec()));
        };
        if fields.len() > MAX_BLOCKED_FIELDS {
            return Err(PolicyError::TooManyBlockedFields);
        }
        Ok(Self(fields.iter().cloned().map(Cow::Owned).collect()))
    }

    /// Returns the fields whose values the password contains, in the order of the settings.
    pub(super) fn contained_in(
        &self,
        password: &str,
        profile: &Profile<'_>,
    ) -> Vec<Cow<'static, str>> {
        self.0
            .iter()
            .filter(|field| {
                profile.value(field).is_some_and(|value| contains_ignoring_case(password, value))
            })
            .cloned()
            .collect()
    }
}

/// Returns whether `text` contains `part`, ignoring case.
fn contains_ignoring_case(text: &str, part: &str) -> bool {
    text.char_indices()
        .filter_map(|(start, _)| text.get(start..))
        .any(|rest| starts_with_ignoring_case(rest, part))
}

/// Returns whether `text` starts with `part`, ignoring case.
fn starts_with_ignoring_case(text: &str, part: &str) -> bool {
    let mut characters = lower_case(text);
    lower_case(part).all(|character| characters.next() == Some(character))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(password: &str, blocked: Option<&[&str]>) -> Vec<Cow<'static, str>> {
        let settings = ProfileDataSettings {
            active: true,
            blocked_fields: blocked
                .map(|fields| fields.iter().map(|field| (*field).to_owned()).collect()),
        };
        let profile = Profile {
            email: "ada.byron@example.com",
            attributes: &[(Field::GivenName, "Augusta"), (Field::Nickname, "Countess")],
            user_metadata: &[("first", "Zoë"), ("plan", "gold")],
        };
        BlockedFields::new(&settings).unwrap().contained_in(password, &profile)
    }

    #[test]
    fn a_legacy_policy_compares_fixed_fields() {
        assert_eq!(found("xxADA.BYRONxx-countess", None), ["email", "nickname"]);
        assert_eq!(found("-ZOË-", None), ["user_metadata.first"]);
        assert!(found("Augusta-gold-example.com", None).is_empty());
    }

    #[test]
    fn a_flexible_policy_compares_its_own_fields() {
        let blocked: &[&str] = &["given_name", "user_metadata.plan", "app_metadata.x"];
        assert_eq!(
            found("Augusta-GOLD-countess", Some(blocked)),
            ["given_name", "user_metadata.plan"]
        );
    }

    #[test]
    fn debug_hides_the_profile() {
        let profile = Profile { email: "ada@example.com", ..Profile::default() };
        assert_eq!(format!("{profile:?}"), "Profile(_)");
    }

    proptest! {
        #[test]
        fn a_value_is_found_at_any_position(
            before in any::<String>(),
            value in ".+",
            after in any::<String>(),
        ) {
            let password = format!("{before}{value}{after}");
            prop_assert!(contains_ignoring_case(&password, &value));
            prop_assert!(contains_ignoring_case(&password.to_ascii_uppercase(), &value));
        }
    }
}
