//! What the process tells of itself: log events and metrics.
//!
//! A leaf. Labels are closed enums or codes of closed enums, so that a caller cannot make a series.

mod logs;
mod metrics;
mod writer;

pub use logs::{LogGuard, init};
pub use metrics::{Metrics, Operation};
