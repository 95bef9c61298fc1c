//! What every Management call passes first: the rate limit, the token, the scope.

use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};

use crate::answer::Answer;
use crate::token;
use crate::world::Call;

/// The answer of `operation` to a call that is let in.
pub(super) fn guarded(
    call: &Call<'_>,
    scope: &'static str,
    operation: fn(&Call<'_>) -> Answer,
) -> Answer {
    let now = call.world.clock.unix_seconds_f64();
    let verdict = call.world.buckets.take(call.tenant.plan, call.entry.route(), now);
    let mut answer = if verdict.allowed {
        match token::check_bearer(call, scope) {
            Ok(()) => operation(call),
            Err(denied) => denied.answer(),
        }
    } else {
        let refusal = Answer::problem(
            StatusCode::TOO_MANY_REQUESTS,
            "Global limit has been reached",
            Some("too_many_requests"),
        );
        if call.tenant.retry_after {
            let wait = (verdict.reset - call.world.clock.unix_seconds()).max(1);
            refusal.with(RETRY_AFTER, HeaderValue::from(wait))
        } else {
            refusal
        }
    };
    if call.tenant.rate_limit_headers {
        verdict.put(&mut answer.headers);
    }
    answer
}
