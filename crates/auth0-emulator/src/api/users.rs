//! Reading and deleting users through the Management API.

use std::collections::HashSet;

use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::response::TenantResponse;
use crate::route::user_id_in;
use crate::state::Call;

/// `GET /api/v2/users/{id}`
pub(super) fn get(call: &Call<'_>) -> TenantResponse {
    let id = user_id(call);
    match call.state.users.with(|users| users.profile(&id)) {
        Some(user) => TenantResponse::json(StatusCode::OK, &with_fields(call, user)),
        None => TenantResponse::error(
            StatusCode::NOT_FOUND,
            "The user does not exist.",
            Some("inexistent_user"),
        ),
    }
}

/// `DELETE /api/v2/users/{id}`, which also succeeds if the user does not exist.
pub(super) fn delete(call: &Call<'_>) -> TenantResponse {
    let id = user_id(call);
    call.state.users.with(|users| users.remove(&id));
    TenantResponse::empty(StatusCode::NO_CONTENT)
}

/// `GET /api/v2/users-by-email`. The search is case-sensitive, and e-mails are stored in lower
/// case.
pub(super) fn by_email(call: &Call<'_>) -> TenantResponse {
    let Some(email) = call.entry.query_value("email") else {
        return TenantResponse::error(
            StatusCode::BAD_REQUEST,
            "Query validation error: 'Missing required property: email'.",
            Some("invalid_query_string"),
        );
    };
    let found = call.state.users.with(|users| users.profiles_by_email(&email));
    let found: Vec<_> = found.into_iter().map(|user| with_fields(call, user)).collect();
    TenantResponse::json(StatusCode::OK, &found)
}

/// The user with the members that `fields` names, or without them if `include_fields` is `false`. An
/// empty list leaves all of them.
fn with_fields(call: &Call<'_>, mut user: Value) -> Value {
    let fields = call.entry.query_value("fields").unwrap_or_default();
    let named: HashSet<&str> = fields.split(',').map(str::trim).collect();
    let is_included = call.entry.query_value("include_fields").as_deref() != Some("false");
    if !fields.is_empty()
        && let Some(members) = user.as_object_mut()
    {
        members.retain(|name, _| named.contains(name.as_str()) == is_included);
    }
    user
}

/// The decoded user id in the call's path.
fn user_id(call: &Call<'_>) -> String {
    let encoded = user_id_in(&call.entry.path).unwrap_or_default();
    percent_decode_str(encoded).decode_utf8_lossy().into_owned()
}
