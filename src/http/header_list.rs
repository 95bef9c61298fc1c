//! Headers whose value is a list (RFC 9110, 5.6.1).

use http::{HeaderMap, HeaderName};

/// The members of a header, of all its lines. Leaves out lines that are not ASCII.
pub(super) fn header_list(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}
