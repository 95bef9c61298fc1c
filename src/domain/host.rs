//! Host names and IP addresses as validator.js 13.15 parses them, for e-mail domains and picture
//! URLs.
//!
//! Owns `isFQDN` with its default options and `isIP`. Must not know what the host is part of. These
//! are Auth0's rules, not those of DNS or IDNA: a label may contain nearly any character above
//! ASCII, and only the last label is checked closely.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The maximum length of a label in UTF-16 units (validator.js). Unicode labels are counted as
/// written, not in their encoded form.
const MAX_LABEL_UNITS: usize = 63;

/// Returns whether `text` is a dotted name with a top-level domain (validator.js `isFQDN`).
pub(super) fn is_domain_name(text: &str) -> bool {
    text.rsplit_once('.').is_some_and(|(_, top_level)| is_top_level_domain(top_level))
        && text.split('.').all(is_label)
}

/// Returns whether `text` is four decimal octets without leading zeros (validator.js `isIP`,
/// version 4).
pub(super) fn is_ipv4(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok()
}

/// Returns whether `text` is an IPv6 address, with or without a zone (validator.js `isIP`, version
/// 6).
pub(super) fn is_ipv6(text: &str) -> bool {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    address.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(is_zone)
}

/// Returns whether a character is one of those above ASCII that validator.js allows in a local part
/// and in a top-level domain: the Basic Multilingual Plane starting at `from`, without surrogates,
/// private use and non-characters. Characters beyond that plane are two surrogates to its patterns,
/// so they are rejected.
pub(super) const fn is_plain_unicode(character: char, from: char) -> bool {
    character >= from
        && matches!(character,
            '\0'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{ffef}')
}

/// Returns whether a character is of the class `\s` of ECMAScript patterns. Unlike
/// [`char::is_whitespace`], it includes the byte order mark and excludes NEL.
pub(super) const fn is_script_space(character: char) -> bool {
    matches!(character,
        '\t'..='\r' | ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}'
        | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{feff}')
}

/// Returns whether a text consists of two or more letters, or is the Punycode of such a domain.
fn is_top_level_domain(text: &str) -> bool {
    let spelled = text.chars().nth(1).is_some()
        && text.chars().all(|character| {
            character.is_ascii_alphabetic()
                // The copyright sign is the only gap in the pattern's range.
                || (is_plain_unicode(character, '\u{a1}') && character != '\u{a9}')
        });
    (spelled || is_punycode(text)) && !text.contains(is_script_space)
}

/// Returns whether a text is `xn` followed by two or more letters, digits and hyphens. The pattern
/// does not require `--`.
fn is_punycode(text: &str) -> bool {
    text.split_at_checked(2).is_some_and(|(prefix, rest)| {
        prefix.eq_ignore_ascii_case("xn")
            && rest.len() >= 2
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

/// Returns whether a text is a part between dots, including the last one.
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

/// Returns whether the character is the full-width form of a printable ASCII character.
const fn is_full_width(character: char) -> bool {
    matches!(character, '\u{ff01}'..='\u{ff5e}')
}

/// Returns whether a text is the part of an IPv6 address after the percent sign.
fn is_zone(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_needs_a_dot_and_letters_after_it() {
        assert!(is_domain_name("example.com"));
        assert!(is_domain_name("bücher.рф"));
        assert!(!is_domain_name("localhost"));
        assert!(!is_domain_name("example.c"));
        assert!(!is_domain_name("example.123"));
        assert!(!is_domain_name("example..com"));
    }

    #[test]
    fn characters_beyond_the_basic_plane_are_accepted_in_labels_only() {
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
