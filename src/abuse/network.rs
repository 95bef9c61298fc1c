//! The networks that share a bucket: an IPv4 address, or the /64 of an IPv6 address, which is what
//! one customer gets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// The bits of an IPv6 address that name a customer.
const CUSTOMER_MASK: u128 = u128::MAX << 64;

/// Permits of a /48, as a multiple of those of one address.
pub(super) const SITE_FACTOR: u8 = 8;

/// Permits of an IPv4 /24 or an IPv6 /32, as a multiple of those of one address: as many as four /48s
/// have, or an eighth of the addresses of a /24. Either may be a whole carrier's, so that this is far
/// above the use of its customers (`docs/limits.md`), and far below what its addresses or its 65,536
/// /48s would get.
pub(super) const BLOCK_FACTOR: u8 = 4 * SITE_FACTOR;

/// The bits of an IPv6 address that name a site: what a hosting customer gets without asking.
const SITE_MASK: u128 = u128::MAX << 80;

/// The bits of an IPv6 address that name a provider's smallest usual allocation.
const PROVIDER_MASK: u128 = u128::MAX << 96;

/// The bits of an IPv4-mapped address that name a /24, the smallest block that the internet routes.
const IPV4_BLOCK_MASK: u128 = u128::MAX << 8;

/// The prefix of IPv4-mapped IPv6 addresses.
const MAPPED: u128 = 0xffff << 32;

/// The levels at which a client is counted, the narrowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Level {
    /// Its own network.
    Network,
    /// The /48 of an IPv6 network.
    Site,
    /// The IPv4 /24 or the IPv6 /32.
    Block,
}

/// Returns whether one of the networks contains the address, which may be an IPv4 address in IPv6 form.
pub(super) fn any_contains(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// An IPv4 address, or the /64 of an IPv6 address. An IPv6 address that stands for an IPv4 address
/// is that IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(u128);

impl Network {
    /// The /48 that contains an IPv6 network.
    pub const fn site(self) -> Option<Self> {
        if self.is_ipv4() { None } else { Some(Self(self.0 & SITE_MASK)) }
    }

    /// The unit that counts as one source: an IPv4 address, or an IPv6 /48.
    pub(super) const fn source(self) -> Self {
        if self.is_ipv4() { self } else { Self(self.0 & SITE_MASK) }
    }

    /// The block around a source: an IPv4 /24, or an IPv6 /32.
    pub(super) const fn block(self) -> Self {
        Self(self.0 & if self.is_ipv4() { IPV4_BLOCK_MASK } else { PROVIDER_MASK })
    }

    /// The levels at which the network is counted, the narrowest first, each with what contains it there.
    pub(super) fn levels(self) -> impl DoubleEndedIterator<Item = (Level, Self)> {
        let site = self.site().map(|site| (Level::Site, site));
        let levels = [Some((Level::Network, self)), site, Some((Level::Block, self.block()))];
        levels.into_iter().flatten()
    }

    /// The key of the network's bucket.
    pub(super) const fn bits(self) -> u128 {
        self.0
    }

    const fn is_ipv4(self) -> bool {
        self.0 >> 32 == MAPPED >> 32
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let address = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        Self(match embedded_ipv4(address) {
            Some(embedded) => embedded.to_ipv6_mapped().to_bits(),
            None => address.to_bits() & CUSTOMER_MASK,
        })
    }
}

/// The IPv4 address whose holder an IPv6 address belongs to, for the forms that anybody with one
/// IPv4 address can use. Without this, one IPv4 address would have a bucket for each form, and with
/// 6to4 or Teredo thousands of /64s.
///
/// `64:ff9b:1::/48` (RFC 8215) is left out: each operator places the IPv4 address elsewhere in it.
fn embedded_ipv4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let in_words =
        |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        // IPv4-mapped (RFC 4291), IPv4-translated (RFC 2765) and NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        // 6to4 (RFC 3056).
        | [0x2002, high, low, ..] => Some(in_words(high, low)),
        // Teredo (RFC 4380) inverts the client's address.
        [0x2001, 0, .., high, low] => Some(in_words(!high, !low)),
        _ => None,
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
        assert_eq!(network("2001:db8:0:1::1"), network("2001:db8:0:1:ffff::2"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8:0:2::1"));
    }

    #[test]
    fn an_address_that_stands_for_an_ipv4_address_is_that_address() {
        for form in [
            "::ffff:192.0.2.1",
            "::ffff:0:192.0.2.1",
            "64:ff9b::192.0.2.1",
            "64:ff9b::c000:201",
            "2002:c000:0201::1",
            "2002:c000:0201:ffff::1",
            // The client's address is inverted, and the server and the port vary.
            "2001:0:4136:e378:8000:63bf:3fff:fdfe",
            "2001:0:1:2:3:4:3fff:fdfe",
        ] {
            assert_eq!(network(form), network("192.0.2.1"), "{form}");
            assert_eq!(network(form).site(), None, "{form}");
        }
        for other in ["::192.0.2.1", "64:ff9b:1::192.0.2.1", "64:ff9b:0:1::192.0.2.1", "2001:1::1"]
        {
            assert_ne!(network(other), network("192.0.2.1"), "{other}");
            assert!(network(other).site().is_some(), "{other}");
        }
    }

    #[test]
    fn a_site_is_an_ipv6_48_and_an_ipv4_address_has_none() {
        assert_eq!(network("2001:db8:0:1::1").site(), network("2001:db8:0:ffff::1").site());
        assert_ne!(network("2001:db8:0:1::1").site(), network("2001:db8:1:1::1").site());
        for address in ["192.0.2.1", "::ffff:192.0.2.1", "0.0.0.0"] {
            assert_eq!(network(address).site(), None, "{address}");
        }
    }

    #[test]
    fn sources_lie_in_blocks() {
        assert_eq!(network("2001:db8:0:1::1").source(), network("2001:db8:0:ffff::1").source());
        assert_ne!(network("192.0.2.1").source(), network("192.0.2.2").source());
        for (one, other) in [("192.0.2.1", "192.0.2.255"), ("2001:db8:1::1", "2001:db8:ffff::1")] {
            assert_eq!(network(one).block(), network(other).block());
        }
        for (one, other) in [("192.0.2.1", "192.0.3.1"), ("2001:db8::1", "2001:db9::1")] {
            assert_ne!(network(one).block(), network(other).block());
        }
    }
}
