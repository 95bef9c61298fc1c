//! What the tenant does and answers: one file for each operation, one place that chooses.

mod change_password;
mod client_script;
mod connections;
mod cors;
mod create_user;
mod management;
mod signup;
mod token;
mod users;
mod well_known;

use http::StatusCode;

use crate::answer::Answer;
use crate::route::Route;
use crate::world::Call;

/// The largest body the tenant reads.
pub(crate) const LARGEST_BODY: usize = 1_048_576;

/// Does what the call asks and answers it.
pub(crate) fn answer(call: &Call<'_>) -> Answer {
    let route = call.entry.route();
    let answer = if call.entry.body.len() > LARGEST_BODY {
        Answer::problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("Payload content length greater than maximum allowed: {LARGEST_BODY}"),
            None,
        )
    } else {
        match route {
            Route::Token => token::answer(call),
            Route::Keys => well_known::keys(call),
            Route::Discovery => well_known::discovery(call),
            Route::CreateUser => management::guarded(call, "create:users", create_user::answer),
            Route::GetUser => management::guarded(call, "read:users", users::get),
            Route::DeleteUser => management::guarded(call, "delete:users", users::delete),
            Route::UsersByEmail => management::guarded(call, "read:users", users::by_email),
            Route::Connections => management::guarded(call, "read:connections", connections::list),
            Route::Signup => signup::answer(call),
            Route::ChangePassword => change_password::answer(call),
            Route::ClientScript => client_script::answer(call),
            Route::Preflight => cors::preflight(call),
            Route::Unknown | Route::Any => {
                Answer::problem(StatusCode::NOT_FOUND, "Not Found", None)
            }
        }
    };
    if route.is_public() { cors::open(answer) } else { answer }
}
