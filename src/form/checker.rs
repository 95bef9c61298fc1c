//! The rules of a deployment applied to a [`Submission`]: a [`NewUser`], or all errors at once.

use std::collections::HashSet;

use super::MAX_ERRORS;
use super::control_field::ControlField;
use super::field_value::FieldValue;
use super::metadata::read_metadata;
use super::pointer::pointer;
use super::submission::Submission;
use crate::domain::field::AttributeKind;
use crate::domain::invisible::{is_invisible, is_modifier};
use crate::domain::password::Profile;
use crate::domain::rules::{NameOrder, Presence, Rules};
use crate::domain::{
    AttributeValue, Attributes, EmailAddress, Field, FieldError, NewUser, Password, TermsVersion,
    Violation,
};

impl Submission<'_> {
    /// Parses the form by these rules. `order` is that of the names in the form's language, for
    /// rules that leave it open.
    ///
    /// # Errors
    /// Every error of the form, at most 100, and none of its values.
    pub fn validate(&self, rules: &Rules, order: NameOrder) -> Result<NewUser, Vec<FieldError>> {
        let order = rules.name_order.unwrap_or(order);
        let mut checker = Checker::new(rules, order, self);
        match checker.read_user() {
            Some(user) if checker.errors.is_empty() => Ok(user),
            Some(_) | None => Err(checker.into_errors()),
        }
    }
}

/// Reads one form and collects its errors.
struct Checker<'c> {
    rules: &'c Rules,
    order: NameOrder,
    form: &'c Submission<'c>,
    errors: Vec<FieldError>,
}

impl<'c> Checker<'c> {
    /// Starts with the errors that the form has already, without those of ignored names.
    fn new(rules: &'c Rules, order: NameOrder, form: &'c Submission<'c>) -> Self {
        let names = form.unknown_fields().iter().map(|unknown| unknown.name.as_ref());
        let ignored = names.filter(|name| rules.ignored.contains(name));
        let ignored: HashSet<_> = ignored.map(|name| pointer([name])).collect();
        let is_ignored = |error: &&FieldError| {
            let first = error.pointer.split('/').nth(1).unwrap_or_default();
            ignored.contains(&*format!("/{first}"))
        };
        let errors = form.errors().iter().filter(|error| !is_ignored(error)).cloned().collect();
        Self { rules, order, form, errors }
    }

    /// Reads every field. Returns `None` without an e-mail address or a password.
    fn read_user(&mut self) -> Option<NewUser> {
        let rules = self.rules;
        let email = self.read(Field::Email, |text| {
            // Auth0 accepts them. The person who types the address later does not type them. A plain
            // blank inside the address may be in quotation marks.
            let is_unseen =
                |c: char| is_invisible(c) || is_modifier(c) || (c.is_whitespace() && c != ' ');
            let text = text.trim_matches(|c| c == ' ' || is_unseen(c));
            if text.chars().any(is_unseen) {
                return Err(Violation::Malformed);
            }
            let email = EmailAddress::parse(text)?;
            rules.email.check(&email)?;
            Ok(email)
        });
        let password = self.read_password();
        let attributes = self.read_attributes();
        let user_metadata = read_metadata(&rules.metadata, self.form.metadata(), &mut self.errors);
        let terms = self.read_terms();
        self.reject_unknown_fields();

        let text_metadata: Vec<_> = user_metadata
            .iter()
            .filter_map(|(key, value)| Some((key.as_str(), value.text()?)))
            .collect();
        let profile = Profile {
            email: email.as_ref().map_or("", AsRef::as_ref),
            attributes: &attributes.iter().collect::<Vec<_>>(),
            user_metadata: &text_metadata,
        };
        // Checked without an e-mail address too, so that both errors are reported together.
        let password = password?;
        self.check_password(&password, &profile);
        Some(NewUser { email: email?, password, attributes, user_metadata, terms })
    }

    /// Reads a field with `parse`, after the checks that all fields share.
    fn read<T>(
        &mut self,
        field: Field,
        parse: impl FnOnce(&str) -> Result<T, Violation>,
    ) -> Option<T> {
        let presence = self.rules.presence_of(field);
        let parsed = match self.form.field(field) {
            FieldValue::Invalid if presence == Presence::Off => {
                // The field does not exist, so any other error of its value is meaningless.
                self.errors.retain(|error| error.pointer != field.pointer());
                Err(Violation::UnknownField)
            }
            FieldValue::Invalid => return None,
            value => match (value.trimmed(), presence) {
                (None, Presence::Required) => Err(Violation::Required),
                (None, Presence::Optional | Presence::Off) => return None,
                (Some(_), Presence::Off) => Err(Violation::UnknownField),
                (Some(text), _) if text.chars().any(char::is_control) => {
                    Err(Violation::ControlCharacter)
                }
                (Some(text), _) => parse(text),
            },
        };
        parsed.map_err(|v| self.errors.push(FieldError::at(field.pointer(), v))).ok()
    }

    /// Reads the password as typed. It is never trimmed. Control characters are rejected: no
    /// keyboard types them at the login, so their owner would be locked out.
    fn read_password(&mut self) -> Option<Password> {
        match self.form.field(Field::Password) {
            FieldValue::Text(text) if !text.is_empty() => {
                if text.chars().any(char::is_control) {
                    self.errors.push(FieldError::at("/password", Violation::ControlCharacter));
                }
                Some(Password::new(text))
            }
            FieldValue::Invalid => None,
            FieldValue::Text(_) | FieldValue::Absent => {
                self.errors.push(FieldError::at("/password", Violation::Required));
                None
            }
        }
    }

    /// Adds an error for each rule of the password policy that is not met.
    fn check_password(&mut self, password: &Password, profile: &Profile<'_>) {
        let unmet = self.rules.password.check(password.expose(), profile);
        let unmet = unmet.into_iter().map(Violation::Password);
        self.errors.extend(unmet.map(|violation| FieldError::at("/password", violation)));
    }

    /// Reads the version of the terms that the form accepts.
    fn read_terms(&mut self) -> Option<TermsVersion> {
        let terms = self.rules.terms.as_ref()?;
        let value = self.form.control(ControlField::Terms);
        if matches!(value, FieldValue::Invalid) {
            return None;
        }
        let accepted = terms.accepted_version(value.trimmed());
        accepted.map_err(|v| self.errors.push(FieldError::at("/terms", v))).ok().flatten()
    }

    /// Reads the root attributes, and composes a missing `name`.
    fn read_attributes(&mut self) -> Attributes {
        let rules = self.rules;
        let mut attributes = Attributes::default();
        for (field, kind) in Field::attributes() {
            let given = self.read(field, |text| AttributeValue::parse(kind, text, rules));
            let value = match field {
                Field::Name => given.or_else(|| self.compose_name(kind, &attributes)),
                _ => given,
            };
            if let Some(value) = value {
                attributes.push(field, value);
            }
        }
        attributes
    }

    /// Composes `name` from its parts, if it was left out and Auth0 accepts the result.
    fn compose_name(&self, kind: AttributeKind, attributes: &Attributes) -> Option<AttributeValue> {
        if !self.rules.compose_name || self.form.field(Field::Name).trimmed().is_some() {
            return None;
        }
        let (given, family) = (Field::GivenName, Field::FamilyName);
        let parts = match self.order {
            NameOrder::GivenFirst => [given, family],
            NameOrder::FamilyFirst => [family, given],
        };
        let parts: Vec<_> = parts.into_iter().filter_map(|field| attributes.get(field)).collect();
        if parts.is_empty() {
            return None;
        }
        AttributeValue::parse(kind, &parts.join(" "), self.rules).ok()
    }

    /// Adds an error for each unknown name that is not ignored.
    fn reject_unknown_fields(&mut self) {
        let unknown = self.form.unknown_fields().iter();
        let is_ignored = |name: &str| self.rules.ignored.contains(name);
        // A file under an ignored name is one that its user expects to arrive.
        let unknown = unknown.filter(|unknown| unknown.is_file || !is_ignored(&unknown.name));
        for unknown in unknown.take(MAX_ERRORS) {
            let at = pointer([unknown.name.as_ref()]);
            let violation =
                if unknown.is_file { Violation::NotAllowed } else { Violation::UnknownField };
            self.errors.push(FieldError::at_path(at, violation));
        }
    }

    /// Returns the errors in the order of the fields, followed by those of other names.
    fn into_errors(self) -> Vec<FieldError> {
        let mut errors = self.errors;
        errors.sort_by_key(|error| {
            Field::ALL
                .iter()
                .position(|field| field.pointer() == error.pointer)
                .unwrap_or(usize::MAX)
        });
        errors.truncate(MAX_ERRORS);
        errors
    }
}
