//! Host names and addresses as validator.js 13.15 reads them, for e-mail domains and picture
//! URLs alike.
//!
//! Owns `isFQDN` with its default options and `isIP`. Must not know what the host is part of.
//! These are Auth0's rules and not those of DNS or of IDNA: a label may hold nearly any
//! character above ASCII, and only the last label is looked at closely.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The most UTF-16 units that validator.js allows in a label. Unicode labels are not encoded
/// before they are counted.
const MAX_LABEL_UNITS: usize = 63;

/// Whether `text` is a dotted name with a top-level domain (validator.js `isFQDN`).
pub(super) fn is_domain_name(text: &str) -> bool {
    text.rsplit_once('.').is_some_and(|(_, top_level)| is_top_level_domain(top_level))
        && text.split('.').all(is_label)
}

/// Whether `text` is four decimal octets without leading zeros (validator.js `isIP`, version 4).
pub(super) fn is_ipv4(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok()
}

/// Whether `text` is an IPv6 address, with or without a zone (validator.js `isIP`, version 6).
pub(super) fn is_ipv6(text: &str) -> bool {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    address.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(is_zone)
}

/// The characters above ASCII that validator.js allows in a local part and in a top-level domain:
/// the Basic Multilingual Plane from `from` on, without surrogates, private use and
/// non-characters. Anything beyond that plane is two surrogates to its patterns, so it is out.
pub(super) const fn is_plain_unicode(character: char, from: char) -> bool {
    character >= from
        && matches!(character,
            '\0'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{ffef}')
}

/// The class `\s` of ECMAScript patterns. Unlike [`char::is_whitespace`], it has the byte order
/// mark and lacks NEL.
pub(super) const fn is_script_space(character: char) -> bool {
    matches!(character,
        '\t'..='\r' | ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}'
        | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{feff}')
}

/// Letters only, at least two of them, or the Punycode of such a domain.
fn is_top_level_domain(text: &str) -> bool {
    let spelled = text.chars().nth(1).is_some()
        && text.chars().all(|character| {
            character.is_ascii_alphabetic()
                // The copyright sign is the one hole in the pattern's range.
                || (is_plain_unicode(character, '\u{a1}') && character != '\u{a9}')
        });
    (spelled || is_punycode(text)) && !text.contains(is_script_space)
}

/// `xn` and at least two of letters, digits and hyphens; the pattern asks for no `--`.
fn is_punycode(text: &str) -> bool {
    text.split_at_checked(2).is_some_and(|(prefix, rest)| {
        prefix.eq_ignore_ascii_case("xn")
            && rest.len() >= 2
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

/// Any part between dots, the last one included.
fn is_label(text: &str) -> bool {
    let allowed = |character: char| {
        character.is_ascii_alphanumeric()
            || character == '-'
            || (character >= '\u{a1}' && !is_full_width(character))
    };
    !text.is_empty()
        && text.encode_utf16().count() <= MAX_LABEL_UNITS
        && text.chars().all(allowed)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// The full-width forms of the printable ASCII characters.
const fn is_full_width(character: char) -> bool {
    matches!(character, '\u{ff01}'..='\u{ff5e}')
}

/// The part of an IPv6 address behind the percent sign.
fn is_zone(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_needs_a_dot_and_letters_behind_it() {
        assert!(is_domain_name("example.com"));
        assert!(is_domain_name("bücher.рф"));
        assert!(!is_domain_name("localhost"));
        assert!(!is_domain_name("example.c"));
        assert!(!is_domain_name("example.123"));
        assert!(!is_domain_name("example..com"));
    }

    #[test]
    fn beyond_the_basic_plane_a_label_is_free_and_a_top_level_domain_is_not() {
        assert!(is_domain_name("😀.com"));
        assert!(!is_domain_name("example.😀😀"));
    }

    #[test]
    fn a_label_is_counted_in_utf16_units() {
        assert!(is_domain_name(&format!("{}.com", "😀".repeat(31))));
        assert!(!is_domain_name(&format!("{}.com", "😀".repeat(32))));
    }

    #[test]
    fn a_zone_is_part_of_an_ipv6_address() {
        assert!(is_ipv6("fe80::1%eth0"));
        assert!(!is_ipv6("fe80::1%"));
        assert!(!is_ipv6("1:2:3:4:5:6:7::8"));
    }
}
