//! The client's address in the log, as far as `log.client_address` lets it appear.

use std::net::IpAddr;

use ipnet::{Ipv4Net, Ipv6Net};

use super::client_address::ClientAddress;
use super::network::Network;
use crate::config::AddressDetail;
use crate::digest::{Digests, SubKey, hex};

/// The bits of a logged network.
const IPV4_PREFIX: u8 = 24;
const IPV6_PREFIX: u8 = 48;

/// The number of hexadecimal digits of a logged digest: 64 bits distinguish all clients of a log.
const DIGITS: usize = 16;

/// The part of a client's address that the log shows.
#[derive(Debug)]
pub enum AddressLog {
    /// Nothing.
    Off,
    /// The address.
    Full,
    /// The /24 of an IPv4 address, or the /48 of an IPv6 address.
    Network,
    /// A keyed digest of an IPv4 address, or of the /64 of an IPv6 address.
    Digest(Box<SubKey>),
}

impl AddressLog {
    /// Shows as much as the setting says. The digest changes with `secrets.key`.
    pub fn new(detail: AddressDetail, digests: &Digests) -> Self {
        match detail {
            AddressDetail::Off => Self::Off,
            AddressDetail::Full => Self::Full,
            AddressDetail::Network => Self::Network,
            AddressDetail::Hash => Self::Digest(Box::new(digests.sub_key("log client address v1"))),
        }
    }

    /// The value of `client.address`.
    pub fn show(&self, client: ClientAddress) -> Option<String> {
        match self {
            Self::Off => None,
            Self::Full => Some(client.to_string()),
            Self::Network => Some(network(client.ip())),
            Self::Digest(key) => {
                let bits = Network::from(client.ip()).bits().to_be_bytes();
                let mut digits = hex(key.digest([bits.as_slice()]).as_bytes());
                digits.truncate(DIGITS);
                Some(digits)
            }
        }
    }
}

fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => Ipv4Net::new_assert(address, IPV4_PREFIX).trunc().to_string(),
        IpAddr::V6(address) => Ipv6Net::new_assert(address, IPV6_PREFIX).trunc().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(detail: AddressDetail, address: &str) -> Option<String> {
        let digests = Digests::new(&"k".repeat(32).into(), None);
        AddressLog::new(detail, &digests).show(ClientAddress::new(address.parse().unwrap()))
    }

    #[test]
    fn the_setting_decides_how_much_is_shown() {
        for (detail, v4, v6) in [
            (AddressDetail::Off, None, None),
            (AddressDetail::Full, Some("192.0.2.7"), Some("2001:db8:1:2::3")),
            (AddressDetail::Network, Some("192.0.2.0/24"), Some("2001:db8:1::/48")),
        ] {
            assert_eq!(show(detail, "::ffff:192.0.2.7").as_deref(), v4);
            assert_eq!(show(detail, "2001:db8:1:2::3").as_deref(), v6);
        }
    }

    #[test]
    fn a_digest_stands_for_one_client_and_shows_no_address() {
        let hash = |address| show(AddressDetail::Hash, address).unwrap();
        assert_eq!(hash("192.0.2.7"), hash("::ffff:192.0.2.7"));
        assert_ne!(hash("192.0.2.7"), hash("192.0.2.8"));
        assert_eq!(hash("2001:db8::1"), hash("2001:db8::2"), "one customer's /64");
        assert_ne!(hash("2001:db8::1"), hash("2001:db8:0:1::1"));
        assert!(hash("192.0.2.7").len() == DIGITS && !hash("192.0.2.7").contains('.'));
    }
}
