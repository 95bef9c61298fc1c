//! The outermost layer: resolves the client, assigns the request id, negotiates the response,
//! renders problems, reports the client's limits, logs one event and counts the outcome.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::future::Either;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Method};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::cors::Cors;
use super::extensions::{LogAtDebug, OutcomeCode, PostedByServer, UNKNOWN};
use super::limits::RateLimitHeaders;
use super::negotiation::Negotiated;
use super::pages::Pages;
use super::paths::AUTH0_SIGN_UP;
use super::problem::{Problem, ProblemCode, ProblemSource};
use super::render::render;
use super::request_id::{RequestId, X_REQUEST_ID};
use super::server::Peer;
use crate::abuse::{AddressLog, ClientAddress, Limits, Proxies, Resolved};
use crate::context::Context;
use crate::page::FORM;
use crate::telemetry::{ActiveTrace, SpanValue, Traces, chain};
use crate::texts::Locale;

/// The state of the layer.
#[derive(Debug)]
pub(super) struct Observer {
    /// The clock and the metrics.
    pub(super) context: Context,
    pub(super) pages: Arc<Pages>,
    /// The language of a request that asks for none of the available ones.
    pub(super) language: Locale,
    /// `None` on the admin listener: a scraper's address does not matter, even behind a proxy.
    pub(super) proxies: Option<Arc<Proxies>>,
    pub(super) rate_limit_headers: RateLimitHeaders,
    /// Says which events are logged.
    pub(super) limits: Arc<Limits>,
    /// `None` on the admin listener.
    pub(super) cors: Option<Cors>,
    /// Passes no context on, and exports nothing, on the admin listener.
    pub(super) traces: Traces,
    pub(super) address_log: Arc<AddressLog>,
}

impl Observer {
    /// The client of a request. Nothing else resolves it.
    fn resolve(&self, request: &Request) -> Resolved {
        // The server gives every request its peer.
        let peer = request.extensions().get();
        let peer = peer.map_or(UNKNOWN, |Peer(address)| ClientAddress::new(*address));
        let Some(proxies) = &self.proxies else {
            return Resolved { client: peer, by_proxy: false, by_server: false };
        };
        let resolved = proxies.resolve(peer, request.headers());
        if is_sign_up(request.method().as_str(), request.extensions().get()) {
            proxies.check_sign_up(resolved, request.headers());
        }
        resolved
    }

    /// Runs the rest of the stack. CORS comes first, so that the page can read every rejection.
    async fn run(&self, request: Request, next: Next) -> Response {
        match &self.cors {
            Some(cors) => cors.run(request, next).await,
            None => next.run(request).await,
        }
    }
}

/// The status that proxies log for a client that disconnected.
const GONE: u16 = 499;

/// The outcome of a request whose client disconnected.
const CALLER_GONE: &str = "caller_gone";

/// The outcomes of sign-ups.
pub(super) fn outcomes() -> impl Iterator<Item = &'static str> {
    ProblemCode::ALL.into_iter().map(ProblemCode::name).chain(["created", CALLER_GONE])
}

/// The headers of every response that does not set its own.
static SECURITY_HEADERS: [(HeaderName, HeaderValue); 4] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Handles one request, inside its trace if it has one.
pub(super) async fn observe(
    State(observer): State<Arc<Observer>>,
    request: Request,
    next: Next,
) -> Response {
    let trace =
        ActiveTrace::of_request(&observer.traces, request.headers(), observer.context.clock.now());
    let handled = handle(observer, request, next);
    match trace {
        Some(trace) => Either::Left(trace.scope(handled)),
        None => Either::Right(handled),
    }
    .await
}

/// Does the work of the layer before and after the rest of the stack.
async fn handle(observer: Arc<Observer>, mut request: Request, next: Next) -> Response {
    let Resolved { client, by_proxy, by_server } = observer.resolve(&request);
    request.extensions_mut().insert(client);
    if by_server {
        request.extensions_mut().insert(PostedByServer);
    }
    let is_trusted = by_proxy || by_server;
    let proxy_id = if is_trusted { RequestId::from_proxy(request.headers()) } else { None };
    let id = proxy_id.unwrap_or_else(|| RequestId::new(observer.context.clock.now()));
    request.extensions_mut().insert(id);
    let negotiated = Negotiated::new(&request, observer.language);
    request.extensions_mut().insert(negotiated.clone());
    let report = RateLimitHeaders::start_report(&mut request);
    let exchange = Exchange {
        id,
        client,
        observer: Arc::clone(&observer),
        method: method_name(request.method()),
        route: request.extensions().get::<MatchedPath>().cloned(),
        started: Instant::now(),
        is_closed: false,
    };
    // At debug level: with it off, as in production, a request costs one event and no span.
    let span = tracing::debug_span!("http.request", request_id = %id);

    let mut response = observer.run(request, next).instrument(span).await;

    let problem = render(&mut response, id, &negotiated, &observer.pages);
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, id.header_value());
    if let Some(report) = &report {
        observer.rate_limit_headers.insert(report, headers);
    }
    if observer.context.lifecycle.is_draining() {
        // The client opens its next connection to a service that goes on.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    for (name, value) in &SECURITY_HEADERS {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    exchange.close(&response, problem.as_deref());
    response
}

/// One request, from its head to its response or to the moment the client disconnects.
struct Exchange {
    id: RequestId,
    client: ClientAddress,
    observer: Arc<Observer>,
    method: &'static str,
    route: Option<MatchedPath>,
    started: Instant,
    is_closed: bool,
}

impl Exchange {
    /// Logs and counts the response.
    fn close(mut self, response: &Response, problem: Option<&Problem>) {
        self.is_closed = true;
        let code = response.extensions().get::<OutcomeCode>().map_or("ok", |code| code.0);
        self.end(&ResponseEvent {
            status: response.status().as_u16(),
            outcome: problem.map_or(code, |problem| problem.code.name()),
            at_debug: response.extensions().get::<LogAtDebug>().is_some(),
            problem,
        });
    }

    fn end(&self, event: &ResponseEvent<'_>) {
        let is_admitted = event.log(self);
        if self.is_sign_up() {
            debug_assert!(outcomes().any(|outcome| outcome == event.outcome), "{}", event.outcome);
            self.observer.context.metrics.signup(event.outcome, self.started.elapsed());
        }
        // A caller decides that its trace is recorded, so `limits.events` bounds its spans too.
        if is_admitted && !event.at_debug {
            self.record(event);
        }
    }

    /// Records the span of the request, if it has a trace that is exported.
    fn record(&self, event: &ResponseEvent<'_>) {
        let name = || match &self.route {
            Some(route) => format!("{} {}", self.method, route.as_str()),
            None => self.method.to_owned(),
        };
        let attributes = || {
            let mut attributes = vec![
                ("http.request.method", self.method.into()),
                ("http.response.status_code", event.status.into()),
                ("signup.outcome", event.outcome.into()),
                ("signup.request_id", SpanValue::Text(self.id.to_string())),
            ];
            if let Some(route) = &self.route {
                attributes.push(("http.route", route.as_str().into()));
            }
            if let Some(address) = self.observer.address_log.show(self.client) {
                attributes.push(("client.address", SpanValue::Text(address)));
            }
            attributes
        };
        ActiveTrace::record_request(name, attributes, event.status >= 500);
    }

    fn is_sign_up(&self) -> bool {
        is_sign_up(self.method, self.route.as_ref())
    }

    fn route(&self) -> &str {
        self.route.as_ref().map_or("none", MatchedPath::as_str)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.is_closed {
            // The client disconnected, and hyper dropped the rest of the stack.
            self.end(&ResponseEvent {
                status: GONE,
                outcome: CALLER_GONE,
                at_debug: false,
                problem: None,
            });
        }
    }
}

/// Returns whether a request is a post that signs a user up.
fn is_sign_up(method: &str, route: Option<&MatchedPath>) -> bool {
    method == "POST" && route.is_some_and(|route| matches!(route.as_str(), FORM | AUTH0_SIGN_UP))
}

/// The name of a method in events: `_OTHER` for one that HTTP does not define, as in OpenTelemetry's
/// conventions. A client may send 60,000 bytes of it.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "_OTHER",
    }
}

/// The response, as a request's log event describes it. Documented in `docs/logging.md`.
struct ResponseEvent<'a> {
    status: u16,
    outcome: &'static str,
    at_debug: bool,
    problem: Option<&'a Problem>,
}

/// Logs one event. A macro, since the level has to be a literal.
macro_rules! log_response {
    ($level:ident, $event:expr, $exchange:expr) => {
        log_response!($level, "http.server.response", $event, $exchange)
    };
    ($level:ident, $name:literal, $event:expr, $exchange:expr) => {{
        let ResponseEvent { status, outcome, problem, .. } = $event;
        let Exchange { id, method, started, observer, client, .. } = $exchange;
        let route = $exchange.route();
        tracing::$level!(
            name: $name,
            request_id = %id,
            http.request.method = method,
            http.route = route,
            http.response.status_code = status,
            outcome,
            duration_ms = milliseconds(started.elapsed()),
            client.address = observer.address_log.show(*client),
            error = problem.and_then(Problem::cause).map(chain),
            "{method} {route} returned {status} {outcome}",
        )
    }};
}

impl ResponseEvent<'_> {
    /// Logs the event: as an error when the operator must act, as a warning when the tenant fails.
    /// Returns `false` if its client has too many events.
    fn log(&self, exchange: &Exchange) -> bool {
        let is_form = exchange.is_sign_up() && self.status != GONE;
        match self.problem.map(|problem| problem.code.source()) {
            _ if self.at_debug => log_response!(debug, self, exchange),
            Some(ProblemSource::Operator) => log_response!(error, self, exchange),
            Some(ProblemSource::Dependency) => log_response!(warn, self, exchange),
            // The limit on posts bounds those.
            Some(ProblemSource::Form) | None if is_form => log_response!(info, self, exchange),
            Some(ProblemSource::Form | ProblemSource::Request) | None => {
                if !exchange.observer.limits.admits_event(exchange.client.ip()) {
                    return false;
                }
                // The name does not appear in the log. The writer drops these events first.
                log_response!(info, "http.server.response.minor", self, exchange);
            }
        }
        true
    }
}

/// Milliseconds with three decimals: more digits would be noise.
fn milliseconds(elapsed: Duration) -> f64 {
    f64::from(u32::try_from(elapsed.as_micros()).unwrap_or(u32::MAX)) / 1e3
}
