//! Doors for `fuzz/`, a crate of its own that cannot see what is private here. Only there with
//! `--cfg fuzzing`, as `cargo fuzz` builds.

use std::time::Duration;

use axum::body::Body;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Request};

use crate::auth0::answer::classify;
use crate::domain::Rules;
use crate::http::body::Form;

/// Reads and judges a body as `POST /signup` does, up to where the tenant would be asked.
pub async fn form(content_type: &'static str, body: &[u8], rules: &Rules) {
    let mut request = Request::new(Body::from(body.to_vec()));
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    let Ok(form) = Form::read(request, Duration::from_secs(60)).await else { return };
    let Ok(submission) = form.decode().await else { return };
    drop(rules.check(&submission));
}

/// Classifies an answer to create-user that is not a success.
pub fn create_user_error(status: u16, headers: &HeaderMap, body: &[u8]) {
    drop(classify(status, headers, body, Duration::from_secs(1_800_000_000)));
}
