//! `[http]` and `[admin]`: the two listeners.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::origins::{self, OriginSettings};
use super::proxies::{self, ProxySettings};
use super::reader::Reader;

/// The public listener and its limits.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// The address to listen on; port 0 picks a free port.
    pub address: SocketAddr,
    /// The maximum number of open connections.
    pub max_connections: usize,
    /// The maximum for one address, except a trusted proxy's.
    pub max_connections_per_address: usize,
    /// The maximum number of unfinished heads and bodies of one address.
    pub max_unfinished_per_address: usize,
    /// The maximum memory of all connections, in bytes.
    pub connection_memory: usize,
    /// The timeout for the first byte of a new connection.
    pub first_byte_timeout: Duration,
    /// The timeout for a header, from its first byte.
    pub header_timeout: Duration,
    /// The timeout for the next request on an idle connection.
    pub idle_timeout: Duration,
    /// The timeout for a whole body.
    pub body_timeout: Duration,
    /// The timeout for a whole request.
    pub request_timeout: Duration,
    /// The origins whose pages may post.
    pub origins: OriginSettings,
    /// The proxies that may name the client.
    pub proxies: ProxySettings,
    /// The time that running requests have after a signal to stop.
    pub shutdown_timeout: Duration,
    /// The time during which new requests are still accepted after a signal to stop.
    pub shutdown_delay: Duration,
}

/// The listener for probes and metrics.
#[derive(Debug, Clone)]
pub struct AdminSettings {
    /// The address to listen on; port 0 picks a free port.
    pub address: SocketAddr,
}

pub(super) fn read(reader: &mut Reader<'_>) -> HttpSettings {
    HttpSettings {
        address: SocketAddr::new(reader.host("http.host"), reader.port("http.port")),
        max_connections: reader.count("http.max_connections", 1..=1_000_000),
        max_connections_per_address: reader
            .count("http.max_connections_per_address", 1..=1_000_000),
        max_unfinished_per_address: reader.count("http.max_unfinished_per_address", 1..=1_000_000),
        connection_memory: reader
            .count("http.connection_memory_mib", 1..=1_000_000)
            .saturating_mul(1024 * 1024),
        first_byte_timeout: reader.millis("http.first_byte_timeout_ms", 100..=600_000),
        header_timeout: reader.millis("http.header_timeout_ms", 100..=600_000),
        idle_timeout: reader.millis("http.idle_timeout_ms", 100..=3_600_000),
        body_timeout: reader.millis("http.body_timeout_ms", 100..=600_000),
        request_timeout: reader.millis("http.request_timeout_ms", 100..=600_000),
        origins: origins::read(reader),
        proxies: proxies::read(reader),
        shutdown_timeout: reader.millis("http.shutdown_timeout_ms", 0..=600_000),
        shutdown_delay: reader.millis("http.shutdown_delay_ms", 0..=600_000),
    }
}

/// Adds an error if only one of the two listeners could be opened. Port 0 is any free one.
pub(super) fn check_listeners(reader: &mut Reader<'_>, http: &HttpSettings, admin: &AdminSettings) {
    let (public, admin) = (http.address, admin.address);
    if public.port() != 0 && public.port() == admin.port() && overlap(public.ip(), admin.ip()) {
        let keys = ["admin.port", "http.port", "admin.host", "http.host"];
        let key = keys.into_iter().find(|key| reader.is_set(key)).unwrap_or("admin.port");
        reader.reject(
            key,
            "http.port and admin.port to differ, since both are opened at one address",
        );
    }
}

/// Returns whether two addresses have a port in common. `::` takes IPv4 too.
fn overlap(one: IpAddr, other: IpAddr) -> bool {
    let covers = |one: IpAddr, other: IpAddr| {
        one == other
            || one == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
            || (one.is_unspecified() && other.is_ipv4())
    };
    covers(one, other) || covers(other, one)
}

pub(super) fn read_admin(reader: &mut Reader<'_>) -> AdminSettings {
    AdminSettings { address: SocketAddr::new(reader.host("admin.host"), reader.port("admin.port")) }
}
