//! The outermost layer: gives each request its id, renders problems, writes the one log event and
//! counts the outcome.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Method};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::problem::{Problem, ProblemCode, render};
use super::request_id::{RequestId, X_REQUEST_ID};
use crate::clock::Clock;
use crate::telemetry::Metrics;

/// What the layer needs of the app.
#[derive(Debug, Clone)]
pub(super) struct Observer {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
}

/// In the extensions of a sign-up's answer: the code of an outcome that is no problem.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutcomeCode(pub(super) &'static str);

/// In the extensions of a probe's answer: not worth an event at info.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quiet;

/// On every answer that does not set its own.
static SECURITY_HEADERS: [(HeaderName, HeaderValue); 4] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Runs the rest of the stack around one request.
pub(super) async fn observe(
    State(observer): State<Observer>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = RequestId::new(observer.clock.now());
    request.extensions_mut().insert(id);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    // At debug: with it off, as in production, a request pays for one event and no span.
    let span = tracing::debug_span!("http.request", request_id = %id);

    let mut response = next.run(request).instrument(span).await;

    let problem = render(&mut response, id);
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, id.header_value());
    for (name, value) in &SECURITY_HEADERS {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    let answered = Answered {
        id,
        method: &method,
        route: route.as_ref().map_or("none", MatchedPath::as_str),
        outcome: problem.as_ref().map_or_else(
            || response.extensions().get::<OutcomeCode>().map_or("ok", |code| code.0),
            |problem| problem.code().name(),
        ),
        quiet: response.extensions().get::<Quiet>().is_some(),
        problem: problem.as_deref(),
        status: response.status().as_u16(),
        started,
    };
    answered.log();
    if answered.route == "/signup" && method == Method::POST {
        observer.metrics.signup(answered.outcome, started.elapsed());
    }
    response
}

/// What the log event of one request says. Documented in `docs/logging.md`.
struct Answered<'a> {
    id: RequestId,
    method: &'a Method,
    route: &'a str,
    outcome: &'static str,
    quiet: bool,
    problem: Option<&'a Problem>,
    status: u16,
    started: Instant,
}

/// One event; the level has to be a literal.
macro_rules! answered {
    ($level:ident, $answered:expr) => {{
        let Answered { id, method, route, outcome, problem, status, started, .. } = $answered;
        let cause = problem.and_then(Problem::cause);
        tracing::$level!(
            name: "http.server.response",
            request_id = %id,
            http.request.method = %method,
            http.route = route,
            http.response.status_code = status,
            outcome,
            duration_ms = started.elapsed().as_secs_f64() * 1e3,
            error = cause,
            "{method} {route} answered {status} {outcome}",
        )
    }};
}

impl Answered<'_> {
    /// Writes the event: an error when a person must act, a warning when the tenant falls short.
    fn log(&self) {
        match self.problem.map(Problem::code) {
            _ if self.quiet => answered!(debug, self),
            Some(ProblemCode::Internal | ProblemCode::UpstreamRejected) => answered!(error, self),
            Some(
                ProblemCode::UpstreamBusy
                | ProblemCode::Unavailable
                | ProblemCode::UpstreamUnavailable
                | ProblemCode::OutcomeUnknown,
            ) => answered!(warn, self),
            Some(_) | None => answered!(info, self),
        }
    }
}
