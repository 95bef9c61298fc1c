//! The pages of problems, and the headers of every page.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use url::Url;

use super::negotiation::set_language;
use super::origins::Origins;
use super::problem::{ADVICE, HEADING, NextStep, Problem, ProblemCode};
use super::request_id::RequestId;
use super::sealed_greeting::SealedGreetings;
use crate::abuse::Challenges;
use crate::clock::Clock;
use crate::domain::{Field, IdempotencyKey};
use crate::page::messages::Messages;
use crate::page::{Alert, BackLink, ErrorLine, FormValues, FormView, Page};
use crate::texts::Locale;

/// Cached by the user's browser only, so that its Back button shows the form as it was, with its
/// idempotency key. Any other use has to be revalidated.
const CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// The pages of a deployment, with the sources of the values that make each form unique.
#[derive(Debug)]
pub(super) struct Pages {
    pub(super) page: Arc<Page>,
    pub(super) challenges: Arc<Challenges>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) greetings: SealedGreetings,
    /// The origins of forms that pages may link back to. `None` on the admin listener, which has no
    /// form of its own either.
    pub(super) origins: Option<Origins>,
}

impl Pages {
    /// The empty form.
    pub(super) fn blank(
        &self,
        locale: Locale,
        return_to: Option<String>,
        ui_locales: Option<String>,
    ) -> Response {
        let values = FormValues::empty(return_to, ui_locales);
        let token = self.challenges.form_tokens().issue(self.clock.now());
        self.respond(self.form(&values, &token, None, None, locale), locale)
    }

    /// The page after a sign-up, with the sealed greeting of its URL.
    pub(super) fn success(&self, locale: Locale, greeting: Option<&str>) -> Response {
        let greeting = greeting.map(|sealed| self.greetings.open(sealed, self.clock.now()));
        let html = self.page.success(Messages::for_locale(locale), &greeting.unwrap_or_default());
        self.respond(html, locale)
    }

    /// The address that a browser is redirected to after a sign-up with this form.
    pub(super) fn success_target(&self, form: &FormValues) -> String {
        self.page.external_address(form).unwrap_or_else(|| {
            let greeting = self.greetings.seal(&form.greeting(), self.clock.now());
            self.page.success_address(form, &greeting)
        })
    }

    fn respond(&self, html: String, locale: Locale) -> Response {
        let mut response = StatusCode::OK.into_response();
        self.insert(&mut response, html);
        set_language(&mut response, locale);
        response
    }

    /// Renders the page of a problem into its response.
    pub(super) fn show(
        &self,
        response: &mut Response,
        problem: &Problem,
        id: RequestId,
        locale: Locale,
        referrer: Option<&HeaderValue>,
    ) {
        self.insert(response, self.problem(problem, id, locale, referrer));
    }

    fn insert(&self, response: &mut Response, html: String) {
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_SECURITY_POLICY, self.page.content_security_policy().clone());
        headers.insert(CACHE_CONTROL, CACHE);
        *response.body_mut() = Body::from(html);
    }

    /// The page of a problem: the posted form if it helps, else a notice.
    fn problem(
        &self,
        problem: &Problem,
        id: RequestId,
        locale: Locale,
        referrer: Option<&HeaderValue>,
    ) -> String {
        let code = problem.code;
        let text = |name| locale.attribute(code.name(), name).unwrap_or_default();
        let detail: Cow<'_, str> = match problem.detail.as_deref() {
            Some(own) => own.into(),
            None => text(ADVICE),
        };
        let mut errors: Vec<_> = problem
            .errors
            .iter()
            .map(|error| ErrorLine {
                field: error.field(),
                code: error.violation.code(),
                message: locale.field_error_on_new_form(error).into_owned(),
            })
            .collect();
        if code == ProblemCode::UsernameTaken {
            errors.push(ErrorLine {
                field: Field::Username.name().to_owned(),
                code: code.name(),
                message: detail.clone().into_owned(),
            });
        }
        let alert = Alert {
            title: text(HEADING),
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
        let (values, key) = match (&problem.form, code.next_step()) {
            (Some(values), NextStep::Retry) => (values, values.key.as_deref()),
            (Some(values), NextStep::StartOver) => (values, None),
            (None, _) | (_, NextStep::None) => {
                let back = self.back(code, referrer);
                let alert = Alert { reference: Some(id.to_string()), back, ..alert };
                return self.page.notice(Messages::for_locale(locale), &alert);
            }
        };
        let tokens = self.challenges.form_tokens();
        let is_challenged =
            matches!(code, ProblemCode::ChallengeRequired | ProblemCode::ChallengeFailed);
        let now = self.clock.now();
        let token = tokens.reissue(values.form_token.as_deref(), !is_challenged, now);
        self.form(values, &token, Some(&alert), key, locale)
    }

    /// The link back from a page without the form: to the built-in form, or to the page of another
    /// site whose form was posted. No link while sign-ups are closed.
    fn back(&self, code: ProblemCode, referrer: Option<&HeaderValue>) -> Option<BackLink> {
        let origins = self.origins.as_ref()?;
        if code == ProblemCode::SignupsClosed {
            return None;
        }
        if self.page.settings().enabled {
            return Some(BackLink::Form);
        }
        let mut page = Url::parse(referrer?.to_str().ok()?).ok()?;
        page.set_username("").and_then(|()| page.set_password(None)).ok()?;
        let origin = page.origin().ascii_serialization();
        origins.lists(&origin).then_some(BackLink::Site(page))
    }

    /// The form with its values, and with `key` if it is valid, else a new one.
    fn form(
        &self,
        values: &FormValues,
        form_token: &str,
        alert: Option<&Alert<'_>>,
        key: Option<&str>,
        locale: Locale,
    ) -> String {
        let posted = key.filter(|key| IdempotencyKey::parse(key).is_ok());
        let key = posted.map_or_else(|| format!("{:032x}", rand::random::<u128>()), str::to_owned);
        let view = FormView { values, alert, key: &key, form_token };
        self.page.form(Messages::for_locale(locale), &view)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::violation::CharacterType;
    use crate::domain::{PasswordRule, Violation};
    use crate::http::problem::{ADVICE_WITH_SCRIPT, DETAIL};
    use crate::texts::texts_of;

    /// One of each kind of violation.
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
            Violation::TermsChanged,
            Violation::UnknownField,
            Violation::DuplicateField,
            Violation::WrongType { expected: "string" },
            Violation::ControlCharacter,
        ];
        others.into_iter().chain(rules.map(Violation::Password)).collect()
    }

    #[test]
    fn every_text_is_used_and_no_text_is_missing() {
        let there: BTreeSet<_> = texts_of(Locale::En).into_keys().collect();
        let problems = ProblemCode::ALL.map(ProblemCode::name);
        let mut used: BTreeSet<String> = problems.map(str::to_owned).into();
        used.extend(problems.map(|code| format!("{code}.{DETAIL}")));
        used.extend(problems.map(|code| format!("{code}.{HEADING}")));
        used.extend(violations().iter().map(|violation| violation.code().to_owned()));
        let types = CharacterType::ALL.map(CharacterType::name);
        used.extend(types.map(|kind| format!("character_type.{kind}")));
        used.extend(["not_listed", "out_of_range", "terms_changed"].map(str::to_owned));
        used.insert("terms_changed.on_new_form".to_owned());
        used.extend(["out_of_range.min", "out_of_range.max"].map(str::to_owned));
        used.insert("character_type.separator".to_owned());
        used.insert("password.character_types_all".to_owned());
        used.insert("password.contains_user_info_kinds".to_owned());
        let kinds = ["email", "given_name", "family_name", "name", "nickname", "username"];
        let kinds = kinds.into_iter().chain(["phone_number", "other"]);
        used.extend(kinds.map(|kind| format!("personal_information.{kind}")));
        let listed = ["character_types_all"].into_iter().chain(
            violations().into_iter().filter_map(|rule| rule.code().strip_prefix("password.")),
        );
        used.extend(Messages::keys());
        // Optional texts: where one is absent, another takes its place.
        let own = problems
            .iter()
            .flat_map(|code| [ADVICE, ADVICE_WITH_SCRIPT].map(|own| format!("{code}.{own}")));
        let own = own.chain(Field::ALL.into_iter().flat_map(|field| {
            ["malformed", "required"].map(|code| format!("{code}.{}", field.name()))
        }));
        let own = own.chain(listed.map(|rule| format!("password_rule.{rule}")));
        used.extend(own.filter(|key| there.contains(key)));
        assert_eq!(used, there);
    }

    #[test]
    fn violations_have_a_message_in_every_language() {
        for locale in Locale::ALL {
            let texts: Vec<_> =
                violations().iter().map(|violation| locale.violation(violation)).collect();
            assert!(texts.iter().all(|text| !text.is_empty()), "{locale:?}: {texts:?}");
        }
        let rule = PasswordRule::CharacterTypes {
            required: 2,
            types: vec![CharacterType::Lowercase, CharacterType::Number],
            missing: vec![CharacterType::Number],
        };
        let violation = Violation::Password(rule);
        assert_eq!(Locale::De.violation(&violation), "Ergänzen Sie eine Ziffer.");
        assert_eq!(Locale::Ar.violation(&Violation::TooShort { min: 8 }), "الحد الأدنى هو 8 أحرف.");
        assert_eq!(
            Locale::Ar.violation(&Violation::TooShort { min: 12 }),
            "الحد الأدنى هو 12 حرفًا."
        );
    }
}
