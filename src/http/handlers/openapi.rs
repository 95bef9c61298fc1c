//! `GET /openapi.json`: this service, described.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use super::super::openapi::text;

/// Made when it is first asked for.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| text().into());

/// The OpenAPI 3.1 document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    responses((status = 200, description = "This document", content_type = "application/json", body = serde_json::Value))
)]
pub(in super::super) async fn openapi() -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
    ];
    (headers, DOCUMENT.clone()).into_response()
}
