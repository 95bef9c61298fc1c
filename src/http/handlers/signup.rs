//! `POST /signup`: read, check every rule, create, answer.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::super::body::Form;
use super::super::observe::OutcomeCode;
use super::super::problem::{Problem, ProblemCode};
use super::super::request_id::RequestId;
use crate::auth0::User;
use crate::domain::{FieldError, NewUser, Rules, Violation};
use crate::signup::{Done, Outcome, Signups};

/// What the route needs of the app.
#[derive(Debug)]
pub struct SignupRoute {
    /// The rules of a form.
    pub rules: Rules,
    /// The use case.
    pub signups: Signups,
    /// How long a body may take.
    pub body_timeout: Duration,
    /// How long the whole request may take.
    pub request_timeout: Duration,
}

impl SignupRoute {
    /// Reads the form and applies every rule. What was typed is dropped with the body.
    async fn read(&self, request: Request) -> Result<NewUser, Problem> {
        let form = Form::read(request, self.body_timeout).await?;
        let submission = form.decode().await?;
        self.rules.check(&submission).map_err(Problem::invalid_fields)
    }
}

/// Signs a person up.
pub(in super::super) async fn signup(
    State(route): State<Arc<SignupRoute>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Result<Response, Problem> {
    let deadline = Instant::now() + route.request_timeout;
    let user = route.read(request).await?;
    match timeout_at(deadline, route.signups.create(user, &id.to_string())).await {
        Ok(done) => answer(done),
        // The create goes on in its own task; here nothing more is known of it.
        Err(_) => Err(Problem::new(ProblemCode::OutcomeUnknown)),
    }
}

/// The outcome as a JSON client is told it.
fn answer(done: Done) -> Result<Response, Problem> {
    let problem = match done.outcome {
        Outcome::Created(user) => return Ok(created(&user)),
        Outcome::PasswordRefused(rule) => {
            let error = FieldError::at("/password", Violation::Password(rule));
            Problem::invalid_fields(vec![error])
        }
        Outcome::Busy { retry_after } => {
            Problem::new(ProblemCode::UpstreamBusy).retry_after(retry_after)
        }
        Outcome::EmailTaken => Problem::new(ProblemCode::EmailTaken),
        Outcome::UsernameTaken => Problem::new(ProblemCode::UsernameTaken),
        Outcome::Rejected => Problem::new(ProblemCode::UpstreamRejected),
        Outcome::Internal => Problem::new(ProblemCode::Internal),
        Outcome::Unavailable => Problem::new(ProblemCode::UpstreamUnavailable),
        Outcome::Unknown => Problem::new(ProblemCode::OutcomeUnknown),
    };
    Err(problem.caused_by(done.cause))
}

#[derive(Serialize)]
struct Created<'a> {
    status: &'static str,
    user: &'a User,
}

fn created(user: &User) -> Response {
    let Ok(body) = serde_json::to_vec(&Created { status: "created", user }) else {
        return Problem::new(ProblemCode::Internal).into_response();
    };
    let mut response =
        (StatusCode::CREATED, [(CONTENT_TYPE, "application/json")], body).into_response();
    response.extensions_mut().insert(OutcomeCode("created"));
    response
}
