//! One thin handler a route.

mod assets;
mod challenge;
mod metrics;
mod page;
mod probes;
mod signup;

pub(super) use assets::{module, types};
pub(super) use challenge::challenge;
pub(super) use metrics::metrics;
pub(super) use page::{form, success};
pub(super) use probes::{livez, readyz};
pub(super) use signup::signup;
