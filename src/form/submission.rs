//! A form as it was posted, before any rule of the deployment is applied.
//!
//! Records which names were given, once or more than once, and with which kind of value. Borrows
//! the text of the body, including the password; `Debug` shows names only.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use super::MAX_ERRORS;
use super::control_field::ControlField;
use super::duplicates::{duplicate_names, report_duplicates};
use super::field_value::FieldValue;
use super::pointer::pointer;
use super::value::{BodyMembers, BodyValue};
use crate::domain::invisible::trim;
use crate::domain::metadata::USER_METADATA;
use crate::domain::{Field, FieldError, Violation, parse_boolean};

/// A name that is neither a field nor a control field nor `user_metadata`.
#[derive(Debug)]
pub(super) struct UnknownField<'a> {
    pub(super) name: Cow<'a, str>,
    /// True if any value under this name is a file with content, which no ignored name may have.
    pub(super) is_file: bool,
    /// True if any value under this name is more than white space.
    is_filled: bool,
}

/// A form as it was posted.
#[derive(Default)]
pub struct Submission<'a> {
    fields: [FieldValue<'a>; Field::ALL.len()],
    control_fields: [FieldValue<'a>; ControlField::COUNT],
    metadata: BodyMembers<'a>,
    unknown_fields: Vec<UnknownField<'a>>,
    errors: Vec<FieldError>,
}

impl fmt::Debug for Submission<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = Field::ALL.into_iter().zip(&self.fields);
        let given =
            given.filter(|(_, value)| !matches!(value, FieldValue::Absent)).map(|(name, _)| name);
        f.debug_struct("Submission")
            .field("fields", &given.collect::<Vec<_>>())
            .field("errors", &self.errors)
            .finish_non_exhaustive()
    }
}

impl<'a> Submission<'a> {
    /// Sorts the members of a JSON object, or of a form gathered by [`members_from_pairs`], into
    /// fields, control fields, metadata and unknown fields.
    pub fn new(members: BodyMembers<'a>) -> Self {
        let mut form = Self::default();
        let duplicates = duplicate_names(&members);
        report_duplicates(&mut form.errors, &members);
        // The places of repeated names among the unknown fields.
        let mut repeated = HashMap::new();

        for (name, value) in members {
            let is_duplicate = duplicates.contains(name.as_ref());
            if name == USER_METADATA {
                if !is_duplicate {
                    form.set_metadata(value);
                }
            } else if let Some(field) = form.field_mut(&name) {
                let is_terms = name == ControlField::Terms.name();
                let read =
                    if is_duplicate { Ok(FieldValue::Invalid) } else { read(value, is_terms) };
                match read {
                    Ok(value) => *field = value,
                    Err(violation) => {
                        *field = FieldValue::Invalid;
                        form.errors.push(FieldError::at_path(pointer([name.as_ref()]), violation));
                    }
                }
            } else {
                let next = form.unknown_fields.len();
                let place = if is_duplicate {
                    *repeated.entry(name.to_string()).or_insert(next)
                } else {
                    next
                };
                form.add_unknown(place, name, &value);
            }
        }
        form
    }

    /// The value of a field.
    pub fn field(&self, field: Field) -> &FieldValue<'a> {
        let index = Field::ALL.iter().position(|known| *known == field);
        index.and_then(|index| self.fields.get(index)).unwrap_or(&FieldValue::Absent)
    }

    /// The value of a control field.
    pub fn control(&self, field: ControlField) -> &FieldValue<'a> {
        let index = ControlField::index_of(field.name());
        index.and_then(|index| self.control_fields.get(index)).unwrap_or(&FieldValue::Absent)
    }

    /// The members of `user_metadata`, without those that were given more than once.
    pub fn metadata(&self) -> &[(Cow<'a, str>, BodyValue<'a>)] {
        &self.metadata
    }

    /// The names that are neither fields nor control fields nor `user_metadata`, each once.
    pub(super) fn unknown_fields(&self) -> &[UnknownField<'a>] {
        &self.unknown_fields
    }

    /// Returns whether the unknown field with this name holds more than white space.
    pub fn is_filled(&self, name: &str) -> bool {
        self.unknown_fields.iter().any(|unknown| unknown.is_filled && unknown.name == name)
    }

    /// The errors that were found without any rule of the deployment.
    pub(super) fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// The place of a field or control field with this name.
    fn field_mut(&mut self, name: &str) -> Option<&mut FieldValue<'a>> {
        if let Some(index) = Field::ALL.iter().position(|field| field.name() == name) {
            return self.fields.get_mut(index);
        }
        let index = ControlField::index_of(name)?;
        self.control_fields.get_mut(index)
    }

    /// Adds an unknown field, or another value of the one at this place.
    fn add_unknown(&mut self, place: usize, name: Cow<'a, str>, value: &BodyValue<'a>) {
        let (is_filled, is_file) = (is_filled(value), matches!(value, BodyValue::File));
        if let Some(known) = self.unknown_fields.get_mut(place) {
            known.is_filled |= is_filled;
            known.is_file |= is_file;
            return;
        }
        self.unknown_fields.push(UnknownField { name, is_file, is_filled });
    }

    /// Sets `user_metadata`, which has to be an object.
    fn set_metadata(&mut self, value: BodyValue<'a>) {
        match value {
            BodyValue::Null => {}
            BodyValue::Object(members) => {
                let duplicates = duplicate_names(&members);
                self.metadata = members;
                self.metadata.retain(|(key, _)| !duplicates.contains(key.as_ref()));
            }
            BodyValue::Bool(_)
            | BodyValue::Number(_)
            | BodyValue::Text(_)
            | BodyValue::Array(_)
            | BodyValue::Checkbox(_)
            | BodyValue::File => {
                let expected = Violation::WrongType { expected: "object" };
                self.errors.push(FieldError::at("/user_metadata", expected));
            }
        }
    }
}

/// Returns whether a value is more than white space.
fn is_filled(value: &BodyValue<'_>) -> bool {
    match value {
        BodyValue::Null => false,
        BodyValue::Text(text) | BodyValue::Checkbox(text) => !text.trim().is_empty(),
        BodyValue::Bool(_)
        | BodyValue::Number(_)
        | BodyValue::Array(_)
        | BodyValue::Object(_)
        | BodyValue::File => true,
    }
}

/// Reads the value of a field that takes a string.
fn read(value: BodyValue<'_>, is_terms: bool) -> Result<FieldValue<'_>, Violation> {
    match value {
        BodyValue::Null => Ok(FieldValue::Absent),
        BodyValue::Text(text) => Ok(FieldValue::Text(text)),
        BodyValue::Checkbox(text) if is_terms => Ok(FieldValue::Text(text)),
        BodyValue::Checkbox(_) => Err(Violation::DuplicateField),
        // JSON clients send a boolean for a checkbox.
        BodyValue::Bool(accepted) if is_terms => {
            Ok(FieldValue::Text(Cow::Borrowed(if accepted { "true" } else { "" })))
        }
        BodyValue::File => Err(Violation::NotAllowed),
        BodyValue::Bool(_) | BodyValue::Number(_) | BodyValue::Array(_) | BodyValue::Object(_) => {
            Err(Violation::WrongType { expected: if is_terms { "boolean" } else { "string" } })
        }
    }
}

/// Gathers the pairs of an urlencoded or multipart form into the shape of a JSON object:
/// `user_metadata[key]` and `user_metadata.key` become members of `user_metadata`. A blank
/// `user_metadata` is absent. Blank values and words for yes or no with a last value of the same name
/// become a [`BodyValue::Checkbox`].
pub fn members_from_pairs<'a>(
    pairs: impl IntoIterator<Item = (Cow<'a, str>, BodyValue<'a>)>,
) -> BodyMembers<'a> {
    let mut metadata = BodyMembers::new();
    let mut members = BodyMembers::new();
    for (name, value) in pairs {
        if name == USER_METADATA && !is_filled(&value) {
            continue;
        }
        match metadata_key(&name) {
            Some(key) => metadata.push((Cow::Owned(key.to_owned()), value)),
            None => members.push((name, value)),
        }
    }
    merge_checkbox(&mut members, ControlField::Terms.name());
    let mut keys: Vec<_> = duplicate_names(&metadata).into_iter().collect();
    keys.truncate(MAX_ERRORS);
    for key in keys {
        merge_checkbox(&mut metadata, &key);
    }
    if !metadata.is_empty() {
        members.push((Cow::Borrowed(USER_METADATA), BodyValue::Object(metadata)));
    }
    members
}

/// Replaces members of this name by the last one, if all before it are blank or words for yes or no.
fn merge_checkbox(members: &mut BodyMembers<'_>, name: &str) {
    let is_word = |value: &BodyValue<'_>| match value {
        BodyValue::Text(text) => trim(text).is_none_or(|word| parse_boolean(word).is_some()),
        _ => false,
    };
    let values = members.iter().filter(|(known, _)| known == name).map(|(_, value)| value);
    let values: Vec<_> = values.collect();
    let Some((BodyValue::Text(last), hidden @ [_, ..])) = values.split_last() else { return };
    if hidden.iter().all(|value| is_word(value)) {
        let last = BodyValue::Checkbox(last.clone());
        members.retain(|(known, _)| known != name);
        members.push((Cow::Owned(name.to_owned()), last));
    }
}

/// Extracts the key from `user_metadata[key]` or `user_metadata.key`.
fn metadata_key(name: &str) -> Option<&str> {
    let rest = name.strip_prefix(USER_METADATA)?;
    let bracketed = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    bracketed.or_else(|| rest.strip_prefix('.')).filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(body: &str) -> Submission<'_> {
        let BodyValue::Object(members) = BodyValue::from_json(body.as_bytes()).unwrap() else {
            panic!("object")
        };
        Submission::new(members)
    }

    fn errors<'f>(form: &'f Submission<'_>) -> Vec<(&'f str, &'static str)> {
        form.errors().iter().map(|e| (e.pointer.as_ref(), e.violation.code())).collect()
    }

    #[test]
    fn a_duplicate_name_is_reported_once_and_its_values_are_not_read() {
        let form = json(r#"{"email":"a","email":"b","email":1}"#);
        assert_eq!(errors(&form), [("/email", "duplicate_field")]);
        assert!(matches!(form.field(Field::Email), FieldValue::Invalid));
    }

    #[test]
    fn duplicate_names_are_found_at_any_depth() {
        let form = json(r#"{"user_metadata":{"a":{"b":[0,{"c":1,"c":2}]},"d":"1","d":"2"}}"#);
        let expected = [
            ("/user_metadata/d", "duplicate_field"),
            ("/user_metadata/a/b/1/c", "duplicate_field"),
        ];
        assert_eq!(errors(&form), expected);
        assert_eq!(form.metadata().len(), 1);
    }

    #[test]
    fn wrong_types_are_reported_and_null_counts_as_absent() {
        let form = json(r#"{"email":5,"name":{},"user_metadata":[],"nickname":null}"#);
        let expected =
            [("/email", "wrong_type"), ("/name", "wrong_type"), ("/user_metadata", "wrong_type")];
        assert_eq!(errors(&form), expected);
        assert!(matches!(form.field(Field::Nickname), FieldValue::Absent));
    }

    #[test]
    fn each_unknown_name_is_kept_once() {
        let form = json(r#"{"role":"admin","role":"x","a/b":1}"#);
        let names: Vec<_> =
            form.unknown_fields().iter().map(|unknown| unknown.name.as_ref()).collect();
        assert_eq!(names, ["role", "a/b"]);
        assert_eq!(errors(&form), [("/role", "duplicate_field")]);
    }

    #[test]
    fn an_unknown_field_is_filled_if_any_of_its_values_is_more_than_white_space() {
        let filled = |body| json(body).is_filled("trap");
        assert!(filled(r#"{"trap":"x"}"#) && filled(r#"{"trap":0}"#) && filled(r#"{"trap":[]}"#));
        assert!(filled(r#"{"trap":" ","trap":"x","trap":""}"#));
        assert!(!filled(r#"{"trap":" \n"}"#) && !filled(r#"{"trap":null}"#));
        assert!(!filled(r#"{"other":"x"}"#));
    }

    #[test]
    fn form_names_of_metadata_use_brackets_or_a_dot() {
        let text = |text: &'static str| BodyValue::Text(text.into());
        let pairs = [
            ("user_metadata[plan]".into(), text("pro")),
            ("user_metadata.size".into(), text("5")),
            ("user_metadata.plan".into(), text("free")),
        ];
        let form = Submission::new(members_from_pairs(pairs));
        assert_eq!(errors(&form), [("/user_metadata/plan", "duplicate_field")]);
        assert_eq!(form.metadata().len(), 1);
    }

    fn form(pairs: &[(&'static str, &'static str)]) -> Submission<'static> {
        let pairs =
            pairs.iter().map(|(name, value)| ((*name).into(), BodyValue::Text((*value).into())));
        Submission::new(members_from_pairs(pairs))
    }

    #[test]
    fn of_a_checkbox_and_its_hidden_field_the_last_wins() {
        let form = form(&[
            ("terms", "0"),
            ("user_metadata[news]", "0"),
            ("terms", "1"),
            ("user_metadata[news]", "on"),
            ("user_metadata[plan]", "free"),
            ("user_metadata[plan]", "pro"),
        ]);
        assert_eq!(errors(&form), [("/user_metadata/plan", "duplicate_field")]);
        assert_eq!(form.control(ControlField::Terms).trimmed(), Some("1"));
        let [(key, BodyValue::Checkbox(news))] = form.metadata() else { panic!("one key") };
        assert_eq!((key.as_ref(), news.as_ref()), ("news", "on"));
    }

    #[test]
    fn other_repeated_values_are_errors() {
        assert_eq!(
            errors(&form(&[("email", "1"), ("email", "0")])),
            [("/email", "duplicate_field")]
        );
        assert_eq!(
            errors(&form(&[("terms", "x"), ("terms", "1")])),
            [("/terms", "duplicate_field")]
        );
        assert_eq!(errors(&json(r#"{"terms":"0","terms":"1"}"#)), [("/terms", "duplicate_field")]);
    }

    #[test]
    fn blank_metadata_of_a_form_is_absent() {
        let form = form(&[("user_metadata", " "), ("user_metadata[plan]", "pro")]);
        assert_eq!((errors(&form), form.metadata().len()), (vec![], 1));
        assert_eq!(errors(&json(r#"{"user_metadata":""}"#)), [("/user_metadata", "wrong_type")]);
    }

    #[test]
    fn debug_shows_no_value() {
        let form = json(r#"{"password":"hunter2","hunter2":"x"}"#);
        assert!(!format!("{form:?}").contains("hunter2"));
    }
}
