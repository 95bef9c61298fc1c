//! The headers that every call to the Management API has in common.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, CONTENT_TYPE, InvalidHeaderValue};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::BuildError;
use crate::config::Auth0Settings;

/// Returns the headers for these settings.
///
/// # Errors
/// When a setting cannot be sent in a header.
pub(super) fn common(settings: &Auth0Settings) -> Result<HeaderMap, BuildError> {
    let json = HeaderValue::from_static("application/json");
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, json.clone()), (ACCEPT, json)]);
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
