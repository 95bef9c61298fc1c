//! The origins whose pages may post: exact ones, patterns with one free label or any port, and all of this
//! machine.
//!
//! An origin is compared as browsers write it, byte for byte (RFC 6454, 6.2): in lower case, in
//! Punycode, without a default port. Nothing here parses what a client sends.

use std::net::Ipv4Addr;
use std::sync::Arc;

/// An origin or a pattern of origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// A text of the settings: `https://www.example.com`, or an app's `capacitor://localhost`. A `*` stands
    /// for exactly one label of the host, or at the end for any port, the default one too:
    /// `https://*.preview.example.com`, `http://*.localhost:*`.
    Listed(String),
    /// Every page of this machine: `localhost`, every name below it (RFC 6761, 6.3), 127.0.0.0/8 and `::1`,
    /// on `http` and `https` and at any port. No setting names it.
    Loopback,
}

impl AllowedOrigin {
    /// Returns whether this covers an origin, as its browser wrote it.
    pub fn covers(&self, origin: &str) -> bool {
        let Self::Listed(listed) = self else { return is_loopback(origin) };
        let (pattern, origin) = match listed.strip_suffix(":*") {
            Some(pattern) => (pattern, without_port(origin)),
            None => (listed.as_str(), origin),
        };
        match pattern.split_once('*') {
            Some((before, after)) => has_one_label(origin, before, after),
            None => pattern == origin,
        }
    }
}

/// The allowed origins. Clones share them.
#[derive(Debug, Clone)]
pub struct AllowedOrigins(Arc<[AllowedOrigin]>);

impl AllowedOrigins {
    /// Returns whether one of them covers an origin.
    pub fn contains(&self, origin: &str) -> bool {
        self.iter().any(|allowed| allowed.covers(origin))
    }

    /// Returns each of them, in the order of the settings.
    pub fn iter(&self) -> impl Iterator<Item = &AllowedOrigin> {
        self.0.iter()
    }
}

impl FromIterator<AllowedOrigin> for AllowedOrigins {
    fn from_iter<I: IntoIterator<Item = AllowedOrigin>>(origins: I) -> Self {
        Self(origins.into_iter().collect())
    }
}

/// Returns whether there is exactly one label between these texts.
fn has_one_label(origin: &str, before: &str, after: &str) -> bool {
    let rest = origin.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    rest.is_some_and(is_label)
}

/// Returns whether this is the origin of a page of this machine.
fn is_loopback(origin: &str) -> bool {
    let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    rest.map(without_port).is_some_and(|host| match host.strip_suffix(".localhost") {
        Some(labels) => labels.split('.').all(is_label),
        None => is_loopback_host(host),
    })
}

/// Returns whether a host is this machine by its name or its address.
pub fn is_loopback_host(host: &str) -> bool {
    matches!(host, "localhost" | "[::1]")
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// Returns an origin or a host without the port at its end.
fn without_port(text: &str) -> &str {
    let with_port = text.rsplit_once(':').filter(|(_, port)| is_port(port));
    with_port.map_or(text, |(rest, _)| rest)
}

/// Returns whether text is one label of a host, as browsers write it.
fn is_label(text: &str) -> bool {
    let is_allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
    };
    (1..=63).contains(&text.len()) && text.bytes().all(is_allowed)
}

/// Returns whether text is a port, as browsers write it.
fn is_port(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The host and port of a host header, without the port that is the scheme's default. The scheme is
/// that of an origin: behind a proxy that ends TLS, the connection's own says nothing.
pub fn without_default_port<'h>(scheme: &str, host: &'h str) -> &'h str {
    let port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return host,
    };
    host.strip_suffix(port).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_one_label() {
        let pattern = AllowedOrigin::Listed("https://*.preview.example.com".to_owned());
        for origin in ["https://pr-12.preview.example.com", "https://a_b.preview.example.com"] {
            assert!(pattern.covers(origin), "{origin}");
        }
        for origin in [
            "https://preview.example.com",
            "https://.preview.example.com",
            "https://a.b.preview.example.com",
            "http://a.preview.example.com",
            "https://a.preview.example.com:8443",
            "https://a.preview.example.com.evil.example",
            "https://evil.example/.preview.example.com",
            "https://evil.example#.preview.example.com",
            "https://a@b.preview.example.com",
            "https://A.preview.example.com",
            "https://*.preview.example.com",
            "null",
            "",
        ] {
            assert!(!pattern.covers(origin), "{origin}");
        }
        assert!(!pattern.covers(&format!("https://{}.preview.example.com", "a".repeat(64))));
    }

    #[test]
    fn a_pattern_of_ports_covers_one_host() {
        let pattern = AllowedOrigin::Listed("http://localhost:*".to_owned());
        for origin in ["http://localhost", "http://localhost:3000", "http://localhost:65535"] {
            assert!(pattern.covers(origin), "{origin}");
        }
        for origin in [
            "https://localhost:3000",
            "http://localhost:",
            "http://localhost:123456",
            "http://localhost:3000/",
            "http://localhost:@evil.example",
            "http://localhost:80.evil.example",
            "http://localhost.evil.example",
            "http://localhost1",
            "http://127.0.0.1:3000",
        ] {
            assert!(!pattern.covers(origin), "{origin}");
        }
    }

    #[test]
    fn a_pattern_of_ports_covers_one_label_below_localhost() {
        let pattern = AllowedOrigin::Listed("http://*.localhost:*".to_owned());
        for origin in ["http://app.localhost", "http://app.localhost:3000"] {
            assert!(pattern.covers(origin), "{origin}");
        }
        for origin in [
            "http://localhost:3000",
            "http://a.b.localhost:3000",
            "http://app.localhost:",
            "http://app.localhost:3000:4000",
            "http://app.localhost.evil.example:3000",
            "http://evil.example:3000",
        ] {
            assert!(!pattern.covers(origin), "{origin}");
        }
    }

    #[test]
    fn loopback_covers_every_page_of_this_machine() {
        for origin in [
            "http://localhost",
            "http://localhost:3000",
            "https://app.localhost:5173",
            "http://a.b.localhost",
            "http://127.0.0.1:8080",
            "http://127.0.0.2",
            "https://127.255.255.254:443",
            "http://[::1]:3000",
        ] {
            assert!(AllowedOrigin::Loopback.covers(origin), "{origin}");
        }
        for origin in [
            "http://localhost.example.com",
            "http://localhost:3000/",
            "http://localhost:",
            "http://.localhost",
            "http://a..localhost",
            "http://a@localhost",
            "http://127.0.0.1.example.com",
            "http://127.1",
            "http://127.0.0.01",
            "http://128.0.0.1",
            "http://0.0.0.0",
            "http://192.168.0.1",
            "http://[::2]",
            "http://[::ffff:127.0.0.1]",
            "ftp://localhost",
            "localhost",
            "null",
            "",
        ] {
            assert!(!AllowedOrigin::Loopback.covers(origin), "{origin}");
        }
    }

    #[test]
    fn only_the_default_port_of_the_scheme_is_removed() {
        for (scheme, host, expected) in [
            ("https", "x:443", "x"),
            ("http", "x:80", "x"),
            ("http", "[::1]:80", "[::1]"),
            ("https", "x:80", "x:80"),
            ("http", "x:443", "x:443"),
            ("https", "x:8443", "x:8443"),
            ("https", "x", "x"),
            ("app", "x:443", "x:443"),
        ] {
            assert_eq!(without_default_port(scheme, host), expected, "{scheme} {host}");
        }
    }
}
