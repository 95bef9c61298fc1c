//! A response of the tenant, read to its end.

use std::mem::take;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::error::TransportError;

/// The bytes of a body after which no further chunk is read. A user that was just created has what was sent, and
/// a lookup by e-mail address asks for no metadata, which may take a megabyte.
const MAX_BODY: usize = 256 * 1024;

/// A response of the tenant. Its status counts even when its body is unreadable.
#[derive(Debug)]
pub(crate) struct ApiResponse {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// The time of its arrival by this machine's wall clock, since the Unix epoch.
    pub(super) received_at: Duration,
    /// `None` when it is unreadable: it broke off, was longer than [`MAX_BODY`], or is encoded.
    body: Option<Bytes>,
}

impl ApiResponse {
    /// Reads the body of a response that arrived at this time.
    pub(super) async fn read(mut response: reqwest::Response, received_at: Duration) -> Self {
        let (status, headers) = (response.status().as_u16(), take(response.headers_mut()));
        let is_readable = |body: &Bytes| !is_encoded(&headers) || is_json(body);
        let body = read_body(response).await.map(without_byte_order_mark).filter(is_readable);
        Self { status, headers, received_at, body }
    }

    /// A response that was read elsewhere.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn new(status: u16, headers: HeaderMap, body: impl Into<Bytes>) -> Self {
        let received_at = Duration::from_secs(1_790_000_001);
        Self { status, headers, received_at, body: Some(body.into()) }
    }

    /// The body; empty when it is unreadable.
    pub(super) fn body(&self) -> &[u8] {
        self.body.as_deref().unwrap_or_default()
    }

    /// Returns whether only the status is known, not the body.
    pub(super) const fn is_unreadable(&self) -> bool {
        self.body.is_none()
    }

    /// The body parsed as JSON.
    ///
    /// # Errors
    /// [`TransportError::Unreadable`] when it is unreadable or something else.
    pub(super) fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, TransportError> {
        serde_json::from_slice(self.body()).map_err(|_| TransportError::Unreadable(self.status))
    }

    /// Auth0's own id of the request, for its support: at most 64 letters, digits and hyphens.
    pub(super) fn auth0_request_id(&self) -> Option<String> {
        let names = ["ot-baggage-auth0-request-id", "x-auth0-requestid", "cf-ray"];
        let mut ids = names.into_iter().filter_map(|name| self.headers.get(name)?.to_str().ok());
        let is_harmless = |id: &&str| {
            let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            (1..=64).contains(&id.len()) && plain
        };
        ids.find(is_harmless).map(str::to_owned)
    }
}

/// A body without the byte order mark that some proxies put in front of JSON (RFC 8259, section 8.1).
fn without_byte_order_mark(mut body: Bytes) -> Bytes {
    if body.starts_with("\u{feff}".as_bytes()) {
        body.advance(3);
    }
    body
}

/// Returns whether a body comes in an encoding. `identity` is asked for, but something on the way may compress
/// what it has inspected.
fn is_encoded(headers: &HeaderMap) -> bool {
    let is_plain = |encoding: &HeaderValue| {
        encoding.is_empty() || encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    };
    !headers.get_all(CONTENT_ENCODING).iter().all(is_plain)
}

/// Returns whether a body is JSON, whatever its headers say: some proxies name a charset as the encoding.
fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

/// Reads a body; the common one that arrives in a single chunk is not copied. `None` when it breaks off
/// or goes on after [`MAX_BODY`].
async fn read_body(mut response: reqwest::Response) -> Option<Bytes> {
    let Some(first) = response.chunk().await.ok()? else { return Some(Bytes::new()) };
    let Some(second) = response.chunk().await.ok()? else { return Some(first) };
    let mut body = BytesMut::from(&first[..]);
    body.extend_from_slice(&second);
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() > MAX_BODY {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body.freeze())
}
