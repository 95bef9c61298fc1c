//! `POST /api/v2/users`

use http::StatusCode;

use crate::body::{BodyError, ParsedBody};
use crate::register::{RegisterError, register};
use crate::response::TenantResponse;
use crate::schema;
use crate::state::Call;
use crate::users::Conflict;

/// Creates a user.
pub(super) fn respond(call: &Call<'_>) -> TenantResponse {
    if let Some(code) = &call.tenant.plan_error {
        let message = "This feature is not enabled for this tenant.";
        return TenantResponse::error(StatusCode::FORBIDDEN, message, Some(code));
    }
    let body = match ParsedBody::parse(call.entry) {
        Ok(ParsedBody::Object(members)) if is_form(call) => {
            ParsedBody::Object(schema::with_switches(members))
        }
        Ok(body) => body,
        Err(BodyError::Json) => return bad("Invalid request payload JSON format", None),
        Err(BodyError::MediaType) => {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return TenantResponse::error(status, "Unsupported Media Type", None);
        }
    };
    let members = match schema::check(&body) {
        Ok(members) => members,
        Err(message) => return bad(message, Some("invalid_body")),
    };
    if let Some(name) = schema::forbidden_app_metadata(members) {
        return bad(format!("Forbidden attribute in app_metadata: {name}"), None);
    }
    if let Some(rejection) = custom_domain_rejection(call) {
        return rejection;
    }
    if members.text("connection") != Some(&call.tenant.connection) {
        return bad("The connection does not exist.", Some("inexistent_connection"));
    }
    if call.tenant.strategy != "auth0" {
        return bad("Connection does not support user creation through the API.", None);
    }
    if !call.tenant.connection_enabled {
        return bad("Connection is disabled.", None);
    }
    match register(call, members) {
        Ok(user) => TenantResponse::json(StatusCode::CREATED, &user),
        Err(error) => rejection(&error),
    }
}

/// Returns whether the body is a form.
fn is_form(call: &Call<'_>) -> bool {
    call.entry
        .header("content-type")
        .map(str::to_ascii_lowercase)
        .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"))
}

/// An error with status 400.
fn bad(message: impl Into<String>, code: Option<&str>) -> TenantResponse {
    TenantResponse::error(StatusCode::BAD_REQUEST, message, code)
}

/// Rejects a call that names an unknown custom domain, or names none where the tenant needs one.
fn custom_domain_rejection(call: &Call<'_>) -> Option<TenantResponse> {
    let tenant = &call.tenant;
    match call.entry.header("auth0-custom-domain") {
        Some(named) if tenant.custom_domains.iter().any(|domain| domain == named) => None,
        Some(_) => Some(bad("The custom domain does not exist.", None)),
        None if tenant.custom_domains.len() > 1 && tenant.default_custom_domain.is_none() => {
            Some(TenantResponse::error(
                StatusCode::CONFLICT,
                "The tenant has multiple verified custom domains.",
                Some("custom_domain_conflict"),
            ))
        }
        None => None,
    }
}

/// The Management API's response for a user that the connection rejects. It gives no detail of a
/// weak password.
fn rejection(error: &RegisterError) -> TenantResponse {
    match error {
        RegisterError::Missing(name) => bad(schema::missing(name), Some("invalid_body")),
        RegisterError::UsernameNotAllowed => {
            bad("Cannot set username for connection without requires_username.", None)
        }
        RegisterError::UsernameLength(min, max) => {
            bad(format!("Username must be between {min} and {max} characters long."), None)
        }
        RegisterError::Password(rejection) => {
            bad(format!("{}: {}", rejection.name(), rejection.text()), None)
        }
        RegisterError::Conflict(Conflict::Username) => {
            bad("The username provided is in use already.", None)
        }
        RegisterError::Conflict(Conflict::Email | Conflict::UserId) => TenantResponse::error(
            StatusCode::CONFLICT,
            "The user already exists.",
            Some("auth0_idp_error"),
        ),
    }
}
