//! The address that a request counts for.

use std::net::IpAddr;

/// In the extensions of a request: the address that it counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);
