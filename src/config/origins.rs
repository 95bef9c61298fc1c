//! `http.allowed_origins`, `http.public_url`, `http.require_origin` and `http.allowed_headers`: the
//! pages that may post, and what they may send.

use http::{HeaderName, HeaderValue};
use url::Url;

use super::reader::Reader;
use super::urls;
use crate::origin::{AllowedOrigin, AllowedOrigins, is_loopback_host};

/// The origins whose pages may post.
#[derive(Debug, Clone)]
pub struct OriginSettings {
    /// Origins that may post and read the responses.
    pub allowed: AllowedOrigins,
    /// The origin under which browsers reach this service.
    pub own: Option<HeaderValue>,
    /// Rejects posts without an origin.
    pub required: bool,
    /// Further headers that pages of allowed origins may send.
    pub allowed_headers: Vec<HeaderName>,
}

/// The expected entry of `http.allowed_origins`.
const ALLOWED: &str = "an origin as browsers send it, such as https://www.example.com (no path, no default port), one \
     of an app (capacitor://localhost), https://*.preview.example.com, where nobody else can have a \
     site below what follows the asterisk, or http://localhost:* for every port of a loopback host";

pub(super) fn read(reader: &mut Reader<'_>) -> OriginSettings {
    let allowed = reader.entries("http.allowed_origins", ALLOWED, parse);
    let expected = "the URL at which browsers reach the service, on https or http, without ? and #, and without \
                    a route of the service: https://www.example.com for https://www.example.com/signup";
    let own = reader.parsed("http.public_url", expected, |text| {
        urls::origin(&urls::parse_public(text)?).parse().ok()
    });
    let expected = "the name of a header, such as x-requested-with (no wildcard)";
    let allowed_headers = reader.entries("http.allowed_headers", expected, |text| {
        HeaderName::try_from(text).ok().filter(|name| name != "*")
    });
    OriginSettings {
        allowed: allowed.into_iter().collect(),
        own,
        required: reader.flag("http.require_origin"),
        allowed_headers,
    }
}

/// Parses an entry of `http.allowed_origins`.
///
/// # Errors
/// Another text. The error says what is expected.
pub fn parse_allowed_origin(text: &str) -> Result<AllowedOrigin, String> {
    parse(text).ok_or_else(|| format!("expected {ALLOWED}"))
}

/// Parses an origin or a pattern of origins.
fn parse(text: &str) -> Option<AllowedOrigin> {
    let (scheme, host) = text.split_once("://")?;
    let is_allowed = match (scheme, host.strip_suffix(":*"), host.strip_prefix("*.")) {
        // Others may serve any port of another host. Browsers resolve names below `localhost` themselves
        // (RFC 6761, 6.3).
        ("https" | "http", Some(name), _) => name == "*.localhost" || is_loopback_host(name),
        ("https" | "http", None, Some(rest)) => {
            let site = format!("{scheme}://{rest}");
            urls::is_origin(&site) && !is_public_suffix(Url::parse(&site).ok()?.domain()?)
        }
        ("https" | "http", None, None) => urls::is_origin(text),
        _ => is_app_origin(scheme, host),
    };
    is_allowed.then(|| AllowedOrigin::Listed(text.to_owned()))
}

/// Returns whether strangers register names directly below a domain (<https://publicsuffix.org>):
/// `com`, `co.uk`, `vercel.app`. A top-level domain that the list does not have counts as one.
fn is_public_suffix(domain: &str) -> bool {
    psl::suffix_str(domain).is_none_or(|suffix| suffix == domain)
}

/// Returns whether this is the origin of an app's web view or of an extension: `capacitor://localhost`,
/// `tauri://localhost`, `chrome-extension://…`. Not a scheme whose origin is opaque, and `null` in the
/// header.
fn is_app_origin(scheme: &str, host: &str) -> bool {
    let opaque = ["file", "data", "blob", "about", "javascript", "ws", "wss", "ftp"];
    let is_scheme = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.')
    };
    let is_host = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_')
    };
    let (name, port) = host.split_once(':').unwrap_or((host, "1"));
    scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(is_scheme)
        && !opaque.contains(&scheme)
        && !name.is_empty()
        && name.bytes().all(is_host)
        && port.parse::<u16>().is_ok_and(|number| number.to_string() == port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_of_sites_and_of_apps_are_exact() {
        for text in [
            "https://www.example.com",
            "http://localhost:3000",
            "capacitor://localhost",
            "ionic://localhost",
            "tauri://localhost",
            "app://com.example.signup",
            "app://localhost:8080",
            "chrome-extension://gighmmpiobklfepjocnamgkkbiglidom",
        ] {
            assert_eq!(parse(text), Some(AllowedOrigin::Listed(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_pattern_has_one_label_below_a_domain_of_ones_own() {
        for (text, origin) in [
            ("https://*.preview.example.com", "https://pr-1.preview.example.com"),
            ("https://*.example.com", "https://www.example.com"),
            ("https://*.example.co.uk", "https://www.example.co.uk"),
            ("https://*.acme.vercel.app", "https://x.acme.vercel.app"),
            ("http://*.dev.internal:3000", "http://a.dev.internal:3000"),
        ] {
            let pattern = parse(text);
            assert!(pattern.is_some_and(|pattern| pattern.covers(origin)), "{text}");
        }
    }

    #[test]
    fn every_port_of_a_loopback_host_is_a_pattern() {
        for (text, origin) in [
            ("http://localhost:*", "http://localhost:3000"),
            ("http://*.localhost:*", "http://app.localhost:3000"),
            ("http://127.0.0.1:*", "http://127.0.0.1:5173"),
            ("https://[::1]:*", "https://[::1]:8443"),
        ] {
            let pattern = parse(text);
            assert!(pattern.is_some_and(|pattern| pattern.covers(origin)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_rejected() {
        for text in [
            "http://*:*",
            "https://www.example.com:*",
            "http://localhost.example.com:*",
            "http://*.*.localhost:*",
            "http://*.example.com:*",
            "http://192.168.0.1:*",
            "http://127.1:*",
            "http://localhost:30*",
            "capacitor://localhost:*",
            "*",
            "null",
            "https://*",
            "https://*.com",
            "https://*.co.uk",
            "https://*.vercel.app",
            "https://*.github.io",
            "https://*.pages.dev",
            "https://*.internal",
            "https://*.*.example.com",
            "https://a.*.example.com",
            "https://pr-*.example.com",
            "https://*example.com",
            "https://*.127.0.0.1",
            "https://*.[::1]",
            "https://*.example.com/",
            "https://*.example.com:443",
            "https://*.Example.com",
            "https://*.example.com.",
            "capacitor://*",
            "capacitor://",
            "capacitor://localhost/",
            "Capacitor://localhost",
            "app://a:0x",
            "app://a:01",
            "1app://a",
            "file://a",
            "file:///",
            "data://a",
            "ftp://a",
            "wss://a",
            "https://www.example.com/",
            "www.example.com",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
