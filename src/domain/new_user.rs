//! A sign-up that meets every rule, ready to be sent.

use std::collections::BTreeMap;

use super::metadata::MetadataValue;
use super::{
    EmailAddress, Password, PersonalName, PhoneNumber, PictureUrl, TermsVersion, Username,
};

/// The parsed fields of a valid form, with the composed `name`. Built only by
/// `form::Submission::validate`.
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
    /// `name`, given or composed.
    pub name: Option<PersonalName>,
    /// `nickname`
    pub nickname: Option<PersonalName>,
    /// `picture`
    pub picture: Option<PictureUrl>,
    /// `username`
    pub username: Option<Username>,
    /// `phone_number`
    pub phone_number: Option<PhoneNumber>,
    /// `user_metadata`, only keys that the operator allows.
    pub user_metadata: BTreeMap<String, MetadataValue>,
    /// The accepted version of the terms.
    pub terms: Option<TermsVersion>,
}
