//! `POST /dbconnections/change_password`. The real tenant sends an email here.

use http::StatusCode;
use serde_json::json;

use crate::body::ParsedBody;
use crate::response::TenantResponse;
use crate::state::Call;

/// Responds the same whether or not the user exists.
pub(super) fn respond(call: &Call<'_>) -> TenantResponse {
    let members = ParsedBody::parse(call.entry).map(ParsedBody::into_members).unwrap_or_default();
    for name in ["email", "connection"] {
        if members.text(name).unwrap_or_default().is_empty() {
            let body = json!({ "error": format!("{name} is required") });
            return TenantResponse::json(StatusCode::BAD_REQUEST, &body);
        }
    }
    TenantResponse::text(
        StatusCode::OK,
        "text/html; charset=utf-8",
        "We've just sent you an email to reset your password.",
    )
}
