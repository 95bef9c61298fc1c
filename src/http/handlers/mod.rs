//! One thin handler a route.

mod metrics;
mod probes;
mod signup;

pub(super) use metrics::metrics;
pub(super) use probes::{livez, readyz};
pub use signup::SignupRoute;
pub(super) use signup::signup;
