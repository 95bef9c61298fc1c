//! CORS: an exact allow-list, and the headers that pages of allowed origins may send and read.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method};
use tower::{Layer as _, ServiceExt as _};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::problem::IDEMPOTENCY_REPLAYED;
use super::request_id::X_REQUEST_ID;

/// The longest time that a browser may cache the response to a preflight. Chromium caps it at two
/// hours.
const MAX_AGE: Duration = Duration::from_hours(2);

/// CORS for the public listener.
#[derive(Debug)]
pub(super) struct Cors(CorsLayer);

impl Cors {
    /// Allows these origins. No credentials: the service reads no cookie.
    pub(super) fn new(allowed_origins: &[HeaderValue]) -> Self {
        let layer = CorsLayer::new()
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
            .max_age(MAX_AGE);
        Self(layer)
    }

    /// Runs the rest of the stack, with CORS around it. An `OPTIONS` request that is not a
    /// preflight goes to the router: tower-http's layer would treat it as one.
    pub(super) async fn run(&self, request: Request, next: Next) -> Response {
        if request.method() == Method::OPTIONS && !is_preflight(&request) {
            return next.run(request).await;
        }
        let Ok(response) = self.0.layer(next).oneshot(request).await;
        response
    }
}

fn is_preflight(request: &Request) -> bool {
    let headers = request.headers();
    headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}
