//! Answers as people see them: which page a problem is, and what heads every page.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use url::Url;

use super::problem::{ADVICE, DETAIL, Problem, ProblemCode, say_language};
use super::request_id::RequestId;
use crate::abuse::Challenges;
use crate::clock::Clock;
use crate::domain::{IdempotencyKey, PasswordRule};
use crate::page::messages::Messages;
use crate::page::{Alert, BackLink, FormValues, FormView, Page, RuleLine};
use crate::texts::Locale;

/// Kept by the browser of one person, so that its Back button shows the form as it was, with its
/// idempotency key; never used again without having been asked for anew.
const CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// The title of a problem on a page, where it differs.
const HEADING: &str = "heading";

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

/// The pages of one deployment, with what makes each form one of its own.
#[derive(Debug)]
pub(super) struct Pages {
    pub(super) page: Arc<Page>,
    pub(super) challenges: Arc<Challenges>,
    pub(super) clock: Arc<dyn Clock>,
    /// Origins of forms that people may be led back to.
    pub(super) origins: Vec<HeaderValue>,
}

impl Pages {
    /// The form as somebody finds it who comes to sign up.
    pub(super) fn blank(
        &self,
        locale: Locale,
        return_to: Option<String>,
        ui_locales: Option<String>,
    ) -> Response {
        let filled = FormValues::empty(return_to, ui_locales);
        let token = self.challenges.form_tokens().issue(self.clock.now());
        self.respond(self.form(&filled, &token, None, Way::Anew, locale), locale)
    }

    /// The page after a sign-up.
    pub(super) fn success(&self, locale: Locale) -> Response {
        self.respond(self.page.success(Messages::for_locale(locale)), locale)
    }

    fn respond(&self, html: Result<String, askama::Error>, locale: Locale) -> Response {
        let mut response = StatusCode::OK.into_response();
        self.put(&mut response, html);
        say_language(&mut response, locale);
        response
    }

    /// Puts the page of a problem into its response.
    pub(super) fn show(
        &self,
        response: &mut Response,
        problem: &Problem,
        id: RequestId,
        locale: Locale,
        referrer: Option<&HeaderValue>,
    ) {
        self.put(response, self.of(problem, id, locale, referrer));
    }

    fn put(&self, response: &mut Response, html: Result<String, askama::Error>) {
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_SECURITY_POLICY, self.page.policy().clone());
        headers.insert(CACHE_CONTROL, CACHE);
        // No template fails that is made of text alone.
        *response.body_mut() = Body::from(html.unwrap_or_default());
    }

    /// The page of a problem: the form again where there was one and it may help, else a notice.
    fn of(
        &self,
        problem: &Problem,
        id: RequestId,
        locale: Locale,
        referrer: Option<&HeaderValue>,
    ) -> Result<String, askama::Error> {
        let code = problem.code();
        let (title, detail) = words(code, locale);
        let detail = problem.own_detail().map_or(detail, |own| own.to_owned().into());
        let mut errors: Vec<_> = problem
            .errors()
            .iter()
            .map(|error| (error.field(), locale.field_error(error).into_owned()))
            .collect();
        if code == ProblemCode::UsernameTaken {
            errors.push(("username".to_owned(), detail.clone().into_owned()));
        }
        let alert = Alert {
            title,
            detail: if errors.is_empty() { detail } else { "".into() },
            errors,
            retry_after: problem.retry_after_s(),
            has_account: matches!(
                code,
                ProblemCode::EmailTaken | ProblemCode::OutcomeUnknown | ProblemCode::SignupsClosed
            ),
            reference: code.status().is_server_error().then(|| id.to_string()),
            back: None,
        };
        match (problem.form(), way(code)) {
            (Some(filled), way @ (Way::Again | Way::Anew)) => {
                let tokens = self.challenges.form_tokens();
                let token = tokens.reissue(filled.form_token.as_deref(), self.clock.now());
                self.form(filled, &token, Some(&alert), way, locale)
            }
            (None, _) | (_, Way::Nowhere) => {
                let back = self.back(code, referrer);
                let alert = Alert { reference: Some(id.to_string()), back, ..alert };
                self.page.notice(Messages::for_locale(locale), &alert)
            }
        }
    }

    /// The way back from a page without the form: to the built-in one, or to the page of another site
    /// whose form was posted. None to what is closed.
    fn back(&self, code: ProblemCode, referrer: Option<&HeaderValue>) -> Option<BackLink> {
        if code == ProblemCode::SignupsClosed {
            return None;
        }
        if self.page.settings().enabled {
            return Some(BackLink::Form);
        }
        let mut page = Url::parse(referrer?.to_str().ok()?).ok()?;
        page.set_username("").and_then(|()| page.set_password(None)).ok()?;
        let origin = page.origin().ascii_serialization();
        self.origins.iter().any(|known| *known == origin).then_some(BackLink::Site(page))
    }

    /// The form with what was typed, and with its key or a new one.
    fn form(
        &self,
        filled: &FormValues,
        form_token: &str,
        alert: Option<&Alert<'_>>,
        way: Way,
        locale: Locale,
    ) -> Result<String, askama::Error> {
        let kept = filled.key.as_deref().filter(|key| IdempotencyKey::parse(key).is_ok());
        let key = match (way, kept) {
            (Way::Again, Some(key)) => key.to_owned(),
            (Way::Again | Way::Anew | Way::Nowhere, _) => {
                format!("{:032x}", rand::random::<u128>())
            }
        };
        let line = |rule: &PasswordRule| -> RuleLine {
            (rule.code(), locale.password_rule(rule).into_owned())
        };
        let rules: Vec<_> = self.page.password_rules().iter().map(line).collect();
        let honeypot = self.challenges.honeypot();
        let view =
            FormView { values: filled, alert, key: &key, form_token, honeypot, rules: &rules };
        self.page.form(Messages::for_locale(locale), &view)
    }
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
        | ProblemCode::OutcomeUnknown
        // What was typed is not lost by a fault that is not the person's.
        | ProblemCode::Internal
        | ProblemCode::UpstreamRejected => Way::Again,
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
        | ProblemCode::HeadersTooLarge => Way::Nowhere,
    }
}

/// The words of a problem for somebody who signs up and knows nothing of requests.
fn words(code: ProblemCode, locale: Locale) -> (Cow<'static, str>, Cow<'static, str>) {
    let code = code.name();
    let heading = locale.attribute(code, HEADING);
    let advice = locale.attribute(code, ADVICE).or_else(|| locale.attribute(code, DETAIL));
    (heading.unwrap_or_else(|| locale.text(code)), advice.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::problem::ADVICE_WITH_SCRIPT;
    use super::*;
    use crate::domain::violation::CharacterType;
    use crate::domain::{Field, Violation};
    use crate::texts::texts_of;

    /// One of each kind of fault.
    fn violations() -> Vec<Violation> {
        let types = CharacterType::ALL.to_vec();
        let rules = [
            PasswordRule::TooShort { min_length: 8 },
            PasswordRule::TooLong { max_bytes: 72 },
            PasswordRule::CharacterTypes { required: 3, types: types.clone(), missing: Vec::new() },
            PasswordRule::RepeatedCharacters { max: 2 },
            PasswordRule::SequentialCharacters { max: 2 },
            PasswordRule::TooCommon,
            PasswordRule::ContainsUserInfo { fields: Vec::new() },
            PasswordRule::Breached,
            PasswordRule::UsedBefore,
            PasswordRule::TooWeak,
        ];
        let others = [
            Violation::Required,
            Violation::TooLong { max: 150 },
            Violation::TooShort { min: 1 },
            Violation::Malformed,
            Violation::NotAllowed,
            Violation::NotListed { values: vec!["free".to_owned(), "pro".to_owned()] },
            Violation::OutOfRange { min: Some(1), max: Some(9) },
            Violation::OutOfRange { min: Some(1), max: None },
            Violation::OutOfRange { min: None, max: Some(9) },
            Violation::DomainNotAllowed,
            Violation::TermsRequired,
            Violation::UnknownField,
            Violation::DuplicateField,
            Violation::WrongType { expected: "string" },
            Violation::ControlCharacter,
        ];
        others.into_iter().chain(rules.map(Violation::Password)).collect()
    }

    #[test]
    fn every_text_is_used_and_every_text_that_is_used_is_there() {
        let there: BTreeSet<_> = texts_of(Locale::En).into_keys().collect();
        let problems = ProblemCode::ALL.map(ProblemCode::name);
        let mut used: BTreeSet<String> = problems.map(str::to_owned).into();
        used.extend(problems.map(|code| format!("{code}.{DETAIL}")));
        used.extend(violations().iter().map(|violation| violation.code().to_owned()));
        let types = CharacterType::ALL.map(CharacterType::name);
        used.extend(types.map(|kind| format!("character_type.{kind}")));
        used.extend(["not_listed", "out_of_range"].map(str::to_owned));
        used.extend(["out_of_range.min", "out_of_range.max"].map(str::to_owned));
        used.insert("character_type.separator".to_owned());
        used.insert("password.character_types_all".to_owned());
        let listed = ["character_types_all"].into_iter().chain(
            violations().into_iter().filter_map(|rule| rule.code().strip_prefix("password.")),
        );
        used.extend(Messages::keys());
        // Where they are left out, something else stands in.
        let own = problems.iter().flat_map(|code| {
            [HEADING, ADVICE, ADVICE_WITH_SCRIPT].map(|own| format!("{code}.{own}"))
        });
        let own = own.chain(Field::ALL.into_iter().flat_map(|field| {
            ["malformed", "required"].map(|code| format!("{code}.{}", field.name()))
        }));
        let own = own.chain(listed.map(|rule| format!("password_rule.{rule}")));
        used.extend(own.filter(|key| there.contains(key)));
        assert_eq!(used, there);
    }

    #[test]
    fn field_errors_have_messages_in_every_language() {
        for locale in Locale::ALL {
            let texts: Vec<_> = violations().iter().map(|fault| locale.violation(fault)).collect();
            assert!(texts.iter().all(|text| !text.is_empty()), "{locale:?}: {texts:?}");
        }
        let rule = PasswordRule::CharacterTypes {
            required: 2,
            types: vec![CharacterType::Lowercase, CharacterType::Number],
            missing: vec![CharacterType::Number],
        };
        let fault = Violation::Password(rule);
        assert_eq!(Locale::De.violation(&fault), "Ergänzen Sie eine Ziffer.");
        assert_eq!(
            Locale::Ar.violation(&Violation::TooShort { min: 8 }),
            "استخدم 8 أحرف على الأقل."
        );
        assert_eq!(
            Locale::Ar.violation(&Violation::TooShort { min: 12 }),
            "استخدم 12 حرفًا على الأقل."
        );
    }
}
