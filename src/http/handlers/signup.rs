//! `POST /signup`: a form in, the user or a problem out.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::super::observe::OutcomeCode;
use super::super::problem::{IDEMPOTENCY_REPLAYED, Problem, ProblemCode};
use super::super::request_id::RequestId;
use super::super::stages::{Created, Stages};
use crate::auth0::User;

/// Signs a person up.
pub(in super::super) async fn signup(
    State(stages): State<Arc<Stages>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Result<Response, Problem> {
    let created = stages.run(request, id).await?;
    Ok(answer(&created))
}

#[derive(Serialize)]
struct Body<'a> {
    status: &'static str,
    user: &'a User,
}

/// The user as a JSON client is told.
fn answer(created: &Created) -> Response {
    let Ok(body) = serde_json::to_vec(&Body { status: "created", user: &created.user }) else {
        return Problem::new(ProblemCode::Internal).into_response();
    };
    let mut response =
        (StatusCode::CREATED, [(CONTENT_TYPE, "application/json")], body).into_response();
    if created.replayed {
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    response.extensions_mut().insert(OutcomeCode("created"));
    response
}
