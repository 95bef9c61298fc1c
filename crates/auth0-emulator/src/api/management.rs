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
    let verdict = call.permit();
    let answer = if verdict.allowed {
        match token::check_bearer(call, scope) {
            Ok(()) => operation(call),
            Err(denied) => denied.answer(),
        }
    } else {
        let wait = (verdict.reset - call.world.clock.unix_seconds()).max(1);
        over_limit(call.tenant.retry_after.then_some(wait))
    };
    call.counted(answer, verdict)
}

/// The refusal of a call over the rate limit, with the seconds to wait if they are to be told.
pub(super) fn over_limit(wait: Option<i64>) -> Answer {
    let refusal = Answer::problem(
        StatusCode::TOO_MANY_REQUESTS,
        "Global limit has been reached",
        Some("too_many_requests"),
    );
    match wait {
        Some(seconds) => refusal.with(RETRY_AFTER, HeaderValue::from(seconds)),
        None => refusal,
    }
}
