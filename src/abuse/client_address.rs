//! The address that a request counts against.

use std::fmt;
use std::net::IpAddr;

/// The address of the client, as far as the trusted proxies report it. Kept in the extensions of
/// every request.
///
/// An IPv4-mapped IPv6 address becomes the IPv4 address: on a dual-stack socket every IPv4 peer has
/// a mapped one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// The client at this address.
    pub const fn new(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }

    /// The address itself.
    pub const fn ip(self) -> IpAddr {
        self.0
    }

    /// Returns whether the public internet does not route the address, which is more likely a
    /// proxy's than a client's.
    pub const fn is_private(self) -> bool {
        match self.0 {
            IpAddr::V4(address) => {
                // 100.64.0.0/10 (RFC 6598), which clouds and container networks use.
                let [first, second, ..] = address.octets();
                let shared = first == 100 && second & 0xC0 == 64;
                address.is_private() || address.is_loopback() || address.is_link_local() || shared
            }
            IpAddr::V6(address) => {
                address.is_loopback()
                    || address.is_unique_local()
                    || address.is_unicast_link_local()
            }
        }
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> ClientAddress {
        ClientAddress::new(text.parse().unwrap())
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_address() {
        assert_eq!(client("::ffff:192.0.2.7"), client("192.0.2.7"));
        assert_ne!(client("::192.0.2.7"), client("192.0.2.7"));
    }

    #[test]
    fn addresses_that_the_internet_does_not_route_are_private() {
        for address in [
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(client(address).is_private(), "{address}");
        }
        for address in ["192.0.2.7", "172.32.0.1", "100.128.0.1", "100.63.0.1", "2001:db8::1"] {
            assert!(!client(address).is_private(), "{address}");
        }
    }
}
