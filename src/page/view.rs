//! The pages, from the templates beside this module.

use std::borrow::Cow;

use askama::Template;
use http::HeaderValue;
use serde::Serialize;
use serde_json::json;
use url::Url;

use super::form_values::Filled;
use super::inputs::{self, Input, Kind, Label};
use super::messages::Words;
use super::script;
use super::theme::Theme;
use super::widget::Widget;
use crate::config::{ChallengeSettings, PageSettings, Required};
use crate::domain::PasswordRule;
use crate::domain::rules::Rules;
use crate::texts::Locale;

/// The route of the form.
pub const FORM: &str = "/signup";
/// The route of the page after a sign-up.
pub const SUCCESS: &str = "/signup/success";

/// What all pages of a deployment have in common.
#[derive(Debug)]
pub struct Page {
    settings: PageSettings,
    inputs: Vec<Input>,
    password_rules: Vec<PasswordRule>,
    /// What the script is told, so that it needs no request of its own.
    policy: String,
    theme: Theme,
    widget: Option<Widget>,
    /// Whether a form that is sent without JavaScript may be asked for a proof at any time.
    needs_script: bool,
}

/// Something that went wrong, said above everything else.
#[derive(Debug, Default)]
pub struct Alert<'a> {
    /// What went wrong, in a few words.
    pub title: Cow<'a, str>,
    /// What to do about it.
    pub detail: Cow<'a, str>,
    /// What is wrong with which field, by the field's name in code.
    pub faults: Vec<(String, String)>,
    /// After so many seconds it is worth trying again.
    pub retry_after: Option<u64>,
    /// Whether the person may have an account: to log in is the way on.
    pub has_account: bool,
    /// What to tell the operator, so that the request can be found in the log.
    pub reference: Option<String>,
    /// Where to go back to, from a page without the form.
    pub back: Option<Back>,
}

/// Where a page without the form leads back to.
#[derive(Debug)]
pub enum Back {
    /// To the built-in form.
    Form,
    /// To a page of another site: often its origin alone, which is all that browsers tell of it.
    Site(Url),
}

impl Back {
    /// The address, for a page in this language.
    fn address(&self, lang: &str) -> Cow<'_, str> {
        match self {
            Self::Form => format!("{FORM}?ui_locales={lang}").into(),
            Self::Site(page) => page.as_str().into(),
        }
    }
}

/// A line of the password's rules: the code of its fault, and its words.
pub type RuleLine = (&'static str, String);

/// What is shown on the form.
#[derive(Debug)]
pub struct FormView<'a> {
    /// What was typed before.
    pub filled: &'a Filled,
    /// What is wrong with it.
    pub alert: Option<&'a Alert<'a>>,
    /// The idempotency key of this form.
    pub key: &'a str,
    /// What says when this form was given out.
    pub form_token: &'a str,
    /// The name of the field that people leave empty.
    pub honeypot: Option<&'a str>,
    /// The password's rules, in words.
    pub rules: &'a [RuleLine],
}

#[derive(Template)]
#[template(path = "form.html")]
struct FormTemplate<'a> {
    page: &'a Page,
    words: &'a Words,
    view: &'a FormView<'a>,
    inputs: Vec<Shown<'a>>,
    /// What is wrong, a line a field; those that are not on the form come last.
    summary: Vec<Line<'a>>,
}

#[derive(Template)]
#[template(path = "notice.html")]
struct NoticeTemplate<'a> {
    page: &'a Page,
    words: &'a Words,
    alert: &'a Alert<'a>,
}

#[derive(Template)]
#[template(path = "success.html")]
struct SuccessTemplate<'a> {
    page: &'a Page,
    words: &'a Words,
}

/// An input with what is in it and what is wrong with it.
struct Shown<'a> {
    input: &'a Input,
    label: &'a str,
    value: &'a str,
    faults: Vec<&'a str>,
}

/// A line of the summary.
struct Line<'a> {
    /// The input it leads to, where there is one.
    target: Option<&'a str>,
    label: &'a str,
    message: String,
}

impl Page {
    /// The pages with these settings, for forms with these rules. `told`: what the policy
    /// tells of challenges.
    pub fn new(
        settings: PageSettings,
        rules: &Rules,
        challenge: &ChallengeSettings,
        told: &impl Serialize,
    ) -> Self {
        let widget = challenge.captcha.as_ref().map(Widget::new);
        let needs_script = challenge.required == Required::Always;
        let theme = Theme::new(&settings, widget.as_ref());
        let inputs = inputs::inputs(&settings, rules);
        let password_rules = rules.password.rules();
        let judged = script::judged(&rules.password);
        // Where a proof is needed only now and then, asking ahead would cost every visit one.
        let told = (needs_script || widget.is_some()).then_some(told);
        let policy = json!({ "password": judged, "challenge": told }).to_string();
        Self { settings, inputs, password_rules, policy, theme, widget, needs_script }
    }

    /// How the pages are set up.
    pub const fn settings(&self) -> &PageSettings {
        &self.settings
    }

    /// The rules to tell people before they choose a password.
    pub fn password_rules(&self) -> &[PasswordRule] {
        &self.password_rules
    }

    /// What a field is called that forms may have, by its name in code.
    pub fn label<'a>(&'a self, field: &str, words: &'a Words) -> Option<&'a str> {
        let input = self.inputs.iter().find(|input| input.name == field)?;
        Some(label(input, words))
    }

    /// What the values are called that a key of `user_metadata` takes, by its name in code; none
    /// where it takes others.
    pub fn options<'a>(
        &'a self,
        field: &str,
        words: &'a Words,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let kind = self.inputs.iter().find(|input| input.name == field).map(|input| &input.kind);
        let choices = match kind {
            Some(Kind::Choice(choices)) => choices.as_slice(),
            _ => &[],
        };
        choices.iter().map(|choice| (&*choice.value, choice.called(words)))
    }

    /// The `Content-Security-Policy` of every page.
    pub const fn policy(&self) -> &HeaderValue {
        &self.theme.policy
    }

    /// Where a browser is sent after a sign-up with this form: to the address it asked for, if it is
    /// one of those listed. The built-in page is in the language that the form chose.
    pub fn success_target(&self, form: &Filled) -> Cow<'_, str> {
        let listed = form.return_to.as_ref().and_then(|wanted| {
            self.settings.return_to.iter().find(|address| address.text == *wanted)
        });
        match (listed, &self.settings.success_url) {
            (Some(address), _) => address.url.as_str().into(),
            (None, Some(url)) => url.as_str().into(),
            (None, None) => match form.ui_locales.as_deref().and_then(Locale::of_tags) {
                Some(locale) => format!("{SUCCESS}?ui_locales={}", locale.tag()).into(),
                None => SUCCESS.into(),
            },
        }
    }

    /// The form.
    ///
    /// # Errors
    /// Never in practice: everything shown is text.
    pub fn form(&self, words: &Words, view: &FormView<'_>) -> Result<String, askama::Error> {
        let faults = view.alert.map_or([].as_slice(), |alert| alert.faults.as_slice());
        let shown = self.inputs.iter().map(|input| Shown {
            input,
            label: label(input, words),
            value: view.filled.value(&input.name),
            faults: faults
                .iter()
                .filter(|(name, _)| *name == input.name)
                .map(|(_, message)| message.as_str())
                .collect(),
        });
        let inputs: Vec<_> = shown.filter(Shown::is_needed).collect();
        let on_form = inputs.iter().filter(|shown| !shown.faults.is_empty()).map(|shown| Line {
            target: Some(&shown.input.id),
            label: shown.label,
            message: shown.faults.join(" "),
        });
        let elsewhere =
            faults.iter().filter(|(name, _)| !inputs.iter().any(|shown| shown.input.name == *name));
        let elsewhere = elsewhere.map(|(name, message)| Line {
            target: None,
            label: name,
            message: message.clone(),
        });
        let summary: Vec<_> = on_form.chain(elsewhere).collect();
        FormTemplate { page: self, words, view, inputs, summary }.render()
    }

    /// The page of something that went wrong, without a form.
    ///
    /// # Errors
    /// Never in practice: everything shown is text.
    pub fn notice(&self, words: &Words, alert: &Alert<'_>) -> Result<String, askama::Error> {
        NoticeTemplate { page: self, words, alert }.render()
    }

    /// The page after a sign-up.
    ///
    /// # Errors
    /// Never in practice: everything shown is text.
    pub fn success(&self, words: &Words) -> Result<String, askama::Error> {
        SuccessTemplate { page: self, words }.render()
    }
}

impl Shown<'_> {
    /// Whether the page asks for it, or there is something to say of it.
    fn is_needed(&self) -> bool {
        self.input.asked || !self.value.is_empty() || !self.faults.is_empty()
    }

    /// The ids of what describes the input, in the order in which they are read.
    fn described_by(&self) -> String {
        let mut ids = Vec::new();
        if !self.faults.is_empty() {
            ids.push(format!("{}-error", self.input.id));
        }
        if matches!(self.input.kind, Kind::Password) {
            ids.push("password-rules".to_owned());
        }
        ids.join(" ")
    }
}

fn label<'a>(input: &'a Input, words: &'a Words) -> &'a str {
    match &input.label {
        Label::Field(field) => words.field(*field),
        Label::Terms => &words.terms,
        Label::Own(named) => named.in_language(words.locale),
    }
}
