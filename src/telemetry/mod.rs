//! Log events, metrics and traces.
//!
//! Depends on `config` and `tls` only. Labels are closed enums or codes of closed enums, so that a client
//! cannot create a time series.

mod chain;
mod challenges;
mod clock_skew;
mod http_metrics;
mod json;
mod ledger_metrics;
mod limiter;
mod log_gate;
mod logs;
mod metrics;
mod patient_output;
mod registration;
mod trace;
mod writer;

pub use chain::chain;
pub use challenges::ChallengeMetrics;
pub use clock_skew::{ClockSkew, ClockSource};
pub use http_metrics::{ConnectionEnd, ConnectionRefusal, ForwardedOutcome, HttpMetrics};
pub use ledger_metrics::{BatchMetrics, LedgerMetrics, OperationMetrics};
pub use limiter::LimiterMetrics;
pub use log_gate::LogGate;
pub use logs::{LogGuard, LogLevel, init, panic_location};
pub use metrics::{Metrics, Operation};
pub use patient_output::PatientOutput;
pub use trace::{
    ActiveTrace, OutgoingCall, SpanKind, SpanRecord, SpanValue, TraceContext, Traces, TracesError,
    in_active_trace,
};
