//! `GET /livez` and `GET /readyz`.
//!
//! Liveness depends on nothing. Readiness depends on this process; a tenant that is down makes it
//! *degraded*, since taking it out of the balancer would help nobody.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;

use super::super::observe::Quiet;
use crate::auth0::{Client, TokenHealth};
use crate::lifecycle::Lifecycle;

/// What readyz looks at.
#[derive(Debug, Clone)]
pub struct Readiness {
    /// Whether a stop has begun.
    pub lifecycle: Lifecycle,
    /// Whether there is a token, and whether calls get through.
    pub auth0: Arc<Client>,
}

#[derive(Serialize)]
struct Report {
    status: &'static str,
    checks: Checks,
}

#[derive(Serialize)]
struct Checks {
    process: &'static str,
    auth0: &'static str,
}

impl Readiness {
    fn report(&self) -> (StatusCode, Report) {
        let draining = self.lifecycle.is_draining();
        let auth0 = match self.auth0.token_health() {
            TokenHealth::Good | TokenHealth::Starting if self.auth0.is_failing_fast() => "failing",
            TokenHealth::Good => "ok",
            TokenHealth::Starting => "starting",
            TokenHealth::Failing(_) => "failing",
        };
        let (code, status) = match (draining, auth0) {
            (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
            (false, "failing") => (StatusCode::OK, "degraded"),
            (false, _) => (StatusCode::OK, "ready"),
        };
        let process = if draining { "draining" } else { "ok" };
        (code, Report { status, checks: Checks { process, auth0 } })
    }
}

/// 200 while the process can answer.
pub(in super::super) async fn livez() -> Response {
    answer(StatusCode::OK, &Live { status: "alive" })
}

#[derive(Serialize)]
struct Live {
    status: &'static str,
}

/// 200 while sign-ups are taken, else 503; what is checked is in the body.
pub(in super::super) async fn readyz(State(readiness): State<Readiness>) -> Response {
    let (code, report) = readiness.report();
    answer(code, &report)
}

fn answer(code: StatusCode, body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut response = (code, [(CONTENT_TYPE, "application/json")], body).into_response();
    response.extensions_mut().insert(Quiet);
    response
}
