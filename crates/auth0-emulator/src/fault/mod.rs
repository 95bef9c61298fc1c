//! Faults: errors and delays that a test injects into calls.

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

/// A fault for one call or several.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The delay before anything else happens.
    pub(crate) delay: Duration,
    /// The gate that holds the call after the delay.
    pub(crate) gate: Option<Gate>,
    /// The point at which the tenant performs the operation, if at all.
    pub(crate) act: ActTiming,
    /// The effect that the client sees.
    pub(crate) effect: FaultEffect,
    /// The number of calls left; `None` if unlimited.
    pub(crate) times: Option<u32>,
}

/// The point at which the tenant performs the operation, if at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActTiming {
    /// Never.
    Never,
    /// Before responding.
    BeforeResponse,
    /// After this delay, even if the client has disconnected.
    Later(Duration),
}

/// The effect of a fault as the client sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FaultEffect {
    /// The normal response. If the operation is not performed, there is none, as with
    /// [`Breakage::Hang`].
    Normal,
    /// This response instead.
    Canned(StatusCode, HeaderMap, Bytes),
    /// Half of the normal body, with the full `Content-Length`; then the connection ends.
    Truncated,
    /// The normal body, this many bytes at a time with a pause after each.
    Slow(usize, Duration),
    /// No response.
    Break(Breakage),
}

/// The end of a call without a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breakage {
    /// Nothing; the connection stays open.
    Hang,
    /// A closed connection.
    Close,
    /// A reset connection.
    Reset,
    /// Nothing more on the whole connection. It stays open.
    BlackHole,
}

impl Fault {
    /// A fault for the next call, which is not performed.
    fn without_acting(effect: FaultEffect) -> Self {
        Self { delay: Duration::ZERO, gate: None, act: ActTiming::Never, effect, times: Some(1) }
    }

    /// Responds with this status, without performing the operation. An invalid status becomes 500.
    pub fn answer(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::without_acting(FaultEffect::Canned(status, HeaderMap::new(), Bytes::new()))
    }

    /// Responds with an HTML page and this status, like the network in front of the tenant.
    pub fn html(status: u16) -> Self {
        Self::answer(status)
            .header("content-type", "text/html; charset=UTF-8")
            .header("server", "cloudflare")
            .body(format!(
                "<!DOCTYPE html>\n<html><head><title>{status}</title></head>\
                 <body><h1>Error {status}</h1><p>cloudflare</p></body></html>\n"
            ))
    }

    /// Sends the normal response after a delay.
    pub fn delay(by: Duration) -> Self {
        Self { act: ActTiming::BeforeResponse, ..Self::without_acting(FaultEffect::Normal) }
            .delayed(by)
    }

    /// Sends the normal response once the gate is open.
    pub fn held(gate: &Gate) -> Self {
        Self::delay(Duration::ZERO).behind(gate)
    }

    /// Never responds, and does not perform the operation. The connection stays open.
    pub fn hang() -> Self {
        Self::without_acting(FaultEffect::Break(Breakage::Hang))
    }

    /// Never responds, but performs the operation. The connection stays open.
    pub fn hang_after_acting() -> Self {
        Self::hang().after_acting()
    }

    /// Closes the connection, without performing the operation.
    pub fn close() -> Self {
        Self::without_acting(FaultEffect::Break(Breakage::Close))
    }

    /// Closes the connection after performing the operation.
    pub fn close_after_acting() -> Self {
        Self::close().after_acting()
    }

    /// Resets the connection, without performing the operation.
    pub fn reset() -> Self {
        Self::without_acting(FaultEffect::Break(Breakage::Reset))
    }

    /// Resets the connection after performing the operation.
    pub fn reset_after_acting() -> Self {
        Self::reset().after_acting()
    }

    /// Performs the operation after a delay, even if the client has disconnected. The client gets
    /// no response on an open connection. Combined with [`Fault::closing`], the connection is
    /// closed at once.
    pub fn act_later(after: Duration) -> Self {
        Self {
            act: ActTiming::Later(after),
            ..Self::without_acting(FaultEffect::Break(Breakage::Hang))
        }
    }

    /// Sends half of the normal body, with the full `Content-Length`.
    pub fn truncated() -> Self {
        Self::without_acting(FaultEffect::Truncated).after_acting()
    }

    /// Sends the normal response, this many bytes at a time with a pause after each.
    pub fn slow(bytes: usize, pause: Duration) -> Self {
        Self::without_acting(FaultEffect::Slow(bytes.max(1), pause)).after_acting()
    }

    /// Silences the connection: neither this call nor any other on it gets a response.
    pub fn black_hole() -> Self {
        Self::without_acting(FaultEffect::Break(Breakage::BlackHole))
    }

    /// Performs the operation before the fault takes effect.
    #[must_use]
    pub fn after_acting(self) -> Self {
        Self { act: ActTiming::BeforeResponse, ..self }
    }

    /// Delays the fault, and with it the operation.
    #[must_use]
    pub fn delayed(self, by: Duration) -> Self {
        Self { delay: by, ..self }
    }

    /// Holds the call until the gate is open. The operation is then performed even if the client
    /// has disconnected.
    #[must_use]
    pub fn behind(self, gate: &Gate) -> Self {
        Self { gate: Some(gate.clone()), ..self }
    }

    /// Closes the connection at once.
    #[must_use]
    pub fn closing(self) -> Self {
        Self { effect: FaultEffect::Break(Breakage::Close), ..self }
    }

    /// Sets the body, for [`Fault::answer`]. It is JSON unless a header says otherwise.
    #[must_use]
    pub fn body(mut self, text: impl Into<Bytes>) -> Self {
        if let FaultEffect::Canned(_, headers, body) = &mut self.effect {
            *body = text.into();
            let json = HeaderValue::from_static("application/json; charset=utf-8");
            headers.entry(CONTENT_TYPE).or_insert(json);
        }
        self
    }

    /// Sets a header, for [`Fault::answer`]. An invalid header is ignored.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let FaultEffect::Canned(_, headers, _) = &mut self.effect
            && let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse())
        {
            headers.insert(name, value);
        }
        self
    }

    /// Applies the fault to the next `calls` calls.
    #[must_use]
    pub fn times(self, calls: u32) -> Self {
        Self { times: Some(calls), ..self }
    }

    /// Applies the fault to every call until the faults are cleared.
    #[must_use]
    pub fn always(self) -> Self {
        Self { times: None, ..self }
    }
}
