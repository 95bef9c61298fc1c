//! Answers as people see them: which page a problem is, and what heads every page.

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

use super::problem::{Problem, ProblemCode};
use super::request_id::RequestId;
use super::texts;
use crate::domain::{FieldError, IdempotencyKey, PasswordRule, Violation};
use crate::page::words::ENGLISH;
use crate::page::{Alert, Filled, FormView, Page, RuleLine};

/// Kept by the browser of one person, so that its Back button shows the form as it was, with its
/// idempotency key; never used again without having been asked for anew.
const CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// What to do after a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// To mend or to send the form, which belongs to the same sign-up.
    Again,
    /// To mend or to send the form; what comes then is another sign-up.
    Anew,
    /// Nothing that a form would help with.
    Nowhere,
}

/// The form as somebody finds it who comes to sign up.
pub(super) fn blank(
    page: &Page,
    return_to: Option<String>,
    ui_locales: Option<String>,
) -> Response {
    let filled = Filled::blank(return_to, ui_locales);
    let html = form(page, &filled, None, Way::Anew);
    let mut response = StatusCode::OK.into_response();
    put(&mut response, html, page);
    response
}

/// The page after a sign-up.
pub(super) fn success(page: &Page) -> Response {
    let mut response = StatusCode::OK.into_response();
    put(&mut response, page.success(&ENGLISH), page);
    response
}

/// Puts a page into a response.
pub(super) fn put(response: &mut Response, html: Result<String, askama::Error>, page: &Page) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, page.policy().clone());
    headers.insert(CACHE_CONTROL, CACHE);
    // No template fails that is made of text alone.
    *response.body_mut() = Body::from(html.unwrap_or_default());
}

/// The page of a problem: the form again where there was one and it may help, else a notice.
pub(super) fn of(problem: &Problem, id: RequestId, page: &Page) -> Result<String, askama::Error> {
    let code = problem.code();
    let (title, detail) = words(code);
    let mut faults: Vec<_> =
        problem.errors().iter().map(|error| (error.field(), message(error))).collect();
    if code == ProblemCode::UsernameTaken {
        faults.push(("username".to_owned(), detail.to_owned()));
    }
    let alert = Alert {
        title: title.into(),
        detail: if faults.is_empty() { detail.into() } else { "".into() },
        faults,
        retry_after: problem.retry_after_s(),
        has_account: matches!(
            code,
            ProblemCode::EmailTaken | ProblemCode::OutcomeUnknown | ProblemCode::SignupsClosed
        ),
        reference: code.status().is_server_error().then(|| id.to_string()),
    };
    match (problem.form(), way(code)) {
        (Some(filled), way @ (Way::Again | Way::Anew)) => form(page, filled, Some(&alert), way),
        (None, _) | (_, Way::Nowhere) => {
            page.notice(&ENGLISH, &Alert { reference: Some(id.to_string()), ..alert })
        }
    }
}

/// What is wrong with a field, where it stands beside the field's label.
fn message(error: &FieldError) -> String {
    match (error.pointer.as_ref(), &error.violation) {
        ("/email", Violation::Malformed) => {
            "Write a whole address, such as name@example.com.".to_owned()
        }
        ("/phone_number", Violation::Malformed) => {
            "Write + and the country code first, such as +441632960961.".to_owned()
        }
        (_, violation) => texts::message(violation),
    }
}

/// The form with what was typed, and with its key or a new one.
fn form(
    page: &Page,
    filled: &Filled,
    alert: Option<&Alert<'_>>,
    way: Way,
) -> Result<String, askama::Error> {
    let kept = filled.key.as_deref().filter(|key| IdempotencyKey::parse(key).is_ok());
    let key = match (way, kept) {
        (Way::Again, Some(key)) => key.to_owned(),
        (Way::Again | Way::Anew | Way::Nowhere, _) => {
            format!("{:032x}", rand::random::<u128>())
        }
    };
    let line = |rule: &PasswordRule| -> RuleLine {
        let violation = Violation::Password(rule.clone());
        (violation.code(), texts::message(&violation))
    };
    let rules: Vec<_> = page.password_rules().iter().map(line).collect();
    page.form(&ENGLISH, &FormView { filled, alert, key: &key, rules: &rules })
}

/// What a person does after a problem.
const fn way(code: ProblemCode) -> Way {
    match code {
        ProblemCode::InvalidFields
        | ProblemCode::ChallengeRequired
        | ProblemCode::ChallengeFailed
        | ProblemCode::UsernameTaken
        | ProblemCode::IdempotencyInProgress
        | ProblemCode::RateLimited
        | ProblemCode::UpstreamBusy
        | ProblemCode::Unavailable
        | ProblemCode::ChallengeUnavailable
        | ProblemCode::UpstreamUnavailable
        | ProblemCode::OutcomeUnknown => Way::Again,
        // The key replays that the address is taken, or belongs to what was sent before.
        ProblemCode::EmailTaken | ProblemCode::IdempotencyKeyReused => Way::Anew,
        ProblemCode::MalformedBody
        | ProblemCode::OriginNotAllowed
        | ProblemCode::SignupsClosed
        | ProblemCode::NotFound
        | ProblemCode::MethodNotAllowed
        | ProblemCode::RequestTimeout
        | ProblemCode::BodyTooLarge
        | ProblemCode::UnsupportedMediaType
        | ProblemCode::HeadersTooLarge
        | ProblemCode::Internal
        | ProblemCode::UpstreamRejected => Way::Nowhere,
    }
}

/// The words of a problem for somebody who signs up and knows nothing of requests.
const fn words(code: ProblemCode) -> (&'static str, &'static str) {
    match code {
        ProblemCode::InvalidFields => ("Some things need another look", ""),
        ProblemCode::EmailTaken => (
            "You already have an account",
            "There is an account with this e-mail address. Log in, or sign up with another address.",
        ),
        ProblemCode::UsernameTaken => {
            ("This username is taken", "Somebody has this username already. Choose another.")
        }
        ProblemCode::IdempotencyKeyReused => (
            "This form was sent before",
            "It was sent with another e-mail address or password. Send it again to sign up with \
             what it says now.",
        ),
        ProblemCode::IdempotencyInProgress => (
            "This is taking longer than usual",
            "Your account is still being made. Send the form again in a moment to see what came of it.",
        ),
        ProblemCode::RateLimited => {
            ("Too many attempts", "No account was made. Wait a little, then send the form again.")
        }
        ProblemCode::UpstreamBusy => (
            "Many people are signing up",
            "No account was made. Wait a little, then send the form again.",
        ),
        ProblemCode::Unavailable
        | ProblemCode::ChallengeUnavailable
        | ProblemCode::UpstreamUnavailable => (
            "This does not work at the moment",
            "No account was made. Send the form again in a moment.",
        ),
        ProblemCode::OutcomeUnknown => (
            "Your account may have been made",
            "The answer got lost. Send the form again with the same password to find out, or look \
             for a message in your mail and try to log in.",
        ),
        ProblemCode::UpstreamRejected | ProblemCode::Internal => (
            "This did not work",
            "Your account could not be made, and trying again will not mend it. Tell the people \
             who run this site, with the reference below.",
        ),
        ProblemCode::ChallengeRequired => {
            ("One more step", "Show that you are a person, then send the form again.")
        }
        ProblemCode::ChallengeFailed => (
            "That did not work",
            "The proof that you are a person has expired or was wrong. Send the form again.",
        ),
        ProblemCode::SignupsClosed => {
            ("Sign-ups are closed", "New accounts are not made at the moment. Come back later.")
        }
        ProblemCode::NotFound => ("Page not found", "There is nothing at this address."),
        ProblemCode::MalformedBody
        | ProblemCode::OriginNotAllowed
        | ProblemCode::MethodNotAllowed
        | ProblemCode::RequestTimeout
        | ProblemCode::BodyTooLarge
        | ProblemCode::UnsupportedMediaType
        | ProblemCode::HeadersTooLarge => (texts::title(code), texts::detail(code)),
    }
}
