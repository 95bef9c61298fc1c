//! CORS: an exact allow-list, and what a page of an allowed origin may send and read.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method};
use tower::ServiceExt as _;
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::problem::IDEMPOTENCY_REPLAYED;
use super::request_id::X_REQUEST_ID;

/// How long a browser may keep the answer to a preflight. Chromium caps it at two hours.
const MAX_AGE: Duration = Duration::from_hours(2);

/// Whether a request is a preflight, which CORS answers by itself; other `OPTIONS` requests are the
/// router's.
fn is_preflight(request: &Request) -> bool {
    let headers = request.headers();
    headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Sends `OPTIONS` requests that are no preflight past the layer: it would answer every one.
pub(super) async fn plain_options(
    State(without_cors): State<Router>,
    request: Request,
    next: Next,
) -> Response {
    if request.method() == Method::OPTIONS && !is_preflight(&request) {
        return without_cors.oneshot(request).await.into_response();
    }
    next.run(request).await
}

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
