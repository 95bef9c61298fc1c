//! Reading and removing users through the Management API.

use http::StatusCode;
use percent_encoding::percent_decode_str;

use crate::answer::Answer;
use crate::route::user_id_in;
use crate::world::Call;

/// `GET /api/v2/users/{id}`
pub(super) fn get(call: &Call<'_>) -> Answer {
    let id = user_id(call);
    let found = call.world.users.with(|users| users.get(&id).map(|stored| stored.user.clone()));
    match found {
        Some(user) => Answer::json(StatusCode::OK, &user),
        None => Answer::problem(
            StatusCode::NOT_FOUND,
            "The user does not exist.",
            Some("inexistent_user"),
        ),
    }
}

/// `DELETE /api/v2/users/{id}`, which succeeds also when there is none.
pub(super) fn delete(call: &Call<'_>) -> Answer {
    let id = user_id(call);
    call.world.users.with(|users| users.remove(&id));
    Answer::empty(StatusCode::NO_CONTENT)
}

/// `GET /api/v2/users-by-email`. The search is case-sensitive, and e-mails are kept in lower case.
pub(super) fn by_email(call: &Call<'_>) -> Answer {
    let Some(email) = call.entry.query_value("email") else {
        return Answer::problem(
            StatusCode::BAD_REQUEST,
            "Query validation error: 'Missing required property: email'.",
            Some("invalid_query_string"),
        );
    };
    let found: Vec<_> = call
        .world
        .users
        .with(|users| users.of_email(&email).map(|stored| stored.user.clone()).collect());
    Answer::json(StatusCode::OK, &found)
}

/// The decoded id in the call's path.
fn user_id(call: &Call<'_>) -> String {
    let encoded = user_id_in(&call.entry.path).unwrap_or_default();
    percent_decode_str(encoded).decode_utf8_lossy().into_owned()
}
