//! The upstream: one tenant's `/oauth/token` and `/api/v2/users`, and the meaning of its responses.
//!
//! Owns the Management API token, the connection pool, the tenant's budget with the circuit
//! breaker, and the classification of responses. Must not know axum, storage or the client. A
//! concrete [`Client`], no trait: the seam is the base address, and tests speak HTTP to the
//! emulator, so that the wire is what is tested.

mod breaker;
mod budget;
mod call_guard;
mod certificates;
pub(crate) mod classify;
mod client;
pub mod connection;
mod create_user;
mod credentials;
mod error;
mod headers;
mod http_client;
mod inspector;
mod lookup;
mod password_reset;
mod rate_headers;
mod read_access;
mod redirect;
pub(crate) mod response;
mod scopes;
mod sender;
mod tenant_clock;
#[cfg(test)]
mod test_client;
mod token;
mod token_request;
mod token_retry;
mod traced_call;
mod user;
mod wait;

pub use budget::Priority;
pub use call_guard::CallPermit;
pub use certificates::{ChainProblem, ChainState, ObservedHandshake};
pub use client::Client;
pub use create_user::Acceptance;
pub use error::{
    Api, CallError, CreateUserError, ErrorCode, LookupError, Misconfiguration, TokenError,
    TransportError,
};
pub use http_client::BuildError;
pub use inspector::{Discovery, InspectedToken, Inspector};
pub use lookup::{FoundUser, UserById, UsersByEmail};
pub use password_reset::ResetMailResult;
pub use scopes::is_used as is_used_scope;
pub use token::UpstreamHealth;
pub use user::{CreatedUser, User};
