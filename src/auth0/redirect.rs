//! Redirects, which a tenant's own host never sends to an API call: the domain is not the tenant's.

use http::header::LOCATION;
use url::Url;

use super::error::Misconfiguration;
use super::response::ApiResponse;

/// The most characters of a host (RFC 1035, section 2.3.4).
const LONGEST_HOST: usize = 253;

/// The error of a 3xx. It names the target's host only: a path, a query or credentials may hold a
/// secret.
pub(super) fn misconfiguration(response: &ApiResponse) -> Misconfiguration {
    let target = response.headers.get(LOCATION).and_then(|target| target.to_str().ok());
    let host = target.and_then(host_of).unwrap_or_else(|| "its own host".into());
    Misconfiguration::Redirect { status: response.status, host }
}

/// The host of an absolute target.
fn host_of(target: &str) -> Option<Box<str>> {
    // The scheme of a target such as `//host/path` does not matter.
    let base = Url::parse("https://relative.invalid").ok()?;
    let url = base.join(target).ok()?;
    let host = url.host_str().filter(|host| host.len() <= LONGEST_HOST)?;
    (Some(host) != base.host_str()).then(|| host.into())
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn only_the_host_of_the_target_is_named() {
        for (target, host) in [
            (
                "https://user:canary@Login.example.com:8443/canary?canary#canary",
                "login.example.com",
            ),
            ("//login.example.com/canary", "login.example.com"),
            ("/canary", "its own host"),
            ("https://[::1]/canary", "[::1]"),
            ("https:///", "its own host"),
            ("https://a b/canary", "its own host"),
        ] {
            let headers = HeaderMap::from_iter([(LOCATION, target.parse().unwrap())]);
            let named = misconfiguration(&ApiResponse::new(302, headers, ""));
            let expected = Misconfiguration::Redirect { status: 302, host: host.into() };
            assert_eq!(named, expected, "{target}");
        }
    }
}
