//! The `Auth0-Client` header, which names the calling software as Auth0's own SDKs do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::InvalidHeaderValue;
use http::{HeaderName, HeaderValue};

/// The header's name.
pub(super) const NAME: HeaderName = HeaderName::from_static("auth0-client");

/// The name and version of this service as base64 of JSON.
pub(super) fn value() -> Result<HeaderValue, InvalidHeaderValue> {
    let json = concat!(r#"{"name":"auth0-signup","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);
    HeaderValue::from_str(&STANDARD.encode(json))
}
