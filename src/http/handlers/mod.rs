//! One thin handler for each route. Those of Auth0's endpoints are in `auth0_compat`.

pub(super) mod assets;
pub(super) mod challenge;
mod metrics;
pub(super) mod openapi;
pub(super) mod page;
pub(super) mod policy;
pub(super) mod probes;
pub(super) mod signup;

pub(super) use assets::{common_passwords, web_files};
pub(super) use challenge::challenge;
pub(super) use metrics::metrics;
pub(super) use openapi::openapi;
pub(super) use page::{example, form, root, success};
pub(super) use policy::policy;
pub(super) use probes::{livez, readyz};
pub(super) use signup::signup;
