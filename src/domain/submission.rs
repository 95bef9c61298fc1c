//! A form as it came in, before any rule of the tenant is applied: which names were given, once
//! or more than once, with which kind of value.
//!
//! JSON, urlencoded and multipart bodies all end here, so that they cannot differ in what they
//! accept. Holds borrowed text, the password included; `Debug` shows names only.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use super::value::{Members, Value};
use super::{Field, FieldError, Violation};

/// The most faults kept of one form. A person's form never has that many; a hostile one gets no
/// answer that dwarfs its request.
pub const MAX_FAULTS: usize = 100;

/// The most code points of a caller's own name that are repeated in a pointer.
const MAX_NAME: usize = 100;
/// A pointer that has so many bytes is not made longer: what is deeper is told of what holds it.
const MAX_POINTER: usize = 200;

/// The name of the object whose members the operator allows one by one.
pub const METADATA: &str = "user_metadata";

/// A field that steers the sign-up and is never sent to Auth0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// `idempotency_key`: the key of a form that cannot set a header.
    IdempotencyKey,
    /// `return_to`: where a browser is sent afterwards.
    ReturnTo,
    /// `ui_locales`: the languages of the answer.
    UiLocales,
    /// `terms`: the terms are accepted.
    Terms,
    /// `form_token`: the built-in page's signed token.
    FormToken,
    /// `_charset_`: filled in by browsers with the form's encoding.
    Charset,
    /// `altcha`: a proof of work.
    Altcha,
    /// `cf-turnstile-response`
    Turnstile,
    /// `h-captcha-response`
    HCaptcha,
    /// `g-recaptcha-response`
    ReCaptcha,
}

impl Control {
    /// Every control field.
    pub const ALL: [Self; 10] = [
        Self::IdempotencyKey,
        Self::ReturnTo,
        Self::UiLocales,
        Self::Terms,
        Self::FormToken,
        Self::Charset,
        Self::Altcha,
        Self::Turnstile,
        Self::HCaptcha,
        Self::ReCaptcha,
    ];

    /// The name in forms and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IdempotencyKey => "idempotency_key",
            Self::ReturnTo => "return_to",
            Self::UiLocales => "ui_locales",
            Self::Terms => "terms",
            Self::FormToken => "form_token",
            Self::Charset => "_charset_",
            Self::Altcha => "altcha",
            Self::Turnstile => "cf-turnstile-response",
            Self::HCaptcha => "h-captcha-response",
            Self::ReCaptcha => "g-recaptcha-response",
        }
    }
}

/// What was given under one name.
#[derive(Default)]
pub enum Slot<'a> {
    /// Nothing, or null.
    #[default]
    Absent,
    /// A string, given once. Not trimmed.
    Text(Cow<'a, str>),
    /// Given in a way that is reported already; no further rule is applied.
    Faulty,
}

impl fmt::Debug for Slot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Text(_) => "Text",
            Self::Faulty => "Faulty",
        })
    }
}

impl Slot<'_> {
    /// The text without surrounding white space, if there is any.
    pub fn trimmed(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.trim()).filter(|text| !text.is_empty()),
            Self::Absent | Self::Faulty => None,
        }
    }
}

/// A name that is neither a field nor a control field nor metadata.
#[derive(Debug)]
pub struct Other<'a> {
    /// The name.
    pub name: Cow<'a, str>,
    /// What it is, unless the operator throws it away.
    pub violation: Violation,
    /// Whether anything but white space was given under it, the first time or later.
    filled: bool,
}

/// A form as it came in.
#[derive(Default)]
pub struct Submission<'a> {
    fields: [Slot<'a>; Field::ALL.len()],
    controls: [Slot<'a>; Control::ALL.len()],
    metadata: Members<'a>,
    others: Vec<Other<'a>>,
    faults: Vec<FieldError>,
}

impl fmt::Debug for Submission<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = Field::ALL.into_iter().zip(&self.fields);
        let given = given.filter(|(_, slot)| !matches!(slot, Slot::Absent)).map(|(name, _)| name);
        f.debug_struct("Submission")
            .field("fields", &given.collect::<Vec<_>>())
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

impl<'a> Submission<'a> {
    /// Sorts the members of a JSON object, or of a form gathered by [`members_of_form`], into
    /// fields, control fields, metadata and others.
    pub fn new(members: Members<'a>) -> Self {
        let mut form = Self::default();
        let repeated: HashSet<String> = repeated(&members).map(str::to_owned).collect();
        let mut path = Vec::new();
        report_repeated(&mut form.faults, &mut path, &members);

        for (name, value) in members {
            let again = repeated.contains(name.as_ref());
            if name == METADATA {
                if !again {
                    form.put_metadata(value);
                }
            } else if let Some(slot) = form.slot(&name) {
                let terms = name == Control::Terms.name();
                match if again { Ok(Slot::Faulty) } else { slot_of(value, terms) } {
                    Ok(given) => *slot = given,
                    Err(violation) => {
                        *slot = Slot::Faulty;
                        form.faults.push(FieldError::at_path(pointer([name.as_ref()]), violation));
                    }
                }
            } else {
                form.put_other(name, &value);
            }
        }
        form
    }

    /// What was given for a field.
    pub fn field(&self, field: Field) -> &Slot<'a> {
        let at = Field::ALL.iter().position(|known| *known == field);
        at.and_then(|at| self.fields.get(at)).unwrap_or(&Slot::Absent)
    }

    /// What was given for a control field.
    pub fn control(&self, control: Control) -> &Slot<'a> {
        let at = Control::ALL.iter().position(|known| *known == control);
        at.and_then(|at| self.controls.get(at)).unwrap_or(&Slot::Absent)
    }

    /// The members of `user_metadata`, less those that were given more than once.
    pub fn metadata(&self) -> &[(Cow<'a, str>, Value<'a>)] {
        &self.metadata
    }

    /// Names that are neither fields nor control fields nor metadata, each once.
    pub fn others(&self) -> &[Other<'a>] {
        &self.others
    }

    /// Whether anything but white space was given under a name that means nothing here.
    pub fn is_filled(&self, name: &str) -> bool {
        self.others.iter().any(|other| other.filled && other.name == name)
    }

    /// The faults that are visible without any rule of the tenant.
    pub fn faults(&self) -> &[FieldError] {
        &self.faults
    }

    fn slot(&mut self, name: &str) -> Option<&mut Slot<'a>> {
        if let Some(at) = Field::ALL.iter().position(|field| field.name() == name) {
            return self.fields.get_mut(at);
        }
        let at = Control::ALL.iter().position(|control| control.name() == name)?;
        self.controls.get_mut(at)
    }

    fn put_other(&mut self, name: Cow<'a, str>, value: &Value<'a>) {
        let filled = is_filled(value);
        if let Some(known) = self.others.iter_mut().find(|known| known.name == name) {
            known.filled |= filled;
        } else if self.others.len() < MAX_FAULTS {
            let violation = match value {
                Value::File => Violation::NotAllowed,
                _ => Violation::UnknownField,
            };
            self.others.push(Other { name, violation, filled });
        }
    }

    fn put_metadata(&mut self, value: Value<'a>) {
        match value {
            Value::Null => {}
            Value::Object(members) => {
                let repeated: HashSet<String> = repeated(&members).map(str::to_owned).collect();
                self.metadata = members;
                self.metadata.retain(|(key, _)| !repeated.contains(key.as_ref()));
            }
            Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Array(_) | Value::File => {
                let expected = Violation::WrongType { expected: "object" };
                self.faults.push(FieldError::at("/user_metadata", expected));
            }
        }
    }
}

/// Whether a value is more than white space.
fn is_filled(value: &Value<'_>) -> bool {
    match value {
        Value::Null => false,
        Value::Text(text) => !text.trim().is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) | Value::File => {
            true
        }
    }
}

/// What a value is to a field that takes a string.
fn slot_of(value: Value<'_>, terms: bool) -> Result<Slot<'_>, Violation> {
    match value {
        Value::Null => Ok(Slot::Absent),
        Value::Text(text) => Ok(Slot::Text(text)),
        // What a JSON client sends for a ticked box.
        Value::Bool(accepted) if terms => {
            Ok(Slot::Text(Cow::Borrowed(if accepted { "true" } else { "" })))
        }
        Value::File => Err(Violation::NotAllowed),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(Violation::WrongType { expected: if terms { "boolean" } else { "string" } })
        }
    }
}

/// Gathers the pairs of an urlencoded or multipart form into the shape of a JSON object:
/// `user_metadata[key]` and `user_metadata.key` become members of `user_metadata`.
pub fn members_of_form<'a>(
    pairs: impl IntoIterator<Item = (Cow<'a, str>, Value<'a>)>,
) -> Members<'a> {
    let mut metadata = Members::new();
    let mut members: Members<'a> = pairs
        .into_iter()
        .filter_map(|(name, value)| match metadata_key(&name) {
            Some(key) => {
                metadata.push((Cow::Owned(key.to_owned()), value));
                None
            }
            None => Some((name, value)),
        })
        .collect();
    if !metadata.is_empty() {
        members.push((Cow::Borrowed(METADATA), Value::Object(metadata)));
    }
    members
}

/// The key in `user_metadata[key]` or `user_metadata.key`.
fn metadata_key(name: &str) -> Option<&str> {
    let rest = name.strip_prefix(METADATA)?;
    let bracketed = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    bracketed.or_else(|| rest.strip_prefix('.')).filter(|key| !key.is_empty())
}

/// The names that stand more than once among the members, as often as they stand again.
fn repeated<'m>(members: &'m Members<'_>) -> impl Iterator<Item = &'m str> {
    // A person's form has a dozen names: comparing them beats hashing them.
    let short = members.len() <= 32;
    let mut seen = HashSet::new();
    members.iter().enumerate().filter_map(move |(at, (name, _))| {
        let again = if short {
            members.iter().take(at).any(|(earlier, _)| earlier == name)
        } else {
            !seen.insert(name.as_ref())
        };
        again.then_some(name.as_ref())
    })
}

/// Reports each name that stands more than once in its object, at any depth, once.
fn report_repeated<'m>(
    faults: &mut Vec<FieldError>,
    path: &mut Vec<Cow<'m, str>>,
    members: &'m Members<'_>,
) {
    let mut reported = HashSet::new();
    for name in repeated(members).filter(|name| reported.insert(*name)) {
        if faults.len() >= MAX_FAULTS {
            return;
        }
        let at = pointer(path.iter().map(AsRef::as_ref).chain([name]));
        faults.push(FieldError::at_path(at, Violation::DuplicateField));
    }
    for (name, value) in members {
        path.push(Cow::Borrowed(name));
        report_repeated_inside(faults, path, value);
        path.pop();
    }
}

fn report_repeated_inside<'m>(
    faults: &mut Vec<FieldError>,
    path: &mut Vec<Cow<'m, str>>,
    value: &'m Value<'_>,
) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::File => {}
        Value::Object(members) => report_repeated(faults, path, members),
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                path.push(Cow::Owned(index.to_string()));
                report_repeated_inside(faults, path, element);
                path.pop();
            }
        }
    }
}

/// The RFC 6901 pointer made of these names. A name is cut at 100 code points, and names beyond
/// some 200 bytes are left out.
pub fn pointer<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let mut pointer = String::new();
    for name in names {
        if pointer.len() >= MAX_POINTER {
            break;
        }
        pointer.push('/');
        for char in name.chars().take(MAX_NAME) {
            match char {
                '~' => pointer.push_str("~0"),
                '/' => pointer.push_str("~1"),
                other => pointer.push(other),
            }
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(body: &str) -> Submission<'_> {
        let Value::Object(members) = serde_json::from_str(body).unwrap() else { panic!("object") };
        Submission::new(members)
    }

    fn faults<'f>(form: &'f Submission<'_>) -> Vec<(&'f str, &'static str)> {
        form.faults().iter().map(|f| (f.pointer.as_ref(), f.violation.code())).collect()
    }

    #[test]
    fn a_name_given_twice_is_reported_once_and_its_value_not_read() {
        let form = json(r#"{"email":"a","email":"b","email":1}"#);
        assert_eq!(faults(&form), [("/email", "duplicate_field")]);
        assert!(matches!(form.field(Field::Email), Slot::Faulty));
    }

    #[test]
    fn names_given_twice_are_found_at_any_depth() {
        let form = json(r#"{"user_metadata":{"a":{"b":[0,{"c":1,"c":2}]},"d":"1","d":"2"}}"#);
        let expected = [
            ("/user_metadata/d", "duplicate_field"),
            ("/user_metadata/a/b/1/c", "duplicate_field"),
        ];
        assert_eq!(faults(&form), expected);
        assert_eq!(form.metadata().len(), 1);
    }

    #[test]
    fn wrong_types_name_what_is_expected() {
        let form = json(r#"{"email":5,"name":{},"user_metadata":[],"nickname":null}"#);
        let expected =
            [("/email", "wrong_type"), ("/name", "wrong_type"), ("/user_metadata", "wrong_type")];
        assert_eq!(faults(&form), expected);
        assert!(matches!(form.field(Field::Nickname), Slot::Absent));
    }

    #[test]
    fn unknown_names_are_kept_once() {
        let form = json(r#"{"role":"admin","role":"x","a/b":1}"#);
        let names: Vec<_> = form.others().iter().map(|other| other.name.as_ref()).collect();
        assert_eq!(names, ["role", "a/b"]);
        assert_eq!(faults(&form), [("/role", "duplicate_field")]);
    }

    #[test]
    fn a_name_is_filled_by_anything_but_white_space_whichever_time_it_is_given() {
        let filled = |body| json(body).is_filled("trap");
        assert!(filled(r#"{"trap":"x"}"#) && filled(r#"{"trap":0}"#) && filled(r#"{"trap":[]}"#));
        assert!(filled(r#"{"trap":" ","trap":"x","trap":""}"#));
        assert!(!filled(r#"{"trap":" \n"}"#) && !filled(r#"{"trap":null}"#));
        assert!(!filled(r#"{"other":"x"}"#));
    }

    #[test]
    fn a_form_spells_metadata_with_brackets_or_a_full_stop() {
        let text = |text: &'static str| Value::Text(text.into());
        let pairs = [
            ("user_metadata[plan]".into(), text("pro")),
            ("user_metadata.size".into(), text("5")),
            ("user_metadata.plan".into(), text("free")),
        ];
        let form = Submission::new(members_of_form(pairs));
        assert_eq!(faults(&form), [("/user_metadata/plan", "duplicate_field")]);
        assert_eq!(form.metadata().len(), 1);
    }

    #[test]
    fn a_hostile_form_gets_a_bounded_list() {
        let name = |n: usize| Cow::Owned(format!("x{}", n % 5000));
        let form = Submission::new((0..10_000).map(|n| (name(n), Value::Null)).collect());
        assert_eq!(form.faults().len(), MAX_FAULTS);
        assert_eq!(form.others().len(), MAX_FAULTS);
    }

    #[test]
    fn pointers_are_escaped_and_cut() {
        assert_eq!(pointer(["a/b~c"]), "/a~1b~0c");
        assert_eq!(pointer(["x".repeat(5000).as_str()]).len(), 101);
    }

    #[test]
    fn debug_shows_no_value() {
        let form = json(r#"{"password":"hunter2","hunter2":"x"}"#);
        assert!(!format!("{form:?}").contains("hunter2"));
    }
}
