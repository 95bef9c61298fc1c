//! What lets a browser on another page call the public operations.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS,
};
use http::{HeaderValue, Method, StatusCode};

use crate::answer::Answer;
use crate::route::Route;
use crate::world::Call;

/// The answer, open to any page, without credentials.
pub(super) fn open(answer: Answer) -> Answer {
    answer
        .with(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"))
        .with(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("false"))
        .with(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"),
        )
}

/// The answer to a preflight: yes for what is public, and a bare 204 for the rest.
pub(super) fn preflight(call: &Call<'_>) -> Answer {
    let answer = Answer::empty(StatusCode::NO_CONTENT);
    let path = &call.entry.path;
    let public = [Method::GET, Method::POST].iter().any(|m| Route::of(m, path).is_public());
    if !public {
        return answer;
    }
    let asked = call.entry.headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    open(answer)
        .with(
            ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE"),
        )
        .with(ACCESS_CONTROL_ALLOW_HEADERS, asked.unwrap_or(HeaderValue::from_static("")))
        .with(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"))
}
