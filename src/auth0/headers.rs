//! The headers that calls to the tenant have in common.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, InvalidHeaderValue};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::BuildError;
use crate::config::Auth0Settings;

/// Asks for a response without an encoding. Without this header any is acceptable (RFC 9110, section
/// 12.5.3).
pub(super) const NO_ENCODING: (HeaderName, HeaderValue) =
    (ACCEPT_ENCODING, HeaderValue::from_static("identity"));

/// Returns the headers of calls to the Management API, for these settings.
///
/// # Errors
/// When a setting cannot be sent in a header.
pub(super) fn common(settings: &Auth0Settings) -> Result<HeaderMap, BuildError> {
    let json = HeaderValue::from_static("application/json");
    // With room for those that a call adds.
    let mut headers = HeaderMap::with_capacity(12);
    headers.extend([(CONTENT_TYPE, json.clone()), (ACCEPT, json), NO_ENCODING]);
    if settings.telemetry {
        headers.insert(HeaderName::from_static("auth0-client"), telemetry()?);
    }
    if let Some(domain) = &settings.custom_domain {
        let name = HeaderName::from_static("auth0-custom-domain");
        headers.insert(name, HeaderValue::from_str(domain)?);
    }
    Ok(headers)
}

/// The value of `Auth0-Client`, which names the calling software as Auth0's own SDKs do: the name and
/// version of this service as base64 of JSON.
fn telemetry() -> Result<HeaderValue, InvalidHeaderValue> {
    let json = concat!(r#"{"name":"auth0-signup","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);
    HeaderValue::from_str(&STANDARD.encode(json))
}
