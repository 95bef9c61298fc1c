//! `POST /dbconnections/signup`: the public sign-up, whose errors have three formats.

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

/// The members that a sign-up reads. Others are ignored rather than rejected.
const ACCEPTED: [&str; 11] = [
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
    let response = if call.rate_rejection().is_some() { over_limit(None) } else { sign_up(call) };
    call.with_rate_headers(response).no_store()
}

/// Signs a user up once the rate limit has let the call through.
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
    let body = ParsedBody::Object(members.only(&ACCEPTED));
    let Ok(members) = schema::check(&body) else {
        return bad_request("invalid_signup", "Invalid sign up");
    };
    match register(call, members) {
        Ok(user) => TenantResponse::json(StatusCode::OK, &created_user(&user, members)),
        Err(error) => rejection(call, &error, members),
    }
}

/// An error in the text-only format.
fn plain(error: impl Into<String>) -> TenantResponse {
    TenantResponse::json(StatusCode::BAD_REQUEST, &json!({ "error": error.into() }))
}

/// An error in the format with a code.
fn bad_request(code: &str, description: &str) -> TenantResponse {
    let body = json!({
        "name": "BadRequestError",
        "code": code,
        "description": description,
        "statusCode": 400,
    });
    TenantResponse::json(StatusCode::BAD_REQUEST, &body)
}

/// The response for a user that the connection rejects.
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

/// A password error. All kinds share one code and differ in `name`; only a weak password is
/// explained.
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

/// The new user in the endpoint's format: its bare id and the members that were sent.
fn created_user(user: &TenantUser, members: &BodyMembers) -> Map<String, Value> {
    let mut created_user = Map::new();
    let id = user.user_id.strip_prefix("auth0|").unwrap_or(&user.user_id);
    created_user.insert("_id".to_owned(), Value::from(id));
    created_user.insert("email_verified".to_owned(), Value::from(user.email_verified));
    created_user.extend(
        members
            .iter()
            .filter(|(name, _)| !["connection", "password"].contains(name))
            .map(|(name, value)| (name.to_owned(), value.clone())),
    );
    created_user.insert("email".to_owned(), json!(user.email));
    if members.get("phone_number").is_some() {
        let is_verified = user.phone_verified.unwrap_or(false);
        created_user.insert("phone_verified".to_owned(), Value::from(is_verified));
    }
    created_user
}
