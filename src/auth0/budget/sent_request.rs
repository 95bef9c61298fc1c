//! The values that the bucket and its cooldown exchange with the calls.

use tokio::time::Instant;

/// The time at which the next request may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextSend {
    /// Now.
    Now,
    /// At this time, as far as is known.
    At(Instant),
    /// After the response to another request, which is a probe.
    AfterProbe,
}

/// A request that took a permit.
#[derive(Debug, Clone, Copy)]
pub(super) struct SentRequest {
    /// The request's number, counted from 1.
    pub(super) number: u64,
    /// The time at which the request was admitted.
    pub(super) sent_at: Instant,
    /// The mirror's level after it, less all corrections until then.
    pub(super) left: f64,
    /// The last request that this one cannot have overtaken on the way.
    pub(super) after: u64,
}
