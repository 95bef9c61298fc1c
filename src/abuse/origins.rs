//! Whose pages may post: the rules of Go's `CrossOriginProtection` and of tower-http's `CsrfLayer`,
//! here as a stage of a post, since it comes after one and before others.
//!
//! Nothing here depends on a cookie, so a foreign page gains no session by a post. It would gain the
//! visitors' addresses, which limits count by.

use std::collections::HashSet;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::config::OriginSettings;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whose pages may post, compared byte for byte as browsers write origins. `null` is never one.
#[derive(Debug)]
pub struct Origins {
    allowed: HashSet<HeaderValue>,
    /// Whether a post that says nothing of where it comes from is refused.
    required: bool,
}

/// A page of another origin posts, or (where that is required) nothing is said of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAllowed;

impl Origins {
    /// Allows these, and the service's own.
    pub fn new(settings: &OriginSettings) -> Self {
        let own = settings.own.iter();
        let allowed = settings.allowed.iter().chain(own).cloned().collect();
        Self { allowed, required: settings.required }
    }

    /// Judges the head of a post.
    ///
    /// Browsers send `Sec-Fetch-Site` to https, and `Origin` with every post; no page can set either.
    /// Programs send neither and pass, unless a setting says otherwise.
    ///
    /// # Errors
    /// When it comes from a page that may not post.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), NotAllowed> {
        let named = |name| headers.get(name).filter(|value: &&HeaderValue| !value.is_empty());
        let (site, origin) = (named(SEC_FETCH_SITE), named(ORIGIN));
        let passes = match (site.map(HeaderValue::as_bytes), origin) {
            (Some(b"same-origin" | b"none"), _) => true,
            (_, Some(origin)) if self.allowed.contains(origin) => true,
            (Some(_), _) => false,
            (None, Some(origin)) => is_of_host(origin, uri, headers),
            (None, None) => !self.required,
        };
        if passes { Ok(()) } else { Err(NotAllowed) }
    }
}

/// Whether an origin names the host that the request was sent to.
fn is_of_host(origin: &HeaderValue, uri: &Uri, headers: &HeaderMap) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    let host = ["https://", "http://"].iter().find_map(|scheme| origin.strip_prefix(scheme));
    let asked = match uri.authority() {
        Some(authority) => Some(authority.as_str().as_bytes()),
        None => headers.get(HOST).map(HeaderValue::as_bytes),
    };
    host.is_some_and(|host| !host.is_empty() && asked == Some(host.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(required: bool, target: &str, fields: &[(&'static str, &'static str)]) -> bool {
        let allowed = vec![HeaderValue::from_static("https://www.example.com")];
        let own = Some(HeaderValue::from_static("https://signup.example.com"));
        let origins = Origins::new(&OriginSettings { allowed, own, required });
        let headers = fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        origins.check(&target.parse().unwrap(), &headers.collect()).is_ok()
    }

    #[test]
    fn fetch_metadata_decides_where_there_is_any() {
        for (site, origin, passes) in [
            ("same-origin", "null", true),
            ("none", "", true),
            ("cross-site", "https://www.example.com", true),
            ("same-site", "https://signup.example.com", true),
            ("cross-site", "https://evil.example", false),
            ("same-site", "https://other.example.com", false),
            ("cross-site", "", false),
            ("cross-site", "null", false),
            ("cross-site", "https://host.test", false),
            ("Same-Origin", "https://evil.example", false),
            ("nonsense", "https://evil.example", false),
        ] {
            let fields = [("sec-fetch-site", site), ("origin", origin), ("host", "host.test")];
            assert_eq!(check(false, "/signup", &fields), passes, "{site} {origin}");
        }
    }

    #[test]
    fn the_origin_decides_without_fetch_metadata() {
        for (origin, host, passes) in [
            ("https://www.example.com", "x", true),
            ("https://host.test", "host.test", true),
            ("http://host.test:8080", "host.test:8080", true),
            ("http://host.test:8080", "host.test", false),
            ("https://host.test.evil.example", "host.test", false),
            ("https://www.example.com.evil.example", "x", false),
            ("https://www.example.com:8443", "x", false),
            ("http://www.example.com", "x", false),
            ("https://WWW.example.com", "x", false),
            ("null", "null", false),
            ("host.test", "host.test", false),
            ("https://", "", false),
            ("ftp://host.test", "host.test", false),
        ] {
            let fields = [("origin", origin), ("host", host)];
            assert_eq!(check(false, "/signup", &fields), passes, "{origin} {host}");
        }
        let fields = [("origin", "https://host.test"), ("host", "other.test")];
        assert!(check(false, "http://host.test/signup", &fields), "the target wins over Host");
        let fields = [("origin", "https://other.test"), ("host", "other.test")];
        assert!(!check(false, "http://host.test/signup", &fields), "the target wins over Host");
    }

    #[test]
    fn programs_pass_unless_an_origin_is_required() {
        for fields in [[("host", "x"), ("origin", "")], [("host", "x"), ("sec-fetch-site", "")]] {
            assert!(check(false, "/signup", &fields));
            assert!(!check(true, "/signup", &fields));
        }
        assert!(check(true, "/signup", &[("origin", "https://www.example.com")]));
    }
}
