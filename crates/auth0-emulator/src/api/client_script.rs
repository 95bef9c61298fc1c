//! `GET /client/{id}.js`, from which Lock reads the connection's settings.

use http::StatusCode;
use serde_json::json;

use crate::response::TenantResponse;
use crate::route::client_id_in;
use crate::state::Call;

/// Returns the script of one of the tenant's applications.
pub(super) fn respond(call: &Call<'_>) -> TenantResponse {
    let tenant = &call.tenant;
    let applications = [&tenant.client_id, &tenant.login_client_id];
    let asked = client_id_in(&call.entry.path);
    let Some(id) = applications.into_iter().find(|id| asked == Some(id)) else {
        return TenantResponse::text(
            StatusCode::NOT_FOUND,
            "text/plain; charset=utf-8",
            "Not found",
        );
    };
    let mut connection = json!({
        "name": tenant.connection,
        "passwordPolicy": tenant.policy.name(),
        "showSignup": tenant.public_signup,
        "showForgot": true,
        "requires_username": tenant.requires_username,
        "validation": {
            "username": { "min": tenant.username_min, "max": tenant.username_max },
        },
    });
    if let (Some(length), Some(members)) = (tenant.min_length, connection.as_object_mut()) {
        let value = json!({ "min_length": length });
        members.insert("password_complexity_options".to_owned(), value);
    }
    let client = json!({
        "id": id,
        "tenant": "emulator",
        "strategies": [{ "name": "auth0", "connections": [connection] }],
    });
    let script = format!("Auth0.setClient({client});");
    TenantResponse::text(StatusCode::OK, "application/javascript; charset=utf-8", script)
}
