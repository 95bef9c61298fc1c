//! `GET /livez` and `GET /readyz`. Liveness depends on nothing.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;

use crate::auth0::UpstreamHealth;
use crate::http::extensions::LogAtDebug;
use crate::readiness::{Readiness, Report};

#[derive(Serialize)]
struct ReadinessBody {
    status: &'static str,
    checks: ReadinessChecks,
}

#[derive(Serialize)]
struct ReadinessChecks {
    process: &'static str,
    ledger: &'static str,
    auth0: &'static str,
    clients: &'static str,
    settings: &'static str,
    clock: &'static str,
}

impl From<Report> for ReadinessBody {
    fn from(report: Report) -> Self {
        let status = match report {
            Report { draining: true, .. } => "draining",
            Report { ledger: false, .. } => "unready",
            Report { auth0: UpstreamHealth::Failing, .. }
            | Report { clients: false, .. }
            | Report { settings: false, .. }
            | Report { clock: false, .. } => "degraded",
            Report { auth0: UpstreamHealth::Good | UpstreamHealth::Starting, .. } => "ready",
        };
        let check = |is_good| if is_good { "ok" } else { "failing" };
        let checks = ReadinessChecks {
            process: if report.draining { "draining" } else { "ok" },
            ledger: check(report.ledger),
            auth0: match report.auth0 {
                UpstreamHealth::Good => "ok",
                UpstreamHealth::Starting => "starting",
                UpstreamHealth::Failing => "failing",
            },
            clients: check(report.clients),
            settings: check(report.settings),
            clock: check(report.clock),
        };
        Self { status, checks }
    }
}

/// 200 while the process runs.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "operations",
    responses((status = 200, description = "The process runs", content_type = "application/json", body = serde_json::Value, example = json!({"status": "alive"})))
)]
pub(in crate::http) async fn livez() -> Response {
    respond(StatusCode::OK, r#"{"status":"alive"}"#)
}

/// 200 while sign-ups are accepted, else 503. The body has the checks.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operations",
    responses(
        (status = 200, description = "Sign-ups are accepted", content_type = "application/json", body = serde_json::Value, example = json!({
            "status": "ready",
            "checks": {"process": "ok", "ledger": "ok", "auth0": "ok", "clients": "ok", "settings": "ok", "clock": "ok"},
        })),
        (status = 503, description = "Sign-ups are rejected", content_type = "application/json", body = serde_json::Value, example = json!({
            "status": "draining",
            "checks": {"process": "draining", "ledger": "ok", "auth0": "ok", "clients": "ok", "settings": "ok", "clock": "ok"},
        })),
    )
)]
pub(in crate::http) async fn readyz(State(readiness): State<Readiness>) -> Response {
    let report = readiness.report().await;
    let code = if report.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    respond(code, serde_json::to_vec(&ReadinessBody::from(report)).unwrap_or_default())
}

fn respond(code: StatusCode, body: impl Into<Body>) -> Response {
    let body: Body = body.into();
    let mut response = (code, [(CONTENT_TYPE, "application/json")], body).into_response();
    response.extensions_mut().insert(LogAtDebug);
    response
}
