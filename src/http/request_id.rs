//! The id of a request: in the response, in the log, and in the tenant's log as correlation id.

use std::fmt;
use std::str;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Builder;

/// The header that carries it.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The accepted length of a proxy's id: long enough to be unique, short enough for Auth0's
/// correlation id.
const LENGTHS: std::ops::RangeInclusive<usize> = 8..=MAX_LENGTH;
const MAX_LENGTH: usize = 64;

/// A UUID v7, which is unique and ordered by time, or the id that a trusted proxy set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestId {
    text: [u8; MAX_LENGTH],
    length: usize,
}

impl RequestId {
    /// A new id, for this time since the Unix epoch.
    pub(super) fn new(now: Duration) -> Self {
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let uuid = Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid();
        let mut text = [0; MAX_LENGTH];
        let length = uuid.hyphenated().encode_lower(&mut text).len();
        Self { text, length }
    }

    /// The id that a proxy set: one header of 8 to 64 characters of `A-Za-z0-9._-`.
    pub(super) fn from_proxy(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(X_REQUEST_ID).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let given = value.as_bytes();
        let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        if !LENGTHS.contains(&given.len()) || !given.iter().all(is_allowed) {
            return None;
        }
        let mut text = [0; MAX_LENGTH];
        text.get_mut(..given.len())?.copy_from_slice(given);
        Some(Self { text, length: given.len() })
    }

    fn as_str(&self) -> &str {
        let text = self.text.get(..self.length).and_then(|text| str::from_utf8(text).ok());
        text.unwrap_or_default()
    }

    /// The id as a header's value.
    pub(crate) fn header_value(self) -> HeaderValue {
        HeaderValue::from_str(self.as_str()).unwrap_or(HeaderValue::from_static("none"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn from_proxy(values: &[&str]) -> Option<String> {
        let values = values.iter().map(|value| (X_REQUEST_ID, value.parse().unwrap()));
        RequestId::from_proxy(&values.collect()).map(|id| id.to_string())
    }

    #[test]
    fn a_proxys_id_is_used_if_it_is_valid() {
        for id in
            ["abcdefgh", "01a21089-f5c1-72a8-88c0-fb2b4c813f7f", &"x".repeat(64), "A.b_c-1234"]
        {
            assert_eq!(from_proxy(&[id]).as_deref(), Some(id));
        }
        for id in ["", "abcdefg", &"x".repeat(65), "abcd efgh", "abcdefgh\u{e9}", "a=b;c=d,e"] {
            assert_eq!(from_proxy(&[id]), None, "{id}");
        }
        assert_eq!(from_proxy(&["abcdefgh", "abcdefgh"]), None);
    }

    #[test]
    fn new_ids_are_uuids_ordered_by_time() {
        let [earlier, later] = [1, 2].map(|s| RequestId::new(Duration::from_secs(s)).to_string());
        assert!(earlier < later && Uuid::parse_str(&later).is_ok(), "{earlier} {later}");
    }
}
