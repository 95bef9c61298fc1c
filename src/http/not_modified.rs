//! What callers kept: whether their copy is still good.

use http::header::IF_NONE_MATCH;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The members of a header that is a list.
pub(super) fn members(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// Whether the caller has what it would be sent (RFC 9110, 13.1.2: compared weakly).
pub(super) fn is_known(asked: &HeaderMap, etag: &HeaderValue) -> bool {
    members(asked, IF_NONE_MATCH)
        .map(|known| known.strip_prefix("W/").unwrap_or(known))
        .any(|known| known == "*" || known.as_bytes() == etag.as_bytes())
}
