//! Auth0's public sign-up endpoint, compatible with Lock, auth0.js and the SDKs.
//!
//! It has its own requests and responses. Between them runs the same pipeline as for `/signup`.

mod error;
mod error_response;
mod fields;
pub(super) mod handler;
mod password;
mod user;

pub(super) use error::error;
pub use fields::Auth0Compat;
pub(super) use handler::{Auth0Endpoint, dbconnections_challenge, dbconnections_signup};
