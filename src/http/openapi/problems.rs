//! The problems of each operation, with an example of every code.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::openapi::example::Example;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{Content, Ref, RefOr, Response};

use super::super::paths::{AUTH0_CHALLENGE, AUTH0_SIGN_UP};
use super::super::problem::{Problem, ProblemCode};
use super::super::{auth0_compat, render};
use crate::domain::{FieldError, Violation};
use crate::texts::Locale;

/// The problems of a sign-up.
const SIGN_UP: [ProblemCode; 22] = [
    ProblemCode::MalformedBody,
    ProblemCode::OriginNotAllowed,
    ProblemCode::ChallengeRequired,
    ProblemCode::ChallengeFailed,
    ProblemCode::SignupsClosed,
    ProblemCode::RequestTimeout,
    ProblemCode::EmailTaken,
    ProblemCode::UsernameTaken,
    ProblemCode::IdempotencyInProgress,
    ProblemCode::IdempotencyKeyReused,
    ProblemCode::BodyTooLarge,
    ProblemCode::UnsupportedMediaType,
    ProblemCode::InvalidFields,
    ProblemCode::HeadersTooLarge,
    ProblemCode::RateLimited,
    ProblemCode::Internal,
    ProblemCode::UpstreamRejected,
    ProblemCode::UpstreamBusy,
    ProblemCode::Unavailable,
    ProblemCode::ChallengeUnavailable,
    ProblemCode::UpstreamUnavailable,
    ProblemCode::OutcomeUnknown,
];

/// The problems of every operation.
const COMMON: [ProblemCode; 6] = [
    ProblemCode::MalformedRequest,
    ProblemCode::NotFound,
    ProblemCode::MethodNotAllowed,
    ProblemCode::RateLimited,
    ProblemCode::HeadersTooLarge,
    ProblemCode::Internal,
];

/// Adds the problems of an operation at this path.
pub(super) fn add(path: &str, operation: &mut Operation) {
    let takes_posts = operation.request_body.is_some();
    let own: &[ProblemCode] = match path {
        "/signup" if takes_posts => &SIGN_UP,
        "/signup" => &[ProblemCode::SignupsClosed],
        AUTH0_SIGN_UP => &SIGN_UP,
        "/signup/challenge" => &[ProblemCode::ChallengeUnavailable],
        _ => &[],
    };
    let mut by_status: BTreeMap<String, Vec<(ProblemCode, Value)>> = BTreeMap::new();
    for code in own.iter().chain(&COMMON) {
        let (status, body) = example(path, *code);
        let known = by_status.entry(status).or_default();
        if !known.iter().any(|(known, _)| known == code) {
            known.push((*code, body));
        }
    }
    for (status, examples) in by_status {
        let response = response(path, &examples);
        operation.responses.responses.entry(status).or_insert(RefOr::T(response));
    }
}

fn response(path: &str, examples: &[(ProblemCode, Value)]) -> Response {
    let is_auth0 = is_auth0(path);
    let (media_type, schema) = if is_auth0 {
        ("application/json", "Auth0Error")
    } else {
        ("application/problem+json", "Problem")
    };
    let mut content = Content::new(Some(Ref::from_schema_name(schema)));
    for (code, body) in examples {
        let mut example = Example::new();
        example.summary = Locale::En.text(code.name()).into_owned();
        example.value = Some(body.clone());
        content.examples.insert(code.name().to_owned(), RefOr::T(example));
    }
    let titles = examples.iter().map(|(code, _)| format!("`{}`", code.name()));
    let mut response = Response::new(titles.collect::<Vec<_>>().join(", "));
    response.content.insert(media_type.to_owned(), RefOr::T(content));
    if !is_auth0 {
        let page: Content = Content::new(None::<Ref>);
        response.content.insert("text/html".to_owned(), RefOr::T(page));
    }
    response
}

/// The status and the body of a problem, as rendered at this path.
fn example(path: &str, code: ProblemCode) -> (String, Value) {
    let problem = match code {
        ProblemCode::InvalidFields => {
            let error = FieldError::at("/given_name", Violation::TooLong { max: 150 });
            Problem::invalid_fields(vec![error])
        }
        ProblemCode::RateLimited | ProblemCode::UpstreamBusy => {
            Problem::new(code).retry_after(std::time::Duration::from_secs(30))
        }
        _ => Problem::new(code),
    };
    if is_auth0(path) {
        let error = auth0_compat::error(&problem, None, Locale::En);
        return (error.status.as_str().to_owned(), error.body);
    }
    let mut body = render::example(&problem);
    if let Some(members) = body.as_object_mut() {
        members.insert("request_id".to_owned(), json!("01a21188-436a-7715-b77a-0b10efa8babe"));
    }
    (code.status().as_str().to_owned(), body)
}

fn is_auth0(path: &str) -> bool {
    matches!(path, AUTH0_SIGN_UP | AUTH0_CHALLENGE)
}
