//! `GET /authorize` and the login page, `/u/login`: the start of the authorization code flow.

use http::header::LOCATION;
use http::{HeaderValue, Method, StatusCode};

use crate::body::ParsedBody;
use crate::logins::AuthorizationRequest;
use crate::password::StoredPassword;
use crate::response::TenantResponse;
use crate::state::Call;

/// Starts a login: redirects to its page, or to the callback with an error.
pub(super) fn authorize(call: &Call<'_>) -> TenantResponse {
    let Some(request) = AuthorizationRequest::read(call.entry) else {
        return page(StatusCode::BAD_REQUEST, "<h1>Missing required parameter</h1>");
    };
    let tenant = &call.tenant;
    if ![&tenant.login_client_id, &tenant.client_id].contains(&&request.client_id) {
        return page(StatusCode::FORBIDDEN, "<h1>Unknown client</h1>");
    }
    // Errors before this point must not redirect: the address may be an attacker's.
    if !is_callback(&tenant.callbacks, &request.redirect_uri) {
        return page(StatusCode::FORBIDDEN, "<h1>Callback URL mismatch.</h1>");
    }
    let given = |name: &str| call.entry.query_value(name);
    let is_public = request.client_id == tenant.login_client_id;
    let error = if given("response_type").as_deref() != Some("code") {
        Some("unsupported_response_type")
    } else if request.code_challenge.is_some()
        != (given("code_challenge_method").as_deref() == Some("S256"))
        || (is_public && request.code_challenge.is_none())
    {
        Some("invalid_request")
    } else if given("prompt").as_deref() == Some("none") {
        // The emulator keeps no session.
        Some("login_required")
    } else {
        None
    };
    if let Some(error) = error {
        return redirect(&request.callback(&[("error", error)]));
    }
    let state = call.state.ids.next_id(call.state.clock.unix_seconds());
    call.state.logins.with(|logins| logins.start(state.clone(), request));
    redirect(&format!("/u/login?state={state}"))
}

/// Shows the login page, or logs a user in and returns to the application with a code.
pub(super) fn respond(call: &Call<'_>) -> TenantResponse {
    let state = call.entry.query_value("state").unwrap_or_default();
    let Some(request) = call.state.logins.with(|logins| logins.request(&state)) else {
        return page(StatusCode::BAD_REQUEST, "<h1>Oops!, something went wrong</h1>");
    };
    if call.entry.method == Method::GET {
        let hint = request.login_hint.as_deref().unwrap_or_default();
        return form(StatusCode::OK, hint, "");
    }
    let members = ParsedBody::parse(call.entry).map(ParsedBody::into_members).unwrap_or_default();
    let email = members.text("username").unwrap_or_default().trim().to_lowercase();
    let password = StoredPassword::new(members.text("password").unwrap_or_default());
    let user_id = call.state.users.with(|users| {
        let mut found = users.by_email_address(&email);
        let stored = found.find(|stored| stored.password == password)?;
        (stored.user.blocked != Some(true)).then(|| stored.user.user_id.clone())
    });
    let Some(user_id) = user_id else {
        let problem = "<p role=\"alert\">Wrong email or password</p>";
        return form(StatusCode::BAD_REQUEST, &email, problem);
    };
    let code = call.state.ids.next_id(call.state.clock.unix_seconds());
    call.state.logins.with(|logins| logins.finish(&state, code.clone(), user_id));
    redirect(&request.callback(&[("code", &code)]))
}

/// Returns whether the tenant allows this callback: one of the list, or with an empty list any on
/// loopback.
fn is_callback(allowed: &[String], callback: &str) -> bool {
    if !allowed.is_empty() {
        return allowed.iter().any(|own| own == callback);
    }
    ["http://127.0.0.1:", "http://localhost:"].iter().any(|start| callback.starts_with(start))
}

/// The login page, with the e-mail address filled in.
fn form(status: StatusCode, email: &str, problem: &str) -> TenantResponse {
    let email = email.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    page(
        status,
        &format!(
            "<h1>Welcome</h1>{problem}<form method=\"post\">\
             <label>Email address <input name=\"username\" type=\"email\" value=\"{email}\"></label> \
             <label>Password <input name=\"password\" type=\"password\"></label> \
             <button name=\"action\" value=\"default\">Continue</button></form>"
        ),
    )
}

/// A page of the tenant.
fn page(status: StatusCode, body: &str) -> TenantResponse {
    let html = format!("<!doctype html><html lang=\"en\"><title>Log in</title><main>{body}</main>");
    TenantResponse::text(status, "text/html; charset=utf-8", html).no_store()
}

/// A redirect to an address of the application or of the tenant.
fn redirect(location: &str) -> TenantResponse {
    match HeaderValue::try_from(location) {
        Ok(value) => {
            TenantResponse::empty(StatusCode::FOUND).with_header(LOCATION, value).no_store()
        }
        Err(_) => page(StatusCode::BAD_REQUEST, "<h1>Invalid redirect</h1>"),
    }
}
