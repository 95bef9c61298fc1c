//! Bounds on the head of a request, told as a problem. The server's own bounds are wider and
//! answer without a body.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

use super::problem::{Problem, ProblemCode};

/// The most header fields.
const MAX_FIELDS: usize = 100;
/// The most bytes of the target and of all names and values.
const MAX_BYTES: usize = 32 * 1024;

/// Refuses a head that is too large.
pub(super) async fn check(request: Request, next: Next) -> Result<Response, Problem> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let headers = request.headers();
    let bytes = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    if headers.len() > MAX_FIELDS || target + bytes.sum::<usize>() > MAX_BYTES {
        return Err(Problem::new(ProblemCode::HeadersTooLarge));
    }
    Ok(next.run(request).await)
}
