//! `POST /signup`: takes a form; responds with the user, a redirect or a problem.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, LOCATION};
use serde::Serialize;

use crate::auth0::User;
use crate::form::Submission;
use crate::http::negotiation::{Negotiated, parameter};
use crate::http::pages::Pages;
use crate::http::pipeline::SignupPipeline;
use crate::http::problem::{Problem, ProblemCode};
use crate::http::representation::Representation;
use crate::http::request_id::RequestId;
use crate::http::schemas;
use crate::http::server::RequestConnection;
use crate::limits::AttemptCost;
use crate::page::FormValues;

/// Signs a user up.
#[utoipa::path(
    post,
    path = "/signup",
    tag = "sign-up",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "16 to 255 visible characters, quoted or bare"),
        ("ui_locales" = Option<String>, Query, description = "Languages, in order of preference"),
    ),
    request_body(
        description = "In a form, keys of user_metadata are user_metadata.key or user_metadata[key]",
        content(
            (schemas::SignUp = "application/json"),
            (schemas::SignUp = "application/x-www-form-urlencoded"),
            (schemas::SignUp = "multipart/form-data"),
        ),
    ),
    responses(
        (status = 201, description = "The user exists now", body = schemas::CreatedSchema),
        (status = 202, description = "Accepted, where new and known addresses get the same response", body = schemas::AcceptedSchema),
        (status = 303, description = "The same for a browser that prefers text/html"),
    )
)]
pub(in crate::http) async fn signup(
    State((pipeline, pages)): State<(Arc<SignupPipeline>, Arc<Pages>)>,
    Extension(id): Extension<RequestId>,
    Extension(connection): Extension<RequestConnection>,
    Extension(negotiated): Extension<Negotiated>,
    request: Request,
) -> Result<Response, Problem> {
    let ui_locales = parameter(request.uri(), "ui_locales");
    let (head, form) = pipeline.receive(request, id, connection).await?;
    let submission = Submission::new(form.members().await?);
    let values = (negotiated.representation == Representation::Page)
        .then(|| Box::new(FormValues::from_submission(&submission, ui_locales)));
    let parsed = pipeline.parse(head, &submission, negotiated.locale);
    // The raw body, with the password, does not outlive its parsing.
    drop(submission);
    drop(form);

    let signed_up = match parsed {
        Ok(parsed) => pipeline.run(parsed, AttemptCost::One).await,
        Err(problem) => Err(problem),
    };

    let signed_up = match signed_up {
        Ok(signed_up) => signed_up,
        Err(problem) => return Err(Problem { form: values, ..problem }),
    };
    let mut response = match values {
        Some(values) => see_other(&values, &pages),
        None => json(signed_up.user.as_deref()),
    };
    signed_up.mark(&mut response);
    Ok(response)
}

#[derive(Serialize)]
struct SignupResponse<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a User>,
}

/// The response for a JSON client: the user, or that the sign-up was accepted.
fn json(user: Option<&User>) -> Response {
    let (code, status) = match user {
        Some(_) => (StatusCode::CREATED, "created"),
        None => (StatusCode::ACCEPTED, "accepted"),
    };
    let Ok(body) = serde_json::to_vec(&SignupResponse { status, user }) else {
        return Problem::new(ProblemCode::Internal).into_response();
    };
    (code, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// The redirect for a browser.
fn see_other(values: &FormValues, pages: &Pages) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, pages.success_target(values))]).into_response()
}
