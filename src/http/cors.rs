//! CORS: an allow-list of origins, and the headers that their pages may send and read.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method};
use tower::{Layer as _, ServiceExt as _};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::head_limits;
use super::origins::Origins;
use super::problem::IDEMPOTENCY_REPLAYED;
use super::request_id::X_REQUEST_ID;

/// The longest time that a browser may cache the response to a preflight. Chromium caps it at two
/// hours.
const MAX_AGE: Duration = Duration::from_hours(2);

/// The headers that pages may send. Monitoring in the page adds the last five to every request, and a
/// browser sends nothing at all when the preflight rejects one of them.
const ALLOWED_HEADERS: [HeaderName; 8] = [
    CONTENT_TYPE,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("auth0-client"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("baggage"),
    HeaderName::from_static("sentry-trace"),
    HeaderName::from_static("x-requested-with"),
];

/// CORS for the public listener.
#[derive(Debug)]
pub(super) struct Cors {
    layer: CorsLayer,
    origins: Origins,
}

impl Cors {
    /// Allows these origins, and headers beside those that every form needs. No credentials: the service
    /// reads no cookie.
    pub(super) fn new(origins: Origins, allowed_headers: &[HeaderName]) -> Self {
        let allowed = origins.clone();
        let headers: Vec<_> = ALLOWED_HEADERS.iter().chain(allowed_headers).cloned().collect();
        let layer = CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(move |origin: &HeaderValue, _: &Parts| {
                allowed.may_read(origin)
            }))
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(headers)
            .expose_headers([
                RETRY_AFTER,
                X_REQUEST_ID,
                IDEMPOTENCY_REPLAYED,
                HeaderName::from_static("ratelimit"),
                HeaderName::from_static("ratelimit-policy"),
            ])
            .max_age(MAX_AGE);
        Self { layer, origins }
    }

    /// Runs the rest of the stack, with CORS around it. An `OPTIONS` request that is not a
    /// preflight goes to the router: tower-http's layer would treat it as one. So does one whose head
    /// the stack rejects.
    pub(super) async fn run(&self, request: Request, next: Next) -> Response {
        if request.method() == Method::OPTIONS {
            let is_valid = head_limits::check(&request).is_ok();
            match preflight_origin(&request).filter(|_| is_valid) {
                Some(origin) => self.origins.report_preflight(origin),
                None => return next.run(request).await,
            }
        }
        let Ok(response) = self.layer.layer(next).oneshot(request).await;
        response
    }
}

/// The origin of a preflight.
fn preflight_origin(request: &Request) -> Option<&HeaderValue> {
    let headers = request.headers();
    headers.get(ORIGIN).filter(|_| headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD))
}
