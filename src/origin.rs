//! The origins whose pages may post: exact ones, and patterns with one free label or any port.
//!
//! An origin is compared as browsers write it, byte for byte (RFC 6454, 6.2): in lower case, in
//! Punycode, without a default port. Nothing here parses what a client sends.

use std::fmt;
use std::sync::Arc;

/// An origin of the settings, or a pattern of origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// `https://www.example.com`, or that of an app: `capacitor://localhost`.
    Exact(String),
    /// `https://*.preview.example.com`: exactly one label stands for the asterisk.
    OneLabel {
        /// The text before the label: `https://`.
        before: String,
        /// The text after it: `.preview.example.com`, with a port that is not the default.
        after: String,
    },
    /// `http://localhost:*`: any port of a loopback host, the default one too. Of `http://*.localhost:*`
    /// any host one label below it.
    AnyPort {
        /// The text before the port: `http://localhost`.
        host: String,
    },
}

impl AllowedOrigin {
    /// Returns whether this covers an origin, as its browser wrote it.
    pub fn covers(&self, origin: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == origin,
            Self::OneLabel { before, after } => has_one_label(origin, before, after),
            Self::AnyPort { host } => {
                let with_port = origin.rsplit_once(':').filter(|(_, port)| is_port(port));
                let name = with_port.map_or(origin, |(name, _)| name);
                match host.split_once('*') {
                    Some((before, after)) => has_one_label(name, before, after),
                    None => name == host,
                }
            }
        }
    }
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(exact) => f.write_str(exact),
            Self::OneLabel { before, after } => write!(f, "{before}*{after}"),
            Self::AnyPort { host } => write!(f, "{host}:*"),
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
        let after = ".preview.example.com".to_owned();
        let pattern = AllowedOrigin::OneLabel { before: "https://".to_owned(), after };
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
        let pattern = AllowedOrigin::AnyPort { host: "http://localhost".to_owned() };
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
        let pattern = AllowedOrigin::AnyPort { host: "http://*.localhost".to_owned() };
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
