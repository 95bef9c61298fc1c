//! Every route and every layer, in one place.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use http::HeaderValue;
use tower_http::catch_panic::CatchPanicLayer;

use super::head_limits::HeadLimits;
use super::limits::{PostLimit, RateHeaders};
use super::observe::{Observer, observe};
use super::pages::Pages;
use super::pipeline::SignupPipeline;
use super::policy::Policy;
use super::problem::{Problem, ProblemCode, method_not_allowed, not_found, panicked};
use super::{auth0_compat, cors, handlers};
use crate::abuse::{Challenges, ENDPOINT, Proxies};
use crate::clock::Clock;
use crate::page::{FORM, Page, SUCCESS};
use crate::readiness::Readiness;
use crate::telemetry::Metrics;
use crate::texts::Locale;

/// What the routes are made of.
#[derive(Debug, Clone)]
pub struct Parts {
    /// What a post that signs somebody up goes through.
    pub stages: Arc<SignupPipeline>,
    /// What readyz looks at.
    pub readiness: Readiness,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// The pages of browsers.
    pub page: Arc<Page>,
    /// What a sign-up has to prove.
    pub challenges: Arc<Challenges>,
    /// What front ends may know beforehand.
    pub policy: Arc<Policy>,
    /// Whether Auth0's own endpoint is there.
    pub auth0_compat: bool,
    /// The language of those who ask for none that there is.
    pub language: Locale,
    /// Who may say whom a request came from.
    pub proxies: Arc<Proxies>,
}

/// The public listener.
pub fn public(parts: &Parts, allowed_origins: &[HeaderValue]) -> Router {
    let pages = pages(parts, allowed_origins);
    let sign_up = post(handlers::signup);
    let sign_up = sign_up.with_state((Arc::clone(&parts.stages), Arc::clone(&parts.page)));
    let challenge = get(handlers::challenge).with_state(Arc::clone(&parts.challenges));
    let routes = Router::new()
        .route(FORM, sign_up)
        .route(ENDPOINT, challenge)
        .merge(page_routes(parts, Arc::clone(&pages)))
        .route("/signup/policy", get(handlers::policy).with_state(Arc::clone(&parts.policy)))
        .route("/openapi.json", get(handlers::openapi))
        .merge(auth0s(parts))
        .merge(probes(parts));
    // A request meets the observer first, then CORS, so that every refusal below it can be read by
    // the page, then the panic guard, the limit on posts, and the guard against foreign pages. One
    // stack: each layer of its own would box the whole request.
    finish(routes).layer((
        from_fn_with_state(observer(parts, &pages), observe),
        cors::layer(allowed_origins),
        CatchPanicLayer::custom(panicked),
        HeadLimits,
        PostLimit(Arc::clone(&parts.stages.limits)),
        parts.stages.origins.layer(),
    ))
}

/// The listener for probes and metrics.
pub fn admin(parts: &Parts) -> Router {
    // A scraper behind a proxy is no client to be told from others.
    let observer =
        Observer { proxies: Arc::new(Proxies::none()), ..observer(parts, &pages(parts, &[])) };
    let routes = Router::new()
        .route("/metrics", get(handlers::metrics))
        .with_state(Arc::clone(&parts.metrics))
        .merge(probes(parts));
    finish(routes).layer((from_fn_with_state(observer, observe), CatchPanicLayer::custom(panicked)))
}

fn pages(parts: &Parts, origins: &[HeaderValue]) -> Arc<Pages> {
    Arc::new(Pages {
        page: Arc::clone(&parts.page),
        challenges: Arc::clone(&parts.challenges),
        clock: Arc::clone(&parts.clock),
        origins: origins.to_vec(),
    })
}

/// Auth0's own sign-up endpoint.
fn auth0s(parts: &Parts) -> Router {
    if !parts.auth0_compat {
        return Router::new();
    }
    Router::new()
        .route(auth0_compat::SIGN_UP, post(handlers::dbconnections_signup))
        .with_state(Arc::clone(&parts.stages))
        .route(auth0_compat::CHALLENGE, post(handlers::dbconnections_challenge))
}

/// What browsers are shown beside the answer to a post.
fn page_routes(parts: &Parts, pages: Arc<Pages>) -> Router {
    let mut routes = Router::new()
        .route(SUCCESS, get(handlers::success))
        .route("/signup.js", get(handlers::module))
        .route("/signup.d.ts", get(handlers::types));
    if pages.page.settings().enabled {
        let form = match parts.stages.gate.closed().map(Option::<&Arc<str>>::cloned) {
            None => get(handlers::form),
            Some(text) => get(async || Problem::new(ProblemCode::SignupsClosed).told(text)),
        };
        routes = routes.route(FORM, form);
    }
    routes.with_state(pages)
}

fn probes(parts: &Parts) -> Router {
    Router::new()
        .route("/livez", get(handlers::livez))
        .route("/readyz", get(handlers::readyz))
        .with_state(parts.readiness.clone())
}

fn finish(routes: Router) -> Router {
    routes.fallback(not_found).method_not_allowed_fallback(method_not_allowed)
}

fn observer(parts: &Parts, pages: &Arc<Pages>) -> Observer {
    Observer {
        clock: Arc::clone(&parts.clock),
        metrics: Arc::clone(&parts.metrics),
        pages: Arc::clone(pages),
        language: parts.language,
        proxies: Arc::clone(&parts.proxies),
        rate_headers: RateHeaders::new(&parts.stages.limits),
    }
}
