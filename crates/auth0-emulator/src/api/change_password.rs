//! `POST /dbconnections/change_password`, which sends a mail in the real tenant.

use http::StatusCode;
use serde_json::json;

use crate::answer::Answer;
use crate::body::Body;
use crate::world::Call;

/// The same answer whether there is such a user or not.
pub(super) fn answer(call: &Call<'_>) -> Answer {
    let members = Body::read(call.entry).map(Body::into_members).unwrap_or_default();
    for name in ["email", "connection"] {
        if members.text(name).unwrap_or_default().is_empty() {
            let body = json!({ "error": format!("{name} is required") });
            return Answer::json(StatusCode::BAD_REQUEST, &body);
        }
    }
    Answer::text(
        StatusCode::OK,
        "text/html; charset=utf-8",
        "We've just sent you an email to reset your password.",
    )
}
