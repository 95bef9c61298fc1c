//! Renders problems: as problem documents (RFC 9457), in Auth0's shapes, or as pages.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::HeaderValue;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_LENGTH, CONTENT_TYPE};
use serde::Serialize;
use serde_json::{Map, Value};

use super::auth0_compat;
use super::negotiation::{Negotiated, set_language};
use super::pages::Pages;
use super::params::violation_params;
use super::problem::{ADVICE, ADVICE_WITH_SCRIPT, DETAIL, HEADING, Problem, ProblemCode};
use super::representation::Representation;
use super::request_id::RequestId;
use crate::abuse::CHALLENGE_PATH;
use crate::domain::FieldError;
use crate::texts::Locale;

/// Renders and returns the problem of a response. Leaves other responses unchanged.
pub(super) fn render(
    response: &mut Response,
    id: RequestId,
    negotiated: &Negotiated,
    pages: &Pages,
) -> Option<Arc<Problem>> {
    let problem = response.extensions_mut().remove::<Arc<Problem>>()?;
    // A nested router may have set the length of the body that is replaced here.
    response.headers_mut().remove(CONTENT_LENGTH);
    let locale = problem.locale.unwrap_or(negotiated.locale);
    let base_path = &pages.page.settings().base_path;
    match negotiated.representation {
        Representation::Json => {
            let kind = HeaderValue::from_static("application/problem+json");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            let has_captcha = pages.page.has_captcha();
            let document =
                ProblemDocument::new(&problem, id.to_string(), locale, base_path, has_captcha);
            *response.body_mut() = Body::from(serde_json::to_vec(&document).unwrap_or_default());
        }
        Representation::Auth0 => {
            let error = auth0_compat::error(&problem, Some(&pages.page), locale);
            *response.status_mut() = error.status;
            let kind = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            *response.body_mut() = Body::from(error.body.to_string());
        }
        Representation::Page => {
            pages.show(response, &problem, id, locale, negotiated.referrer.as_ref());
        }
    }
    if problem.code == ProblemCode::OriginNotAllowed {
        // Else the page could not read why, and would take it for a lost connection.
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    set_language(response, locale);
    Some(problem)
}

/// The document of a problem in English, as an example.
pub(super) fn example(problem: &Problem) -> Value {
    let id = "01a21188-436a-7715-b77a-0b10efa8babe".to_owned();
    let document = ProblemDocument::new(problem, id, Locale::En, "", false);
    serde_json::to_value(document).unwrap_or_default()
}

#[derive(Serialize)]
struct ProblemDocument<'a> {
    r#type: String,
    title: Cow<'static, str>,
    status: u16,
    detail: Cow<'a, str>,
    heading: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<Cow<'static, str>>,
    code: &'static str,
    request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldErrorDocument<'a>>,
}

impl<'a> ProblemDocument<'a> {
    /// `has_captcha`: a challenge is a captcha, which only the user can solve.
    fn new(
        problem: &'a Problem,
        request_id: String,
        locale: Locale,
        base_path: &str,
        has_captcha: bool,
    ) -> Self {
        let code = problem.code.name();
        let advised = if problem.challenge_hint && has_captcha {
            ProblemCode::ChallengeRequired.name()
        } else {
            code
        };
        let (detail, advice) = match problem.detail.as_deref() {
            Some(own) => (own.into(), None),
            None => (
                locale.attribute(code, DETAIL).unwrap_or_default(),
                locale
                    .attribute(advised, ADVICE_WITH_SCRIPT)
                    .or_else(|| locale.attribute(advised, ADVICE)),
            ),
        };
        Self {
            r#type: format!("urn:auth0-signup:problem:{code}"),
            title: locale.text(code),
            status: problem.code.status().as_u16(),
            detail,
            heading: locale.attribute(code, HEADING).unwrap_or_default(),
            advice,
            code,
            request_id,
            retry_after: problem.retry_after_s(),
            challenge: problem.challenge_hint.then(|| format!("{base_path}{CHALLENGE_PATH}")),
            errors: problem
                .errors
                .iter()
                .map(|error| FieldErrorDocument::new(error, locale))
                .collect(),
        }
    }
}

#[derive(Serialize)]
struct FieldErrorDocument<'a> {
    pointer: &'a str,
    field: String,
    code: &'static str,
    message: Cow<'static, str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    params: Map<String, Value>,
}

impl<'a> FieldErrorDocument<'a> {
    fn new(error: &'a FieldError, locale: Locale) -> Self {
        Self {
            pointer: &error.pointer,
            field: error.field(),
            code: error.violation.code(),
            message: locale.field_error(error),
            params: violation_params(&error.violation),
        }
    }
}
