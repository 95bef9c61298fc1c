//! A response of Auth0 to create-user: a line with the status, a line with `Retry-After`, the body.
#![no_main]

use auth0_signup::fuzzing::create_user_error;
use http::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|response: &[u8]| {
    let mut parts = response.splitn(3, |byte| *byte == b'\n');
    let mut next = || parts.next().unwrap_or_default();
    let status = std::str::from_utf8(next()).ok().and_then(|status| status.parse().ok());
    let mut headers = HeaderMap::new();
    if let Ok(wait) = HeaderValue::from_bytes(next()) {
        headers.insert(RETRY_AFTER, wait);
    }
    create_user_error(status.unwrap_or(400), &headers, next());
});
