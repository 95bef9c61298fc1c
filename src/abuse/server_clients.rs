//! Servers that post for their visitors, and name each visitor's address.
//!
//! Without this, everybody behind a Next.js action or a Rails controller would count as one client.

use std::net::IpAddr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use super::client_address::ClientAddress;

/// The header in which a server names its visitor.
const SIGNUP_CLIENT_ADDRESS: HeaderName = HeaderName::from_static("signup-client-address");

/// The start of an `Authorization` with a token, in any case.
const SCHEME: &[u8] = b"bearer ";

/// The tokens of servers that may name their visitors.
#[derive(Debug)]
pub(super) struct ServerClients {
    tokens: Vec<SecretString>,
}

/// The result of looking for a server that names its visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerClaim {
    /// The request has neither a valid token nor the header.
    None,
    /// A server with a valid token. It may post for itself.
    Server {
        /// The address of its visitor, if it names one.
        visitor: Option<ClientAddress>,
    },
    /// A server with a valid token that names something that is not an address.
    Unreadable,
    /// The header came without a valid token, and is ignored.
    Forged,
}

impl ServerClients {
    pub(super) const fn new(tokens: Vec<SecretString>) -> Self {
        Self { tokens }
    }

    /// Reads the headers of one request.
    pub(super) fn claim(&self, headers: &HeaderMap) -> ServerClaim {
        let mut named = headers.get_all(SIGNUP_CLIENT_ADDRESS).iter();
        match (self.has_token(headers), named.next(), named.next()) {
            (false, None, _) => ServerClaim::None,
            (false, Some(_), _) => ServerClaim::Forged,
            (true, None, _) => ServerClaim::Server { visitor: None },
            (true, Some(address), None) => match parse_address(address) {
                Some(address) => ServerClaim::Server { visitor: Some(address) },
                None => ServerClaim::Unreadable,
            },
            (true, Some(_), Some(_)) => ServerClaim::Unreadable,
        }
    }

    /// Returns whether the request has one of the tokens, compared in constant time.
    fn has_token(&self, headers: &HeaderMap) -> bool {
        let value = headers.get(AUTHORIZATION).map_or(&[][..], HeaderValue::as_bytes);
        let Some((scheme, token)) = value.split_at_checked(SCHEME.len()) else { return false };
        let is_equal = |known: &SecretString| {
            verify_slices_are_equal(known.expose_secret().as_bytes(), token).is_ok()
        };
        scheme.eq_ignore_ascii_case(SCHEME) && self.tokens.iter().any(is_equal)
    }
}

/// The visitor's address that a server names.
fn parse_address(value: &HeaderValue) -> Option<ClientAddress> {
    let address: IpAddr = value.to_str().ok()?.trim().parse().ok()?;
    Some(ClientAddress::new(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(headers: &[(&'static str, &'static str)]) -> ServerClaim {
        let servers = ServerClients::new(vec!["one-token".into(), "other-token".into()]);
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        servers.claim(&headers.collect())
    }

    fn visitor(address: &str) -> ServerClaim {
        ServerClaim::Server { visitor: Some(ClientAddress::new(address.parse().unwrap())) }
    }

    #[test]
    fn a_server_with_a_token_names_its_visitor() {
        let named = ("signup-client-address", "192.0.2.7");
        for token in ["Bearer one-token", "bearer other-token"] {
            assert_eq!(claim(&[("authorization", token), named]), visitor("192.0.2.7"));
        }
        let six = ("signup-client-address", " 2001:db8::1 ");
        assert_eq!(claim(&[("authorization", "Bearer one-token"), six]), visitor("2001:db8::1"));
        assert_eq!(
            claim(&[("authorization", "Bearer one-token")]),
            ServerClaim::Server { visitor: None }
        );
    }

    #[test]
    fn without_a_token_nobody_is_named() {
        let named = ("signup-client-address", "192.0.2.7");
        assert_eq!(claim(&[]), ServerClaim::None);
        for token in ["", "Bearer", "Bearer ", "Bearer one", "Bearer one-tokens", "Basic one-token"]
        {
            assert_eq!(claim(&[("authorization", token), named]), ServerClaim::Forged, "{token}");
            assert_eq!(claim(&[("authorization", token)]), ServerClaim::None, "{token}");
        }
    }

    #[test]
    fn what_is_no_address_is_reported() {
        let token = ("authorization", "Bearer one-token");
        for text in ["", "unknown", "192.0.2.7, 192.0.2.8", "192.0.2.7:80"] {
            let named = ("signup-client-address", text);
            assert_eq!(claim(&[token, named]), ServerClaim::Unreadable, "{text}");
        }
        let named = ("signup-client-address", "192.0.2.7");
        assert_eq!(claim(&[token, named, named]), ServerClaim::Unreadable);
    }
}
