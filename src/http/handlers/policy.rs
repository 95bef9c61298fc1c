//! `GET /signup/policy`: the fields and rules of a form, for front ends.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderValue};

use super::assets::serve;
use crate::http::negotiation::{Negotiated, set_language};
use crate::http::policy::SignupPolicy;
use crate::http::schemas;

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
pub(in crate::http) async fn policy(
    State(policy): State<Arc<SignupPolicy>>,
    Extension(negotiated): Extension<Negotiated>,
    headers: HeaderMap,
) -> Response {
    let document = policy.in_language(negotiated.locale);
    let mut response = serve(document, "application/json", &headers, CACHE);
    set_language(&mut response, negotiated.locale);
    response
}
