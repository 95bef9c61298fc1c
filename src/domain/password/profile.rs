//! Passwords that hold personal information: what Auth0 calls profile data.
//!
//! Owns which fields are looked at and how they are compared. Must not know where their values
//! come from. No public package has code for this rule; it follows Auth0's page "Password Options
//! in Auth0 Database Connections". That page does not say whether case matters: here it does not,
//! so that a password differing from a name by case alone is never sent.

use std::borrow::Cow;
use std::fmt;

use super::folded;
use super::settings::{PolicyFault, ProfileDataSettings};

/// The most entries of `password_options.profile_data.blocked_fields`.
const MAX_BLOCKED_FIELDS: usize = 12;

/// The fields that a legacy policy looks at (`password_no_personal_info`). `given_name` and
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

/// What is known of the person beside the password.
#[derive(Clone, Copy, Default)]
pub struct Profile<'a> {
    /// The e-mail address; its local part is what a password must not contain.
    pub email: &'a str,
    /// `name`, given or composed.
    pub name: Option<&'a str>,
    /// `nickname`
    pub nickname: Option<&'a str>,
    /// `username`
    pub username: Option<&'a str>,
    /// `given_name`
    pub given_name: Option<&'a str>,
    /// `family_name`
    pub family_name: Option<&'a str>,
    /// `phone_number`
    pub phone_number: Option<&'a str>,
    /// Keys and values of `user_metadata` that are strings.
    pub user_metadata: &'a [(&'a str, &'a str)],
}

impl fmt::Debug for Profile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Profile(_)")
    }
}

impl<'a> Profile<'a> {
    /// The text that stands for the field of that name, where there is one.
    fn value(&self, field: &str) -> Option<&'a str> {
        let value = match field {
            "email" => self.email.rsplit_once('@').map(|(local_part, _)| local_part),
            "name" => self.name,
            "nickname" => self.nickname,
            "username" => self.username,
            "given_name" => self.given_name,
            "family_name" => self.family_name,
            "phone_number" => self.phone_number,
            _ => {
                let key = field.strip_prefix("user_metadata.")?;
                self.user_metadata.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
            }
        };
        value.filter(|value| !value.is_empty())
    }
}

/// The fields whose values no password may contain.
#[derive(Debug)]
pub(super) struct BlockedFields(Vec<Cow<'static, str>>);

impl BlockedFields {
    /// The fields of these settings, which the caller has found to be active.
    pub(super) fn new(settings: &ProfileDataSettings) -> Result<Self, PolicyFault> {
        let Some(fields) = &settings.blocked_fields else {
            return Ok(Self(LEGACY_FIELDS.map(Cow::Borrowed).to_vec()));
        };
        if fields.len() > MAX_BLOCKED_FIELDS {
            return Err(PolicyFault::TooManyBlockedFields);
        }
        Ok(Self(fields.iter().cloned().map(Cow::Owned).collect()))
    }

    /// The fields whose values the password contains, in the order of the settings.
    pub(super) fn contained_in(
        &self,
        password: &str,
        profile: &Profile<'_>,
    ) -> Vec<Cow<'static, str>> {
        self.0
            .iter()
            .filter(|field| {
                profile.value(field).is_some_and(|value| contains_folded(password, value))
            })
            .cloned()
            .collect()
    }
}

/// Whether `part` stands anywhere in `text`, whatever the case of either.
fn contains_folded(text: &str, part: &str) -> bool {
    text.char_indices()
        .filter_map(|(start, _)| text.get(start..))
        .any(|rest| starts_with_folded(rest, part))
}

/// Whether `text` starts with `part`, whatever the case of either.
fn starts_with_folded(text: &str, part: &str) -> bool {
    let mut characters = folded(text);
    folded(part).all(|character| characters.next() == Some(character))
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
            nickname: Some("Countess"),
            given_name: Some("Augusta"),
            user_metadata: &[("first", "Zoë"), ("plan", "gold")],
            ..Profile::default()
        };
        BlockedFields::new(&settings).unwrap().contained_in(password, &profile)
    }

    #[test]
    fn a_legacy_policy_looks_at_fixed_fields() {
        assert_eq!(found("xxADA.BYRONxx-countess", None), ["email", "nickname"]);
        assert_eq!(found("-ZOË-", None), ["user_metadata.first"]);
        assert!(found("Augusta-gold-example.com", None).is_empty());
    }

    #[test]
    fn a_flexible_policy_names_its_own() {
        let blocked: &[&str] = &["given_name", "user_metadata.plan", "app_metadata.x"];
        assert_eq!(
            found("Augusta-GOLD-countess", Some(blocked)),
            ["given_name", "user_metadata.plan"]
        );
    }

    #[test]
    fn its_debug_form_hides_it() {
        let profile = Profile { email: "ada@example.com", ..Profile::default() };
        assert_eq!(format!("{profile:?}"), "Profile(_)");
    }

    proptest! {
        #[test]
        fn a_value_is_found_wherever_it_stands(
            before in any::<String>(),
            value in any::<String>(),
            after in any::<String>(),
        ) {
            let password = format!("{before}{value}{after}");
            prop_assert!(contains_folded(&password, &value));
            prop_assert!(contains_folded(&password.to_ascii_uppercase(), &value));
        }
    }
}
