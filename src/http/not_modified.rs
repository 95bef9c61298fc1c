//! Conditional requests (RFC 9110, 13).

use http::header::IF_NONE_MATCH;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The members of a header whose value is a list.
pub(super) fn members(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// Returns whether `If-None-Match` names this validator, by weak comparison (RFC 9110, 13.1.2).
pub(super) fn etag_matches(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    members(headers, IF_NONE_MATCH)
        .map(|known| known.strip_prefix("W/").unwrap_or(known))
        .any(|known| known == "*" || known.as_bytes() == etag.as_bytes())
}
