//! What every Management call passes first: the rate limit, the token, the scope.

use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};

use crate::response::TenantResponse;
use crate::state::Call;
use crate::token;

/// The answer of `operation` to a call that is let in.
pub(super) fn with_scope(
    call: &Call<'_>,
    scope: &'static str,
    operation: fn(&Call<'_>) -> TenantResponse,
) -> TenantResponse {
    let decision = call.permit();
    let response = if decision.allowed {
        match token::check_bearer(call, scope) {
            Ok(()) => operation(call),
            Err(error) => error.response(),
        }
    } else {
        let wait = (decision.reset - call.state.clock.unix_seconds()).max(1);
        over_limit(call.tenant.retry_after.then_some(wait))
    };
    call.with_rate_headers(response, decision)
}

/// The refusal of a call over the rate limit, with the seconds to wait if they are to be told.
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
