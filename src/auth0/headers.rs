//! The headers that every call to the Management API has in common.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{BuildError, telemetry_header};
use crate::config::Auth0Settings;

/// Returns the headers for these settings.
///
/// # Errors
/// When a setting cannot be sent in a header.
pub(super) fn common(settings: &Auth0Settings) -> Result<HeaderMap, BuildError> {
    let json = HeaderValue::from_static("application/json");
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, json.clone()), (ACCEPT, json)]);
    if settings.telemetry {
        headers.insert(telemetry_header::NAME, telemetry_header::value()?);
    }
    if let Some(domain) = &settings.custom_domain {
        let name = HeaderName::from_static("auth0-custom-domain");
        headers.insert(name, HeaderValue::from_str(domain)?);
    }
    Ok(headers)
}
