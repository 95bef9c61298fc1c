//! `http.allowed_origins`, `http.public_url` and `http.require_origin`: the origins whose pages may
//! post.

use http::HeaderValue;
use url::Url;

use super::reader::Reader;

/// The origins whose pages may post.
#[derive(Debug, Clone)]
pub struct OriginSettings {
    /// Origins that may post and read the responses, as browsers write them.
    pub allowed: Vec<HeaderValue>,
    /// The origin under which browsers reach this service.
    pub own: Option<HeaderValue>,
    /// Rejects posts without an origin.
    pub required: bool,
}

pub(super) fn read(reader: &mut Reader<'_>) -> OriginSettings {
    OriginSettings {
        allowed: allowed(reader),
        own: own(reader),
        required: reader.flag("http.require_origin"),
    }
}

/// Reads the allowed origins. They are compared byte by byte, so each must be written as a browser
/// sends it: no path, no default port, Punycode. `*` and `null` are rejected.
fn allowed(reader: &mut Reader<'_>) -> Vec<HeaderValue> {
    let mut origins = Vec::new();
    for text in reader.list("http.allowed_origins") {
        match origin(&text) {
            Some(origin) if origin == text => origins.push(origin),
            _ => reader.reject(
                "http.allowed_origins",
                "origins as browsers send them, such as https://www.example.com \
                 (no path, no default port, no wildcard)",
            ),
        }
    }
    origins
}

fn own(reader: &mut Reader<'_>) -> Option<HeaderValue> {
    let key = "http.public_url";
    let text = reader.text(key)?;
    let own = origin(&text);
    if own.is_none() {
        reader.reject(key, "the URL under which browsers reach the service, on https or http");
    }
    own
}

/// Returns the origin of an http or https URL, as browsers write it.
fn origin(text: &str) -> Option<HeaderValue> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http"))?;
    HeaderValue::from_str(&url.origin().ascii_serialization()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_written_as_by_browsers() {
        for (text, expected) in [
            ("https://signup.example.com/", "https://signup.example.com"),
            ("https://Example.com:443/signup?x", "https://example.com"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
        ] {
            assert_eq!(origin(text).unwrap(), expected, "{text}");
        }
        for text in ["null", "*", "signup.example.com", "ftp://example.com", "data:text/html,x"] {
            assert_eq!(origin(text), None, "{text}");
        }
    }
}
