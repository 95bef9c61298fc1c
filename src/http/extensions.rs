//! Values that travel in the extensions of requests and responses between the layers and handlers.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::Request;

use crate::abuse::ClientAddress;

/// On a successful sign-up's response: the outcome's code, for the log and the metrics.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutcomeCode(pub(super) &'static str);

/// On the response to a probe or a scrape: its log event is at debug, not at info.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogAtDebug;

/// On a request of a server that posts for its visitors and has shown its token.
#[derive(Debug, Clone, Copy)]
pub(super) struct PostedByServer;

/// The address of a request without a connection. The server gives every request its peer.
pub(super) const UNKNOWN: ClientAddress = ClientAddress::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED));

/// The address that a request counts for. The observer resolves it.
pub(super) fn client(request: &Request) -> ClientAddress {
    request.extensions().get().copied().unwrap_or(UNKNOWN)
}
