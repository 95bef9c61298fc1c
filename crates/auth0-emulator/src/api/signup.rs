//! `POST /dbconnections/signup`: the public way in, with errors of three shapes.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::management::over_limit;
use crate::body::{BodyMembers, ParsedBody};
use crate::password::{self, PasswordRejection};
use crate::register::{RegisterError, register};
use crate::response::TenantResponse;
use crate::schema;
use crate::state::Call;
use crate::users::{Conflict, TenantUser};

/// The members of a sign-up that are read. Others are left out, not refused.
const KEPT: [&str; 11] = [
    "connection",
    "email",
    "password",
    "username",
    "phone_number",
    "given_name",
    "family_name",
    "name",
    "nickname",
    "picture",
    "user_metadata",
];

/// Signs a user up.
pub(super) fn respond(call: &Call<'_>) -> TenantResponse {
    let decision = call.permit();
    let response = if decision.allowed { sign_up(call) } else { over_limit(None) };
    call.with_rate_headers(response, decision).no_store()
}

/// The answer of a call that the rate limit lets through.
fn sign_up(call: &Call<'_>) -> TenantResponse {
    let members = ParsedBody::parse(call.entry).map(ParsedBody::into_members).unwrap_or_default();
    if !call.tenant.public_signup {
        return plain("public signup is disabled");
    }
    if members.text("connection") != Some(&call.tenant.connection) {
        return bad_request("invalid_signup", "Invalid sign up");
    }
    for name in ["email", "password"] {
        if members.text(name).unwrap_or_default().is_empty() {
            return plain(format!("{name} is required"));
        }
    }
    let body = ParsedBody::Object(members.only(&KEPT));
    let Ok(members) = schema::check(&body) else {
        return bad_request("invalid_signup", "Invalid sign up");
    };
    match register(call, members) {
        Ok(user) => TenantResponse::json(StatusCode::OK, &shown(&user, members)),
        Err(error) => rejection(call, &error, members),
    }
}

/// An error that is a text alone.
fn plain(error: impl Into<String>) -> TenantResponse {
    TenantResponse::json(StatusCode::BAD_REQUEST, &json!({ "error": error.into() }))
}

/// An error with a code.
fn bad_request(code: &str, description: &str) -> TenantResponse {
    let body = json!({
        "name": "BadRequestError",
        "code": code,
        "description": description,
        "statusCode": 400,
    });
    TenantResponse::json(StatusCode::BAD_REQUEST, &body)
}

/// The answer to a user that the connection refuses.
fn rejection(call: &Call<'_>, error: &RegisterError, members: &BodyMembers) -> TenantResponse {
    match error {
        RegisterError::Missing(name) => plain(format!(
            "missing {name} for {} connection with requires_{name} enabled",
            call.tenant.connection
        )),
        RegisterError::UsernameNotAllowed | RegisterError::UsernameLength(..) => {
            bad_request("invalid_signup", "Invalid sign up")
        }
        RegisterError::Password(PasswordRejection::Breached) => {
            bad_request("password_leaked", PasswordRejection::Breached.text())
        }
        RegisterError::Password(rejection) => {
            password_error(rejection, members.text("password").unwrap_or_default())
        }
        RegisterError::Conflict(_) if !call.tenant.user_exists_error => {
            bad_request("invalid_signup", "Invalid sign up")
        }
        RegisterError::Conflict(Conflict::Username) => {
            bad_request("username_exists", "The username already exists.")
        }
        RegisterError::Conflict(Conflict::Email | Conflict::UserId) => {
            bad_request("user_exists", "The user already exists.")
        }
    }
}

/// The error of a password: only its name tells the kinds apart, and only weakness is explained.
fn password_error(rejection: &PasswordRejection, password: &str) -> TenantResponse {
    let mut body = json!({
        "name": rejection.name(),
        "message": rejection.text(),
        "code": "invalid_password",
        "description": rejection.text(),
        "statusCode": 400,
    });
    if let (PasswordRejection::Weak(rules), Some(members)) = (rejection, body.as_object_mut()) {
        members.insert("description".to_owned(), password::description(rules, password));
        members.insert("policy".to_owned(), Value::from(password::markdown(rules)));
    }
    TenantResponse::json(StatusCode::BAD_REQUEST, &body)
}

/// What the endpoint shows of a new user: its bare id and what was sent.
fn shown(user: &TenantUser, members: &BodyMembers) -> Map<String, Value> {
    let mut shown = Map::new();
    let id = user.user_id.strip_prefix("auth0|").unwrap_or(&user.user_id);
    shown.insert("_id".to_owned(), Value::from(id));
    shown.insert("email_verified".to_owned(), Value::from(user.email_verified));
    shown.extend(
        members
            .iter()
            .filter(|(name, _)| !["connection", "password"].contains(name))
            .map(|(name, value)| (name.to_owned(), value.clone())),
    );
    shown.insert("email".to_owned(), json!(user.email));
    shown
}
