//! The rules of one deployment applied to a [`Submission`]: all faults at once, or a [`NewUser`].

use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;

use super::metadata::{self, MetadataRules};
use super::password::{PasswordPolicy, Profile};
use super::submission::{Control, MAX_FAULTS, Slot, Submission, pointer};
use super::{
    EmailAddress, EmailRules, Field, FieldError, NewUser, Password, PersonalName, PhoneNumber,
    PictureSchemes, PictureUrl, Terms, TermsVersion, Username, Violation,
};

/// Whether a field may, must or must not be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// A sign-up without it is refused.
    Required,
    /// It may be left out.
    Optional,
    /// It is an unknown field.
    Off,
}

/// The order in which `name` is composed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameOrder {
    /// `given_name family_name`
    GivenFirst,
    /// `family_name given_name`
    FamilyFirst,
}

/// The rules of one deployment.
#[derive(Debug)]
pub struct Rules {
    /// Which fields are taken; one that is not listed is off. `email` and `password` are
    /// required whatever this says.
    pub presence: BTreeMap<Field, Presence>,
    /// How an absent `name` is composed; `None` leaves it absent.
    pub compose_name: Option<NameOrder>,
    /// Which e-mail addresses are taken.
    pub email: EmailRules,
    /// The URL schemes a picture may have.
    pub picture: PictureSchemes,
    /// The code points of a `username`, within 1..=128.
    pub username: RangeInclusive<usize>,
    /// The keys of `user_metadata`.
    pub metadata: MetadataRules,
    /// The terms that people accept; `None`: none are in force, and nothing is made of the field.
    pub terms: Option<Terms>,
    /// Names that are taken and thrown away: a submit button, say.
    pub ignored: HashSet<String>,
    /// The tenant's password policy.
    pub password: PasswordPolicy,
}

impl Rules {
    /// Parses the form.
    ///
    /// # Errors
    /// Every fault of the form, at most [`MAX_FAULTS`], and nothing of its values.
    pub fn check(&self, form: &Submission<'_>) -> Result<NewUser, Vec<FieldError>> {
        let mut reading = Reading { rules: self, form, faults: self.faults_of(form) };

        let email = reading.text(Field::Email, |text| self.email.check(EmailAddress::parse(text)?));
        let password = reading.password();
        let part = |text: &str| PersonalName::parse(text, PersonalName::MAX_GIVEN_OR_FAMILY);
        let whole = |text: &str| PersonalName::parse(text, PersonalName::MAX_NAME_OR_NICKNAME);
        let given_name = reading.text(Field::GivenName, part);
        let family_name = reading.text(Field::FamilyName, part);
        let name = reading
            .text(Field::Name, whole)
            .or_else(|| self.composed_name(form, given_name.as_ref(), family_name.as_ref()));
        let nickname = reading.text(Field::Nickname, whole);
        let picture = reading.text(Field::Picture, |text| PictureUrl::parse(text, self.picture));
        let username =
            reading.text(Field::Username, |text| Username::parse(text, self.username.clone()));
        let phone_number = reading.text(Field::PhoneNumber, PhoneNumber::parse);
        let user_metadata = metadata::check(&self.metadata, form.metadata(), &mut reading.faults);
        let terms = reading.terms();
        reading.unknown_names();

        if let Some(password) = &password {
            let user_metadata: Vec<_> = user_metadata
                .iter()
                .filter_map(|(key, value)| Some((key.as_str(), value.text()?)))
                .collect();
            let profile = Profile {
                email: email.as_ref().map_or("", AsRef::as_ref),
                given_name: given_name.as_ref().map(AsRef::as_ref),
                family_name: family_name.as_ref().map(AsRef::as_ref),
                name: name.as_ref().map(AsRef::as_ref),
                nickname: nickname.as_ref().map(AsRef::as_ref),
                username: username.as_ref().map(AsRef::as_ref),
                phone_number: phone_number.as_ref().map(AsRef::as_ref),
                user_metadata: &user_metadata,
            };
            let unmet = self.password.check(password.expose(), &profile);
            let unmet = unmet.into_iter().map(Violation::Password);
            reading.faults.extend(unmet.map(|rule| FieldError::at("/password", rule)));
        }

        let mut faults = reading.faults;
        if let (Some(email), Some(password), true) = (email, password, faults.is_empty()) {
            return Ok(NewUser {
                email,
                password,
                given_name,
                family_name,
                name,
                nickname,
                picture,
                username,
                phone_number,
                user_metadata,
                terms,
            });
        }
        // In the order of the form, with names that are no fields at the end.
        faults.sort_by_key(|fault| {
            Field::ALL
                .iter()
                .position(|field| field.pointer() == fault.pointer)
                .unwrap_or(usize::MAX)
        });
        faults.truncate(MAX_FAULTS);
        Err(faults)
    }

    /// The form's own faults, less those of names that are thrown away.
    fn faults_of(&self, form: &Submission<'_>) -> Vec<FieldError> {
        let ignored = |fault: &&FieldError| {
            self.ignored.iter().any(|name| pointer([name.as_str()]) == fault.pointer)
        };
        form.faults().iter().filter(|fault| !ignored(fault)).cloned().collect()
    }

    /// `name` made of its parts, where it was left out and what comes of it is one Auth0 takes.
    fn composed_name(
        &self,
        form: &Submission<'_>,
        given: Option<&PersonalName>,
        family: Option<&PersonalName>,
    ) -> Option<PersonalName> {
        if form.field(Field::Name).trimmed().is_some() {
            return None;
        }
        let (first, last) = match self.compose_name? {
            NameOrder::GivenFirst => (given, family),
            NameOrder::FamilyFirst => (family, given),
        };
        let composed = match (first, last) {
            (Some(first), Some(last)) => format!("{} {}", first.as_ref(), last.as_ref()),
            (Some(only), None) | (None, Some(only)) => only.as_ref().to_owned(),
            (None, None) => return None,
        };
        PersonalName::parse(&composed, PersonalName::MAX_NAME_OR_NICKNAME).ok()
    }
}

/// One pass over a form.
struct Reading<'r> {
    rules: &'r Rules,
    form: &'r Submission<'r>,
    faults: Vec<FieldError>,
}

impl Reading<'_> {
    fn text<T>(
        &mut self,
        field: Field,
        parse: impl FnOnce(&str) -> Result<T, Violation>,
    ) -> Option<T> {
        let presence = match field {
            Field::Email => Presence::Required,
            other => self.rules.presence.get(&other).copied().unwrap_or(Presence::Off),
        };
        let parsed = match (self.form.field(field), presence) {
            (Slot::Faulty, Presence::Off) => {
                // Whatever is wrong with its value, there is no such field.
                self.faults.retain(|fault| fault.pointer != field.pointer());
                Err(Violation::UnknownField)
            }
            (Slot::Faulty, _) | (Slot::Absent, Presence::Off) => return None,
            (Slot::Text(_), Presence::Off) => Err(Violation::UnknownField),
            (slot, presence) => match slot.trimmed() {
                None if presence == Presence::Required => Err(Violation::Required),
                None => return None,
                Some(text) if text.chars().any(char::is_control) => {
                    Err(Violation::ControlCharacter)
                }
                Some(text) => parse(text),
            },
        };
        parsed.map_err(|v| self.faults.push(FieldError::at(field.pointer(), v))).ok()
    }

    /// The password as typed: never trimmed, and what it holds is the policy's affair alone.
    fn password(&mut self) -> Option<Password> {
        match self.form.field(Field::Password) {
            Slot::Text(text) if !text.is_empty() => Some(Password::new(text)),
            Slot::Faulty => None,
            Slot::Text(_) | Slot::Absent => {
                self.faults.push(FieldError::at("/password", Violation::Required));
                None
            }
        }
    }

    /// The version of the terms that is accepted.
    fn terms(&mut self) -> Option<TermsVersion> {
        let accepted = self.rules.terms.as_ref()?.accepted(self.form.control(Control::Terms));
        accepted.map_err(|v| self.faults.push(FieldError::at("/terms", v))).ok().flatten()
    }

    fn unknown_names(&mut self) {
        for other in self.form.others() {
            if !self.rules.ignored.contains(other.name.as_ref()) {
                let at = pointer([other.name.as_ref()]);
                self.faults.push(FieldError::at_path(at, other.violation.clone()));
            }
        }
    }
}
