//! The files of `packages/web` and the list of common passwords, which pages of every origin may load.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE,
    ETAG, IF_NONE_MATCH, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::http::header_list::header_list;
use crate::page::Asset;
use crate::page::web_file::WebFile;
use crate::texts::quality;

/// Long enough for one request per visit, and short enough for a new version to arrive soon.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// For a path that never has another content (RFC 8246).
const CACHE_FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Lets pages that embed only what agrees to it load a file without CORS (Fetch, 3.7).
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The routes of the files. A path with the digest of another release is unknown here.
pub(in crate::http) fn web_files() -> Router {
    WebFile::all().into_iter().fold(Router::new(), |router, file| {
        let route = |cache: HeaderValue| {
            get(async move |headers: HeaderMap| {
                serve(&file.asset, file.content_type, &headers, cache)
            })
        };
        router.route(file.path, route(CACHE)).route(&file.versioned_path, route(CACHE_FOR_EVER))
    })
}

/// The passwords that the policy rejects as too common, for the check while one is typed.
#[utoipa::path(
    get,
    path = "/signup/common-passwords.txt",
    tag = "page",
    responses(
        (
            status = 200,
            description = "One password per line, without the operator's own words; empty if the dictionary is off",
            content_type = "text/plain",
            body = String,
        ),
        (status = 304, description = "The caller's copy is current"),
    )
)]
pub(in crate::http) async fn common_passwords(
    State(asset): State<Arc<Asset>>,
    headers: HeaderMap,
) -> Response {
    serve(&asset, "text/plain; charset=utf-8", &headers, CACHE)
}

/// Responds with a file that pages of every origin may load, or with 304 if the client has it.
pub(super) fn serve(
    asset: &Asset,
    content_type: &'static str,
    headers: &HeaderMap,
    cache: HeaderValue,
) -> Response {
    let gzip = if accepts_gzip(headers) { asset.gzip() } else { None };
    let etag = if gzip.is_some() { &asset.gzip_etag } else { &asset.etag };
    let mut response = if etag_matches(headers, etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Body::from(gzip.unwrap_or(&asset.plain).clone()).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if gzip.is_some() {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, etag.clone());
    headers.insert(CACHE_CONTROL, cache);
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    response
}

/// Returns whether `If-None-Match` names this validator, by weak comparison (RFC 9110, 13.1.2).
fn etag_matches(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    header_list(headers, IF_NONE_MATCH)
        .map(|known| known.strip_prefix("W/").unwrap_or(known))
        .any(|known| known == "*" || known.as_bytes() == etag.as_bytes())
}

/// Returns whether `Accept-Encoding` lists gzip with a quality above zero.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    header_list(headers, ACCEPT_ENCODING).any(|coding| {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip") && quality(parameters) > 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_accepted_with_a_quality_above_zero() {
        for (value, expected) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;Q=0.001", true),
            ("gzip;q=0", false),
            ("gzip;Q=0", false),
            ("gzip ; Q = 0.000", false),
            ("gzip;x=1;q=0", false),
            ("gzip;q=high", false),
            ("br", false),
            ("", false),
        ] {
            let headers = [(ACCEPT_ENCODING, HeaderValue::from_static(value))];
            assert_eq!(accepts_gzip(&headers.into_iter().collect()), expected, "{value}");
        }
    }
}
