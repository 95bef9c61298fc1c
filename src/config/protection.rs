//! `[auth0.budget]` and `[auth0.breaker]`: protection of the tenant from too many calls.

use std::time::Duration;

use super::reader::Reader;

/// The budget of the tenant's rate limit.
#[derive(Debug, Clone)]
pub struct BudgetSettings {
    /// The percentage of the limit that is left to the tenant's other clients.
    pub reserve_percent: u32,
    /// Calls made before the tenant's first response reveals its limit.
    pub initial_burst: u32,
    /// The maximum wait of a call for its turn.
    pub max_wait: Duration,
    /// The maximum number of waiting calls.
    pub max_waiting: usize,
}

/// The circuit breaker.
#[derive(Debug, Clone)]
pub struct BreakerSettings {
    /// The number of failures in a row that open it.
    pub failures: u32,
    /// The first pause.
    pub pause: Duration,
    /// The longest pause.
    pub max_pause: Duration,
}

pub(super) fn read_budget(reader: &mut Reader<'_>) -> BudgetSettings {
    BudgetSettings {
        reserve_percent: reader.number("auth0.budget.reserve_percent", 0..=90),
        initial_burst: reader.number("auth0.budget.initial_burst", 1..=10_000),
        max_wait: reader.millis("auth0.budget.max_wait_ms", 0..=60_000),
        max_waiting: reader.count("auth0.budget.max_waiting", 0..=100_000),
    }
}

pub(super) fn read_breaker(reader: &mut Reader<'_>) -> BreakerSettings {
    BreakerSettings {
        failures: reader.number("auth0.breaker.failures", 1..=1_000_000),
        pause: reader.millis("auth0.breaker.pause_ms", 10..=600_000),
        max_pause: reader.millis("auth0.breaker.max_pause_ms", 10..=600_000),
    }
}
