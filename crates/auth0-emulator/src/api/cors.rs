//! CORS headers, which let pages on other origins call the public operations.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS,
};
use http::{HeaderValue, Method, StatusCode};

use crate::response::TenantResponse;
use crate::route::Route;
use crate::state::Call;

/// Allows any origin to read the response, without credentials.
pub(super) fn open(response: TenantResponse) -> TenantResponse {
    response
        .with_header(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"))
        .with_header(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("false"))
        .with_header(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"),
        )
}

/// Responds to a preflight: allows public operations, and returns a bare 204 for the rest.
pub(super) fn preflight(call: &Call<'_>) -> TenantResponse {
    let response = TenantResponse::empty(StatusCode::NO_CONTENT);
    let path = &call.entry.path;
    let public =
        [Method::GET, Method::POST].iter().any(|m| Route::from_request(m, path).is_public());
    if !public {
        return response;
    }
    let asked = call.entry.headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    open(response)
        .with_header(
            ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE"),
        )
        .with_header(ACCESS_CONTROL_ALLOW_HEADERS, asked.unwrap_or(HeaderValue::from_static("")))
        .with_header(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"))
}
