//! `GET /signup.js` and `GET /signup.d.ts`: files that a page of any origin may load.

use std::sync::LazyLock;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE,
    ETAG, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::super::not_modified::{is_known, members};
use crate::page::script::Asset;

/// Long enough that a visit asks once; short enough that a new version arrives with the service.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");

static MODULE_FILE: LazyLock<Asset> = LazyLock::new(Asset::module);
static TYPES_FILE: LazyLock<Asset> = LazyLock::new(Asset::types);

/// The module that enhances forms.
#[utoipa::path(
    get,
    path = "/signup.js",
    responses(
        (
            status = 200,
            description = "The module, in gzip where that is taken",
            content_type = "text/javascript",
            body = String,
        ),
        (status = 304, description = "The caller has it"),
    )
)]
pub(in super::super) async fn module(headers: HeaderMap) -> Response {
    serve(&MODULE_FILE, "text/javascript; charset=utf-8", &headers)
}

/// The types of the module, for TypeScript.
#[utoipa::path(
    get,
    path = "/signup.d.ts",
    responses(
        (
            status = 200,
            description = "Its types, in gzip where that is taken",
            content_type = "text/plain",
            body = String,
        ),
        (status = 304, description = "The caller has it"),
    )
)]
pub(in super::super) async fn types(headers: HeaderMap) -> Response {
    serve(&TYPES_FILE, "text/plain; charset=utf-8", &headers)
}

fn serve(asset: &Asset, kind: &'static str, asked: &HeaderMap) -> Response {
    let gzip = asset.gzip.as_ref().filter(|_| takes_gzip(asked));
    let etag = if gzip.is_some() { &asset.gzip_etag } else { &asset.etag };
    let mut response = if is_known(asked, etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Body::from(gzip.unwrap_or(&asset.plain).clone()).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if gzip.is_some() {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, etag.clone());
    headers.insert(CACHE_CONTROL, CACHE);
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    response
}

/// Whether gzip is named among the codings, and not to refuse it.
fn takes_gzip(asked: &HeaderMap) -> bool {
    members(asked, ACCEPT_ENCODING).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight
            .trim()
            .strip_prefix("q=")
            .is_some_and(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}
