//! A sign-up that met every rule, ready to be sent.

use std::collections::BTreeMap;

use super::metadata::MetadataValue;
use super::{
    EmailAddress, Password, PersonalName, PhoneNumber, PictureUrl, TermsVersion, Username,
};

/// What the person gave, parsed, with the composed `name`. Made by [`Rules::check`] alone.
///
/// [`Rules::check`]: super::Rules::check
#[derive(Debug)]
pub struct NewUser {
    /// The address, in lower case.
    pub email: EmailAddress,
    /// The password as typed.
    pub password: Password,
    /// `given_name`
    pub given_name: Option<PersonalName>,
    /// `family_name`
    pub family_name: Option<PersonalName>,
    /// `name`, as given or composed.
    pub name: Option<PersonalName>,
    /// `nickname`
    pub nickname: Option<PersonalName>,
    /// `picture`
    pub picture: Option<PictureUrl>,
    /// `username`
    pub username: Option<Username>,
    /// `phone_number`
    pub phone_number: Option<PhoneNumber>,
    /// `user_metadata`, only keys the operator allows.
    pub user_metadata: BTreeMap<String, MetadataValue>,
    /// The version of the terms that came accepted.
    pub terms: Option<TermsVersion>,
}
