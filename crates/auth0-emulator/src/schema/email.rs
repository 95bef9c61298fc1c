//! The format `email`: npm `validator`'s `isEmail` with a top-level domain required.

use super::host::{is_fqdn, is_js_space};

/// The maximum length of the local part, in bytes.
const LOCAL_BYTES: usize = 64;
/// The maximum length of the domain, in bytes.
const DOMAIN_BYTES: usize = 254;

/// Returns whether the tenant accepts `text` as an e-mail address.
pub(super) fn is_email(text: &str) -> bool {
    let (local, domain) = text.rsplit_once('@').unwrap_or(("", text));
    if local.len() > LOCAL_BYTES || domain.len() > DOMAIN_BYTES || !is_fqdn(domain) {
        return false;
    }
    match local.strip_prefix('"') {
        // The validator removes the last character without checking that it is a quote.
        Some(rest) => {
            let mut inner = rest.chars();
            inner.next_back();
            is_quoted(inner)
        }
        None => local.split('.').all(|part| !part.is_empty() && part.chars().all(is_atom)),
    }
}

/// Returns whether an unquoted local part may contain the character.
fn is_atom(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_utf8(c)
}

/// Returns whether `inner` is valid between the quotes of a local part.
fn is_quoted(mut inner: std::str::Chars<'_>) -> bool {
    while let Some(c) = inner.next() {
        let passes = match c {
            '\\' => inner.next().is_some_and(|escaped| {
                matches!(escaped, '\u{1}'..='\u{9}' | '\u{b}'..='\u{7f}') || is_utf8(escaped)
            }),
            '"' => false,
            _ => is_js_space(c) || matches!(c, '\u{1}'..='\u{7f}') || is_utf8(c),
        };
        if !passes {
            return false;
        }
    }
    true
}

/// Returns whether a local part may contain this non-ASCII character: the first plane, less a few
/// blocks.
fn is_utf8(c: char) -> bool {
    matches!(
        c,
        '\u{a0}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{ffef}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails_are_accepted_as_by_the_validator() {
        for (text, passes) in [
            ("a@b.co", true),
            ("a+tag@b.co", true),
            ("o'neil/x%y}z@b.co", true),
            ("ü@bücher.de", true),
            ("\"a b\"@b.co", true),
            ("\"a\\\"b\"@b.co", true),
            ("\"a\"b\"@b.co", false),
            ("\"unclosed@b.co", true),
            ("\"@b.co", true),
            ("a@b@c.co", false),
            ("a@localhost", false),
            ("a@1.2.3.4", false),
            ("a@[1.2.3.4]", false),
            ("Bob <a@b.co>", false),
            (" a@b.co", false),
            ("a@b.co ", false),
            (".a@b.co", false),
            ("a.@b.co", false),
            ("a..b@b.co", false),
            ("😀@b.co", false),
            ("@b.co", false),
            ("b.co", false),
            ("", false),
        ] {
            assert_eq!(is_email(text), passes, "{text}");
        }
    }

    #[test]
    fn the_local_part_has_at_most_64_bytes() {
        assert!(is_email(&format!("{}@b.co", "a".repeat(64))));
        assert!(!is_email(&format!("{}@b.co", "a".repeat(65))));
        assert!(!is_email(&format!("{}@b.co", "ü".repeat(33))));
    }
}
