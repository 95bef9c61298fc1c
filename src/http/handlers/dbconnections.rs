//! `POST /dbconnections/signup` and `/challenge`: the public sign-up endpoint as Auth0 has it.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;

use super::super::auth0_compat::signed_up;
use super::super::negotiation::Negotiated;
use super::super::observe::OutcomeCode;
use super::super::openapi::schemas;
use super::super::pipeline::SignupPipeline;
use super::super::problem::{IDEMPOTENCY_REPLAYED, Problem, ProblemCode};
use super::super::request_id::RequestId;

/// Signs a person up.
#[utoipa::path(
    post,
    path = "/dbconnections/signup",
    request_body(
        content(
            (schemas::Auth0SignUp = "application/json"),
            (schemas::Auth0SignUp = "application/x-www-form-urlencoded"),
        ),
    ),
    responses((status = 200, description = "The user exists now", body = schemas::Auth0SignedUp))
)]
pub(in super::super) async fn dbconnections_signup(
    State(stages): State<Arc<SignupPipeline>>,
    Extension(id): Extension<RequestId>,
    Extension(wanted): Extension<Negotiated>,
    request: Request,
) -> Result<Response, Problem> {
    let person = stages.run(request, id, wanted.representation).await?;
    let body = person.user.as_ref().map(|user| signed_up(user, &person.given).to_string());
    let body = body.ok_or_else(|| Problem::new(ProblemCode::Internal))?;
    let mut response = ([(CONTENT_TYPE, "application/json")], body).into_response();
    if person.replayed {
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    response.extensions_mut().insert(OutcomeCode(person.outcome));
    Ok(response)
}

/// Says that Auth0Compat has no captcha to show: what is asked of a form here, it cannot answer.
#[utoipa::path(
    post,
    path = "/dbconnections/signup/challenge",
    responses(
        (status = 200, description = "Always that none is needed", content_type = "application/json", body = serde_json::Value, example = json!({"required": false})),
    )
)]
pub(in super::super) async fn dbconnections_challenge() -> Response {
    ([(CONTENT_TYPE, "application/json")], r#"{"required":false}"#).into_response()
}
