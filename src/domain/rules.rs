//! The rules of one deployment: which fields a sign-up may have, and what each accepts.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::metadata::MetadataRules;
use super::{EmailRules, Field, IgnoredNames, PasswordPolicy, PictureSchemes, Terms};

/// The presence of a field in a sign-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// A sign-up without it is rejected.
    Required,
    /// It may be left out.
    Optional,
    /// It is reported as an unknown field.
    Off,
}

/// The order in which `name` is composed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameOrder {
    /// `given_name family_name`
    GivenFirst,
    /// `family_name given_name`
    FamilyFirst,
}

/// The rules of one deployment.
#[derive(Debug)]
pub struct Rules {
    /// The accepted attributes. [`Self::presence_of`] has every field.
    pub presence: BTreeMap<Field, Presence>,
    /// Composes a missing `name` from its parts.
    pub compose_name: bool,
    /// The order of the parts. `None`: that of the form's language.
    pub name_order: Option<NameOrder>,
    /// The accepted e-mail addresses.
    pub email: EmailRules,
    /// The accepted URL schemes of a picture.
    pub picture: PictureSchemes,
    /// The accepted length of a `username` in code points, within 1..=128.
    pub username: RangeInclusive<usize>,
    /// The keys of `user_metadata`.
    pub metadata: MetadataRules,
    /// The keys in the order of the settings.
    pub metadata_order: Vec<String>,
    /// The terms to accept. `None`: there are none, and the field is ignored.
    pub terms: Option<Terms>,
    /// Other names that are accepted and ignored, such as a submit button's.
    pub ignored: IgnoredNames,
    /// The tenant's password policy.
    pub password: PasswordPolicy,
}

impl Rules {
    /// The presence of a field.
    pub fn presence_of(&self, field: Field) -> Presence {
        match field {
            Field::Email | Field::Password => Presence::Required,
            other => self.presence.get(&other).copied().unwrap_or(Presence::Off),
        }
    }
}
