//! The network that shares a bucket: an IPv4 address, or the /64 of an IPv6 address, which is what
//! one customer gets.

use std::net::IpAddr;

/// The bits of an IPv6 address that name a customer.
const PREFIX: u128 = u128::MAX << 64;

/// The bits of an IPv6 address that name a site: what a hosting customer gets without asking.
const SITE: u128 = u128::MAX << 80;

/// The prefix of IPv4-mapped IPv6 addresses.
const MAPPED: u128 = 0xffff << 32;

/// An IPv4 address, or the /64 of an IPv6 address. An IPv4-mapped address is the IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(u128);

impl Network {
    /// The /48 that contains an IPv6 network.
    pub(super) const fn site(self) -> Option<Self> {
        if self.0 >> 32 == MAPPED >> 32 { None } else { Some(Self(self.0 & SITE)) }
    }

    /// The key of the network's bucket.
    pub(super) const fn bits(self) -> u128 {
        self.0
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits() & PREFIX,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn a_network_is_an_ipv4_address_or_an_ipv6_64() {
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("192.0.2.1"), network("::ffff:192.0.2.1"));
        assert_eq!(network("2001:db8:0:1::1"), network("2001:db8:0:1:ffff::2"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8:0:2::1"));
    }

    #[test]
    fn a_site_is_an_ipv6_48_and_an_ipv4_address_has_none() {
        assert_eq!(network("2001:db8:0:1::1").site(), network("2001:db8:0:ffff::1").site());
        assert_ne!(network("2001:db8:0:1::1").site(), network("2001:db8:1:1::1").site());
        for address in ["192.0.2.1", "::ffff:192.0.2.1", "0.0.0.0"] {
            assert_eq!(network(address).site(), None, "{address}");
        }
    }
}
