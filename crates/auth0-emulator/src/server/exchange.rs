//! One call from its arrival to what the client is to see, with whatever fault waits for it.
//!
//! It runs in a task of its own: the tenant goes on with a call whose client has gone.

use std::sync::Arc;
use std::time::Duration;

use http::header::{DATE, HeaderValue};

use crate::answer::Answer;
use crate::api;
use crate::fault::{Act, Fault, Gate, Reply};
use crate::journal::Entry;
use crate::rate::Verdict;
use crate::route::Route;
use crate::tasks::Tasks;
use crate::world::{Call, World};

/// What the client is to see.
#[derive(Debug)]
pub(super) enum Outcome {
    /// An answer.
    Answer(Answer),
    /// Half an answer.
    Truncated(Answer),
    /// An answer, so many bytes at a time with a pause after each.
    Slow(Answer, usize, Duration),
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

impl Outcome {
    /// The status the client sees, if it sees one.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Answer(answer) | Self::Truncated(answer) | Self::Slow(answer, ..) => {
                Some(answer.status.as_u16())
            }
            _ => None,
        }
    }

    /// The answer the client sees, whole or in part, if it sees one.
    fn answer_mut(&mut self) -> Option<&mut Answer> {
        match self {
            Self::Answer(answer) | Self::Truncated(answer) | Self::Slow(answer, ..) => Some(answer),
            _ => None,
        }
    }
}

/// A call that has arrived.
#[derive(Debug)]
pub(super) struct Arrived {
    /// The emulator.
    pub(super) world: Arc<World>,
    /// Its tasks.
    pub(super) tasks: Tasks,
    /// The request.
    pub(super) entry: Entry,
    /// The address that was asked.
    pub(super) base: String,
}

impl Arrived {
    /// Goes through with the call.
    pub(super) async fn outcome(self) -> Outcome {
        let world = Arc::clone(&self.world);
        let date = || HeaderValue::from_str(&world.clock.http_date()).ok();
        let mut outcome = self.undated_outcome().await;
        if let (Some(answer), Some(date)) = (outcome.answer_mut(), date()) {
            // By the tenant's clock, unless a fault gave the answer a date of its own.
            answer.headers.entry(DATE).or_insert(date);
        }
        outcome
    }

    async fn undated_outcome(self) -> Outcome {
        let route = self.entry.route();
        let fault = self.world.faults.of(&self.entry);
        // A limiter counts a call when it arrives, not when it is done.
        let verdict = self.counts(fault.as_ref()).then(|| self.call(None).take_permit());
        let mut wait = self.world.dice.delay(self.world.tenant().latency, route);
        let Some(Fault { delay, gate, act, reply, .. }) = fault else {
            pause(wait).await;
            return Outcome::Answer(self.act(verdict));
        };
        wait += delay;
        let held = gate.as_ref().map(Gate::enter);
        pause(wait).await;
        if let Some(held) = &held {
            held.pass().await;
        }
        let usual = match act {
            Act::Never => None,
            Act::First => Some(self.act(verdict)),
            Act::Later(after) => {
                let tasks = self.tasks.clone();
                drop(tasks.spawn(async move {
                    pause(after).await;
                    self.act(verdict);
                    drop(held);
                }));
                None
            }
        };
        seen(reply, usual)
    }

    /// Whether the call takes a permit of the rate limit: one that is never acted on takes none.
    fn counts(&self, fault: Option<&Fault>) -> bool {
        let route = self.entry.route();
        let limited = route.is_management() || matches!(route, Route::Token | Route::Signup);
        limited && fault.is_none_or(|fault| !matches!(fault.act, Act::Never))
    }

    /// Does what is asked.
    fn act(&self, verdict: Option<Verdict>) -> Answer {
        api::answer(&self.call(verdict))
    }

    fn call(&self, verdict: Option<Verdict>) -> Call<'_> {
        Call {
            world: &self.world,
            tenant: self.world.tenant(),
            entry: &self.entry,
            base: &self.base,
            verdict,
        }
    }
}

/// Waits, unless there is nothing to wait for.
async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// What the client sees of `usual`, the answer there is if the call was acted on.
fn seen(reply: Reply, usual: Option<Answer>) -> Outcome {
    match (reply, usual) {
        (Reply::Usual, Some(answer)) => Outcome::Answer(answer),
        (Reply::Truncated, Some(answer)) => Outcome::Truncated(answer),
        (Reply::Slow(bytes, pause), Some(answer)) => Outcome::Slow(answer, bytes, pause),
        (Reply::Canned(status, headers, body), _) => {
            Outcome::Answer(Answer { status, headers, body })
        }
        (Reply::Close, _) => Outcome::Close,
        (Reply::Reset, _) => Outcome::Reset,
        (Reply::GoAway(code), _) => Outcome::GoAway(code),
        (Reply::StreamReset(code), _) => Outcome::StreamReset(code),
        (Reply::BlackHole, _) => Outcome::BlackHole,
        (Reply::Hang, _) | (Reply::Usual | Reply::Truncated | Reply::Slow(..), None) => {
            Outcome::Hang
        }
    }
}
