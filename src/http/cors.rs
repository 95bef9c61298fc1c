//! CORS: an exact allow-list, and what a page of an allowed origin may send and read.

use std::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::problem::IDEMPOTENCY_REPLAYED;
use super::request_id::X_REQUEST_ID;

/// How long a browser may keep the answer to a preflight. Chromium caps it at two hours.
const MAX_AGE: Duration = Duration::from_hours(2);

/// The layer for these origins. No credentials: nothing here reads a cookie.
pub(super) fn layer(allowed_origins: &[HeaderValue]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(allowed_origins.iter().cloned()))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            CONTENT_TYPE,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("auth0-client"),
        ])
        .expose_headers([
            RETRY_AFTER,
            X_REQUEST_ID,
            IDEMPOTENCY_REPLAYED,
            HeaderName::from_static("ratelimit"),
            HeaderName::from_static("ratelimit-policy"),
        ])
        .max_age(MAX_AGE)
}
