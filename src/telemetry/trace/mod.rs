//! Traces: the context of a request, and the spans that are exported with the feature `otlp`.
//!
//! A request without a trace has no context, and costs one look at its headers. Without an exporter, a
//! caller's context goes unchanged into the log and into the calls to the tenant.

mod active;
mod context;
mod error;
#[cfg(feature = "otlp")]
mod otlp;
mod span;
mod traces;

pub(super) use active::active_ids;
pub use active::{ActiveTrace, OutgoingCall, in_active_trace};
pub use context::TraceContext;
pub use error::TracesError;
pub use span::{SpanKind, SpanRecord, SpanValue};
pub use traces::Traces;
