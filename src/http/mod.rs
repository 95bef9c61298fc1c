//! The HTTP interface: routes and layers, request bodies, responses and problems.
//!
//! No other module serves HTTP. [`problem::Problem`] is the only way from an error to a response: handlers
//! return it, and the outermost layer renders it.

mod accept;
mod auth0_compat;
mod base_path;
pub(crate) mod body;
mod cors;
mod extensions;
mod handlers;
mod head_limits;
mod header_list;
mod idempotency_key;
mod limits;
mod metrics_format;
mod negotiation;
mod observe;
pub mod openapi;
mod origins;
mod pages;
mod params;
mod paths;
mod pipeline;
mod policy;
mod problem;
mod rejected_origins;
mod render;
mod representation;
mod request_id;
mod router;
pub mod schemas;
mod sealed_greeting;
pub mod server;
mod signed_up;

pub use auth0_compat::Auth0Compat;
pub use base_path::below;
pub use origins::Origins;
pub use pipeline::SignupPipeline;
pub use policy::SignupPolicy;
pub use router::{RouterState, admin, public};
