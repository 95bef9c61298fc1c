//! `http.trusted_proxies`, `http.forwarded_header` and `http.server_clients`: the proxies and servers that
//! may name the client.

use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};

use super::networks;
use super::reader::Reader;

/// The proxies in front of the service.
#[derive(Debug, Clone)]
pub struct ProxySettings {
    /// Their networks.
    pub trusted: Vec<IpNet>,
    /// The header that they set.
    pub header: ForwardedHeader,
    /// The tokens of servers that post for their visitors.
    pub server_clients: Vec<SecretString>,
}

/// The least length of a server's token, in characters.
const MIN_TOKEN: usize = 32;

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
        server_clients: read_tokens(reader),
    }
}

/// Reads the tokens, separated by commas.
fn read_tokens(reader: &mut Reader<'_>) -> Vec<SecretString> {
    let key = "http.server_clients";
    let Some(text) = reader.optional_secret(key) else { return Vec::new() };
    let tokens: Vec<_> = text.expose_secret().split(',').map(str::trim).collect();
    // The characters of a bearer token (RFC 6750, 2.1).
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    let is_token = |token: &&str| token.len() >= MIN_TOKEN && token.bytes().all(is_allowed);
    if !tokens.iter().all(is_token) {
        reader.reject(key, "tokens of at least 32 letters and digits each, separated by commas");
    }
    tokens.into_iter().map(|token| token.to_owned().into()).collect()
}
