//! `http.trusted_proxies` and `http.forwarded_header`: the proxies that may name the client.

use ipnet::IpNet;

use super::networks;
use super::reader::Reader;

/// The proxies in front of the service.
#[derive(Debug, Clone)]
pub struct ProxySettings {
    /// Their networks.
    pub trusted: Vec<IpNet>,
    /// The header that they set.
    pub header: ForwardedHeader,
}

/// The header in which proxies name the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// The header of nearly all proxies.
    XForwardedFor,
    /// The standard header (RFC 7239).
    Forwarded,
}

pub(super) fn read(reader: &mut Reader<'_>) -> ProxySettings {
    let headers = [
        ("x-forwarded-for", ForwardedHeader::XForwardedFor),
        ("forwarded", ForwardedHeader::Forwarded),
    ];
    let header = reader.choice("http.forwarded_header", &headers);
    ProxySettings {
        trusted: reader.entries("http.trusted_proxies", networks::NETWORK, networks::parse),
        header: header.unwrap_or(ForwardedHeader::XForwardedFor),
    }
}
