//! The picture: a URL that Auth0's `strict-uri` format accepts.
//!
//! Owns validator.js 13.15 `isURL` with its default options, which is all that z-schema registers
//! under that name, and this project's narrower choice of schemes. Must not fetch anything.
//!
//! The rule is looser than any URL standard: the scheme may be missing, the port may be empty, and
//! the text after the host is checked only for spaces and angle brackets. It is reproduced exactly,
//! because Auth0 decides by it. What validator.js 10.11 of 2019 rejects is rejected too, as Auth0 does not
//! publish which of them it runs (`tests/vectors/README.md`): no picture needs it.

use super::Violation;
use super::host::{is_domain_name, is_ipv4, is_ipv6, is_script_space};

/// The maximum length of a URL in UTF-16 units (validator.js `isURL`, option `max_allowed_length`).
const MAX_UNITS: usize = 2084;

/// The length in UTF-16 units from which on the version of 2019 rejects a URL.
const MAX_UNITS_IN_2019: usize = 2083;

/// The accepted schemes of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureSchemes {
    /// `http://` or `https://`, written out: schemes that a page can show.
    Web,
    /// Everything that Auth0 accepts: these, `ftp`, and no scheme at all.
    Any,
}

/// Checks `text` against Auth0's rule, then against `schemes`.
///
/// # Errors
///
/// [`Violation::Malformed`] if Auth0 would reject it, [`Violation::NotAllowed`] if only `schemes`
/// does.
pub fn check(text: &str, schemes: PictureSchemes) -> Result<(), Violation> {
    if !is_strict_uri(text) || !is_accepted_in_2019(text) {
        return Err(Violation::Malformed);
    }
    match schemes {
        PictureSchemes::Web if !has_web_scheme(text) => Err(Violation::NotAllowed),
        PictureSchemes::Web | PictureSchemes::Any => Ok(()),
    }
}

/// Returns whether the URL starts with a scheme from which browsers load pictures, and two slashes.
fn has_web_scheme(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
    })
}

/// Returns whether validator.js `isURL` accepts a text, with its default options.
fn is_strict_uri(text: &str) -> bool {
    let is_readable = !text.contains(|c: char| is_script_space(c) || matches!(c, '<' | '>'))
        && !text.starts_with("mailto:")
        && text.encode_utf16().count() <= MAX_UNITS;
    is_readable
        && text
            .split(['#', '?'])
            .next()
            .and_then(without_scheme)
            .is_some_and(|rest| rest.split('/').next().is_some_and(is_authority))
}

/// Returns whether the version of 2019 accepts a URL that today's accepts.
fn is_accepted_in_2019(text: &str) -> bool {
    let before_query = text.split(['#', '?']).next().unwrap_or_default();
    // It takes whatever stands before the first `://` for the scheme, and nothing else.
    let rest = match before_query.split_once("://") {
        Some((scheme, rest)) if is_known_scheme(scheme) => rest,
        Some(_) => return false,
        None => before_query,
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let (credentials, address) = authority.split_once('@').unwrap_or(("", authority));
    let is_known_address = if let Some((ip, _)) = split_brackets(address) {
        is_ipv6_in_2019(ip)
    } else {
        let top_level = address.rsplit('.').next().unwrap_or_default();
        is_address(address) && !address.ends_with(':') && !top_level.contains('\u{200b}')
    };
    is_known_address
        && text.encode_utf16().count() < MAX_UNITS_IN_2019
        && (credentials.is_empty() || is_credentials(credentials))
}

/// Returns whether the version of 2019 accepts an IPv6 address that today's accepts: without a zone, and
/// with more than one group behind two colons at an end.
fn is_ipv6_in_2019(ip: &str) -> bool {
    let groups = ip.split(':').filter(|group| !group.is_empty());
    // An IPv4 address stands for two groups.
    let groups: usize = groups.map(|group| if group.contains('.') { 2 } else { 1 }).sum();
    let is_open = ip.starts_with("::") || ip.ends_with("::");
    !ip.contains('%') && (!is_open || groups != 7)
}

/// Returns the text after the scheme and the slashes, or `None` if either is not accepted.
fn without_scheme(url: &str) -> Option<&str> {
    let (scheme, rest) = match split_scheme(url) {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, url),
    };
    if scheme.is_some_and(|scheme| !is_known_scheme(scheme)) {
        return None;
    }
    match rest.strip_prefix("//") {
        // Slashes without a scheme would inherit the scheme of the page.
        Some(authority) => scheme.map(|_| authority),
        None => Some(rest),
    }
}

/// Returns whether the scheme is one of the default `protocols` of `isURL`.
fn is_known_scheme(scheme: &str) -> bool {
    ["http", "https", "ftp"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// Splits the URL after the scheme, unless the colon belongs to a port or to credentials.
fn split_scheme(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !is_scheme || (!rest.starts_with("//") && belongs_to_authority(rest)) {
        return None;
    }
    Some((scheme, rest))
}

/// Returns whether the text after the first colon is the rest of `user:password@host` or of
/// `host:port`.
fn belongs_to_authority(rest: &str) -> bool {
    let before_slash = rest.split('/').next().unwrap_or_default();
    match before_slash.split_once('@') {
        Some((credentials, _)) => {
            // Percent-encoded text after `javascript:` is a script, not a password.
            !has_percent_encoding(credentials)
                && credentials
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.%:".contains(&byte))
        }
        None => rest.starts_with(|c: char| c.is_ascii_digit()),
    }
}

/// Returns whether the text contains a percent sign followed by two hexadecimal digits.
fn has_percent_encoding(text: &str) -> bool {
    text.as_bytes().windows(3).any(
        |window| matches!(window, [b'%', digits @ ..] if digits.iter().all(u8::is_ascii_hexdigit)),
    )
}

/// Returns whether a text consists of optional credentials, a host and an optional port.
fn is_authority(text: &str) -> bool {
    match text.split_once('@') {
        Some((credentials, address)) => is_credentials(credentials) && is_address(address),
        None => is_address(text),
    }
}

/// Returns whether a text is `user` or `user:password`; either side of the colon may be empty, but
/// not both.
fn is_credentials(text: &str) -> bool {
    !text.is_empty() && text != ":" && text.bytes().filter(|byte| *byte == b':').count() < 2
}

/// Returns whether a text consists of a host name, an IPv4 address or a bracketed IPv6 address, and
/// an optional port.
fn is_address(text: &str) -> bool {
    if let Some((address, port)) = split_brackets(text) {
        return is_ipv6(address) && port.is_none_or(is_port);
    }
    let (host, port) = text.split_once(':').unwrap_or((text, ""));
    (port.is_empty() || is_port(port)) && (is_ipv4(host) || is_domain_name(host))
}

/// Splits `[…]` and `[…]:port` into the address and the port. Returns `None` for any other text.
fn split_brackets(text: &str) -> Option<(&str, Option<&str>)> {
    let (address, rest) = text.strip_prefix('[')?.split_once(']')?;
    match rest.strip_prefix(':') {
        Some(port) => Some((address, Some(port))),
        None => rest.is_empty().then_some((address, None)),
    }
}

/// Returns whether a text is a number from 1 to 65,535 in ASCII digits, with any leading zeros.
fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<u16>().is_ok_and(|port| port != 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn auth0_accepts_more_schemes_than_a_page_can_show() {
        for text in ["example.com/a.png", "ftp://example.com/a.png"] {
            assert_eq!(check(text, PictureSchemes::Any), Ok(()));
            assert_eq!(check(text, PictureSchemes::Web), Err(Violation::NotAllowed));
        }
        assert_eq!(check("HTTPS://example.com/a.png", PictureSchemes::Web), Ok(()));
    }

    #[test]
    fn scripts_data_and_files_are_rejected() {
        for text in [
            "javascript:alert(1)",
            "javascript:%61%6c%65%72%74%28%31%29@example.com",
            "data:image/png;base64,AAAA",
            "file:///etc/passwd",
            "mailto:ada@example.com",
            "//example.com/a.png",
        ] {
            assert_eq!(check(text, PictureSchemes::Any), Err(Violation::Malformed));
        }
    }

    #[test]
    fn a_host_has_a_top_level_domain_or_is_an_ip_address() {
        for text in ["http://127.0.0.1/a", "http://[::1]:8080/a", "http://user@example.com:80"] {
            assert_eq!(check(text, PictureSchemes::Web), Ok(()));
        }
        for text in ["http://localhost/a", "http://::1/a", "http://example.com:65536"] {
            assert_eq!(check(text, PictureSchemes::Web), Err(Violation::Malformed));
        }
    }

    #[test]
    fn the_length_is_counted_in_utf16_units() {
        let url = |length: usize| format!("http://example.com/{}", "a".repeat(length - 19));
        assert_eq!(check(&url(2082), PictureSchemes::Web), Ok(()));
        assert_eq!(check(&url(2083), PictureSchemes::Web), Err(Violation::Malformed));
    }

    #[test]
    fn what_only_one_version_of_the_rule_accepts_is_rejected() {
        for text in
            ["https://a.com:", "https://a.com:/p.png", "https://[::1%eth0]/x", "http:example.com"]
        {
            assert_eq!(check(text, PictureSchemes::Any), Err(Violation::Malformed), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_includes_web(
            text in r"(\PC{0,40}|(https?:)?(//)?[\PC:@]{0,9}[a-z.]{1,9}\.[a-z]{2,3}(:[0-9]{1,6})?[\PC/?#]{0,9})",
        ) {
            if check(&text, PictureSchemes::Web).is_ok() {
                prop_assert_eq!(check(&text, PictureSchemes::Any), Ok(()));
            }
        }
    }
}
