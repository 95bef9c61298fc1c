//! `http.allowed_origins`, `http.public_url` and `http.require_origin`: the origins whose pages may
//! post.

use http::HeaderValue;

use super::reader::Reader;
use super::urls;

/// The origins whose pages may post.
#[derive(Debug, Clone)]
pub struct OriginSettings {
    /// Origins that may post and read the responses, as browsers write them.
    pub allowed: Vec<HeaderValue>,
    /// The origin under which browsers reach this service.
    pub own: Option<HeaderValue>,
    /// Rejects posts without an origin.
    pub required: bool,
}

pub(super) fn read(reader: &mut Reader<'_>) -> OriginSettings {
    let expected = "an origin as browsers send it, such as https://www.example.com \
                    (no path, no default port, no wildcard)";
    let allowed = reader.entries("http.allowed_origins", expected, urls::parse_origin);
    let expected = "the URL at which browsers reach the service, on https or http, without ? and #";
    let own = reader.parsed("http.public_url", expected, |text| {
        urls::origin(&urls::parse_public(text)?).parse().ok()
    });
    OriginSettings { allowed, own, required: reader.flag("http.require_origin") }
}
