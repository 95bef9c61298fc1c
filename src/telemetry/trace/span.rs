//! A finished span, as the exporter receives it.

use std::time::Duration;

use super::context::TraceContext;

/// A finished span. Its values come from closed sets and from settings: no span quotes a request.
#[derive(Debug)]
pub struct SpanRecord {
    /// The name, from a closed set.
    pub name: String,
    /// The side of the call.
    pub kind: SpanKind,
    /// Its place in the trace.
    pub context: TraceContext,
    /// The span above it, and whether that belongs to another process.
    pub parent: Option<(u64, bool)>,
    /// The start, since the Unix epoch.
    pub started: Duration,
    /// The time that it took.
    pub took: Duration,
    /// Attributes in OpenTelemetry's names.
    pub attributes: Vec<(&'static str, SpanValue)>,
    /// True for a failure of this side: a 5xx that was sent, a call without a good response.
    pub is_error: bool,
}

/// The side of a call that a span describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// A request that this service received.
    Server,
    /// A call that it made.
    Client,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpanValue {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
}

impl From<&str> for SpanValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u16> for SpanValue {
    fn from(number: u16) -> Self {
        Self::Integer(number.into())
    }
}
