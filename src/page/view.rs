//! Renders the pages from the templates beside this module.

use std::borrow::Cow;

use askama::Template;
use http::HeaderValue;
use serde::Serialize;
use serde_json::json;

use super::form_values::FormValues;
use super::inputs::{self, Input, InputLabel, Kind};
use super::messages::Messages;
use super::model::{Alert, BackLink, FormView};
use super::paths::{FORM, SUCCESS};
use super::script;
use super::theme::Theme;
use super::widget::Widget;
use crate::config::{ChallengeSettings, PageSettings, Required};
use crate::domain::PasswordRule;
use crate::domain::rules::Rules;
use crate::texts::Locale;

/// The pages of a deployment.
#[derive(Debug)]
pub struct Page {
    settings: PageSettings,
    inputs: Vec<Input>,
    password_rules: Vec<PasswordRule>,
    /// The policy for the script, which then needs no request for it.
    policy: String,
    theme: Theme,
    widget: Option<Widget>,
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
}

/// An input with its value and its errors.
struct FieldView<'a> {
    input: &'a Input,
    label: &'a str,
    value: &'a str,
    errors: Vec<&'a str>,
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
    /// publishes them.
    pub fn new(
        settings: PageSettings,
        rules: &Rules,
        challenge: &ChallengeSettings,
        challenge_policy: &impl Serialize,
    ) -> Self {
        let widget = challenge.captcha.as_ref().map(Widget::new);
        let needs_script = challenge.required == Required::Always;
        let theme = Theme::new(&settings, widget.as_ref());
        let inputs = inputs::inputs(&settings, rules);
        let password_rules = rules.password.rules();
        let checks = script::password_checks(&rules.password);
        // With adaptive challenges, every visit would solve one in advance for the few that need
        // it.
        let challenge = (needs_script || widget.is_some()).then_some(challenge_policy);
        let policy = json!({ "password": checks, "challenge": challenge }).to_string();
        Self { settings, inputs, password_rules, policy, theme, widget, needs_script }
    }

    /// The settings of the pages.
    pub const fn settings(&self) -> &PageSettings {
        &self.settings
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
        choices.iter().map(|choice| (&*choice.value, choice.label(messages)))
    }

    /// The `Content-Security-Policy` of every page.
    pub const fn policy(&self) -> &HeaderValue {
        &self.theme.policy
    }

    /// The address that a browser is sent to after a sign-up: the form's `return_to` if it is
    /// listed, else `success_url` or the built-in page, in the language of the form.
    pub fn success_target(&self, form: &FormValues) -> Cow<'_, str> {
        let listed = form.return_to.as_ref().and_then(|requested| {
            self.settings.return_to.iter().find(|address| address.text == *requested)
        });
        match (listed, &self.settings.success_url) {
            (Some(address), _) => address.url.as_str().into(),
            (None, Some(url)) => url.as_str().into(),
            (None, None) => match form.ui_locales.as_deref().and_then(Locale::from_tags) {
                Some(locale) => {
                    format!("{}{SUCCESS}?ui_locales={}", self.settings.base_path, locale.tag())
                        .into()
                }
                None => format!("{}{SUCCESS}", self.settings.base_path).into(),
            },
        }
    }

    /// The address of a link back, for a page in this language.
    fn back_address<'a>(&'a self, back: &'a BackLink, lang: &str) -> Cow<'a, str> {
        match back {
            BackLink::Form => format!("{}{FORM}?ui_locales={lang}", self.settings.base_path).into(),
            BackLink::Site(page) => page.as_str().into(),
        }
    }

    /// The form.
    ///
    /// # Errors
    /// Never in practice: all values are text.
    pub fn form(&self, messages: &Messages, view: &FormView<'_>) -> Result<String, askama::Error> {
        let errors = view.alert.map_or([].as_slice(), |alert| alert.errors.as_slice());
        let fields = self.inputs.iter().map(|input| FieldView {
            input,
            label: label(input, messages),
            value: view.values.value(&input.name),
            errors: errors
                .iter()
                .filter(|(name, _)| *name == input.name)
                .map(|(_, message)| message.as_str())
                .collect(),
        });
        let fields: Vec<_> = fields.filter(FieldView::is_shown).collect();
        let invalid = fields.iter().filter(|field| !field.errors.is_empty());
        let on_form = invalid.map(|field| SummaryLine {
            target: Some(&field.input.id),
            label: field.label,
            message: field.errors.join(" "),
        });
        let elsewhere =
            errors.iter().filter(|(name, _)| !fields.iter().any(|field| field.input.name == *name));
        let elsewhere = elsewhere.map(|(name, message)| SummaryLine {
            target: None,
            label: name,
            message: message.clone(),
        });
        let summary: Vec<_> = on_form.chain(elsewhere).collect();
        FormTemplate { page: self, messages, view, fields, summary }.render()
    }

    /// The page of an error, without a form.
    ///
    /// # Errors
    /// Never in practice: all values are text.
    pub fn notice(&self, messages: &Messages, alert: &Alert<'_>) -> Result<String, askama::Error> {
        NoticeTemplate { page: self, messages, alert }.render()
    }

    /// The page after a sign-up.
    ///
    /// # Errors
    /// Never in practice: all values are text.
    pub fn success(&self, messages: &Messages) -> Result<String, askama::Error> {
        SuccessTemplate { page: self, messages }.render()
    }
}

impl FieldView<'_> {
    /// True if the form always shows the field, or it has a value or an error.
    fn is_shown(&self) -> bool {
        self.input.always_shown || !self.value.is_empty() || !self.errors.is_empty()
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
