//! The tenant's operations, one file each, and the dispatch to them.

mod change_password;
mod client_script;
mod connections;
mod cors;
mod create_user;
mod custom_domains;
mod login;
mod management;
mod signup;
mod token;
mod users;
mod well_known;

use http::StatusCode;

use crate::response::TenantResponse;
use crate::route::Route;
use crate::state::Call;

/// The largest body the tenant accepts, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 1_048_576;

/// Performs the requested operation and returns its response.
pub(crate) fn respond(call: &Call<'_>) -> TenantResponse {
    let route = call.entry.route();
    let response = if call.entry.body.len() > MAX_BODY_BYTES {
        TenantResponse::error(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("Payload content length greater than maximum allowed: {MAX_BODY_BYTES}"),
            None,
        )
    } else {
        match route {
            Route::Authorize => login::authorize(call),
            Route::Login => login::respond(call),
            Route::Token => token::respond(call),
            Route::Keys => well_known::keys(call),
            Route::Discovery => well_known::discovery(call),
            Route::CreateUser => management::with_scope(call, "create:users", create_user::respond),
            Route::GetUser => management::with_scope(call, "read:users", users::get),
            Route::DeleteUser => management::with_scope(call, "delete:users", users::delete),
            Route::UsersByEmail => management::with_scope(call, "read:users", users::by_email),
            Route::Connections => {
                management::with_scope(call, "read:connections", connections::list)
            }
            Route::CustomDomains => {
                management::with_scope(call, "read:custom_domains", custom_domains::list)
            }
            Route::Signup => signup::respond(call),
            Route::ChangePassword => change_password::respond(call),
            Route::ClientScript => client_script::respond(call),
            Route::Preflight => cors::preflight(call),
            Route::Unknown | Route::Any => {
                TenantResponse::error(StatusCode::NOT_FOUND, "Not Found", None)
            }
        }
    };
    if route.is_public() { cors::open(response) } else { response }
}
