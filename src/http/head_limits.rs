//! Bounds on the head of a request, with a problem for a head that exceeds them. The server's own
//! bounds are wider, and its response has no body.

use axum::extract::Request;

use super::problem::{Problem, ProblemCode};

/// The most header fields.
const MAX_FIELDS: usize = 100;
/// The most bytes of the target and of all names and values.
const MAX_BYTES: usize = 32 * 1024;

/// Rejects a head that is too large.
///
/// # Errors
/// When it exceeds a bound.
pub(super) fn check(request: &Request) -> Result<(), Problem> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let headers = request.headers();
    let bytes = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    if headers.len() <= MAX_FIELDS && target + bytes.sum::<usize>() <= MAX_BYTES {
        return Ok(());
    }
    Err(Problem::new(ProblemCode::HeadersTooLarge))
}
