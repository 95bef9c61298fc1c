//! The faults by route. Only what a tenant can do: it never performs a call that it then reports as
//! rejected, and never denies that an existing user exists.

use std::time::Duration;

use auth0_emulator::{Fault, Route};
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

/// The service's timeout for one call.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(1);

/// The longest delay between a call's arrival and the tenant performing it.
const LATEST_ACT: Duration = Duration::from_secs(3);

/// The age at which the reconciler may conclude that no user was created: later than the tenant can
/// still perform a call.
pub(crate) const NOT_CREATED_AFTER: Duration = LATEST_ACT.saturating_add(TIMEOUT);

/// A fault's name, and a function that builds it.
pub(crate) type FaultSpec = (&'static str, fn(&mut StdRng) -> Fault);

/// Faults for any call. The response makes clear whether the call was performed, or it does not
/// matter.
const ANY: [FaultSpec; 13] = [
    ("answer 5xx", |rng| Fault::answer(server_error(rng))),
    ("answer 429", |_| Fault::answer(429).header("retry-after", "1")),
    ("answer 401", |_| Fault::answer(401)),
    ("HTML 403", |_| Fault::html(403)),
    ("HTML 5xx", |rng| Fault::html(server_error(rng))),
    ("delay", |rng| Fault::delay(pick(rng, 20, TIMEOUT))),
    ("hang", |_| Fault::hang()),
    ("close", |_| Fault::close()),
    ("reset", |_| Fault::reset()),
    ("black hole", |_| Fault::black_hole()),
    ("truncated", |_| Fault::truncated()),
    ("slow", |_| Fault::slow(64, Duration::from_millis(10))),
    ("too slow", |_| Fault::slow(16, Duration::from_millis(200))),
];

/// Additional faults for create calls.
const CREATE: [FaultSpec; 14] = [
    ("answer 4xx", |rng| Fault::answer(one_of(rng, [400, 403, 404, 422]))),
    ("answer 5xx, acted", |rng| Fault::answer(server_error(rng)).after_acting()),
    ("answer 408, acted", |_| Fault::answer(408).after_acting()),
    ("HTML 5xx, acted", |rng| Fault::html(server_error(rng)).after_acting()),
    ("HTML 200, acted", |_| Fault::html(200).after_acting()),
    ("answer 201 unreadable, acted", |_| Fault::answer(201).body("{").after_acting()),
    ("hang, acted", |_| Fault::hang_after_acting()),
    ("close, acted", |_| Fault::close_after_acting()),
    ("reset, acted", |_| Fault::reset_after_acting()),
    ("black hole, acted", |_| Fault::black_hole().after_acting()),
    ("delay past the timeout", |rng| Fault::delay(pick(rng, 1_000, LATEST_ACT))),
    ("acts later", |rng| Fault::act_later(pick(rng, 50, LATEST_ACT))),
    ("acts later, closing", |rng| Fault::act_later(pick(rng, 50, LATEST_ACT)).closing()),
    ("reset late, acted", |rng| Fault::reset_after_acting().delayed(pick(rng, 20, TIMEOUT))),
];

/// Faults that, on the token endpoint, only the operator could fix.
const NOT_FOR_TOKENS: [&str; 2] = ["answer 401", "HTML 403"];

/// The faults for a route.
pub(crate) fn for_route(route: Route) -> Vec<FaultSpec> {
    match route {
        Route::CreateUser => ANY.into_iter().chain(CREATE).collect(),
        Route::Token => {
            ANY.into_iter().filter(|(name, _)| !NOT_FOR_TOKENS.contains(name)).collect()
        }
        _ => ANY.to_vec(),
    }
}

fn server_error(rng: &mut StdRng) -> u16 {
    one_of(rng, [500, 502, 503, 504, 520])
}

fn one_of<const N: usize>(rng: &mut StdRng, statuses: [u16; N]) -> u16 {
    statuses.choose(rng).copied().unwrap_or(500)
}

fn pick(rng: &mut StdRng, least_ms: u64, most: Duration) -> Duration {
    rng.random_range(Duration::from_millis(least_ms)..most)
}
