//! The surface: routes and their layers, bodies in, answers and problems out.
//!
//! The one place that knows HTTP. [`Problem`] is the only way an error becomes an answer.

pub(crate) mod body;
mod cors;
mod handlers;
mod head_limits;
mod idempotency_key;
mod kept;
mod limits;
mod lock;
mod observe;
pub mod openapi;
mod origins;
mod pages;
mod params;
mod policy;
mod problem;
mod representation;
mod request_id;
mod router;
pub mod server;
mod stages;
mod wanted;

pub use lock::Lock;
pub use origins::Origins;
pub use policy::Policy;
pub use problem::{Problem, ProblemCode};
pub use request_id::RequestId;
pub use router::{Parts, admin, public};
pub use stages::Stages;
