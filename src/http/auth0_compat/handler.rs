//! `POST /dbconnections/signup` and `/dbconnections/signup/challenge`.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

use super::fields::Auth0Compat;
use super::user;
use crate::form::Submission;
use crate::http::negotiation::Negotiated;
use crate::http::pipeline::SignupPipeline;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;
use crate::http::schemas;
use crate::http::server::RequestConnection;
use crate::limits::AttemptCost;

/// The state of the endpoint.
#[derive(Debug)]
pub(in crate::http) struct Auth0Endpoint {
    pub(in crate::http) pipeline: Arc<SignupPipeline>,
    pub(in crate::http) settings: Arc<Auth0Compat>,
}

/// Signs a user up.
#[utoipa::path(
    post,
    path = "/dbconnections/signup",
    tag = "auth0",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "16 to 255 visible characters, quoted or bare"),
    ),
    request_body(
        content(
            (schemas::Auth0SignUp = "application/json"),
            (schemas::Auth0SignUp = "application/x-www-form-urlencoded"),
            (schemas::Auth0SignUp = "multipart/form-data"),
        ),
    ),
    responses((status = 200, description = "The user exists now", body = schemas::Auth0SignedUp))
)]
pub(in crate::http) async fn dbconnections_signup(
    State(endpoint): State<Arc<Auth0Endpoint>>,
    Extension(id): Extension<RequestId>,
    Extension(connection): Extension<RequestConnection>,
    Extension(negotiated): Extension<Negotiated>,
    request: Request,
) -> Result<Response, Problem> {
    let Auth0Endpoint { pipeline, settings } = &*endpoint;
    let (head, form) = pipeline.receive(request, id, connection).await?;
    let mut members = form.members().await?;
    settings.strip(&mut members)?;
    let submission = Submission::new(members);
    let given = user::given_fields(&submission);
    let parsed = pipeline.parse(head, &submission, negotiated.locale)?;
    // The raw body, with the password, does not outlive its parsing.
    drop(submission);
    drop(form);
    let synthetic_user = user::synthetic_user(&parsed.user);
    let cost = if settings.without_challenge { AttemptCost::Two } else { AttemptCost::One };

    let signed_up = pipeline.run(parsed, cost).await?;

    // It has none where new and known addresses get the same response.
    let user = signed_up.user.as_deref().unwrap_or(&synthetic_user);
    let body = user::body(user, &given, &synthetic_user).to_string();
    let mut response = ([(CONTENT_TYPE, "application/json")], body).into_response();
    signed_up.mark(&mut response);
    Ok(response)
}

/// Reports that Lock has no captcha to show: it cannot solve the challenges of this service.
#[utoipa::path(
    post,
    path = "/dbconnections/signup/challenge",
    tag = "auth0",
    responses(
        (status = 200, description = "No captcha is required", content_type = "application/json", body = serde_json::Value, example = json!({"required": false})),
    )
)]
pub(in crate::http) async fn dbconnections_challenge() -> Response {
    ([(CONTENT_TYPE, "application/json")], r#"{"required":false}"#).into_response()
}
