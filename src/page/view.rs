//! Renders the pages from the templates beside this module.

use std::borrow::Cow;

use askama::Template;
use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::json;
use url::Url;

use super::form_values::FormValues;
use super::greeting::Greeting;
use super::inputs::{self, Input, InputLabel, Kind};
use super::messages::Messages;
use super::model::{Alert, BackLink, ErrorLine, FormView};
use super::password_checks::{password_checks, password_rules_attribute};
use super::paths::{FORM, SUCCESS};
use super::theme::Theme;
use super::widget::Widget;
use crate::config::{ChallengeSettings, LOGIN_HINT, PageSettings, Required};
use crate::domain::rules::{NameOrder, Rules};
use crate::domain::{Field, PasswordRule, parse_boolean};
use crate::texts::Locale;

/// The code of the error whose message replaces the text of its rule.
const CONTAINS_USER_INFO: &str = "password.contains_user_info";

/// The characters that are encoded in the place of `{login_hint}`: those that JavaScript's `encodeURIComponent`
/// encodes, so that the page's script and a form without it open the same address.
const LOGIN_HINT_ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// The pages of a deployment.
#[derive(Debug)]
pub struct Page {
    settings: PageSettings,
    inputs: Vec<Input>,
    password_rules: Vec<PasswordRule>,
    /// The part of `/signup/policy` that the script reads, in JSON, which saves it the request.
    script_policy: String,
    theme: Theme,
    widget: Option<Widget>,
    /// The order of names in forms. `None`: that of the language.
    name_order: Option<NameOrder>,
    /// The attribute `passwordrules` of the password.
    password_rules_attribute: String,
    /// True if the page after a sign-up is the same for new and known addresses.
    uniform: bool,
    /// The name of the field that a person leaves empty.
    honeypot: Option<String>,
    /// True if every form needs a proof, which a form without JavaScript cannot send.
    needs_script: bool,
}

#[derive(Template)]
#[template(path = "form.html")]
struct FormTemplate<'a> {
    page: &'a Page,
    messages: &'a Messages,
    view: &'a FormView<'a>,
    fields: Vec<FieldView<'a>>,
    /// The errors, one line per field. Those of fields that are not on the form come last.
    summary: Vec<SummaryLine<'a>>,
    rules: Vec<RuleView<'a>>,
}

#[derive(Template)]
#[template(path = "notice.html")]
struct NoticeTemplate<'a> {
    page: &'a Page,
    messages: &'a Messages,
    alert: &'a Alert<'a>,
}

#[derive(Template)]
#[template(path = "success.html")]
struct SuccessTemplate<'a> {
    page: &'a Page,
    messages: &'a Messages,
    greeting: &'a Greeting,
}

/// A line of the list of password rules.
struct RuleView<'a> {
    code: &'static str,
    text: Cow<'a, str>,
    /// True if the password that was sent does not meet it.
    is_unmet: bool,
}

/// An input with its value and its errors.
struct FieldView<'a> {
    input: &'a Input,
    label: &'a str,
    value: &'a str,
    /// The errors beside it.
    errors: Vec<&'a str>,
    /// True for a password that breaks rules of the list, which shows them.
    breaks_rules: bool,
}

/// A line of the error summary.
struct SummaryLine<'a> {
    /// The id of the input, if the form has it.
    target: Option<&'a str>,
    label: &'a str,
    message: String,
}

impl Page {
    /// The pages for these settings and rules. `challenge_policy`: the challenges as the policy
    /// publishes them. `uniform`: pages do not reveal that an address has an account.
    pub fn new(
        settings: PageSettings,
        rules: &Rules,
        challenge: &ChallengeSettings,
        challenge_policy: &impl Serialize,
        uniform: bool,
    ) -> Self {
        let widget = challenge.captcha.as_ref().map(Widget::new);
        let needs_script = challenge.required == Required::Always;
        let theme = Theme::new(&settings, widget.as_ref());
        let inputs = inputs::inputs(&settings, rules);
        let password_rules = rules.password.rules();
        let checks = password_checks(&rules.password);
        let honeypot = challenge.honeypot.clone();
        // With adaptive challenges, every visit would solve one in advance for the few that need
        // it.
        let challenge = (needs_script || widget.is_some()).then_some(challenge_policy);
        let policy = json!({
            "password": checks,
            "challenge": challenge,
            "login_url": settings.login_url.as_ref().map(Url::as_str),
            "reset_url": settings.reset_url.as_ref().map(Url::as_str),
        });
        Self {
            settings,
            inputs,
            password_rules,
            script_policy: policy.to_string(),
            theme,
            widget,
            name_order: rules.name_order,
            password_rules_attribute: password_rules_attribute(&rules.password),
            uniform,
            honeypot,
            needs_script,
        }
    }

    /// The settings of the pages.
    pub const fn settings(&self) -> &PageSettings {
        &self.settings
    }

    /// True if a challenge is a captcha.
    pub const fn has_captcha(&self) -> bool {
        self.widget.is_some()
    }

    /// The rules to list before a password is chosen.
    pub fn password_rules(&self) -> &[PasswordRule] {
        &self.password_rules
    }

    /// The label of a field, by its name in code.
    pub fn label<'a>(&'a self, field: &str, messages: &'a Messages) -> Option<&'a str> {
        let input = self.inputs.iter().find(|input| input.name == field)?;
        Some(label(input, messages))
    }

    /// The values of a metadata key with their labels, by its name in code; none if its values are
    /// not listed.
    pub fn options<'a>(
        &'a self,
        field: &str,
        messages: &'a Messages,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let kind = self.inputs.iter().find(|input| input.name == field).map(|input| &input.kind);
        let choices = match kind {
            Some(Kind::Choice(choices)) => choices.as_slice(),
            _ => &[],
        };
        choices.iter().map(|choice| (&*choice.value, messages.own(&choice.label)))
    }

    /// The `Content-Security-Policy` of every page.
    pub const fn content_security_policy(&self) -> &HeaderValue {
        &self.theme.content_security_policy
    }

    /// The inputs in their order for a language: where family names come first, so do their inputs.
    fn ordered(&self, locale: Locale) -> Vec<&Input> {
        let mut inputs: Vec<_> = self.inputs.iter().collect();
        let place = |field: Field| inputs.iter().position(|input| input.name == field.name());
        let places = place(Field::GivenName).zip(place(Field::FamilyName));
        if let (Some((given, family)), NameOrder::FamilyFirst) =
            (places, self.name_order.unwrap_or_else(|| locale.name_order()))
            && given < family
        {
            inputs.swap(given, family);
        }
        inputs
    }

    /// The names of the inputs that every form shows, in their order for a language.
    pub fn order(&self, locale: Locale) -> impl Iterator<Item = &str> {
        let inputs = self.ordered(locale).into_iter().filter(|input| input.always_shown);
        inputs.map(|input| input.name.as_str())
    }

    /// The address outside this service that a browser is sent to after a sign-up: the form's
    /// `return_to` if it is listed, else `success_url`. It may hold `{login_hint}`, which the script of the
    /// page replaces.
    fn external_target(&self, form: &FormValues) -> Option<&str> {
        let listed = form.return_to.as_ref().and_then(|requested| {
            self.settings.return_to.iter().find(|address| address.text == *requested)
        });
        let url = listed.map(|address| &address.url).or(self.settings.success_url.as_ref());
        url.map(Url::as_str)
    }

    /// The external target with the e-mail address of the form, percent-encoded, in the place of
    /// `{login_hint}`.
    pub fn external_address(&self, form: &FormValues) -> Option<String> {
        let email = form.value(Field::Email.name()).trim();
        let email = utf8_percent_encode(email, LOGIN_HINT_ENCODED).to_string();
        Some(self.external_target(form)?.replace(LOGIN_HINT, &email))
    }

    /// The address of the built-in page after a sign-up, in the language of the form. `greeting` is
    /// the sealed greeting.
    pub fn success_address(&self, form: &FormValues, greeting: &str) -> String {
        let locale = form.ui_locales.as_deref().and_then(Locale::from_tags);
        let locale =
            locale.map_or_else(String::new, |locale| format!("ui_locales={}&", locale.tag()));
        format!("{}{SUCCESS}?{locale}for={greeting}", self.settings.base_path)
    }

    /// The address of the login, with the address of the person who logs in there. `login_hint` is
    /// the parameter of `OpenID` Connect (Core 1.0, section 4).
    fn login_url(&self, email: &str) -> Option<Url> {
        let mut url = self.settings.login_url.clone()?;
        if !email.is_empty() {
            url.query_pairs_mut().append_pair("login_hint", email);
        }
        Some(url)
    }

    /// The address of a link back, for a page in this language.
    fn back_address<'a>(&'a self, back: &'a BackLink, lang: &str) -> Cow<'a, str> {
        match back {
            BackLink::Form => format!("{}{FORM}?ui_locales={lang}", self.settings.base_path).into(),
            BackLink::Site(page) => page.as_str().into(),
        }
    }

    /// The form.
    pub fn form(&self, messages: &Messages, view: &FormView<'_>) -> String {
        let errors = view.alert.map_or([].as_slice(), |alert| alert.errors.as_slice());
        let rules = self.password_rules.iter().map(|rule| {
            let code = rule.code();
            let unmet = errors.iter().find(|error| error.code == code);
            // This error names what the password contains.
            let named = unmet.filter(|error| error.code == CONTAINS_USER_INFO);
            let text = named.map_or_else(
                || messages.locale.password_rule(rule),
                |error| error.message.as_str().into(),
            );
            RuleView { code, text, is_unmet: unmet.is_some() }
        });
        let rules: Vec<_> = rules.collect();
        let is_rule = |error: &&ErrorLine| {
            let is_password = error.field == Field::Password.name();
            is_password && rules.iter().any(|rule| rule.code == error.code)
        };
        let fields = self.ordered(messages.locale).into_iter().map(|input| {
            let own = || errors.iter().filter(|error| error.field == input.name);
            FieldView {
                input,
                label: label(input, messages),
                value: view.values.value(&input.name),
                breaks_rules: own().any(|error| is_rule(&error)),
                errors: own()
                    .filter(|error| !is_rule(error))
                    .map(|error| error.message.as_str())
                    .collect(),
            }
        });
        let fields: Vec<_> = fields.filter(FieldView::is_shown).collect();
        let on_form = fields.iter().filter(|field| field.is_invalid()).map(|field| {
            let unmet = field.breaks_rules.then_some(&*messages.password_rules_unmet);
            let texts: Vec<_> = unmet.into_iter().chain(field.errors.iter().copied()).collect();
            let (target, label) = (Some(field.input.id.as_str()), field.label);
            SummaryLine { target, label, message: texts.join(" ") }
        });
        let is_elsewhere =
            |error: &&ErrorLine| !fields.iter().any(|field| field.input.name == error.field);
        let elsewhere = errors.iter().filter(is_elsewhere).map(|error| SummaryLine {
            target: None,
            label: &error.field,
            message: error.message.clone(),
        });
        let summary: Vec<_> = on_form.chain(elsewhere).collect();
        render(&FormTemplate { page: self, messages, view, fields, summary, rules })
    }

    /// The page of an error, without a form.
    pub fn notice(&self, messages: &Messages, alert: &Alert<'_>) -> String {
        render(&NoticeTemplate { page: self, messages, alert })
    }

    /// The page after a sign-up.
    pub fn success(&self, messages: &Messages, greeting: &Greeting) -> String {
        render(&SuccessTemplate { page: self, messages, greeting })
    }
}

fn render(template: &impl Template) -> String {
    // Writing text to a string cannot fail.
    template.render().unwrap_or_default()
}

impl FieldView<'_> {
    /// Returns whether the form always shows the field, or it has a value or an error.
    fn is_shown(&self) -> bool {
        self.input.always_shown || !self.value.is_empty() || self.is_invalid()
    }

    /// Returns whether the value says yes, in any of the words that forms use.
    fn is_checked(&self) -> bool {
        parse_boolean(self.value) == Some(true)
    }

    const fn is_invalid(&self) -> bool {
        self.breaks_rules || !self.errors.is_empty()
    }

    /// The ids of the elements that describe the input, in reading order.
    fn described_by(&self) -> String {
        let mut ids = Vec::new();
        if !self.errors.is_empty() {
            ids.push(format!("{}-error", self.input.id));
        }
        if matches!(self.input.kind, Kind::Password) {
            ids.push("password-rules".to_owned());
        }
        ids.join(" ")
    }
}

fn label<'a>(input: &'a Input, messages: &'a Messages) -> &'a str {
    match &input.label {
        InputLabel::Field(field) => messages.field(*field),
        InputLabel::Terms => &messages.terms,
        InputLabel::Own(label) => label.in_language(messages.locale),
    }
}
