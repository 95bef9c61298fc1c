//! The format `strict-uri`: npm `validator`'s `isURL` with its default options.

use super::host::{is_fqdn, is_ip, is_ipv6, is_js_space};

/// The shortest length that is too long, in UTF-16 units.
const TOO_LONG: usize = 2083;

/// Returns whether the tenant accepts `text` as a URL. The scheme is optional.
pub(super) fn is_url(text: &str) -> bool {
    if text.is_empty()
        || text.encode_utf16().count() >= TOO_LONG
        || text.contains(|c| is_js_space(c) || c == '<' || c == '>')
        || text.starts_with("mailto:")
    {
        return false;
    }
    let without_fragment = text.split('#').next().unwrap_or_default();
    let address = without_fragment.split('?').next().unwrap_or_default();
    let rest = match address.split_once("://") {
        Some((scheme, rest)) => {
            if !["http", "https", "ftp"].contains(&scheme.to_lowercase().as_str()) {
                return false;
            }
            rest
        }
        None if address.starts_with("//") => return false,
        None => address,
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.split_once('@') {
        Some((user, _)) if user.matches(':').count() > 1 => return false,
        Some((_, host)) => host,
        None => authority,
    };
    is_host_and_port(host)
}

/// Returns whether `text` is a host with an optional port.
fn is_host_and_port(text: &str) -> bool {
    if let Some((address, after)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        let port = match after {
            "" => None,
            _ => match after.strip_prefix(':') {
                Some(port) => Some(port),
                None => return false,
            },
        };
        return is_ipv6(address) && port.is_none_or(is_port);
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    port.is_none_or(is_port) && (is_ip(host) || is_fqdn(host))
}

/// Returns whether `text` is a port number.
fn is_port(text: &str) -> bool {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // JavaScript ignores leading zeros.
    let number = text.trim_start_matches('0').parse::<u16>().unwrap_or_default();
    digits && number > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_accepted_as_by_the_validator() {
        for (text, passes) in [
            ("https://example.com/p.png", true),
            ("HTTP://example.com", true),
            ("ftp://example.com/p.png", true),
            ("example.com/p.png", true),
            ("https://user:word@example.com/", true),
            ("https://a:b:c@example.com/", false),
            ("https://1.2.3.4/p", true),
            ("https://[::1]/p", true),
            ("https://[::1]:80/p", true),
            ("https://[::1]x/p", false),
            ("https://[:::1]/p", false),
            ("https://example.com/a\"b", true),
            ("https://example.com:65535", true),
            ("https://example.com:080", true),
            ("https://example.com:65536", false),
            ("https://example.com:0", false),
            ("https://example.com:", false),
            ("https://localhost/p", false),
            ("https://example.com/a b", false),
            ("https://example.com/<x>", false),
            ("data:image/png;base64,AA==", false),
            ("javascript:alert(1)", false),
            ("mailto:a@b.co", false),
            ("file:///etc/passwd", false),
            ("//example.com/p.png", false),
            ("https://01.2.3.4/", true),
            ("https://[::1]:/p", false),
            ("https://a@b@c.com/", false),
            ("a.com?x=://y", true),
            ("https:///a.com", false),
            ("#a", false),
            ("https://", false),
            ("", false),
        ] {
            assert_eq!(is_url(text), passes, "{text}");
        }
    }

    #[test]
    fn a_url_has_at_most_2082_characters() {
        let address = |length: usize| format!("https://b.co/{}", "a".repeat(length - 13));
        assert!(is_url(&address(2082)));
        assert!(!is_url(&address(2083)));
    }
}
