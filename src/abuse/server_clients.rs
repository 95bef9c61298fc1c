//! Servers that post for their visitors, and name each visitor's address.
//!
//! Without this, everybody behind a Next.js action or a Rails controller would count as one client.

use std::net::IpAddr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use secrecy::{ExposeSecret as _, SecretString};

use super::client_address::ClientAddress;

/// The header in which a server names its visitor.
const SIGNUP_CLIENT_ADDRESS: HeaderName = HeaderName::from_static("signup-client-address");

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
        if !self.has_token(headers) {
            return if named.next().is_some() { ServerClaim::Forged } else { ServerClaim::None };
        }
        let (Some(address), None) = (named.next(), named.next()) else {
            let is_absent = !headers.contains_key(SIGNUP_CLIENT_ADDRESS);
            return if is_absent {
                ServerClaim::Server { visitor: None }
            } else {
                ServerClaim::Unreadable
            };
        };
        let address = address.to_str().ok().and_then(|text| text.trim().parse::<IpAddr>().ok());
        address.map_or(ServerClaim::Unreadable, |address| ServerClaim::Server {
            visitor: Some(ClientAddress::new(address)),
        })
    }

    /// Returns whether the request has one of the tokens, compared in constant time.
    fn has_token(&self, headers: &HeaderMap) -> bool {
        let value = headers.get(AUTHORIZATION).map(|value| value.as_bytes().split_at_checked(7));
        let Some(Some((scheme, token))) = value else { return false };
        let is_equal = |known: &SecretString| {
            verify_slices_are_equal(known.expose_secret().as_bytes(), token).is_ok()
        };
        scheme.eq_ignore_ascii_case(b"bearer ") && self.tokens.iter().any(is_equal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(headers: &[(&'static str, &'static str)]) -> ServerClaim {
        let servers = ServerClients::new(vec!["one-token".into(), "other-token".into()]);
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), http::HeaderValue::from_static(value))
        });
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
