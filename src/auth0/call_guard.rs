//! The guard of every call to the Management API: the circuit breaker, then the tenant's budget.
//!
//! A call that is rejected here was certainly not sent.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Response;
use tokio::time::Instant;

use super::breaker::{Breaker, BreakerPermit};
use super::budget::{Budget, Permit, Priority};
use super::error::{Api, CallError, TransportError};
use super::http_client::SendError;
use super::response::ApiResponse;
use super::wait::{PROBE_INTERVAL, RequestedWait};
use crate::config::{BreakerSettings, BudgetSettings};
use crate::telemetry::Metrics;

/// The breaker and the budget of one tenant.
#[derive(Debug)]
pub(super) struct CallGuard {
    breaker: Arc<Breaker>,
    budget: Arc<Budget>,
}

/// Permission for one call.
#[derive(Debug)]
#[must_use = "a call permit that is dropped has spent a permit of the budget"]
pub struct CallPermit {
    /// The priority that the call was admitted with.
    pub(super) priority: Priority,
    breaker: BreakerPermit,
    budget: Permit,
}

impl CallGuard {
    /// A closed breaker, and a budget of which nothing is known yet.
    pub(super) fn new(
        budget: &BudgetSettings,
        breaker: &BreakerSettings,
        metrics: &Arc<Metrics>,
    ) -> Self {
        Self {
            breaker: Breaker::new(breaker.clone(), Arc::clone(metrics)),
            budget: Budget::new(budget, Arc::clone(metrics)),
        }
    }

    /// Waits for a permit for one call. Dropping the future leaves the queue.
    ///
    /// An open breaker lets the lookups of requests pass: a client waits for an outcome that
    /// nothing else can determine, and a response closes the breaker. They are few, as no creates
    /// are sent.
    ///
    /// # Errors
    /// [`TransportError::CircuitOpen`] while the breaker is open, [`CallError::RateLimited`] when
    /// the budget has no permit soon enough.
    pub(super) async fn acquire(&self, priority: Priority) -> Result<CallPermit, CallError> {
        let passes_breaker = priority == Priority::Lookup;
        // No call waits for a permit that the breaker would not let it use.
        if !passes_breaker {
            self.breaker.check(Instant::now()).map_err(circuit_open)?;
        }
        let budget = self.budget.take(priority).await;
        let budget = budget.map_err(|busy| {
            let retry_after = busy.retry_after;
            CallError::RateLimited { api: Api::Management, retry_after }
        })?;
        let breaker = if passes_breaker {
            self.breaker.admit_always()
        } else {
            self.breaker.admit(Instant::now()).map_err(circuit_open)?
        };
        Ok(CallPermit { priority, breaker, budget })
    }

    /// Returns whether the tenant asked for a wait of more than a minute, which is not over.
    pub(super) fn is_waiting_long(&self) -> bool {
        self.budget.is_waiting_long()
    }

    /// Returns whether calls are rejected because recent ones failed.
    pub(super) fn is_failing_fast(&self) -> bool {
        self.breaker.is_open()
    }
}

impl CallPermit {
    /// Ends the call: reads its response, which arrived at `now` (the wall clock, since the Unix epoch), and
    /// updates the breaker and the budget.
    ///
    /// # Errors
    /// Those of the call. After a 429 the wait of the budget, which covers the one that this response
    /// asks for.
    pub(super) async fn end(
        self,
        result: Result<Response, SendError>,
        now: Duration,
    ) -> Result<ApiResponse, CallError> {
        let Self { breaker, budget, .. } = self;
        let response = match result {
            Ok(response) => response,
            // Says nothing new about the tenant, so the breaker does not count it.
            Err(SendError { error, is_outdated: true }) => return Err(error.into()),
            Err(SendError { error, is_outdated: false }) => {
                breaker.failed();
                return Err(error.into());
            }
        };
        let status = response.status().as_u16();
        if status >= 500 {
            breaker.failed();
        } else {
            breaker.succeeded();
        }
        if status != 429 {
            budget.record_response(status, response.headers());
            return Ok(ApiResponse::read(response, now).await);
        }
        // The body decides how long a wait is believed.
        let response = ApiResponse::read(response, now).await;
        let requested = RequestedWait::from_rejection(Api::Management, &response);
        if let Some(wait) = requested.wait.filter(|wait| *wait > PROBE_INTERVAL) {
            let seconds = wait.as_secs();
            tracing::warn!(
                wait_s = seconds,
                "Auth0 asks for a wait of {seconds} s: until then one call a minute is sent"
            );
        }
        let retry_after = budget.record_rejection(&response.headers, requested);
        Err(CallError::RateLimited { api: Api::Management, retry_after })
    }
}

/// The error of a call that the open breaker rejects.
fn circuit_open(retry_after: Duration) -> CallError {
    TransportError::CircuitOpen { retry_after }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_lost_with_a_pool_that_was_replaced_does_not_count_for_the_breaker() {
        let budget = BudgetSettings {
            reserve_percent: 0,
            initial_burst: 100,
            max_wait: Duration::ZERO,
            max_waiting: 0,
        };
        let pause = Duration::from_mins(1);
        let breaker = BreakerSettings { failures: 2, pause, max_pause: pause };
        let guard = CallGuard::new(&budget, &breaker, &Arc::new(Metrics::new()));
        for (is_outdated, is_open) in [(false, false), (true, false), (true, false), (false, true)]
        {
            let permit = guard.acquire(Priority::Create).await.unwrap();
            let error = TransportError::Unreadable(200);
            permit.end(Err(SendError { error, is_outdated }), Duration::ZERO).await.unwrap_err();
            assert_eq!(guard.is_failing_fast(), is_open);
        }
    }
}
