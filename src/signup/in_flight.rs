//! Sign-ups under way in this process.
//!
//! Two requests with the same key (or, without one, the same e-mail address and password) are one
//! attempt: the second waits for the first and returns its result. The ledger does the same across
//! replicas and restarts.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::admission::ResultRecorder;
use super::identity::KeyedRequest;
use super::outcome::{Outcome, SignupResult};
use crate::digest::Digest;
use crate::telemetry::chain;

/// The sign-ups of this process, by key or by e-mail address and password.
#[derive(Debug, Default)]
pub(super) struct InFlight(Mutex<HashMap<Digest, Entry>>);

/// The sign-up of one key.
#[derive(Debug)]
struct Entry {
    binding: Digest,
    tx: watch::Sender<Option<SignupResult>>,
}

/// Result of [`InFlight::join`].
#[derive(Debug)]
pub(super) enum Join {
    /// No sign-up is under way: this request runs one, and others wait for it.
    Leader(Leader),
    /// A sign-up is under way: this request waits for it.
    Follower(watch::Receiver<Option<SignupResult>>),
    /// The key belongs to another e-mail address or password.
    KeyMismatch,
}

/// The request that runs a sign-up while others wait. Dropping it ends the sign-up: without a
/// result, they get [`Outcome::Unknown`].
#[derive(Debug)]
pub(super) struct Leader {
    in_flight: Arc<InFlight>,
    key: Digest,
    tx: watch::Sender<Option<SignupResult>>,
    send_state: SendState,
    recorder: Mutex<Option<ResultRecorder>>,
}

/// Progress of an attempt, as far as it matters to a request whose deadline has passed.
///
/// The task that sends and the request that gives up race for one change under its lock, so that no
/// call is sent after the client got a response that says that none was.
#[derive(Debug, Clone, Default)]
pub(super) struct SendState(Arc<Mutex<SendProgress>>);

/// The states of [`SendState`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum SendProgress {
    /// Nothing is known yet: an earlier attempt may have created the user.
    #[default]
    Early,
    /// The attempt is new, and nothing was sent.
    New,
    /// A call was sent, or is about to be.
    Sent,
    /// Nothing was sent, and nothing will be.
    GivenUp,
}

impl SendState {
    /// Moves from one state to another; `false` when the current one is not `from`.
    fn change(&self, from: SendProgress, to: SendProgress) -> bool {
        let mut progress = self.0.lock();
        let is_allowed = *progress == from;
        if is_allowed {
            *progress = to;
        }
        is_allowed
    }

    /// Marks the attempt as new.
    pub(super) fn mark_new(&self) {
        self.change(SendProgress::Early, SendProgress::New);
    }

    /// Marks a new attempt as one of which nothing is known, since another replica may have its key; `false`
    /// after [`Self::give_up`].
    pub(super) fn mark_early(&self) -> bool {
        self.change(SendProgress::New, SendProgress::Early)
    }

    /// Claims the right to send; `false` after [`Self::give_up`].
    pub(super) fn may_send(&self) -> bool {
        self.change(SendProgress::New, SendProgress::Sent)
    }

    /// Gives up a new attempt that has sent nothing; `false` when it is too late for that.
    pub(super) fn give_up(&self) -> bool {
        self.change(SendProgress::New, SendProgress::GivenUp)
    }
}

impl InFlight {
    /// Joins the sign-up under way with this request's key, or becomes its leader.
    pub(super) fn join(self: &Arc<Self>, request: &KeyedRequest) -> Join {
        self.join_key(request.in_flight_key(), request.binding.current)
    }

    /// Joins the sign-up under way with this key, or becomes its leader.
    fn join_key(self: &Arc<Self>, key: Digest, binding: Digest) -> Join {
        let mut entries = self.0.lock();
        match entries.get(&key) {
            Some(entry) if entry.binding != binding => return Join::KeyMismatch,
            Some(entry) => return Join::Follower(entry.tx.subscribe()),
            None => {}
        }
        let (tx, _) = watch::channel(None);
        entries.insert(key, Entry { binding, tx: tx.clone() });
        let (in_flight, send_state) = (Arc::clone(self), SendState::default());
        Join::Leader(Leader { in_flight, key, tx, send_state, recorder: Mutex::default() })
    }
}

impl Leader {
    /// Subscribes to the result.
    pub(super) fn subscribe(&self) -> watch::Receiver<Option<SignupResult>> {
        self.tx.subscribe()
    }

    /// The progress of the attempt.
    pub(super) const fn send_state(&self) -> &SendState {
        &self.send_state
    }

    /// Sets what records the result of the attempt that starts now.
    pub(super) fn set_recorder(&self, recorder: ResultRecorder) {
        *self.recorder.lock() = Some(recorder);
    }

    /// Resolves when every request disconnects before it gets the result.
    pub(super) async fn abandoned(&self) {
        if self.has_announced() {
            std::future::pending::<()>().await;
        } else {
            self.tx.closed().await;
        }
    }

    /// Returns whether the waiters have their result already.
    fn has_announced(&self) -> bool {
        self.tx.borrow().is_some()
    }

    /// Sends the result of `request` to every waiter. Requests that join before the leader is dropped
    /// get it too. Later results change nothing. Logs one that no client gets.
    pub(super) fn announce(&self, request: &KeyedRequest, result: SignupResult) {
        let is_unobserved = if self.has_announced() {
            // The replayed user had been deleted, and this is the sign-up that followed.
            !result.replayed
        } else {
            self.tx.receiver_count() == 0
        };
        if is_unobserved {
            let outcome = result.outcome.code();
            tracing::info!(
                request_id = request.request_id,
                outcome,
                error = result.cause.as_deref().map(|cause| chain(cause)),
                "a sign-up ended with no client waiting for it: {outcome}"
            );
        }
        self.send(result);
    }

    /// Records the result of the attempt, and sends it unless a result was sent before.
    fn send(&self, result: SignupResult) {
        // First: what it records may be in the response.
        let recorder = self.recorder.lock().take();
        if let Some(recorder) = recorder {
            recorder.record(&result);
        }
        self.tx.send_if_modified(|announced| {
            let is_first = announced.is_none();
            announced.get_or_insert(result);
            is_first
        });
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.in_flight.0.lock().remove(&self.key);
        self.send(SignupResult::new(Outcome::Unknown));
    }
}

/// Waits for the leader's result.
pub(super) async fn wait_for_outcome(
    mut rx: watch::Receiver<Option<SignupResult>>,
) -> SignupResult {
    match rx.wait_for(Option::is_some).await.map(|result| result.clone()) {
        Ok(Some(result)) => result,
        Ok(None) | Err(_) => SignupResult::new(Outcome::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(in_flight: &Arc<InFlight>) -> Join {
        in_flight.join_key(Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32]))
    }

    #[tokio::test]
    async fn requests_join_until_the_leader_is_dropped() {
        let in_flight = Arc::default();
        let Join::Leader(leader) = join(&in_flight) else { panic!("a leader") };
        let Join::Follower(early) = join(&in_flight) else { panic!("a follower") };
        leader.send(SignupResult::new(Outcome::EmailTaken));
        let Join::Follower(late) = join(&in_flight) else { panic!("a follower") };
        for follower in [early, late] {
            assert!(matches!(wait_for_outcome(follower).await.outcome, Outcome::EmailTaken));
        }
        drop(leader);
        assert!(matches!(join(&in_flight), Join::Leader(_)));
    }

    #[tokio::test]
    async fn a_leader_dropped_without_a_result_leaves_the_outcome_unknown() {
        let in_flight = Arc::default();
        let leader = join(&in_flight);
        let Join::Follower(follower) = join(&in_flight) else { panic!("a follower") };
        drop(leader);
        assert!(matches!(wait_for_outcome(follower).await.outcome, Outcome::Unknown));
    }

    #[test]
    fn a_key_of_another_form_does_not_join() {
        let in_flight = Arc::default();
        let _leader = join(&in_flight);
        let other = in_flight.join_key(Digest::from_bytes([1; 32]), Digest::from_bytes([3; 32]));
        assert!(matches!(other, Join::KeyMismatch));
    }

    /// A change of the state, and whether it is allowed.
    type Change = (fn(&SendState) -> bool, bool);

    #[test]
    fn a_sign_up_is_either_sent_or_given_up() {
        let new = |state: &SendState| {
            state.mark_new();
            true
        };
        let rows: [&[Change]; 5] = [
            &[(SendState::give_up, false), (SendState::may_send, false), (new, true)],
            &[(new, true), (SendState::give_up, true), (SendState::may_send, false)],
            &[(new, true), (SendState::give_up, true), (SendState::mark_early, false)],
            &[(new, true), (SendState::may_send, true), (SendState::give_up, false)],
            &[(new, true), (SendState::mark_early, true), (SendState::give_up, false)],
        ];
        for (row, changes) in rows.into_iter().enumerate() {
            let state = SendState::default();
            for (step, (change, expected)) in changes.iter().enumerate() {
                assert_eq!(change(&state), *expected, "row {row}, step {step}");
            }
        }
    }
}
