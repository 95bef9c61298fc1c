//! What every call to the Management API passes: the circuit breaker, then the tenant's budget.
//!
//! A call that is turned away here was surely not sent.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Response;
use tokio::time::Instant;

use super::breaker::{Breaker, GuardedCall};
use super::budget::{Budget, Permit, Priority};
use super::error::{Error, Transport};
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
#[must_use = "a pass that is dropped has spent a permit"]
pub struct CallPermit {
    call: GuardedCall,
    permit: Permit,
}

impl CallGuard {
    /// Closed breaker, unknown budget.
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

    /// Waits for a pass for one call. Dropping the future leaves the line.
    ///
    /// An open breaker lets the look-ups of requests pass: somebody waits for an outcome that
    /// nothing else can tell, and an answer closes it. There are few, as no creates are sent.
    ///
    /// # Errors
    /// [`Error::NotSent`] while the breaker is open, [`Error::RateLimited`] when the budget has
    /// nothing soon enough.
    pub(super) async fn enter(&self, priority: Priority) -> Result<CallPermit, Error> {
        // Nobody waits for a permit that the breaker would not let them use.
        if priority != Priority::Lookup {
            self.breaker.check(Instant::now()).map_err(circuit_open)?;
        }
        let taken = self.budget.take(priority).await;
        let permit = taken.map_err(|busy| Error::RateLimited { retry_after: busy.retry_after })?;
        let call = match priority {
            Priority::Lookup => self.breaker.admit_always(),
            Priority::Create | Priority::Background | Priority::BestEffort => {
                self.breaker.admit(Instant::now()).map_err(circuit_open)?
            }
        };
        Ok(CallPermit { call, permit })
    }

    /// Whether calls are turned away because the last ones failed.
    pub(super) fn is_failing_fast(&self) -> bool {
        self.breaker.is_open()
    }
}

impl CallPermit {
    /// Makes the call, and lets breaker and budget learn from what comes of it.
    ///
    /// # Errors
    /// Those of the call.
    pub(super) async fn with(
        self,
        call: impl Future<Output = reqwest::Result<Response>> + Send,
    ) -> reqwest::Result<Response> {
        match call.await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                self.permit.record_response(status, answer.headers());
                if status >= 500 {
                    self.call.failed();
                } else {
                    self.call.succeeded();
                }
                Ok(answer)
            }
            Err(error) => {
                self.call.failed();
                Err(error)
            }
        }
    }
}

fn circuit_open(retry_after: Duration) -> Error {
    Error::NotSent(Arc::new(Transport::CircuitOpen { retry_after }))
}
