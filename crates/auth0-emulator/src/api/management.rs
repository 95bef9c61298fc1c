//! The checks before every Management API operation: rate limit, token, scope.

use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};

use crate::response::TenantResponse;
use crate::state::Call;
use crate::token;

/// Runs `operation` if the call is within the rate limit and its token has the scope.
pub(super) fn with_scope(
    call: &Call<'_>,
    scope: &'static str,
    operation: fn(&Call<'_>) -> TenantResponse,
) -> TenantResponse {
    let response = if let Some(rejection) = call.rate_rejection() {
        let wait = (rejection.reset - call.state.clock.unix_seconds()).max(1);
        over_limit(call.tenant.retry_after.then_some(wait))
    } else {
        match token::check_bearer(call, scope) {
            Ok(()) => operation(call),
            Err(error) => error.response(),
        }
    };
    call.with_rate_headers(response)
}

/// The 429 response for a call over the rate limit. `wait` is the `Retry-After` value, if it is
/// sent.
pub(super) fn over_limit(wait: Option<i64>) -> TenantResponse {
    let rejection = TenantResponse::error(
        StatusCode::TOO_MANY_REQUESTS,
        "Global limit has been reached",
        Some("too_many_requests"),
    );
    match wait {
        Some(seconds) => rejection.with_header(RETRY_AFTER, HeaderValue::from(seconds)),
        None => rejection,
    }
}
