//! The problems of each operation, with an example of every code.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use utoipa::openapi::example::Example;
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::{Content, Ref, RefOr, Response};

use crate::abuse::CHALLENGE_PATH;
use crate::domain::{FieldError, Violation};
use crate::http::paths::{AUTH0_CHALLENGE, AUTH0_SIGN_UP};
use crate::http::problem::{Problem, ProblemCode};
use crate::http::{auth0_compat, render};
use crate::page::FORM;
use crate::texts::Locale;

/// The problems of every operation.
const COMMON: [ProblemCode; 5] = [
    ProblemCode::MalformedRequest,
    ProblemCode::NotFound,
    ProblemCode::MethodNotAllowed,
    ProblemCode::HeadersTooLarge,
    ProblemCode::Internal,
];

/// The problems of every post, whatever its path.
const POST: [ProblemCode; 2] = [ProblemCode::OriginNotAllowed, ProblemCode::RateLimited];

/// Adds the problems of an operation at this path.
pub(super) fn add(path: &str, method: &HttpMethod, operation: &mut Operation) {
    let own: &[ProblemCode] = match (path, method) {
        // Everything can go wrong with a sign-up.
        (FORM | AUTH0_SIGN_UP, HttpMethod::Post) => &ProblemCode::ALL,
        (_, HttpMethod::Post) => &POST,
        (FORM, _) => &[ProblemCode::SignupsClosed],
        (CHALLENGE_PATH, _) => &[
            ProblemCode::OriginNotAllowed,
            ProblemCode::RateLimited,
            ProblemCode::ChallengeUnavailable,
        ],
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
            Problem::new(code).retry_after(Duration::from_secs(30))
        }
        _ => Problem::new(code),
    };
    if is_auth0(path) {
        let error = auth0_compat::error(&problem, None, Locale::En);
        return (error.status.as_str().to_owned(), error.body);
    }
    (code.status().as_str().to_owned(), render::example(&problem))
}

fn is_auth0(path: &str) -> bool {
    matches!(path, AUTH0_SIGN_UP | AUTH0_CHALLENGE)
}
