//! Errors as callers see them: problem documents (RFC 9457), or pages for browsers. Made and
//! rendered here alone.
//!
//! A [`Problem`] travels in the extensions of its response until the outermost layer, which knows
//! the request's id, renders it and logs its cause.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, VARY};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

use super::negotiation::Negotiated;
use super::pages::Pages;
use super::representation::Representation;
use super::request_id::RequestId;
use super::{auth0_compat, params};
use crate::abuse::ENDPOINT;
use crate::domain::FieldError;
use crate::page::FormValues;
use crate::texts::Locale;

/// The text of a problem that says what to do, to a developer.
pub(super) const DETAIL: &str = "detail";

/// The same for somebody who signs up, where it differs.
pub(super) const ADVICE: &str = "advice";

/// That where a script shows it, which knows the password still.
pub(super) const ADVICE_WITH_SCRIPT: &str = "advice_with_script";

/// Says that an answer is that of an earlier request with the same idempotency key.
pub(super) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// BeginResult seconds: after so many of them a wait is surely over.
pub(super) const fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(if wait.subsec_nanos() > 0 { 1 } else { 0 })
}

/// What went wrong, as a front end decides on it.
///
/// `docs/api.md` says when each is used; a test holds it to that page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemCode {
    /// Not JSON, not a form, not UTF-8, not an object, no body.
    MalformedBody,
    /// A page of this origin may not post here.
    OriginNotAllowed,
    /// A proof of work or a captcha is needed.
    ChallengeRequired,
    /// The proof is wrong, has expired or was used before.
    ChallengeFailed,
    /// Sign-ups are closed.
    SignupsClosed,
    /// No such route.
    NotFound,
    /// The route takes other methods.
    MethodNotAllowed,
    /// The body did not arrive in time.
    RequestTimeout,
    /// The e-mail address belongs to a user.
    EmailTaken,
    /// The username belongs to a user.
    UsernameTaken,
    /// An attempt with the same idempotency key is still under way.
    IdempotencyInProgress,
    /// The idempotency key belongs to another e-mail address or password.
    IdempotencyKeyReused,
    /// The body is larger than 64 KiB, or has more than 64 parts.
    BodyTooLarge,
    /// Not a media type or charset that is read here, or a content coding.
    UnsupportedMediaType,
    /// Fields break their rules.
    InvalidFields,
    /// The head of the request is too large.
    HeadersTooLarge,
    /// Too many requests of an address, or for an e-mail address.
    RateLimited,
    /// A fault of this service.
    Internal,
    /// The tenant refused for a reason that is the operator's.
    UpstreamRejected,
    /// The tenant's rate limit is reached.
    UpstreamBusy,
    /// The service takes no sign-ups now; nothing was sent to the tenant.
    Unavailable,
    /// The service that judges the captcha does not answer; nothing was sent to the tenant.
    ChallengeUnavailable,
    /// The tenant cannot be reached; surely nothing was created.
    UpstreamUnavailable,
    /// The user may or may not exist now.
    OutcomeUnknown,
}

impl ProblemCode {
    /// Every code.
    pub const ALL: [Self; 24] = [
        Self::MalformedBody,
        Self::OriginNotAllowed,
        Self::ChallengeRequired,
        Self::ChallengeFailed,
        Self::SignupsClosed,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::EmailTaken,
        Self::UsernameTaken,
        Self::IdempotencyInProgress,
        Self::IdempotencyKeyReused,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::InvalidFields,
        Self::HeadersTooLarge,
        Self::RateLimited,
        Self::Internal,
        Self::UpstreamRejected,
        Self::UpstreamBusy,
        Self::Unavailable,
        Self::ChallengeUnavailable,
        Self::UpstreamUnavailable,
        Self::OutcomeUnknown,
    ];

    /// The code on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MalformedBody => "malformed_body",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::ChallengeRequired => "challenge_required",
            Self::ChallengeFailed => "challenge_failed",
            Self::SignupsClosed => "signups_closed",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::EmailTaken => "email_taken",
            Self::UsernameTaken => "username_taken",
            Self::IdempotencyInProgress => "idempotency_in_progress",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::BodyTooLarge => "body_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::InvalidFields => "invalid_fields",
            Self::HeadersTooLarge => "headers_too_large",
            Self::RateLimited => "rate_limited",
            Self::Internal => "internal",
            Self::UpstreamRejected => "upstream_rejected",
            Self::UpstreamBusy => "upstream_busy",
            Self::Unavailable => "unavailable",
            Self::ChallengeUnavailable => "challenge_unavailable",
            Self::UpstreamUnavailable => "upstream_unavailable",
            Self::OutcomeUnknown => "outcome_unknown",
        }
    }

    /// The status of the answer.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::MalformedBody => StatusCode::BAD_REQUEST,
            Self::OriginNotAllowed
            | Self::ChallengeRequired
            | Self::ChallengeFailed
            | Self::SignupsClosed => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::EmailTaken | Self::UsernameTaken | Self::IdempotencyInProgress => {
                StatusCode::CONFLICT
            }
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::InvalidFields | Self::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::UpstreamRejected => StatusCode::BAD_GATEWAY,
            Self::UpstreamBusy | Self::Unavailable | Self::ChallengeUnavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::UpstreamUnavailable | Self::OutcomeUnknown => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

/// An error on its way to the caller, with its cause for the log.
#[derive(Debug, Clone)]
pub struct Problem {
    code: ProblemCode,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    replayed: bool,
    cause: Option<Arc<dyn StdError + Send + Sync>>,
    filled: Option<Arc<FormValues>>,
    locale: Option<Locale>,
    detail: Option<Arc<str>>,
    challenge: bool,
}

impl Problem {
    /// A problem that speaks for itself.
    pub const fn new(code: ProblemCode) -> Self {
        Self {
            code,
            errors: Vec::new(),
            retry_after: None,
            replayed: false,
            cause: None,
            filled: None,
            locale: None,
            detail: None,
            challenge: false,
        }
    }

    /// Fields that break their rules.
    pub fn invalid_fields(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::new(ProblemCode::InvalidFields) }
    }

    /// Says when to come back.
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Says that it is the answer of an earlier request.
    #[must_use]
    pub const fn replayed(mut self, replayed: bool) -> Self {
        self.replayed = replayed;
        self
    }

    /// Notes the cause, for the log alone.
    #[must_use]
    pub fn caused_by(mut self, cause: Option<Arc<dyn StdError + Send + Sync>>) -> Self {
        self.cause = cause;
        self
    }

    /// Notes the form that a browser posted, to be shown again.
    #[must_use]
    pub fn filled(mut self, filled: Option<Arc<FormValues>>) -> Self {
        self.filled = filled;
        self
    }

    /// Notes the language that the form asks for, where there is one.
    #[must_use]
    pub const fn in_language(mut self, locale: Option<Locale>) -> Self {
        self.locale = locale;
        self
    }

    /// Says it in the operator's words.
    #[must_use]
    pub fn told(mut self, detail: Option<Arc<str>>) -> Self {
        self.detail = detail;
        self
    }

    /// Says that one who solves a challenge need not wait.
    #[must_use]
    pub const fn unless_proven(mut self, challenge: bool) -> Self {
        self.challenge = challenge;
        self
    }

    /// What went wrong.
    pub const fn code(&self) -> ProblemCode {
        self.code
    }

    /// Why, for the log.
    pub fn cause(&self) -> Option<&(dyn StdError + 'static)> {
        let cause: &(dyn StdError + 'static) = self.cause.as_deref()?;
        Some(cause)
    }

    /// The whole seconds of `Retry-After`, rounded up.
    pub(super) fn retry_after_s(&self) -> Option<u64> {
        Some(whole_seconds(self.retry_after?))
    }

    /// What the operator says of it.
    pub(super) fn own_detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The fields that break their rules.
    pub(super) fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// The form that a browser posted.
    pub(super) fn form(&self) -> Option<&FormValues> {
        self.filled.as_deref()
    }

    /// The document as an example in English.
    pub(super) fn example(&self) -> Value {
        let id = RequestId::new(Duration::ZERO);
        serde_json::to_value(self.document(id, Locale::En)).unwrap_or_default()
    }

    /// The document.
    fn document(&self, id: RequestId, locale: Locale) -> Document<'_> {
        let code = self.code.name();
        Document {
            r#type: format!("urn:auth0-signup:problem:{code}"),
            title: locale.text(code),
            status: self.code.status().as_u16(),
            detail: match self.own_detail() {
                Some(own) => own.into(),
                None => locale.attribute(code, DETAIL).unwrap_or_default(),
            },
            advice: match self.own_detail() {
                Some(_) => None,
                None => locale
                    .attribute(code, ADVICE_WITH_SCRIPT)
                    .or_else(|| locale.attribute(code, ADVICE)),
            },
            code,
            request_id: id.to_string(),
            retry_after: self.retry_after_s(),
            challenge: self.challenge.then_some(ENDPOINT),
            errors: self.errors.iter().map(|error| FieldDocument::of(error, locale)).collect(),
        }
    }
}

/// Puts the document, or the page, into the answer of a problem and hands the problem on; leaves
/// other answers.
pub(super) fn render(
    response: &mut Response,
    id: RequestId,
    wanted: &Negotiated,
    pages: &Pages,
) -> Option<Arc<Problem>> {
    let problem = response.extensions_mut().remove::<Arc<Problem>>()?;
    // A router inside another may have measured the body that stands in for this one.
    response.headers_mut().remove(CONTENT_LENGTH);
    let locale = problem.locale.unwrap_or(wanted.locale);
    match wanted.representation {
        Representation::Json => {
            let kind = HeaderValue::from_static("application/problem+json");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            let document = serde_json::to_vec(&problem.document(id, locale));
            *response.body_mut() = Body::from(document.unwrap_or_default());
        }
        Representation::Auth0 => {
            let refused = auth0_compat::refused(&problem, Some(&pages.page), locale);
            *response.status_mut() = refused.status;
            let kind = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            *response.body_mut() = Body::from(refused.body.to_string());
        }
        Representation::Page => {
            pages.show(response, &problem, id, locale, wanted.referrer.as_ref());
        }
    }
    say_language(response, locale);
    Some(problem)
}

/// Says in which language a response is, and that another request may be answered otherwise.
pub(super) fn say_language(response: &mut Response, locale: Locale) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(locale.tag()));
    headers.append(VARY, HeaderValue::from_static("accept, accept-language"));
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if self.replayed {
            headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: Cow<'static, str>,
    status: u16,
    detail: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<Cow<'static, str>>,
    code: &'static str,
    request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldDocument<'a>>,
}

#[derive(Serialize)]
struct FieldDocument<'a> {
    pointer: &'a str,
    field: String,
    code: &'static str,
    message: Cow<'static, str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    params: Map<String, Value>,
}

impl<'a> FieldDocument<'a> {
    fn of(error: &'a FieldError, locale: Locale) -> Self {
        Self {
            pointer: &error.pointer,
            field: error.field(),
            code: error.violation.code(),
            message: locale.field_error(error),
            params: params::of(&error.violation),
        }
    }
}

/// The answer to a method that the route does not take; `Allow` is the router's.
pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(ProblemCode::MethodNotAllowed)
}

/// The answer to a path that is no route.
pub(super) async fn not_found() -> Problem {
    Problem::new(ProblemCode::NotFound)
}

/// The answer when a handler panicked. The payload may quote anything, so nobody is shown it.
pub(super) fn panicked(_payload: Box<dyn std::any::Any + Send>) -> Response {
    Problem::new(ProblemCode::Internal).into_response()
}
