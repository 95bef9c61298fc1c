//! Conditional requests (RFC 9110, 13).

use http::header::IF_NONE_MATCH;
use http::{HeaderMap, HeaderValue};

use super::header_list::header_list;

/// Returns whether `If-None-Match` names this validator, by weak comparison (RFC 9110, 13.1.2).
pub(super) fn etag_matches(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    header_list(headers, IF_NONE_MATCH)
        .map(|known| known.strip_prefix("W/").unwrap_or(known))
        .any(|known| known == "*" || known.as_bytes() == etag.as_bytes())
}
