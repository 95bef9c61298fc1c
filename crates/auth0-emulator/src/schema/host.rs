//! Host names and IP addresses as defined by npm `validator` 10, which `z-schema` 3.25 uses.

use std::net::Ipv6Addr;

/// Returns whether `text` is a dotted host name with a top-level domain.
pub(super) fn is_fqdn(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    if labels.iter().any(|label| label.encode_utf16().count() > 63) {
        return false;
    }
    match labels.split_last() {
        Some((tld, rest)) if !rest.is_empty() => {
            is_tld(tld) && rest.iter().all(|label| is_label(label))
        }
        _ => false,
    }
}

/// Returns whether `text` can be the last label of a host name.
fn is_tld(text: &str) -> bool {
    let letters = text.encode_utf16().count() >= 2
        && text.chars().all(|c| c.is_ascii_alphabetic() || is_wide(c));
    let lower = text.to_ascii_lowercase();
    let punycode = lower.strip_prefix("xn").is_some_and(|rest| {
        rest.len() >= 2 && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    });
    (letters || punycode) && !text.chars().any(is_tld_space)
}

/// Returns whether `text` can be another label of a host name.
fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || is_wide(c))
        && !text.chars().any(|c| ('\u{ff01}'..='\u{ff5e}').contains(&c))
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Returns whether the validator's class `\u00a1-\uffff` contains the character. JavaScript sees
/// characters beyond that plane as two units of the class.
fn is_wide(c: char) -> bool {
    c >= '\u{a1}'
}

/// Returns whether a top-level domain may not contain the character. The validator's class was meant
/// to contain one character beyond the first plane, and contains the two halves of its surrogate
/// pair instead.
fn is_tld_space(c: char) -> bool {
    let mut units = [0; 2];
    is_js_space(c)
        || ('\u{2002}'..='\u{200b}').contains(&c)
        || c.encode_utf16(&mut units).iter().any(|unit| matches!(unit, 0xDB40 | 0xDC20))
}

/// Returns whether JavaScript's `\s` matches the character.
pub(super) fn is_js_space(c: char) -> bool {
    matches!(
        c,
        '\t'..='\r'
            | ' '
            | '\u{a0}'
            | '\u{1680}'
            | '\u{2000}'..='\u{200a}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{202f}'
            | '\u{205f}'
            | '\u{3000}'
            | '\u{feff}'
    )
}

/// Returns whether `text` is an IPv4 or IPv6 address.
pub(super) fn is_ip(text: &str) -> bool {
    is_ipv4(text) || is_ipv6(text)
}

/// Returns whether `text` is four numbers up to 255. Unlike in std, leading zeros are allowed.
fn is_ipv4(text: &str) -> bool {
    let is_part = |part: &str| {
        (1..=3).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && part.parse::<u8>().is_ok()
    };
    text.split('.').count() == 4 && text.split('.').all(is_part)
}

/// Returns whether `text` is an IPv6 address.
pub(super) fn is_ipv6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_need_a_top_level_domain_of_two_letters() {
        for (text, passes) in [
            ("example.com", true),
            ("bücher.de", true),
            ("xn--bcher-kva.example", true),
            ("a.xn--p1ai", true),
            ("example.рф", true),
            ("localhost", false),
            ("example.c", false),
            ("example.123", false),
            ("a_b.com", false),
            ("-a.com", false),
            ("a-.com", false),
            ("a..com", false),
            (".com", false),
            ("a.com.", false),
            ("ｅxample.com", false),
        ] {
            assert_eq!(is_fqdn(text), passes, "{text}");
        }
        assert!(is_fqdn("😀.com"));
        assert!(is_fqdn(&format!("{}.com", "a".repeat(63))));
        assert!(!is_fqdn(&format!("{}.com", "a".repeat(64))));
    }

    #[test]
    fn ipv4_addresses_may_have_leading_zeros() {
        assert!(is_ip("01.2.3.4") && is_ip("::ffff:1.2.3.4"));
        assert!(!is_ip("1.2.3.256") && !is_ip("1.2.3") && !is_ip("1.2.3.0004"));
    }
}
