//! The id of one request: in the answer, in the log, in the tenant's log as correlation id.

use std::fmt;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use uuid::{Builder, Uuid};

/// The header that carries it.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A UUID v7: unique, and in order of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(Uuid);

impl RequestId {
    /// A new id, at this time since the Unix epoch.
    pub fn new(now: Duration) -> Self {
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        Self(Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid())
    }

    /// As a header's value.
    pub(crate) fn header_value(self) -> HeaderValue {
        let mut buffer = Uuid::encode_buffer();
        let text = self.0.hyphenated().encode_lower(&mut buffer);
        HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("none"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}
