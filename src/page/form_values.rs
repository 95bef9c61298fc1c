//! The values of a posted form, which are shown again beside its errors. Never the password.

use std::fmt;

use url::form_urlencoded;

use super::greeting::Greeting;
use super::paths::FORM;
use crate::domain::Field;
use crate::domain::field::FieldKind;
use crate::domain::invisible::trim;
use crate::domain::metadata::USER_METADATA;
use crate::domain::terms::parse_consent;
use crate::form::{BodyValue, ControlField, FieldValue, Submission};

/// The value of a ticked checkbox.
pub(super) const CHECKED: &str = "true";

/// The values of a form that are shown again, and its control fields.
///
/// Contains personal data, which `Debug` leaves out.
#[derive(Default)]
pub struct FormValues {
    /// Values, by the name of the input.
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

impl FormValues {
    /// The values of an empty form.
    pub fn empty(return_to: Option<String>, ui_locales: Option<String>) -> Self {
        Self { return_to, ui_locales, ..Self::default() }
    }

    /// The values of a posted form. Without a field `ui_locales`, takes the languages from the
    /// address that it was posted to.
    pub fn from_submission(form: &Submission<'_>, ui_locales: Option<String>) -> Self {
        let mut values = Vec::new();
        for field in Field::ALL {
            if field.spec().kind == FieldKind::Password {
                continue;
            }
            if let Some(text) = form.field(field).trimmed() {
                values.push((field.name().to_owned(), text.to_owned()));
            }
        }
        for (key, value) in form.metadata() {
            let text = match value {
                BodyValue::Text(text) | BodyValue::Checkbox(text) => {
                    trim(text).unwrap_or_default().to_owned()
                }
                BodyValue::Number(number) => number.to_string(),
                BodyValue::Bool(value) => value.to_string(),
                BodyValue::Null | BodyValue::Array(_) | BodyValue::Object(_) | BodyValue::File => {
                    continue;
                }
            };
            values.push((metadata_name(key), text));
        }
        let is_kept = |text: &str| text.len() <= ControlField::MAX_BYTES;
        let terms = form.control(ControlField::Terms);
        let checked = match parse_consent(terms.trimmed()) {
            Some(true) => Some(CHECKED),
            Some(false) => None,
            // The version that the form displayed.
            None => terms.trimmed().filter(|text| is_kept(text)),
        };
        if let Some(checked) = checked {
            values.push((ControlField::Terms.name().to_owned(), checked.to_owned()));
        }
        let control = |field: ControlField| match form.control(field) {
            FieldValue::Text(text) if !text.is_empty() && is_kept(text) => {
                Some(text.clone().into_owned())
            }
            FieldValue::Text(_) | FieldValue::Absent | FieldValue::Invalid => None,
        };
        Self {
            values,
            key: control(ControlField::IdempotencyKey),
            return_to: control(ControlField::ReturnTo),
            ui_locales: control(ControlField::UiLocales)
                .or(ui_locales.filter(|tags| is_kept(tags))),
            form_token: control(ControlField::FormToken),
        }
    }

    /// The address that the form is posted to, below the base path. A reload from there shows an empty form in the same
    /// language, with the same `return_to`.
    pub(super) fn action(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(format!("{FORM}?sent"));
        let parameters = [("ui_locales", &self.ui_locales), ("return_to", &self.return_to)];
        for (name, value) in parameters {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        query.finish()
    }

    /// The person who filled the form in.
    pub fn greeting(&self) -> Greeting {
        let given = |field: Field| Some(self.value(field.name())).filter(|text| !text.is_empty());
        let names = [Field::GivenName, Field::Nickname, Field::Name];
        let name = names.into_iter().find_map(given).map(str::to_owned);
        Greeting { name, email: given(Field::Email).map(str::to_owned) }
    }

    /// The value of an input; blank if there is none.
    pub(super) fn value(&self, name: &str) -> &str {
        let found = self.values.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

impl fmt::Debug for FormValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FormValues")
    }
}

/// The name of the input of a metadata key: dotted, as in messages.
pub fn metadata_name(key: &str) -> String {
    format!("{USER_METADATA}.{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_fields_are_kept_up_to_a_bound() {
        let values = |length: usize| {
            let text = || "x".repeat(length);
            let value = |name: &'static str| (name.into(), BodyValue::Text(text().into()));
            let names = ["return_to", "form_token", "idempotency_key", "terms"];
            let form = Submission::new(names.map(value).into());
            FormValues::from_submission(&form, Some(text()))
        };
        let kept = values(ControlField::MAX_BYTES);
        assert!(kept.return_to.is_some() && kept.form_token.is_some() && kept.key.is_some());
        assert!(kept.ui_locales.is_some() && !kept.value("terms").is_empty());
        let cut = values(ControlField::MAX_BYTES + 1);
        assert!(cut.return_to.is_none() && cut.form_token.is_none() && cut.key.is_none());
        assert!(cut.ui_locales.is_none() && cut.value("terms").is_empty());
    }
}
