//! `GET /signup/policy`: what a form has to hold, for front ends.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::super::negotiation::Negotiated;
use super::super::not_modified::is_known;
use super::super::openapi::schemas;
use super::super::policy::Policy;
use super::super::problem::{Problem, ProblemCode, say_language};

/// A deployment's policy changes with its settings, so seldom. But who has seen the terms of before
/// cannot accept those of now: a form must not ask by an old copy for long.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=60");

/// The policy, or that the caller has it.
#[utoipa::path(
    get,
    path = "/signup/policy",
    responses(
        (status = 200, description = "The policy", body = schemas::Policy),
        (status = 304, description = "The caller has it"),
    )
)]
pub(in super::super) async fn policy(
    State(policy): State<Arc<Policy>>,
    Extension(wanted): Extension<Negotiated>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let document = policy.in_language(wanted.locale);
    let document = document.ok_or_else(|| Problem::new(ProblemCode::Internal))?;
    let mut response = if is_known(&headers, &document.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, "application/json")], document.body.clone()).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, document.etag.clone());
    headers.insert(CACHE_CONTROL, CACHE);
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    say_language(&mut response, wanted.locale);
    Ok(response)
}
