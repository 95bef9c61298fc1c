//! URLs and hosts, parsed in one place for every key.

use url::{Host, Url};

use super::reader::Reader;
use crate::origin::is_loopback_host;

/// The expected value of a key for a URL that the service itself requests.
pub(super) const SECURE_URL: &str =
    "a full https URL (http on loopback) without credentials or wildcards";

/// The expected value of a key for a link.
pub(super) const LINK_URL: &str =
    "a full https URL (http on loopback) without credentials, wildcards or {login_hint}";

/// Place of the person's e-mail address in the URL of a redirect.
pub const LOGIN_HINT: &str = "{login_hint}";

/// The expected value of a key for an address after a sign-up.
pub(super) const TARGET_URL: &str = "a full https URL (http on loopback) without credentials or \
                                     wildcards; {login_hint} only after its `?` or `#`";

/// Parses a full http or https URL without credentials and without a wildcard in its host.
pub(super) fn parse_web(text: &str) -> Option<Url> {
    // `Url::parse` accepts `https:host`, `https:///host` and a backslash for a slash. A comparison
    // of texts, and a reader of the settings, do not.
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    if !matches!(scheme, "https" | "http") || authority.contains(['@', '*', '\\']) {
        return None;
    }
    let mut url = Url::parse(text).ok()?;
    let host = host_of(&url.host()?)?;
    url.set_host(Some(&host)).ok()?;
    Some(url)
}

/// Parses a full https URL, or http on loopback.
pub(super) fn parse_secure(text: &str) -> Option<Url> {
    parse_web(text).filter(|url| url.scheme() == "https" || is_loopback(url))
}

/// Parses a link as [`parse_secure`] does. Rejects [`LOGIN_HINT`]: nothing replaces it in a link.
pub(super) fn parse_link(text: &str) -> Option<Url> {
    parse_secure(text).filter(|_| !text.contains(LOGIN_HINT))
}

/// Reads the URL of a link or a picture.
pub(super) fn link(reader: &mut Reader<'_>, key: &str) -> Option<Url> {
    reader.parsed(key, LINK_URL, parse_link)
}

/// Parses an address after a sign-up as [`parse_secure`] does. Accepts [`LOGIN_HINT`] in the query and the
/// fragment only: elsewhere an address could choose the page, or the host.
pub(super) fn parse_target(text: &str) -> Option<Url> {
    let count = |text: &str| text.matches(LOGIN_HINT).count();
    parse_secure(text).filter(|url| {
        let allowed = [url.query(), url.fragment()].into_iter().flatten().map(count);
        count(text) == allowed.sum::<usize>()
    })
}

/// Parses the URL of the service itself: http or https, with a plain path and nothing after it. Rejects a path
/// at which a route begins: behind a proxy that removes the path, that route would be taken for another.
pub(super) fn parse_public(text: &str) -> Option<Url> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let has_plain_path = |url: &Url| {
        let (_, rest) = text.split_once("://").unwrap_or_default();
        let path = rest.find('/').and_then(|start| rest.get(start..)).unwrap_or("/");
        path == url.path() && path.bytes().all(is_plain) && !path.contains("//")
    };
    let is_route = |url: &Url| {
        let first = url.path_segments().and_then(|mut segments| segments.next());
        matches!(first, Some("signup" | "dbconnections"))
    };
    parse_web(text).filter(has_plain_path).filter(|url| !is_route(url))
}

/// Parses the tenant's URL: a host, to which https applies, or a full URL without a path.
pub(super) fn parse_tenant(text: &str) -> Option<Url> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return None;
    }
    parse_secure(&format!("{scheme}://{authority}"))
}

/// Parses a host without a scheme, a port or a wildcard. Returns it as browsers write it.
pub(super) fn parse_host(text: &str) -> Option<String> {
    host_of(&Host::parse(text).ok()?)
}

/// Returns the origin of a URL, as browsers write it.
pub(super) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Returns whether this is an origin as browsers send it: no path, no default port, Punycode, no `*` or
/// `null`. Origins are compared byte by byte.
pub(super) fn is_origin(text: &str) -> bool {
    parse_web(text).is_some_and(|url| origin(&url) == text)
}

/// Returns whether the host is this machine, so that nothing is sent in the clear over a network.
pub(super) fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(is_loopback_host)
}

/// Returns the host without the dot that may end it. Rejects what no resolver looks up: a label is 1 to
/// 63 letters, digits and inner hyphens, also as people read it. The Punycode of a typographic quote
/// would be a name.
fn host_of<S: AsRef<str>>(host: &Host<S>) -> Option<String> {
    let Host::Domain(domain) = host else { return Some(host.to_string()) };
    let domain = domain.as_ref().strip_suffix('.').unwrap_or(domain.as_ref());
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let is_valid = domain.split('.').all(is_label) && domain.chars().all(is_letter);
    // Dashes, quotes and brackets of text: general punctuation from its dashes on, and that of East Asia.
    let is_punctuation =
        |c| matches!(c, '\u{ab}' | '\u{bb}' | '\u{2010}'..='\u{206f}' | '\u{3008}'..='\u{301f}');
    let is_readable = !idna::domain_to_unicode(domain).0.contains(is_punctuation);
    (is_valid && is_readable && domain.len() <= 253).then(|| domain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secure_urls_are_full_encrypted_and_without_credentials() {
        for text in [
            "https://www.example.com/welcome?a=b#c",
            "https://www.example.com",
            "http://localhost:3000/done",
            "http://127.0.0.1/",
            "http://[::1]:8080/",
        ] {
            assert!(parse_secure(text).is_some(), "{text}");
        }
        for text in [
            "http://www.example.com/",
            "//www.example.com/",
            "/welcome",
            "https:www.example.com",
            "https://user@www.example.com/",
            "https://user:pass@www.example.com/",
            "https://*.example.com/",
            "https://@www.example.com/",
            "https://www.example.com\\@evil.example/",
            "https://www..example.com/",
            "javascript:alert(1)",
            "data:text/html,x",
            "app://done",
            "http://localhost.evil.example/",
            "",
        ] {
            assert!(parse_secure(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_login_hint_stands_in_the_query_or_the_fragment() {
        for text in [
            "https://www.example.com/welcome",
            "https://www.example.com/login?login_hint={login_hint}",
            "https://www.example.com/#/login?hint={login_hint}",
        ] {
            assert_eq!(parse_target(text).unwrap().as_str(), text);
        }
        for text in [
            "https://www.example.com/{login_hint}",
            "https://www.example.com/{login_hint}?hint={login_hint}",
            "https://{login_hint}/?hint={login_hint}",
            "http://www.example.com/?hint={login_hint}",
        ] {
            assert!(parse_target(text).is_none(), "{text}");
        }
    }

    #[test]
    fn origins_are_written_as_by_browsers() {
        for text in
            ["https://signup.example.com", "http://127.0.0.1:8080", "https://xn--bcher-kva.example"]
        {
            assert!(is_origin(text), "{text}");
        }
        for text in [
            "https://signup.example.com/",
            "https://Example.com",
            "https://example.com:443",
            "https://bücher.example",
            "https://example.com.",
            "null",
            "*",
            "signup.example.com",
            "ftp://example.com",
            "data:text/html,x",
        ] {
            assert!(!is_origin(text), "{text}");
        }
    }

    #[test]
    fn a_host_has_no_scheme_port_or_empty_label() {
        assert_eq!(parse_host("www.Example.com.").as_deref(), Some("www.example.com"));
        assert_eq!(parse_host("[::1]").as_deref(), Some("[::1]"));
        for text in ["", ".", "a..b", "https://a", "a:443", "a/b", "*.example.com", "a b"] {
            assert_eq!(parse_host(text), None, "{text}");
        }
    }

    #[test]
    fn a_label_is_letters_digits_and_inner_hyphens() {
        for text in [
            "a-1.example",
            "xn--bcher-kva.example",
            "b\u{fc}cher.example",
            "ex\u{e4}mple.\u{928}\u{947}\u{91f}",
        ] {
            assert!(parse_host(text).is_some(), "{text}");
        }
        for text in [
            "acme_eu.auth0.com",
            "-a.auth0.com",
            "a-.auth0.com",
            "{yourDomain}",
            "\u{201c}acme.eu.auth0.com\u{201d}",
            "\u{ab}acme.eu.auth0.com\u{bb}",
            "acme\u{2013}eu.auth0.com",
            "xn--acme-996ak.eu.auth0.com",
        ] {
            assert_eq!(parse_host(text), None, "{text}");
            assert_eq!(parse_tenant(text), None, "{text}");
        }
    }
}
