//! `POST /dbconnections/signup`: the public way in, with errors of three shapes.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::management::over_limit;
use crate::answer::Answer;
use crate::body::{Body, Members};
use crate::password::{self, Refusal};
use crate::register::{Denied, register};
use crate::schema;
use crate::users::{Conflict, User};
use crate::world::Call;

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
pub(super) fn answer(call: &Call<'_>) -> Answer {
    let verdict = call.permit();
    let answer = if verdict.allowed { sign_up(call) } else { over_limit(None) };
    call.counted(answer, verdict).no_store()
}

/// The answer of a call that the rate limit lets through.
fn sign_up(call: &Call<'_>) -> Answer {
    let members = Body::read(call.entry).map(Body::into_members).unwrap_or_default();
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
    let body = Body::Members(members.only(&KEPT));
    let Ok(members) = schema::check(&body) else {
        return bad_request("invalid_signup", "Invalid sign up");
    };
    match register(call, members) {
        Ok(user) => Answer::json(StatusCode::OK, &shown(&user, members)),
        Err(denied) => refusal(call, &denied, members),
    }
}

/// An error that is a text alone.
fn plain(error: impl Into<String>) -> Answer {
    Answer::json(StatusCode::BAD_REQUEST, &json!({ "error": error.into() }))
}

/// An error with a code.
fn bad_request(code: &str, description: &str) -> Answer {
    let body = json!({
        "name": "BadRequestError",
        "code": code,
        "description": description,
        "statusCode": 400,
    });
    Answer::json(StatusCode::BAD_REQUEST, &body)
}

/// The answer to a user that the connection refuses.
fn refusal(call: &Call<'_>, denied: &Denied, members: &Members) -> Answer {
    match denied {
        Denied::Missing(name) => plain(format!(
            "missing {name} for {} connection with requires_{name} enabled",
            call.tenant.connection
        )),
        Denied::UsernameUnwanted | Denied::UsernameLength(..) => {
            bad_request("invalid_signup", "Invalid sign up")
        }
        Denied::Password(Refusal::Breached) => {
            bad_request("password_leaked", Refusal::Breached.text())
        }
        Denied::Password(refusal) => {
            password_error(refusal, members.text("password").unwrap_or_default())
        }
        Denied::Conflict(_) if !call.tenant.user_exists_error => {
            bad_request("invalid_signup", "Invalid sign up")
        }
        Denied::Conflict(Conflict::Username) => {
            bad_request("username_exists", "The username already exists.")
        }
        Denied::Conflict(Conflict::Email | Conflict::UserId) => {
            bad_request("user_exists", "The user already exists.")
        }
    }
}

/// The error of a password: only its name tells the kinds apart, and only weakness is explained.
fn password_error(refusal: &Refusal, password: &str) -> Answer {
    let mut body = json!({
        "name": refusal.name(),
        "message": refusal.text(),
        "code": "invalid_password",
        "description": refusal.text(),
        "statusCode": 400,
    });
    if let (Refusal::Weak(rules), Some(members)) = (refusal, body.as_object_mut()) {
        members.insert("description".to_owned(), password::description(rules, password));
        members.insert("policy".to_owned(), Value::from(password::markdown(rules)));
    }
    Answer::json(StatusCode::BAD_REQUEST, &body)
}

/// What the endpoint shows of a new user: its bare id and what was sent.
fn shown(user: &User, members: &Members) -> Map<String, Value> {
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
