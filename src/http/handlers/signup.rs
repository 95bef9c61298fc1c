//! `POST /signup`: read, check every rule, create, answer.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::super::body::Form;
use super::super::idempotency_key;
use super::super::observe::OutcomeCode;
use super::super::problem::{IDEMPOTENCY_REPLAYED, Problem, ProblemCode};
use super::super::request_id::RequestId;
use crate::auth0::User;
use crate::domain::{FieldError, IdempotencyKey, NewUser, Rules, Violation};
use crate::signup::{self, Done, Outcome, Signups};

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
    async fn read(&self, request: Request) -> Result<(NewUser, Option<IdempotencyKey>), Problem> {
        let header = idempotency_key::header(request.headers());
        let form = Form::read(request, self.body_timeout).await?;
        let submission = form.decode().await?;
        let key = idempotency_key::of(header, &submission);
        match (self.rules.check(&submission), key) {
            (Ok(user), Ok(key)) => Ok((user, key)),
            (Ok(_), Err(fault)) => Err(Problem::invalid_fields(vec![fault])),
            (Err(faults), Ok(_)) => Err(Problem::invalid_fields(faults)),
            (Err(mut faults), Err(fault)) => {
                faults.push(fault);
                Err(Problem::invalid_fields(faults))
            }
        }
    }
}

/// Signs a person up.
pub(in super::super) async fn signup(
    State(route): State<Arc<SignupRoute>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Result<Response, Problem> {
    let deadline = Instant::now() + route.request_timeout;
    let (user, key) = route.read(request).await?;
    let request = signup::Request { user, key, request_id: id.to_string() };
    match timeout_at(deadline, route.signups.create(request)).await {
        Ok(done) => answer(done),
        // The create goes on in its own task; here nothing more is known of it.
        Err(_) => Err(Problem::new(ProblemCode::OutcomeUnknown)),
    }
}

/// The outcome as a JSON client is told it.
fn answer(done: Done) -> Result<Response, Problem> {
    let Done { outcome, replayed, cause } = done;
    let problem = match outcome {
        Outcome::Created(user) => return Ok(created(&user, replayed)),
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
        Outcome::Unreachable => Problem::new(ProblemCode::UpstreamUnavailable),
        Outcome::Unknown => Problem::new(ProblemCode::OutcomeUnknown),
        Outcome::LedgerDown | Outcome::Abandoned => Problem::new(ProblemCode::Unavailable),
        Outcome::KeyReused => Problem::new(ProblemCode::IdempotencyKeyReused),
        Outcome::InProgress => Problem::new(ProblemCode::IdempotencyInProgress),
    };
    Err(problem.replayed(replayed).caused_by(cause))
}

#[derive(Serialize)]
struct Created<'a> {
    status: &'static str,
    user: &'a User,
}

fn created(user: &User, replayed: bool) -> Response {
    let Ok(body) = serde_json::to_vec(&Created { status: "created", user }) else {
        return Problem::new(ProblemCode::Internal).into_response();
    };
    let mut response =
        (StatusCode::CREATED, [(CONTENT_TYPE, "application/json")], body).into_response();
    if replayed {
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    response.extensions_mut().insert(OutcomeCode("created"));
    response
}
