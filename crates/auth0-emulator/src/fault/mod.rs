//! Faults: what goes wrong with a call, scripted by a test.

mod gate;
mod queue;
mod script;

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

pub use self::gate::Gate;
pub(crate) use self::queue::FaultQueue;
pub(crate) use self::script::FaultScript;

/// What goes wrong with one call, or with several.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// How long nothing happens at all.
    pub(crate) delay: Duration,
    /// What holds the call after that.
    pub(crate) gate: Option<Gate>,
    /// Whether and when the tenant does what it is asked.
    pub(crate) act: ActTiming,
    /// What the client gets to see.
    pub(crate) effect: FaultEffect,
    /// For how many calls more; `None` is without end.
    pub(crate) times: Option<u32>,
}

/// Whether and when the tenant does what it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActTiming {
    /// Not at all.
    Never,
    /// Before it answers.
    BeforeResponse,
    /// So long after, whether the client is still there or not.
    Later(Duration),
}

/// What the client gets to see.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FaultEffect {
    /// The answer there is; for a call that is not acted on, nothing, as with [`FaultEffect::Hang`].
    Normal,
    /// This answer instead.
    Canned(StatusCode, HeaderMap, Bytes),
    /// Half the usual body under the length of the whole, and then the end of the connection.
    Truncated,
    /// The usual body, so many bytes at a time with a pause after each.
    Slow(usize, Duration),
    /// Nothing, on an open connection.
    Hang,
    /// Nothing, and the connection is closed.
    Close,
    /// Nothing, and the connection is reset.
    Reset,
    /// `GOAWAY` with this error code, naming no stream as processed. A close on HTTP/1.1.
    GoAway(u32),
    /// `RST_STREAM` with this error code. A close on HTTP/1.1.
    StreamReset(u32),
    /// The connection stays open and says nothing any more, not even to a ping.
    BlackHole,
}

/// The h2 error code of a connection that ends in order (RFC 9113, section 7).
const NO_ERROR: u32 = 0;
/// The h2 error code of a stream that the server could not carry through.
const INTERNAL_ERROR: u32 = 2;

impl Fault {
    /// A fault for the next call that is not acted on.
    fn without_acting(effect: FaultEffect) -> Self {
        Self { delay: Duration::ZERO, gate: None, act: ActTiming::Never, effect, times: Some(1) }
    }

    /// This answer, without doing what was asked. An unknown status becomes 500.
    pub fn answer(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::without_acting(FaultEffect::Canned(status, HeaderMap::new(), Bytes::new()))
    }

    /// A page of HTML with this status, as the network in front of the tenant sends it.
    pub fn html(status: u16) -> Self {
        Self::answer(status)
            .header("content-type", "text/html; charset=UTF-8")
            .header("server", "cloudflare")
            .body(format!(
                "<!DOCTYPE html>\n<html><head><title>{status}</title></head>\
                 <body><h1>Error {status}</h1><p>cloudflare</p></body></html>\n"
            ))
    }

    /// The usual answer, that much later.
    pub fn delay(by: Duration) -> Self {
        Self { act: ActTiming::BeforeResponse, ..Self::without_acting(FaultEffect::Normal) }
            .delayed(by)
    }

    /// The usual answer, once the gate is open.
    pub fn held(gate: &Gate) -> Self {
        Self::delay(Duration::ZERO).behind(gate)
    }

    /// No answer on an open connection, without doing what was asked.
    pub fn hang() -> Self {
        Self::without_acting(FaultEffect::Hang)
    }

    /// No answer on an open connection, after doing what was asked.
    pub fn hang_after_acting() -> Self {
        Self::hang().after_acting()
    }

    /// The connection is closed, without doing what was asked.
    pub fn close() -> Self {
        Self::without_acting(FaultEffect::Close)
    }

    /// The connection is closed, after doing what was asked.
    pub fn close_after_acting() -> Self {
        Self::close().after_acting()
    }

    /// The connection is reset, without doing what was asked.
    pub fn reset() -> Self {
        Self::without_acting(FaultEffect::Reset)
    }

    /// The connection is reset, after doing what was asked.
    pub fn reset_after_acting() -> Self {
        Self::reset().after_acting()
    }

    /// What was asked is done that much later, whether the client is still there or not; it gets
    /// no answer on an open connection. Followed by [`Fault::closing`], the connection is closed.
    pub fn act_later(after: Duration) -> Self {
        Self { act: ActTiming::Later(after), ..Self::without_acting(FaultEffect::Hang) }
    }

    /// The usual answer, cut in half under the length of the whole.
    pub fn truncated() -> Self {
        Self::without_acting(FaultEffect::Truncated).after_acting()
    }

    /// The usual answer, so many bytes at a time with a pause after each.
    pub fn slow(bytes: usize, pause: Duration) -> Self {
        Self::without_acting(FaultEffect::Slow(bytes.max(1), pause)).after_acting()
    }

    /// `GOAWAY` before the call is processed; the connection ends.
    pub fn goaway() -> Self {
        Self::without_acting(FaultEffect::GoAway(NO_ERROR))
    }

    /// `RST_STREAM` for the call; the connection goes on.
    pub fn stream_reset() -> Self {
        Self::without_acting(FaultEffect::StreamReset(INTERNAL_ERROR))
    }

    /// The connection says nothing any more, to this call and any other, not even to a ping.
    pub fn black_hole() -> Self {
        Self::without_acting(FaultEffect::BlackHole)
    }

    /// The same, after doing what was asked.
    #[must_use]
    pub fn after_acting(self) -> Self {
        Self { act: ActTiming::BeforeResponse, ..self }
    }

    /// The same, that much later; what is done is done later as well.
    #[must_use]
    pub fn delayed(self, by: Duration) -> Self {
        Self { delay: by, ..self }
    }

    /// The same, once the gate is open; what is done is done then as well, whether the client is
    /// still there or not.
    #[must_use]
    pub fn behind(self, gate: &Gate) -> Self {
        Self { gate: Some(gate.clone()), ..self }
    }

    /// The same, but the connection is closed at once.
    #[must_use]
    pub fn closing(self) -> Self {
        Self { effect: FaultEffect::Close, ..self }
    }

    /// The same with another h2 error code, for [`Fault::goaway`] and [`Fault::stream_reset`].
    #[must_use]
    pub fn code(mut self, code: u32) -> Self {
        if let FaultEffect::GoAway(known) | FaultEffect::StreamReset(known) = &mut self.effect {
            *known = code;
        }
        self
    }

    /// The same with this body, for [`Fault::answer`]. It is JSON unless a header says otherwise.
    #[must_use]
    pub fn body(mut self, text: impl Into<Bytes>) -> Self {
        if let FaultEffect::Canned(_, headers, body) = &mut self.effect {
            *body = text.into();
            let json = HeaderValue::from_static("application/json; charset=utf-8");
            headers.entry(CONTENT_TYPE).or_insert(json);
        }
        self
    }

    /// The same with this header, for [`Fault::answer`]. One that is no valid header is left out.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let FaultEffect::Canned(_, headers, _) = &mut self.effect
            && let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse())
        {
            headers.insert(name, value);
        }
        self
    }

    /// The same for the next `calls` calls.
    #[must_use]
    pub fn times(self, calls: u32) -> Self {
        Self { times: Some(calls), ..self }
    }

    /// The same for every call until the faults are cleared.
    #[must_use]
    pub fn always(self) -> Self {
        Self { times: None, ..self }
    }
}
