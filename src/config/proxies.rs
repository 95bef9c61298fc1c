//! `http.trusted_proxies` and `http.forwarded_header`: the proxies that may name the client.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

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
        trusted: trusted(reader),
        header: header.unwrap_or(ForwardedHeader::XForwardedFor),
    }
}

fn trusted(reader: &mut Reader<'_>) -> Vec<IpNet> {
    let key = "http.trusted_proxies";
    let networks: Option<Vec<_>> = reader.list(key).iter().map(|text| network(text)).collect();
    networks.unwrap_or_else(|| {
        reader.reject(
            key,
            "addresses and networks, such as 10.0.0.5 or 10.0.0.0/8, but not the whole internet",
        );
        Vec::new()
    })
}

/// Parses an address or a network. IPv4-mapped ones become IPv4, as the addresses of peers do.
/// Rejects `/0`, with which any client could forge its address.
fn network(text: &str) -> Option<IpNet> {
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let network = network.ok()?.trunc();
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
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:10.0.0.5", "10.0.0.5/32"),
        ] {
            assert_eq!(network(text).unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn a_prefix_of_zero_bits_and_other_text_are_rejected() {
        for text in ["0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96", "10.0.0.0/33", "10.0.0", "any", "*"]
        {
            assert!(network(text).is_none(), "{text}");
        }
    }
}
