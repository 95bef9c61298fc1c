//! `GET /metrics`, on the admin listener only.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{CONTENT_TYPE, VARY};

use crate::http::extensions::LogAtDebug;
use crate::http::metrics_format::MetricsFormat;
use crate::telemetry::Metrics;

/// The metrics, in the text format that the scraper prefers.
pub(in crate::http) async fn metrics(
    State(metrics): State<Arc<Metrics>>,
    headers: HeaderMap,
) -> Response {
    let format = MetricsFormat::from_accept(&headers);
    let body = match format {
        MetricsFormat::Text => metrics.encode(),
        MetricsFormat::OpenMetrics => metrics.encode_openmetrics(),
    };
    let head = [(CONTENT_TYPE, format.content_type()), (VARY, "accept")];
    let mut response = (head, body).into_response();
    response.extensions_mut().insert(LogAtDebug);
    response
}
