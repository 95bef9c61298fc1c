//! Bounds on the head of a request, told as a problem. The server's own bounds are wider and
//! answer without a body.

use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use futures_util::future::{Either, Ready, ready};
use tower::{Layer, Service};

use super::problem::{Problem, ProblemCode};

/// The most header fields.
const MAX_FIELDS: usize = 100;
/// The most bytes of the target and of all names and values.
const MAX_BYTES: usize = 32 * 1024;

/// Refuses a head that is too large before what it wraps.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadLimits;

impl<S> Layer<S> for HeadLimits {
    type Service = Limited<S>;

    fn layer(&self, inner: S) -> Limited<S> {
        Limited(inner)
    }
}

/// A service that sees no head beyond the bounds.
#[derive(Debug, Clone)]
pub(super) struct Limited<S>(S);

impl<S> Service<Request> for Limited<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Response, Infallible>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if is_within(&request) {
            return Either::Left(self.0.call(request));
        }
        let refusal = Problem::new(ProblemCode::HeadersTooLarge);
        Either::Right(ready(Ok(refusal.into_response())))
    }
}

fn is_within(request: &Request) -> bool {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let headers = request.headers();
    let bytes = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    headers.len() <= MAX_FIELDS && target + bytes.sum::<usize>() <= MAX_BYTES
}
