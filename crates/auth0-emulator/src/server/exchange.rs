//! One call from its arrival to what the client is to see, with whatever fault waits for it.
//!
//! It runs in a task of its own: the tenant goes on with a call whose client has gone.

use std::sync::Arc;
use std::time::Duration;

use http::header::{DATE, HeaderValue};

use crate::api;
use crate::fault::{ActTiming, Fault, FaultEffect, Gate};
use crate::journal::JournalEntry;
use crate::rate::RateDecision;
use crate::response::TenantResponse;
use crate::route::Route;
use crate::state::{Call, EmulatorState};
use crate::tasks::Tasks;

/// What the client is to see.
#[derive(Debug)]
pub(super) enum Delivery {
    /// An answer.
    Complete(TenantResponse),
    /// Half an answer.
    Truncated(TenantResponse),
    /// An answer, so many bytes at a time with a pause after each.
    Slow(TenantResponse, usize, Duration),
    /// Nothing.
    Hang,
    /// The end of the connection.
    Close,
    /// The end of the connection, by reset.
    Reset,
    /// `GOAWAY` with this code.
    GoAway(u32),
    /// `RST_STREAM` with this code.
    StreamReset(u32),
    /// Silence, on the whole connection.
    BlackHole,
}

impl Delivery {
    /// The status the client sees, if it sees one.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Complete(response) | Self::Truncated(response) | Self::Slow(response, ..) => {
                Some(response.status.as_u16())
            }
            _ => None,
        }
    }

    /// The answer the client sees, whole or in part, if it sees one.
    fn response_mut(&mut self) -> Option<&mut TenantResponse> {
        match self {
            Self::Complete(response) | Self::Truncated(response) | Self::Slow(response, ..) => {
                Some(response)
            }
            _ => None,
        }
    }
}

/// A call that has arrived.
#[derive(Debug)]
pub(super) struct ReceivedCall {
    /// The emulator.
    pub(super) state: Arc<EmulatorState>,
    /// Its tasks.
    pub(super) tasks: Tasks,
    /// The request.
    pub(super) entry: JournalEntry,
    /// The address that was asked.
    pub(super) base: String,
}

impl ReceivedCall {
    /// Goes through with the call.
    pub(super) async fn delivery(self) -> Delivery {
        let state = Arc::clone(&self.state);
        let date = || HeaderValue::from_str(&state.clock.http_date()).ok();
        let mut delivery = self.undated_delivery().await;
        if let (Some(response), Some(date)) = (delivery.response_mut(), date()) {
            // By the tenant's clock, unless a fault gave the answer a date of its own.
            response.headers.entry(DATE).or_insert(date);
        }
        delivery
    }

    async fn undated_delivery(self) -> Delivery {
        let route = self.entry.route();
        let fault = self.state.faults.fault_for(&self.entry);
        // A limiter counts a call when it arrives, not when it is done.
        let decision = self.is_rate_limited(fault.as_ref()).then(|| self.call(None).take_permit());
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
        delivery(effect, response)
    }

    /// Whether the call takes a permit of the rate limit: one that is never acted on takes none.
    fn is_rate_limited(&self, fault: Option<&Fault>) -> bool {
        let route = self.entry.route();
        let limited = route.is_management() || matches!(route, Route::Token | Route::Signup);
        limited && fault.is_none_or(|fault| !matches!(fault.act, ActTiming::Never))
    }

    /// Does what is asked.
    fn act(&self, decision: Option<RateDecision>) -> TenantResponse {
        api::respond(&self.call(decision))
    }

    fn call(&self, decision: Option<RateDecision>) -> Call<'_> {
        Call {
            state: &self.state,
            tenant: self.state.tenant(),
            entry: &self.entry,
            base: &self.base,
            decision,
        }
    }
}

/// Waits, unless there is nothing to wait for.
async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// What the client sees of `response`, the answer there is if the call was acted on.
fn delivery(effect: FaultEffect, response: Option<TenantResponse>) -> Delivery {
    match (effect, response) {
        (FaultEffect::Normal, Some(response)) => Delivery::Complete(response),
        (FaultEffect::Truncated, Some(response)) => Delivery::Truncated(response),
        (FaultEffect::Slow(bytes, pause), Some(response)) => Delivery::Slow(response, bytes, pause),
        (FaultEffect::Canned(status, headers, body), _) => {
            Delivery::Complete(TenantResponse { status, headers, body })
        }
        (FaultEffect::Close, _) => Delivery::Close,
        (FaultEffect::Reset, _) => Delivery::Reset,
        (FaultEffect::GoAway(code), _) => Delivery::GoAway(code),
        (FaultEffect::StreamReset(code), _) => Delivery::StreamReset(code),
        (FaultEffect::BlackHole, _) => Delivery::BlackHole,
        (FaultEffect::Hang, _)
        | (FaultEffect::Normal | FaultEffect::Truncated | FaultEffect::Slow(..), None) => {
            Delivery::Hang
        }
    }
}
