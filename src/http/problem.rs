//! Errors as clients see them.
//!
//! A [`Problem`] travels in the extensions of its response until the outermost layer, which knows
//! the request's id, renders it (`render`) and logs its cause.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::abuse::IssueError;
use crate::domain::FieldError;
use crate::page::FormValues;
use crate::signup::Rejection;
use crate::texts::Locale;

/// The attribute of a problem's text that advises a developer.
pub(super) const DETAIL: &str = "detail";

/// The attribute with the heading of a problem, for the user.
pub(super) const HEADING: &str = "heading";

/// The attribute that advises the user. The problem of invalid fields has none.
pub(super) const ADVICE: &str = "advice";

/// The advice as a script shows it: its form still has the password.
pub(super) const ADVICE_WITH_SCRIPT: &str = "advice_with_script";

/// Marks the response of an earlier request with the same idempotency key.
pub(super) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A wait in whole seconds, rounded up so that no client retries too early.
pub(super) const fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(if wait.subsec_nanos() > 0 { 1 } else { 0 })
}

/// Declares [`ProblemCode`] from one entry for each code: its variant, its name on the wire, its status,
/// its source, its usual wait in seconds (0 for none) and the user's next step.
macro_rules! problem_codes {
    ($(
        #[doc = $doc:literal]
        $code:ident $name:literal $status:ident $source:ident $wait:literal $next_step:ident;
    )*) => {
        /// The kind of a problem, which front ends decide on. `docs/api.md` says when each is used.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(super) enum ProblemCode {
            $(#[doc = $doc] $code,)*
        }

        impl ProblemCode {
            /// Every code.
            pub(super) const ALL: [Self; [$($name),*].len()] = [$(Self::$code),*];

            /// The code on the wire.
            pub(super) const fn name(self) -> &'static str {
                match self {
                    $(Self::$code => $name,)*
                }
            }

            /// The status of the response.
            pub(super) const fn status(self) -> StatusCode {
                match self {
                    $(Self::$code => StatusCode::$status,)*
                }
            }

            /// Its source.
            pub(super) const fn source(self) -> ProblemSource {
                match self {
                    $(Self::$code => ProblemSource::$source,)*
                }
            }

            /// The wait of a problem that a repetition of the request may resolve, where nothing
            /// else is known about it. Every 503 has one.
            const fn default_wait(self) -> Option<Duration> {
                let seconds = match self {
                    $(Self::$code => $wait,)*
                };
                if seconds == 0 { None } else { Some(Duration::from_secs(seconds)) }
            }

            /// The user's next step after it.
            pub(super) const fn next_step(self) -> NextStep {
                match self {
                    $(Self::$code => NextStep::$next_step,)*
                }
            }
        }
    };
}

problem_codes! {
    /// The body is missing, or is not JSON, a form, UTF-8 or an object.
    MalformedBody "malformed_body" BAD_REQUEST Request 0 None;
    /// The request has no valid `Host`, or several.
    MalformedRequest "malformed_request" BAD_REQUEST Request 0 None;
    /// Pages of this origin may not post here.
    OriginNotAllowed "origin_not_allowed" FORBIDDEN Request 0 None;
    /// A proof of work or a captcha is required.
    ChallengeRequired "challenge_required" FORBIDDEN Form 0 Retry;
    /// The proof is wrong, has expired or was used before.
    ChallengeFailed "challenge_failed" FORBIDDEN Form 0 Retry;
    /// Sign-ups are closed.
    SignupsClosed "signups_closed" FORBIDDEN Request 0 None;
    /// No such route.
    NotFound "not_found" NOT_FOUND Request 0 None;
    /// The route takes other methods.
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED Request 0 None;
    /// The body did not arrive in time, or the service needed its memory for others or stops.
    RequestTimeout "request_timeout" REQUEST_TIMEOUT Request 0 None;
    /// The e-mail address belongs to a user.
    // The old key would replay it.
    EmailTaken "email_taken" CONFLICT Form 0 StartOver;
    /// The username belongs to a user.
    UsernameTaken "username_taken" CONFLICT Form 0 Retry;
    /// An attempt with the same idempotency key is in progress.
    // The running attempt is done soon, in the usual case.
    IdempotencyInProgress "idempotency_in_progress" CONFLICT Form 1 Retry;
    /// The idempotency key belongs to another e-mail address or password.
    // The old key belongs to other values.
    IdempotencyKeyReused "idempotency_key_reused" UNPROCESSABLE_ENTITY Form 0 StartOver;
    /// The body is larger than 64 KiB, or has more than 64 parts or 1,000 members.
    BodyTooLarge "body_too_large" PAYLOAD_TOO_LARGE Request 0 None;
    /// The body has an unsupported media type or charset, or a content coding.
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE Request 0 None;
    /// Fields violate their rules.
    InvalidFields "invalid_fields" UNPROCESSABLE_ENTITY Form 0 Retry;
    /// The head of the request is too large.
    HeadersTooLarge "headers_too_large" REQUEST_HEADER_FIELDS_TOO_LARGE Request 0 None;
    /// Too many requests from an address or for an e-mail address, or too many of a client under way.
    RateLimited "rate_limited" TOO_MANY_REQUESTS Request 0 Retry;
    /// An error of this service.
    // After an error that the user did not cause, the form keeps its values.
    Internal "internal" INTERNAL_SERVER_ERROR Operator 0 Retry;
    /// The tenant rejected the call for a reason that only the operator can fix.
    UpstreamRejected "upstream_rejected" BAD_GATEWAY Operator 0 Retry;
    /// The tenant's rate limit is reached.
    // A place is free soon, in the usual case.
    UpstreamBusy "upstream_busy" SERVICE_UNAVAILABLE Dependency 1 Retry;
    /// The service takes no sign-ups now; nothing was sent to the tenant.
    // A database restarts.
    Unavailable "unavailable" SERVICE_UNAVAILABLE Dependency 3 Retry;
    /// The captcha service does not respond; nothing was sent to the tenant.
    ChallengeUnavailable "challenge_unavailable" SERVICE_UNAVAILABLE Dependency 1 Retry;
    /// The tenant cannot be reached; it is certain that nothing was created.
    UpstreamUnavailable "upstream_unavailable" GATEWAY_TIMEOUT Dependency 0 Retry;
    /// The user may or may not exist now.
    // A lookup may find the outcome by then.
    OutcomeUnknown "outcome_unknown" GATEWAY_TIMEOUT Dependency 2 Retry;
}

/// The source of a problem, which decides the level of its log event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProblemSource {
    /// A bug or a setting: the operator must act.
    Operator,
    /// The tenant, the ledger or a captcha service failed. It may pass by itself.
    Dependency,
    /// A usual result of a complete form.
    Form,
    /// A request that was rejected early.
    Request,
}

/// The user's next step after a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextStep {
    /// Correct or resend the form, as the same sign-up.
    Retry,
    /// Correct or resend the form, as a new sign-up.
    StartOver,
    /// No form helps.
    None,
}

/// An error on its way to the client, with its cause for the log.
#[derive(Debug)]
pub(crate) struct Problem {
    /// Its kind.
    pub(super) code: ProblemCode,
    /// The fields that violate their rules.
    pub(super) errors: Vec<FieldError>,
    /// The time after which a retry may succeed.
    pub(super) retry_after: Option<Duration>,
    /// True for the response of an earlier request.
    pub(super) replayed: bool,
    /// The cause, for the log only.
    pub(super) cause: Option<Arc<dyn StdError + Send + Sync>>,
    /// The values of the posted form, so that the page can show them again.
    pub(super) form: Option<Box<FormValues>>,
    /// The language that the form asks for.
    pub(super) locale: Option<Locale>,
    /// The operator's text in place of the usual detail.
    pub(super) detail: Option<Arc<str>>,
    /// True if solving a challenge replaces the wait.
    pub(super) challenge_hint: bool,
}

impl Problem {
    /// A problem of this kind, with its usual wait and nothing else added.
    pub(super) const fn new(code: ProblemCode) -> Self {
        Self {
            code,
            errors: Vec::new(),
            retry_after: code.default_wait(),
            replayed: false,
            cause: None,
            form: None,
            locale: None,
            detail: None,
            challenge_hint: false,
        }
    }

    /// The problem of fields that violate their rules.
    pub(super) fn invalid_fields(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::new(ProblemCode::InvalidFields) }
    }

    /// Adds the time after which a retry may succeed.
    #[must_use]
    pub(super) const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Its cause, for the log.
    pub(super) fn cause(&self) -> Option<&(dyn StdError + 'static)> {
        let cause: &(dyn StdError + 'static) = self.cause.as_deref()?;
        Some(cause)
    }

    /// The value of `Retry-After`: whole seconds, rounded up.
    pub(super) fn retry_after_s(&self) -> Option<u64> {
        Some(whole_seconds(self.retry_after?))
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Limited { limit, retry_after } => Self {
                challenge_hint: limit.yields_to_proof(),
                ..Self::new(ProblemCode::RateLimited).retry_after(retry_after)
            },
            Rejection::ChallengeRequired => Self::new(ProblemCode::ChallengeRequired),
            Rejection::ChallengeFailed | Rejection::ProofUsed => {
                Self::new(ProblemCode::ChallengeFailed)
            }
            Rejection::ChallengeUnavailable => Self::new(ProblemCode::ChallengeUnavailable),
        }
    }
}

impl From<IssueError> for Problem {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Limited { retry_after } => {
                Self::new(ProblemCode::RateLimited).retry_after(retry_after)
            }
            IssueError::Busy { retry_after } => {
                Self::new(ProblemCode::ChallengeUnavailable).retry_after(retry_after)
            }
        }
    }
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
