//! The members that Lock, auth0.js and the SDKs send besides the fields of a form.

use std::collections::HashSet;

use crate::domain::{FieldError, Violation};
use crate::form::{BodyMembers, BodyValue};
use crate::http::problem::Problem;

/// The members that are removed from a request: those of the application, and those that
/// `signupAndLogin` sends for the login that follows. Auth0 ignores them too.
const REMOVED: [&str; 14] = [
    "audience",
    "captcha",
    "client_id",
    "connection",
    "credential_type",
    "nonce",
    "organization",
    "prompt",
    "realm",
    "redirect_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

/// The settings of Auth0's endpoint.
#[derive(Debug)]
pub struct Auth0Compat {
    /// The applications that may sign people up; if empty, all may.
    pub client_ids: HashSet<String>,
    /// The only connection that may be named; `None` allows any.
    pub connection: Option<String>,
    /// True if sign-ups pass without the proofs that Lock cannot send.
    pub without_challenge: bool,
}

impl Auth0Compat {
    /// Removes the members that are not fields of a form.
    ///
    /// # Errors
    /// When the application or the connection is not allowed, or is missing where the settings name
    /// the allowed ones.
    pub(super) fn strip(&self, members: &mut BodyMembers<'_>) -> Result<(), Problem> {
        let mut errors = Vec::new();
        let checked =
            [("client_id", !self.client_ids.is_empty()), ("connection", self.connection.is_some())];
        for (name, is_checked) in checked {
            if is_checked && !members.iter().any(|(member, _)| member == name) {
                errors.push(FieldError::at_path(format!("/{name}"), Violation::NotAllowed));
            }
        }
        members.retain(|(name, value)| {
            if !self.allows(name, value) {
                errors.push(FieldError::at_path(format!("/{name}"), Violation::NotAllowed));
            }
            // The rules report a file, whatever its name.
            !REMOVED.contains(&name.as_ref()) || matches!(value, BodyValue::File)
        });
        if errors.is_empty() { Ok(()) } else { Err(Problem::invalid_fields(errors)) }
    }

    fn allows(&self, name: &str, value: &BodyValue<'_>) -> bool {
        match name {
            "client_id" => {
                let any = self.client_ids.is_empty();
                any || text(value).is_some_and(|id| self.client_ids.contains(id))
            }
            "connection" => {
                let connection = self.connection.as_deref();
                connection.is_none_or(|connection| text(value) == Some(connection))
            }
            _ => true,
        }
    }
}

fn text<'v>(value: &'v BodyValue<'_>) -> Option<&'v str> {
    match value {
        BodyValue::Text(text) => Some(text),
        BodyValue::Null
        | BodyValue::Bool(_)
        | BodyValue::Number(_)
        | BodyValue::Array(_)
        | BodyValue::Object(_)
        | BodyValue::Checkbox(_)
        | BodyValue::File => None,
    }
}
