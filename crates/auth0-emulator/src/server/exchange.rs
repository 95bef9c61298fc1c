//! Runs one call from its arrival to its delivery, with any fault that applies.
//!
//! Each call has its own task, so the tenant finishes a call whose client has disconnected.

use std::sync::Arc;
use std::time::Duration;

use http::header::{DATE, HeaderValue};

use crate::api;
use crate::fault::{ActTiming, Breakage, Fault, FaultEffect, Gate};
use crate::journal::JournalEntry;
use crate::rate::RateDecision;
use crate::response::TenantResponse;
use crate::route::Route;
use crate::state::{Call, EmulatorState};
use crate::tasks::Tasks;

/// The response or failure that the client sees.
#[derive(Debug)]
pub(super) enum Delivery {
    /// A complete response.
    Complete(TenantResponse),
    /// Half of a response.
    Truncated(TenantResponse),
    /// A response, this many bytes at a time with a pause after each.
    Slow(TenantResponse, usize, Duration),
    /// No response.
    Broken(Breakage),
}

impl Delivery {
    /// The status the client sees, if any.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Complete(response) | Self::Truncated(response) | Self::Slow(response, ..) => {
                Some(response.status.as_u16())
            }
            Self::Broken(_) => None,
        }
    }

    /// The full or partial response the client sees, if any.
    fn response_mut(&mut self) -> Option<&mut TenantResponse> {
        match self {
            Self::Complete(response) | Self::Truncated(response) | Self::Slow(response, ..) => {
                Some(response)
            }
            Self::Broken(_) => None,
        }
    }
}

/// A call that has been received.
#[derive(Debug)]
pub(super) struct ReceivedCall {
    /// The emulator's state.
    pub(super) state: Arc<EmulatorState>,
    /// The emulator's tasks.
    pub(super) tasks: Tasks,
    /// The request.
    pub(super) entry: JournalEntry,
    /// The base URL of the request.
    pub(super) base: String,
}

impl ReceivedCall {
    /// Runs the call.
    pub(super) async fn delivery(self) -> Delivery {
        let state = Arc::clone(&self.state);
        let date = || HeaderValue::from_str(&state.clock.http_date()).ok();
        let mut delivery = self.undated_delivery().await;
        if let (Some(response), Some(date)) = (delivery.response_mut(), date()) {
            // The tenant's clock sets the date, unless a fault did.
            response.headers.entry(DATE).or_insert(date);
        }
        delivery
    }

    async fn undated_delivery(self) -> Delivery {
        let route = self.entry.route();
        let fault = self.state.faults.fault_for(&self.entry);
        // A rate limiter counts a call when it arrives, not when it is finished.
        let decision = self.is_rate_limited(fault.as_ref()).then(|| {
            let now = self.state.clock.unix_seconds_f64();
            self.state.buckets.take(self.state.tenant().plan, route, now)
        });
        let mut wait = self.state.latency_rng.delay(self.state.tenant().latency, route);
        let Some(Fault { delay, gate, act, effect, .. }) = fault else {
            pause(wait).await;
            return Delivery::Complete(self.act(decision));
        };
        wait += delay;
        let held = gate.as_ref().map(Gate::enter);
        pause(wait).await;
        if let Some(held) = &held {
            held.pass().await;
        }
        let response = match act {
            ActTiming::Never => None,
            ActTiming::BeforeResponse => Some(self.act(decision)),
            ActTiming::Later(after) => {
                let tasks = self.tasks.clone();
                drop(tasks.spawn(async move {
                    pause(after).await;
                    self.act(decision);
                    drop(held);
                }));
                None
            }
        };
        apply(effect, response)
    }

    /// Returns whether the call takes a permit from the rate limit. A call that is never performed
    /// takes none.
    fn is_rate_limited(&self, fault: Option<&Fault>) -> bool {
        let route = self.entry.route();
        let limited = route.is_management() || matches!(route, Route::Token | Route::Signup);
        limited && fault.is_none_or(|fault| !matches!(fault.act, ActTiming::Never))
    }

    /// Performs the operation.
    fn act(&self, decision: Option<RateDecision>) -> TenantResponse {
        api::respond(&Call {
            state: &self.state,
            tenant: self.state.tenant(),
            entry: &self.entry,
            base: &self.base,
            decision,
        })
    }
}

/// Sleeps, unless `time` is zero.
async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// Combines the fault's effect with the operation's response, which is `None` if it was not
/// performed.
fn apply(effect: FaultEffect, response: Option<TenantResponse>) -> Delivery {
    match (effect, response) {
        (FaultEffect::Normal, Some(response)) => Delivery::Complete(response),
        (FaultEffect::Truncated, Some(response)) => Delivery::Truncated(response),
        (FaultEffect::Slow(bytes, pause), Some(response)) => Delivery::Slow(response, bytes, pause),
        (FaultEffect::Canned(status, headers, body), _) => {
            Delivery::Complete(TenantResponse { status, headers, body })
        }
        (FaultEffect::Break(breakage), _) => Delivery::Broken(breakage),
        (FaultEffect::Normal | FaultEffect::Truncated | FaultEffect::Slow(..), None) => {
            Delivery::Broken(Breakage::Hang)
        }
    }
}
