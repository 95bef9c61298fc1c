//! Addresses and networks, parsed in one place for every key.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// The expected entry of a list of networks.
pub(super) const NETWORK: &str = "an address or a network, such as 10.0.0.5 or 10.0.0.0/8: no bits after the prefix, not the \
     whole internet";

/// Parses an address or a network. IPv4-mapped ones become IPv4, as the addresses of peers do.
///
/// Rejects bits after the prefix, with which another network was intended, and `/0`, which is every
/// client.
pub(super) fn parse(text: &str) -> Option<IpNet> {
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let network = network.ok().filter(|network| network.trunc() == *network)?;
    let canonical = match (network.network().to_canonical(), network.prefix_len()) {
        (IpAddr::V4(address), bits) if !network.network().is_ipv4() => {
            IpNet::V4(Ipv4Net::new(address, bits.checked_sub(96)?).ok()?)
        }
        _ => network,
    };
    (canonical.prefix_len() > 0).then_some(canonical)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks_are_accepted() {
        for (text, expected) in [
            ("10.0.0.5", "10.0.0.5/32"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:10.0.0.5", "10.0.0.5/32"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn bits_after_the_prefix_all_addresses_and_other_text_are_rejected() {
        for text in ["10.1.2.3/8", "2001:db8::1/32", "0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96"] {
            assert!(parse(text).is_none(), "{text}");
        }
        for text in ["10.0.0.0/33", "10.0.0", "any", "*", ""] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
