//! The surface: routes and their layers, bodies in, answers and problems out.
//!
//! The one place that knows HTTP. [`Problem`] is the only way an error becomes an answer.

mod auth0_compat;
pub(crate) mod body;
mod cors;
mod handlers;
mod head_limits;
mod idempotency_key;
mod limits;
mod negotiation;
mod not_modified;
mod observe;
pub mod openapi;
mod origins;
mod pages;
mod params;
mod pipeline;
mod policy;
mod problem;
mod representation;
mod request_id;
mod router;
pub mod server;

pub use auth0_compat::Auth0Compat;
pub use origins::Origins;
pub use pipeline::SignupPipeline;
pub use policy::Policy;
pub use problem::{Problem, ProblemCode};
pub use request_id::RequestId;
pub use router::{Parts, admin, public};
