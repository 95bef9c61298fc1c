//! One thin handler a route.

mod metrics;
mod probes;
mod signup;

pub(super) use metrics::metrics;
pub(super) use probes::{livez, readyz};
pub(super) use signup::signup;
