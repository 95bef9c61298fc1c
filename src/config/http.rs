//! `[http]` and `[admin]`: the two listeners.

use std::net::SocketAddr;
use std::time::Duration;

use http::HeaderValue;
use url::Url;

use super::proxies::{self, ProxySettings};
use super::reader::Reader;

/// The public listener and what it takes.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Where it listens; port 0 is any free one.
    pub address: SocketAddr,
    /// Connections held at once.
    pub max_connections: usize,
    /// How long a connection may take to send a whole head, silence and idling included.
    pub idle_timeout: Duration,
    /// How long a body may take in all.
    pub body_timeout: Duration,
    /// How long a request may take in all.
    pub request_timeout: Duration,
    /// Origins that may post and read the answers, as browsers write them.
    pub allowed_origins: Vec<HeaderValue>,
    /// Who may say whom a request came from.
    pub proxies: ProxySettings,
    /// How long requests under way may take after a signal to stop.
    pub shutdown_timeout: Duration,
    /// How long new requests are still taken after a signal to stop.
    pub shutdown_delay: Duration,
}

/// The listener for probes and metrics.
#[derive(Debug, Clone)]
pub struct AdminSettings {
    /// Where it listens; port 0 is any free one.
    pub address: SocketAddr,
}

pub(super) fn read(reader: &mut Reader<'_>) -> HttpSettings {
    HttpSettings {
        address: SocketAddr::new(reader.host("http.host"), reader.port("http.port")),
        max_connections: reader.count("http.max_connections", 1..=1_000_000),
        idle_timeout: reader.millis("http.idle_timeout_ms", 100..=600_000),
        body_timeout: reader.millis("http.body_timeout_ms", 100..=600_000),
        request_timeout: reader.millis("http.request_timeout_ms", 100..=600_000),
        allowed_origins: allowed_origins(reader),
        proxies: proxies::read(reader),
        shutdown_timeout: reader.millis("http.shutdown_timeout_ms", 0..=600_000),
        shutdown_delay: reader.millis("http.shutdown_delay_ms", 0..=600_000),
    }
}

pub(super) fn read_admin(reader: &mut Reader<'_>) -> AdminSettings {
    AdminSettings { address: SocketAddr::new(reader.host("admin.host"), reader.port("admin.port")) }
}

/// Origins are compared byte for byte, so each must be written as a browser sends it: no path, no
/// default port, punycode. `*` and `null` are refused.
fn allowed_origins(reader: &mut Reader<'_>) -> Vec<HeaderValue> {
    let mut origins = Vec::new();
    for text in reader.list("http.allowed_origins") {
        let serialized = Url::parse(&text).ok().map(|url| url.origin().ascii_serialization());
        let web = text.starts_with("https://") || text.starts_with("http://");
        match HeaderValue::from_str(&text) {
            Ok(origin) if web && serialized.as_ref() == Some(&text) => origins.push(origin),
            _ => reader.fault(
                "http.allowed_origins",
                "origins as browsers send them, such as https://www.example.com \
                 (no path, no default port, no wildcard)",
            ),
        }
    }
    origins
}
