//! `GET /signup/policy`: the fields and rules of a form, for front ends.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::super::negotiation::{Negotiated, set_language};
use super::super::not_modified::etag_matches;
use super::super::policy::SignupPolicy;
use super::super::problem::{Problem, ProblemCode};
use super::super::schemas;

/// A deployment's policy changes only with its settings. But a user who read earlier terms cannot
/// accept the current ones, so a form must not use an old copy for long.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=60");

/// The policy.
#[utoipa::path(
    get,
    path = "/signup/policy",
    tag = "sign-up",
    params(
        ("ui_locales" = Option<String>, Query, description = "Languages, in order of preference"),
    ),
    responses(
        (status = 200, description = "The policy", body = schemas::PolicySchema),
        (status = 304, description = "The caller's copy is current"),
    )
)]
pub(in super::super) async fn policy(
    State(policy): State<Arc<SignupPolicy>>,
    Extension(negotiated): Extension<Negotiated>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let document = policy.in_language(negotiated.locale);
    let document = document.ok_or_else(|| Problem::new(ProblemCode::Internal))?;
    let mut response = if etag_matches(&headers, &document.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, "application/json")], document.body.clone()).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, document.etag.clone());
    headers.insert(CACHE_CONTROL, CACHE);
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    set_language(&mut response, negotiated.locale);
    Ok(response)
}
