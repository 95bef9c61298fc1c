//! `X-Forwarded-For` and `Forwarded` (RFC 7239), parsed from the right. Each proxy appends the
//! address that it saw, so only the hops up to the first untrusted address can be trusted.
//!
//! Parsing from the right also keeps a client from hiding what a proxy appended. Parsed from the
//! left, an unclosed quotation mark of the client would swallow everything that follows.

use std::net::IpAddr;
use std::str;

use crate::config::ForwardedHeader;

/// Maximum length in bytes of a hop that is parsed: `"[` and 45 characters of address, `%` and a
/// zone, `]:`, a port and `"`.
const MAX_NODE: usize = 80;

/// One hop of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hop {
    /// The address that a proxy saw.
    Address(IpAddr),
    /// `unknown`, an obfuscated name, or something that cannot be parsed.
    Unreadable,
}

/// The hops of all lines of the header, nearest first. Lazy: parses only the hops that are
/// consumed.
pub(crate) fn hops<'v>(
    header: ForwardedHeader,
    lines: impl DoubleEndedIterator<Item = &'v [u8]>,
) -> impl Iterator<Item = Hop> {
    lines.rev().flat_map(|line| FromRight::new(line, b',')).map(move |element| match header {
        ForwardedHeader::XForwardedFor => node(element),
        ForwardedHeader::Forwarded => element_for(element),
    })
}

/// The hop of one element of `Forwarded`: the value of its only `for`.
fn element_for(element: &[u8]) -> Hop {
    let mut found = None;
    for pair in FromRight::new(element, b';') {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
            return Hop::Unreadable;
        };
        if name.trim_ascii().eq_ignore_ascii_case(b"for") && found.replace(node(value)).is_some() {
            return Hop::Unreadable;
        }
    }
    found.unwrap_or(Hop::Unreadable)
}

/// Parses an address with or without quotation marks, brackets, zone and port.
fn node(value: &[u8]) -> Hop {
    let value = value.trim_ascii();
    if value.len() > MAX_NODE {
        return Hop::Unreadable;
    }
    let address = str::from_utf8(value).ok().and_then(|text| {
        let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        address(quoted.unwrap_or(text))
    });
    address.map_or(Hop::Unreadable, Hop::Address)
}

fn address(text: &str) -> Option<IpAddr> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (inside, port) = bracketed.split_once(']')?;
        let is_whole = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return is_whole.then(|| v6(inside)).flatten();
    }
    match text.split_once(':') {
        Some((address, port)) if is_port(port) && address.contains('.') => {
            address.parse().ok().map(IpAddr::V4)
        }
        Some(_) => v6(text),
        None => text.parse().ok().map(IpAddr::V4),
    }
}

/// Parses an IPv6 address and drops its zone.
fn v6(text: &str) -> Option<IpAddr> {
    let address = text.split_once('%').map_or(text, |(address, _zone)| address);
    address.parse().ok().map(IpAddr::V6)
}

/// Returns whether the text is a port, or an obfuscated one (RFC 7239, 6).
fn is_port(text: &str) -> bool {
    match text.strip_prefix('_') {
        Some(name) => {
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            !name.is_empty() && name.bytes().all(is_name)
        }
        None => matches!(text.len(), 1..=5) && text.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// The parts of a list from its right end, separated outside quoted strings. An empty value is one
/// empty part.
struct FromRight<'v> {
    rest: Option<&'v [u8]>,
    separator: u8,
}

impl<'v> FromRight<'v> {
    const fn new(value: &'v [u8], separator: u8) -> Self {
        Self { rest: Some(value), separator }
    }
}

impl<'v> Iterator for FromRight<'v> {
    type Item = &'v [u8];

    fn next(&mut self) -> Option<&'v [u8]> {
        let value = self.rest.take()?;
        let mut quoted = false;
        for (at, byte) in value.iter().enumerate().rev() {
            let (before, after) = value.split_at(at);
            if *byte == b'"' && !is_escaped(before) {
                quoted = !quoted;
            } else if *byte == self.separator && !quoted {
                self.rest = Some(before);
                return after.get(1..);
            }
        }
        Some(value)
    }
}

/// Returns whether the byte after `before` is escaped: an odd number of backslashes precedes it.
fn is_escaped(before: &[u8]) -> bool {
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use ForwardedHeader::{Forwarded, XForwardedFor};

    fn read(header: ForwardedHeader, lines: &[&str]) -> Vec<String> {
        let hops = hops(header, lines.iter().map(|line| line.as_bytes()));
        let shown = hops.map(|hop| match hop {
            Hop::Address(address) => address.to_string(),
            Hop::Unreadable => "?".to_owned(),
        });
        shown.collect()
    }

    #[test]
    fn every_form_of_a_node_that_proxies_write_is_parsed() {
        for (node, address) in [
            ("192.0.2.7", "192.0.2.7"),
            (" 192.0.2.7\t", "192.0.2.7"),
            ("192.0.2.7:4711", "192.0.2.7"),
            ("192.0.2.7:_hidden", "192.0.2.7"),
            ("\"192.0.2.7:80\"", "192.0.2.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("\"[2001:DB8::1]:443\"", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
            ("unknown", "?"),
            ("_hidden", "?"),
            ("unix:", "?"),
            ("", "?"),
            ("localhost", "?"),
            ("192.0.2.256", "?"),
            ("192.0.2", "?"),
            ("192.0.2.7:", "?"),
            ("192.0.2.7:port", "?"),
            ("[192.0.2.7]", "?"),
            ("[2001:db8::1", "?"),
            ("[2001:db8::1]x", "?"),
            ("\"192.0.2.7", "?"),
            ("192.0.2.7 192.0.2.8", "?"),
        ] {
            assert_eq!(read(XForwardedFor, &[node]), [address], "{node}");
        }
    }

    #[test]
    fn lines_form_one_list_and_the_nearest_hop_comes_first() {
        let lines = ["192.0.2.1, 192.0.2.2", "junk,,192.0.2.3"];
        let hops = ["192.0.2.3", "?", "?", "192.0.2.2", "192.0.2.1"];
        assert_eq!(read(XForwardedFor, &lines), hops);
        let lines = [
            "For=\"[2001:db8::1]:80\";proto=https;by=203.0.113.43",
            "for=192.0.2.1;host=\"a, for=6.6.6.6\" , by=_x ; FOR = 192.0.2.2, proto=http, \
             for=1.1.1.1;for=2.2.2.2, for=_secret",
        ];
        assert_eq!(
            read(Forwarded, &lines),
            ["?", "?", "?", "192.0.2.2", "192.0.2.1", "2001:db8::1"]
        );
    }

    #[test]
    fn a_client_cannot_hide_the_hop_that_the_proxy_appended() {
        for sent in ["\"", "for=\"", "for=\"\\", "\\\"", "for=\"x\\\\\\\"", "host=\"a;for=b", ","] {
            let line = format!("{sent}, for=192.0.2.7;host=\"a\\\", for=6.6.6.6\"");
            assert_eq!(read(Forwarded, &[&line])[0], "192.0.2.7", "{line}");
            let line = format!("{sent}, 192.0.2.7");
            assert_eq!(read(XForwardedFor, &[&line])[0], "192.0.2.7", "{line}");
        }
    }

    proptest! {
        #[test]
        fn an_appended_hop_comes_first_after_any_bytes(
            lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..4),
            address in any::<IpAddr>(),
        ) {
            for (header, hop) in [
                (XForwardedFor, format!(", {address}")),
                (Forwarded, format!(", for=\"[{address}]:1\"")),
            ] {
                let hop = if address.is_ipv4() { hop.replace(['[', ']'], "") } else { hop };
                let mut lines = lines.clone();
                lines.last_mut().unwrap().extend_from_slice(hop.as_bytes());
                let read: Vec<_> = hops(header, lines.iter().map(Vec::as_slice)).collect();
                prop_assert_eq!(read[0], Hop::Address(address));
            }
        }
    }
}
