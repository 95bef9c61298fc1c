//! Auth0's public sign-up endpoint as Auth0Compat, auth0.js and the SDKs know it: what they send, and the
//! shapes in which they are answered. Only shapes: the stages are those of `/signup`.

mod password;
mod refusal;
mod signed_up;

use std::collections::HashSet;

use super::problem::Problem;
use crate::domain::{FieldError, Violation};
use crate::form::{BodyMembers, BodyValue};

pub(super) use refusal::refused;
pub(super) use signed_up::{given, signed_up, synthetic_user};

/// The route.
pub(super) const SIGN_UP: &str = "/dbconnections/signup";
/// Where Auth0Compat asks whether it has to show a captcha.
pub(super) const CHALLENGE: &str = "/dbconnections/signup/challenge";

/// What Auth0Compat, auth0.js and the SDKs send beside the fields of a form: of the application, and what
/// `signupAndLogin` has for the login that follows. Auth0 leaves it out, and so does this service.
const LEFT_OUT: [&str; 14] = [
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

/// What a deployment asks of those who use Auth0's endpoint.
#[derive(Debug)]
pub struct Auth0Compat {
    /// The applications that may sign people up; none is any.
    pub client_ids: HashSet<String>,
    /// The connection that may be named; `None` is any.
    pub connection: Option<String>,
    /// Whether sign-ups are let through without the proofs that Auth0Compat cannot bring.
    pub without_challenge: bool,
}

impl Auth0Compat {
    /// Takes out what is no field of a form.
    ///
    /// # Errors
    /// When another application or connection is named than the settings allow.
    pub(super) fn take(&self, members: &mut BodyMembers<'_>) -> Result<(), Problem> {
        let mut faults = Vec::new();
        members.retain(|(name, value)| {
            let fits = match name.as_ref() {
                "client_id" => {
                    let any = self.client_ids.is_empty();
                    any || text(value).is_some_and(|id| self.client_ids.contains(id))
                }
                "connection" => {
                    let connection = self.connection.as_deref();
                    connection.is_none_or(|connection| text(value) == Some(connection))
                }
                _ => true,
            };
            if !fits {
                let at = format!("/{name}");
                faults.push(FieldError::at_path(at, Violation::NotAllowed));
            }
            !LEFT_OUT.contains(&name.as_ref())
        });
        if faults.is_empty() { Ok(()) } else { Err(Problem::invalid_fields(faults)) }
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
        | BodyValue::File => None,
    }
}
