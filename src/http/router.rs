//! Every route and every layer, but for the base path around them.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::HeaderName;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::validate_request::ValidateRequestHeaderLayer;

use super::auth0_compat::{
    Auth0Compat, Auth0Endpoint, dbconnections_challenge, dbconnections_signup,
};
use super::cors::Cors;
use super::limits::{RateLimitHeaders, charge_post};
use super::observe::{Observer, observe, outcomes};
use super::origins::Origins;
use super::pages::Pages;
use super::paths::{AUTH0_CHALLENGE, AUTH0_SIGN_UP};
use super::pipeline::SignupPipeline;
use super::policy::SignupPolicy;
use super::problem::{Problem, ProblemCode};
use super::sealed_greeting::SealedGreetings;
use super::{handlers, head_limits, openapi};
use crate::abuse::{AddressLog, CHALLENGE_PATH, Proxies};
use crate::context::Context;
use crate::page::{Asset, FORM, Page, SUCCESS};
use crate::readiness::Readiness;
use crate::telemetry::Traces;
use crate::texts::Locale;

/// The parts that routes and layers are made of.
#[derive(Debug)]
pub struct RouterState {
    /// The clock and the metrics.
    pub context: Context,
    /// The stages of a sign-up.
    pub pipeline: Arc<SignupPipeline>,
    /// The checks of `/readyz`.
    pub readiness: Readiness,
    /// The built-in pages.
    pub page: Arc<Page>,
    /// The document of `/signup/policy`.
    pub policy: Arc<SignupPolicy>,
    /// Auth0's own endpoint, if it is enabled.
    pub auth0_compat: Option<Arc<Auth0Compat>>,
    /// The language of a request that asks for none of the available ones.
    pub language: Locale,
    /// The proxies and servers that may name a request's client.
    pub proxies: Arc<Proxies>,
    /// The further headers that pages of other origins may send.
    pub allowed_headers: Vec<HeaderName>,
    /// The traces of requests to the public listener.
    pub traces: Traces,
    /// The part of a client's address that the log shows.
    pub address_log: Arc<AddressLog>,
}

/// The router of the public listener.
pub fn public(state: &RouterState) -> Router {
    let pipeline = &state.pipeline;
    let pages = pages(state, Some(pipeline.origins.clone()));
    let sign_up = post(handlers::signup).with_state((Arc::clone(pipeline), Arc::clone(&pages)));
    let challenge = get(handlers::challenge).with_state(Arc::clone(pipeline));
    let policy = get(handlers::policy).with_state(Arc::clone(&state.policy));
    let common = Arc::new(Asset::common_passwords(&pipeline.rules.password));
    let common_passwords = get(handlers::common_passwords).with_state(common);
    let routes = Router::new()
        .route(FORM, sign_up)
        .route(CHALLENGE_PATH, challenge)
        .merge(page_routes(pipeline, Arc::clone(&pages)))
        .route("/signup/policy", policy)
        .route("/signup/common-passwords.txt", common_passwords)
        .merge(handlers::web_files())
        .route("/openapi.json", get(async || handlers::openapi(openapi::bytes())))
        .merge(auth0_routes(state))
        .merge(probes(state));
    let observer = Observer {
        proxies: Some(Arc::clone(&state.proxies)),
        cors: Some(Cors::new(pipeline.origins.clone(), &state.allowed_headers)),
        traces: state.traces.clone(),
        ..observer(state, Arc::clone(&pages))
    };
    state.context.metrics.start_outcomes(outcomes());
    let limits = Arc::clone(&pipeline.limits);
    let origins = pipeline.origins.clone();
    // The order: the observer with CORS, the panic guard, the checks on the head, the origin check,
    // the limit on posts. A post that another page made a browser send costs its user no permit.
    // One tuple: axum boxes the request's future once per `layer` call.
    with_fallbacks(routes).layer((
        from_fn_with_state(Arc::new(observer), observe),
        CatchPanicLayer::custom(panicked),
        reject_if(head_limits::check),
        reject_if(move |request| origins.check(request)),
        reject_if(move |request| charge_post(&limits, request)),
    ))
}

/// The router of the admin listener: probes and metrics.
pub fn admin(state: &RouterState) -> Router {
    let observer = observer(state, pages(state, None));
    let routes = Router::new()
        .route("/metrics", get(handlers::metrics))
        .with_state(Arc::clone(&state.context.metrics))
        .merge(probes(state));
    with_fallbacks(routes).layer((
        from_fn_with_state(Arc::new(observer), observe),
        CatchPanicLayer::custom(panicked),
        reject_if(head_limits::check),
    ))
}

/// A layer that responds with a check's problem, or else runs the layers inside it.
#[expect(clippy::result_large_err, reason = "tower-http takes a response as the error")]
fn reject_if<C>(check: C) -> ValidateRequestHeaderLayer<impl FnMut(&mut Request) -> Checked + Clone>
where
    C: Fn(&Request) -> Result<(), Problem> + Clone,
{
    ValidateRequestHeaderLayer::custom(move |request: &mut Request| {
        check(request).map_err(Problem::into_response)
    })
}

/// A check's result as the layer expects it.
type Checked = Result<(), Response>;

fn pages(state: &RouterState, origins: Option<Origins>) -> Arc<Pages> {
    Arc::new(Pages {
        page: Arc::clone(&state.page),
        challenges: Arc::clone(&state.pipeline.challenges),
        clock: Arc::clone(&state.context.clock),
        greetings: SealedGreetings::new(&state.context.digests),
        origins,
    })
}

/// Auth0's own sign-up endpoint.
fn auth0_routes(state: &RouterState) -> Router {
    let Some(settings) = state.auth0_compat.clone() else { return Router::new() };
    let endpoint = Auth0Endpoint { pipeline: Arc::clone(&state.pipeline), settings };
    Router::new()
        .route(AUTH0_SIGN_UP, post(dbconnections_signup))
        .with_state(Arc::new(endpoint))
        .route(AUTH0_CHALLENGE, post(dbconnections_challenge))
}

/// The built-in pages.
fn page_routes(pipeline: &SignupPipeline, pages: Arc<Pages>) -> Router {
    let mut routes = Router::new().route(SUCCESS, get(handlers::success));
    if pages.page.settings().example {
        routes = routes.route("/example", get(handlers::example));
    }
    if pages.page.settings().enabled {
        let form = match pipeline.switch.check() {
            Ok(()) => get(handlers::form),
            Err(text) => {
                get(async || Problem { detail: text, ..Problem::new(ProblemCode::SignupsClosed) })
            }
        };
        routes = routes.route(FORM, form).route("/", get(handlers::root));
    }
    routes.with_state(pages)
}

fn probes(state: &RouterState) -> Router {
    Router::new()
        .route("/livez", get(handlers::livez))
        .route("/readyz", get(handlers::readyz))
        .with_state(state.readiness.clone())
}

fn with_fallbacks(routes: Router) -> Router {
    // The router sets `Allow`.
    routes
        .fallback(async || Problem::new(ProblemCode::NotFound))
        .method_not_allowed_fallback(async || Problem::new(ProblemCode::MethodNotAllowed))
}

/// The response after a handler panicked. The payload may quote anything, so nothing shows it.
fn panicked(_payload: Box<dyn std::any::Any + Send>) -> Response {
    Problem::new(ProblemCode::Internal).into_response()
}

/// The outermost layer of a listener whose requests come from no clients.
fn observer(state: &RouterState, pages: Arc<Pages>) -> Observer {
    Observer {
        limits: Arc::clone(&state.pipeline.limits),
        context: state.context.clone(),
        pages,
        language: state.language,
        proxies: None,
        rate_limit_headers: RateLimitHeaders::new(&state.pipeline.limits),
        cors: None,
        traces: Traces::default(),
        address_log: Arc::clone(&state.address_log),
    }
}
