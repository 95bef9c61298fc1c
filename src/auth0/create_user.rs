//! The body of the create-user call, and the meaning of its response.
//!
//! The only place that sends a password.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use zeroize::Zeroizing;

use super::classify::classify;
use super::error::{CreateUserError, TransportError};
use super::response::ApiResponse;
use super::user::{CreatedUser, User};
use crate::clock::utc;
use crate::config::{TermsMember, TermsTarget, VerifyEmail};
use crate::domain::metadata::MetadataValue;
use crate::domain::{Attributes, NewUser, TermsVersion};

/// More bytes than all but the longest bodies have.
const USUAL_BODY: usize = 2 * 1024;

/// The body of `POST /api/v2/users`: the root attributes that were given, and nothing blank, since
/// Auth0 rejects empty strings and nulls.
#[derive(Serialize)]
struct CreateUserBody<'a> {
    connection: &'a str,
    email: &'a str,
    password: &'a str,
    #[serde(flatten)]
    attributes: RootAttributes<'a>,
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    user_metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    app_metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verify_email: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
}

/// The root attributes as members of the body.
struct RootAttributes<'a>(&'a Attributes);

impl Serialize for RootAttributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(field, value)| (field.name(), value)))
    }
}

/// Acceptance of the terms that came with a sign-up.
///
/// The time is that of the attempt, so that a repeated call has the same bytes.
#[derive(Debug, Clone, Copy)]
pub struct Acceptance<'a> {
    /// The version of the terms.
    pub version: &'a TermsVersion,
    /// The time of acceptance, since the Unix epoch.
    pub at: Duration,
}

/// `user_metadata` or `app_metadata`: the members from the form, then those that this service adds.
#[derive(Default)]
struct Metadata<'a> {
    given: Option<&'a BTreeMap<String, MetadataValue>>,
    terms: Option<(&'a str, AcceptedTerms<'a>)>,
}

/// The record of an acceptance in a user's metadata.
#[derive(Serialize)]
struct AcceptedTerms<'a> {
    version: &'a str,
    accepted_at: String,
}

impl Metadata<'_> {
    /// Returns whether there is no member.
    fn is_empty(&self) -> bool {
        self.terms.is_none() && self.given.is_none_or(BTreeMap::is_empty)
    }
}

impl Serialize for Metadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        for (key, value) in self.given.into_iter().flatten() {
            members.serialize_entry(key, value)?;
        }
        if let Some((key, accepted)) = &self.terms {
            members.serialize_entry(key, accepted)?;
        }
        members.end()
    }
}

/// The members that every create call of a deployment has in common.
#[derive(Debug)]
pub(super) struct CreateCallDefaults {
    /// The database connection's name.
    pub(super) connection: String,
    /// The value of `verify_email`, if the call carries one.
    pub(super) verify_email: VerifyEmail,
    /// The metadata member that records which terms were accepted.
    pub(super) terms: TermsMember,
}

/// Serializes the body for this user.
///
/// # Errors
/// Never in practice: every member is text, a number or a boolean.
pub(super) fn body(
    defaults: &CreateCallDefaults,
    user: &NewUser,
    user_id: Option<&str>,
    terms: Option<Acceptance<'_>>,
) -> Result<Bytes, serde_json::Error> {
    let mut user_metadata = Metadata { given: Some(&user.user_metadata), terms: None };
    let mut app_metadata = Metadata::default();
    if let Some(Acceptance { version, at }) = terms {
        let target = match defaults.terms.target {
            TermsTarget::AppMetadata => &mut app_metadata,
            TermsTarget::UserMetadata => &mut user_metadata,
        };
        let accepted = AcceptedTerms { version: version.as_str(), accepted_at: utc(at) };
        target.terms = Some((&defaults.terms.key, accepted));
    }
    let body = CreateUserBody {
        connection: &defaults.connection,
        email: user.email.as_ref(),
        password: user.password.expose(),
        attributes: RootAttributes(&user.attributes),
        user_metadata,
        app_metadata,
        verify_email: match defaults.verify_email {
            VerifyEmail::Tenant => None,
            VerifyEmail::On => Some(true),
            VerifyEmail::Off => Some(false),
        },
        user_id,
    };
    // Rarely grows, which would leave a copy. Wiped when the last call drops it.
    let mut bytes = Zeroizing::new(Vec::with_capacity(USUAL_BODY));
    serde_json::to_writer(&mut *bytes, &body)?;
    Ok(Bytes::from_owner(bytes))
}

/// Reads a response to create-user. A 201 for another address or without an id proves nothing. A user
/// without an address gets the one that was sent.
///
/// # Errors
/// Only [`CreateUserError::Ambiguous`] leaves open whether the user exists now.
pub(super) fn created(
    response: &ApiResponse,
    sent: &NewUser,
) -> Result<CreatedUser, CreateUserError> {
    let status = response.status;
    // Only the body says why the call was rejected: the conflict may be with the sign-up's own user.
    if matches!(status, 400 | 403 | 409) && response.is_unreadable() {
        return Err(CreateUserError::Ambiguous(TransportError::Unreadable(status)));
    }
    if status != 201 {
        return Err(classify(response));
    }
    let user: User = response.json().map_err(CreateUserError::Ambiguous)?;
    if user.has_empty_id() || user.has_other_email(sent.email.as_ref()) {
        return Err(CreateUserError::Ambiguous(TransportError::Unreadable(status)));
    }
    let user = user.with_missing_email(sent.email.as_ref());
    Ok(CreatedUser { user, auth0_request_id: response.auth0_request_id() })
}
