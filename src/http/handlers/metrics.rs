//! `GET /metrics`, on the admin listener only.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

use super::super::extensions::LogAtDebug;
use crate::telemetry::Metrics;

/// The metrics in the OpenMetrics text format.
pub(in super::super) async fn metrics(State(metrics): State<Arc<Metrics>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let mut response = ([(CONTENT_TYPE, kind)], metrics.encode()).into_response();
    response.extensions_mut().insert(LogAtDebug);
    response
}
