//! One thin handler a route.

mod assets;
mod challenge;
mod dbconnections;
mod metrics;
mod page;
mod policy;
mod probes;
mod signup;

pub(super) use assets::{module, types};
pub(super) use challenge::challenge;
pub(super) use dbconnections::{dbconnections_challenge, dbconnections_signup};
pub(super) use metrics::metrics;
pub(super) use page::{form, success};
pub(super) use policy::policy;
pub(super) use probes::{livez, readyz};
pub(super) use signup::signup;
