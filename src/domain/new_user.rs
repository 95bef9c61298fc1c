//! A sign-up that meets every rule, ready to be sent.

use std::collections::BTreeMap;

use super::metadata::MetadataValue;
use super::{Attributes, EmailAddress, Password, TermsVersion};

/// The parsed fields of a valid form, with the composed `name`. Built only by
/// `form::Submission::validate`.
#[derive(Debug)]
pub struct NewUser {
    /// The address, in lower case.
    pub email: EmailAddress,
    /// The password as typed.
    pub password: Password,
    /// The root attributes, with the composed `name`.
    pub attributes: Attributes,
    /// `user_metadata`, only keys that the operator allows.
    pub user_metadata: BTreeMap<String, MetadataValue>,
    /// The accepted version of the terms.
    pub terms: Option<TermsVersion>,
}
