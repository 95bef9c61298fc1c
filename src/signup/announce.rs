//! Sends the result of an attempt to the requests that wait for it.

use super::identity::KeyedRequest;
use super::in_flight::Leader;
use super::outcome::SignupResult;
use crate::telemetry::chain;

/// Sends a result to every waiter, unless they have one already.
pub(super) fn announce(request: &KeyedRequest, result: SignupResult, leader: &Leader) {
    let is_unobserved = if leader.has_announced() {
        // The replayed user had been deleted, and this is the sign-up that followed.
        !result.replayed
    } else {
        leader.has_no_waiters()
    };
    if is_unobserved {
        log_unobserved(request, &result);
    }
    leader.announce(result);
}

/// Logs a result that no client waits for any more.
fn log_unobserved(request: &KeyedRequest, result: &SignupResult) {
    let outcome = result.outcome.code();
    tracing::info!(
        request_id = request.request_id,
        outcome,
        error = result.cause.as_deref().map(|cause| chain(cause)),
        "a sign-up ended with no client waiting for it: {outcome}"
    );
}
