//! `POST /signup`: a form in, the user, a redirection or a problem out.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::super::negotiation::Negotiated;
use super::super::observe::OutcomeCode;
use super::super::openapi::schemas;
use super::super::pipeline::{SignedUp, SignupPipeline};
use super::super::problem::{IDEMPOTENCY_REPLAYED, Problem, ProblemCode};
use super::super::representation::Representation;
use super::super::request_id::RequestId;
use crate::auth0::User;
use crate::page::Page;

/// Signs a person up.
#[utoipa::path(
    post,
    path = "/signup",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "16 to 255 visible characters, quoted or bare"),
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
        (status = 201, description = "The user exists now", body = schemas::Created),
        (status = 202, description = "Taken, where new and known addresses are answered alike", body = schemas::Accepted),
        (status = 303, description = "The same for a browser that prefers text/html"),
    )
)]
pub(in super::super) async fn signup(
    State((stages, page)): State<(Arc<SignupPipeline>, Arc<Page>)>,
    Extension(id): Extension<RequestId>,
    Extension(wanted): Extension<Negotiated>,
    request: Request,
) -> Result<Response, Problem> {
    let signed_up = stages.run(request, id, wanted.representation).await?;
    let mut response = match wanted.representation {
        Representation::Json | Representation::Auth0 => answer(&signed_up),
        Representation::Page => see_other(&signed_up, &page),
    };
    if signed_up.replayed {
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    response.extensions_mut().insert(OutcomeCode(signed_up.outcome));
    Ok(response)
}

#[derive(Serialize)]
struct Body<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a User>,
}

/// The user as a JSON client is told, or the same of every address.
fn answer(signed_up: &SignedUp) -> Response {
    let (status, name) = match signed_up.user {
        Some(_) => (StatusCode::CREATED, "created"),
        None => (StatusCode::ACCEPTED, "accepted"),
    };
    let Ok(body) = serde_json::to_vec(&Body { status: name, user: signed_up.user.as_deref() })
    else {
        return Problem::new(ProblemCode::Internal).into_response();
    };
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// Where a browser goes on.
fn see_other(signed_up: &SignedUp, page: &Page) -> Response {
    let form = signed_up.filled.clone().unwrap_or_default();
    let target = page.success_target(&form).into_owned();
    (StatusCode::SEE_OTHER, [(LOCATION, target)]).into_response()
}
