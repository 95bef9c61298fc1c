//! `POST /api/v2/users`

use http::StatusCode;

use crate::answer::Answer;
use crate::body::{Body, Unreadable};
use crate::register::{Denied, register};
use crate::schema;
use crate::users::Conflict;
use crate::world::Call;

/// Creates a user.
pub(super) fn answer(call: &Call<'_>) -> Answer {
    if let Some(code) = &call.tenant.plan_error {
        let message = "This feature is not enabled for this tenant.";
        return Answer::problem(StatusCode::FORBIDDEN, message, Some(code));
    }
    let body = match Body::read(call.entry) {
        Ok(Body::Members(members)) if is_form(call) => {
            Body::Members(schema::with_switches(members))
        }
        Ok(body) => body,
        Err(Unreadable::Json) => return bad("Invalid request payload JSON format", None),
        Err(Unreadable::MediaType) => {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Answer::problem(status, "Unsupported Media Type", None);
        }
    };
    let members = match schema::check(&body) {
        Ok(members) => members,
        Err(message) => return bad(message, Some("invalid_body")),
    };
    if let Some(refusal) = custom_domain_refusal(call) {
        return refusal;
    }
    if members.text("connection") != Some(&call.tenant.connection) {
        return bad("The connection does not exist.", Some("inexistent_connection"));
    }
    if !call.tenant.connection_enabled {
        return bad("The connection is disabled.", None);
    }
    match register(call, members) {
        Ok(user) => Answer::json(StatusCode::CREATED, &user),
        Err(denied) => refusal(&denied),
    }
}

/// Whether the body is a form.
fn is_form(call: &Call<'_>) -> bool {
    call.entry
        .header("content-type")
        .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"))
}

/// A refusal with status 400.
fn bad(message: impl Into<String>, code: Option<&str>) -> Answer {
    Answer::problem(StatusCode::BAD_REQUEST, message, code)
}

/// The refusal of a call that does not say which custom domain it is about, or names none of the
/// tenant's.
fn custom_domain_refusal(call: &Call<'_>) -> Option<Answer> {
    let tenant = &call.tenant;
    match call.entry.header("auth0-custom-domain") {
        Some(named) if tenant.custom_domains.iter().any(|domain| domain == named) => None,
        Some(_) => Some(bad("The custom domain does not exist.", None)),
        None if tenant.custom_domains.len() > 1 && tenant.default_custom_domain.is_none() => {
            Some(Answer::problem(
                StatusCode::CONFLICT,
                "The tenant has multiple verified custom domains.",
                Some("custom_domain_conflict"),
            ))
        }
        None => None,
    }
}

/// What the Management API says to a user that the connection refuses. It gives no detail of a
/// weak password.
fn refusal(denied: &Denied) -> Answer {
    match denied {
        Denied::Missing(name) => bad(schema::missing(name), Some("invalid_body")),
        Denied::UsernameUnwanted => {
            bad("Cannot set username for connection without requires_username.", None)
        }
        Denied::UsernameLength(least, most) => {
            bad(format!("Username must be between {least} and {most} characters long."), None)
        }
        Denied::Password(refusal) => bad(format!("{}: {}", refusal.name(), refusal.text()), None),
        Denied::Conflict(Conflict::Username) => {
            bad("The username provided is in use already.", None)
        }
        Denied::Conflict(Conflict::Email | Conflict::UserId) => Answer::problem(
            StatusCode::CONFLICT,
            "The user already exists.",
            Some("auth0_idp_error"),
        ),
    }
}
