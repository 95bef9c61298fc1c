//! The outermost layer: finds out whom a request came from, gives it its id, decides how it is
//! answered, renders problems, tells how its address stands, writes the one log event and counts the
//! outcome.

use std::net::{IpAddr, Ipv4Addr};
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

use super::auth0_compat;
use super::limits::RateHeaders;
use super::negotiation::Negotiated;
use super::pages::Pages;
use super::problem::{Problem, ProblemCode, render};
use super::request_id::{RequestId, X_REQUEST_ID};
use super::server::Peer;
use crate::abuse::{Proxies, Resolved};
use crate::clock::Clock;
use crate::page::FORM;
use crate::telemetry::{Metrics, chain};
use crate::texts::Locale;

/// What the layer needs of the app.
#[derive(Debug, Clone)]
pub(super) struct Observer {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) pages: Arc<Pages>,
    /// The language of those who ask for none that there is.
    pub(super) language: Locale,
    pub(super) proxies: Arc<Proxies>,
    pub(super) rate_headers: RateHeaders,
}

impl Observer {
    /// Whom a request came from; the one place that asks.
    fn client(&self, request: &Request) -> Resolved {
        // Only a request that no connection brought, as in a test, has no peer.
        let peer = request.extensions().get().map_or(UNKNOWN, |Peer(address)| *address);
        self.proxies.resolve(peer, request.headers())
    }
}

/// The peer of a request that came over no connection.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

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
    let Resolved { client, by_proxy } = observer.client(&request);
    request.extensions_mut().insert(client);
    let taken_over = if by_proxy { RequestId::of_proxy(request.headers()) } else { None };
    let id = taken_over.unwrap_or_else(|| RequestId::new(observer.clock.now()));
    request.extensions_mut().insert(id);
    let wanted = Negotiated::of(&request, observer.language);
    request.extensions_mut().insert(wanted.clone());
    let tally = RateHeaders::tally(&mut request);
    let exchange = Exchange {
        id,
        method: request.method().clone(),
        route: request.extensions().get::<MatchedPath>().cloned(),
        started: Instant::now(),
        metrics: observer.metrics,
        closed: false,
    };
    // At debug: with it off, as in production, a request pays for one event and no span.
    let span = tracing::debug_span!("http.request", request_id = %id);

    let mut response = next.run(request).instrument(span).await;

    let problem = render(&mut response, id, &wanted, &observer.pages);
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, id.header_value());
    if let Some(tally) = &tally {
        observer.rate_headers.put(tally, headers);
    }
    for (name, value) in &SECURITY_HEADERS {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    exchange.close(&response, problem.as_deref());
    response
}

/// One request from its head to its answer, or to the moment its caller hung up.
struct Exchange {
    id: RequestId,
    method: Method,
    route: Option<MatchedPath>,
    started: Instant,
    metrics: Arc<Metrics>,
    closed: bool,
}

impl Exchange {
    /// Logs and counts the answer.
    fn close(mut self, response: &Response, problem: Option<&Problem>) {
        self.closed = true;
        let code = response.extensions().get::<OutcomeCode>().map_or("ok", |code| code.0);
        self.end(&Answered {
            status: response.status().as_u16(),
            outcome: problem.map_or(code, |problem| problem.code().name()),
            quiet: response.extensions().get::<Quiet>().is_some(),
            problem,
        });
    }

    fn end(&self, answered: &Answered<'_>) {
        answered.log(self);
        if matches!(self.route(), FORM | auth0_compat::SIGN_UP) && self.method == Method::POST {
            self.metrics.signup(answered.outcome, self.started.elapsed());
        }
    }

    fn route(&self) -> &str {
        self.route.as_ref().map_or("none", MatchedPath::as_str)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.closed {
            // The caller hung up, and hyper dropped the rest of the stack. 499 is the status that
            // proxies log for it.
            self.end(&Answered {
                status: 499,
                outcome: "caller_gone",
                quiet: false,
                problem: None,
            });
        }
    }
}

/// What the log event of one request says of its answer. Documented in `docs/operations.md`.
struct Answered<'a> {
    status: u16,
    outcome: &'static str,
    quiet: bool,
    problem: Option<&'a Problem>,
}

/// One event; the level has to be a literal.
macro_rules! answered {
    ($level:ident, $answered:expr, $exchange:expr) => {{
        let Answered { status, outcome, problem, .. } = $answered;
        let Exchange { id, method, started, .. } = $exchange;
        let route = $exchange.route();
        tracing::$level!(
            name: "http.server.response",
            request_id = %id,
            http.request.method = %method,
            http.route = route,
            http.response.status_code = status,
            outcome,
            duration_ms = started.elapsed().as_secs_f64() * 1e3,
            error = problem.and_then(Problem::cause).map(chain),
            "{method} {route} answered {status} {outcome}",
        )
    }};
}

impl Answered<'_> {
    /// Writes the event: an error when a person must act, a warning when the tenant falls short.
    fn log(&self, exchange: &Exchange) {
        match self.problem.map(Problem::code) {
            _ if self.quiet => answered!(debug, self, exchange),
            Some(ProblemCode::Internal | ProblemCode::UpstreamRejected) => {
                answered!(error, self, exchange);
            }
            Some(
                ProblemCode::UpstreamBusy
                | ProblemCode::Unavailable
                | ProblemCode::UpstreamUnavailable
                | ProblemCode::OutcomeUnknown,
            ) => answered!(warn, self, exchange),
            Some(_) | None => answered!(info, self, exchange),
        }
    }
}
