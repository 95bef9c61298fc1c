//! What a person had typed, to be shown again beside what is wrong with it. Never the password.

use std::fmt;

use url::form_urlencoded;

use super::view::FORM;
use crate::domain::Field;
use crate::domain::submission::{Control, METADATA, Slot, Submission};
use crate::domain::terms::says_yes;
use crate::domain::value::Value;

/// What the boxes of the form send.
pub(super) const TICKED: &str = "true";

/// The values of a form that are shown again, and what steers it.
///
/// Holds personal data, so `Debug` shows none of it.
#[derive(Clone, Default)]
pub struct Filled {
    /// By the name of the input.
    values: Vec<(String, String)>,
    /// `idempotency_key`
    pub key: Option<String>,
    /// `return_to`
    pub return_to: Option<String>,
    /// `ui_locales`
    pub ui_locales: Option<String>,
    /// `form_token`
    pub form_token: Option<String>,
}

impl Filled {
    /// A form that nobody has typed into.
    pub fn blank(return_to: Option<String>, ui_locales: Option<String>) -> Self {
        Self { return_to, ui_locales, ..Self::default() }
    }

    /// What is kept of a form. Without a field `ui_locales`, the languages are those of the address
    /// that it was posted to.
    pub fn of(form: &Submission<'_>, ui_locales: Option<String>) -> Self {
        let mut values = Vec::new();
        for field in Field::ALL {
            match field {
                Field::Password => {}
                Field::Email
                | Field::GivenName
                | Field::FamilyName
                | Field::Name
                | Field::Nickname
                | Field::Picture
                | Field::Username
                | Field::PhoneNumber => {
                    if let Some(text) = form.field(field).trimmed() {
                        values.push((field.name().to_owned(), text.to_owned()));
                    }
                }
            }
        }
        for (key, value) in form.metadata() {
            let text = match value {
                Value::Text(text) => text.trim().to_owned(),
                Value::Number(number) => number.to_string(),
                Value::Bool(value) => value.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) | Value::File => continue,
            };
            values.push((metadata_name(key), text));
        }
        let terms = form.control(Control::Terms);
        let ticked = match says_yes(terms) {
            Some(true) => Some(TICKED),
            Some(false) => None,
            // The version that the form showed.
            None => terms.trimmed(),
        };
        if let Some(ticked) = ticked {
            values.push((Control::Terms.name().to_owned(), ticked.to_owned()));
        }
        let control = |control: Control| match form.control(control) {
            Slot::Text(text) if !text.is_empty() => Some(text.clone().into_owned()),
            Slot::Text(_) | Slot::Absent | Slot::Faulty => None,
        };
        Self {
            values,
            key: control(Control::IdempotencyKey),
            return_to: control(Control::ReturnTo),
            ui_locales: control(Control::UiLocales).or(ui_locales),
            form_token: control(Control::FormToken),
        }
    }

    /// Where the form is posted to. A reload by that address shows the form anew, as it was asked for.
    pub(super) fn action(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(format!("{FORM}?sent"));
        let wishes = [("ui_locales", &self.ui_locales), ("return_to", &self.return_to)];
        for (name, wish) in wishes {
            if let Some(wish) = wish {
                query.append_pair(name, wish);
            }
        }
        query.finish()
    }

    /// What was typed into the input of that name; blank where nothing was.
    pub(super) fn value(&self, name: &str) -> &str {
        let found = self.values.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

impl fmt::Debug for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Filled")
    }
}

/// The name of the input of a key of `user_metadata`; dotted, as it stands in messages.
pub fn metadata_name(key: &str) -> String {
    format!("{METADATA}.{key}")
}
