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
        if !self.client_ids.is_empty()
            && !names(members, "client_id", |id| self.client_ids.contains(id))
        {
            errors.push(FieldError::at("/client_id", Violation::NotAllowed));
        }
        if let Some(connection) = &self.connection
            && !names(members, "connection", |name| name == connection)
        {
            errors.push(FieldError::at("/connection", Violation::NotAllowed));
        }
        // The rules report a file, whatever its name.
        members.retain(|(name, value)| {
            !REMOVED.contains(&name.as_ref()) || matches!(value, BodyValue::File)
        });
        if errors.is_empty() { Ok(()) } else { Err(Problem::invalid_fields(errors)) }
    }
}

/// Returns whether a member of this name is present, and each is a text that is allowed.
fn names(members: &BodyMembers<'_>, name: &str, is_allowed: impl Fn(&str) -> bool) -> bool {
    let mut values = members.iter().filter(|(member, _)| member == name).peekable();
    values.peek().is_some()
        && values.all(|(_, value)| matches!(value, BodyValue::Text(text) if is_allowed(text)))
}
