//! CORS: an exact allow-list, and what a page of an allowed origin may send and read.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::Request;
use futures_util::future::Either;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method};
use tower::{Layer, Service};
use tower_http::cors::AllowOrigin;

use super::problem::IDEMPOTENCY_REPLAYED;
use super::request_id::X_REQUEST_ID;

/// How long a browser may keep the answer to a preflight. Chromium caps it at two hours.
const MAX_AGE: Duration = Duration::from_hours(2);

/// CORS for all requests but `OPTIONS` that are no preflight, which are the router's: tower-http's
/// layer would answer every one.
#[derive(Debug, Clone)]
pub(super) struct CorsLayer(tower_http::cors::CorsLayer);

impl<S: Clone> Layer<S> for CorsLayer {
    type Service = Cors<S>;

    fn layer(&self, inner: S) -> Cors<S> {
        Cors { with: self.0.layer(inner.clone()), without: inner }
    }
}

/// A service with CORS around it and without.
#[derive(Debug, Clone)]
pub(super) struct Cors<S> {
    with: tower_http::cors::Cors<S>,
    without: S,
}

impl<S, B: Default> Service<Request> for Cors<S>
where
    S: Service<Request, Response = http::Response<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<tower_http::cors::ResponseFuture<S::Future>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        ready!(self.without.poll_ready(context))?;
        Service::<Request>::poll_ready(&mut self.with, context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if request.method() == Method::OPTIONS && !is_preflight(&request) {
            return Either::Right(self.without.call(request));
        }
        Either::Left(self.with.call(request))
    }
}

fn is_preflight(request: &Request) -> bool {
    let headers = request.headers();
    headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The layer for these origins. No credentials: nothing here reads a cookie.
pub(super) fn layer(allowed_origins: &[HeaderValue]) -> CorsLayer {
    let layer = tower_http::cors::CorsLayer::new()
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
    CorsLayer(layer)
}
