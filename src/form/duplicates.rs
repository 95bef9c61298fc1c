//! Names that occur more than once in an object, at any depth.

use std::borrow::Cow;
use std::collections::HashSet;

use super::MAX_ERRORS;
use super::pointer::pointer;
use super::value::{BodyMembers, BodyValue};
use crate::domain::{FieldError, Violation};

/// Yields the name of each member that repeats the name of an earlier one.
pub(super) fn duplicates<'m>(members: &'m BodyMembers<'_>) -> impl Iterator<Item = &'m str> {
    // A form that a person fills in has a dozen names. Comparing these is faster than hashing.
    let is_short = members.len() <= 32;
    let mut seen = HashSet::new();
    members.iter().enumerate().filter_map(move |(index, (name, _))| {
        let is_duplicate = if is_short {
            members.iter().take(index).any(|(earlier, _)| earlier == name)
        } else {
            !seen.insert(name.as_ref())
        };
        is_duplicate.then_some(name.as_ref())
    })
}

/// Returns the names that occur more than once.
pub(super) fn duplicate_names(members: &BodyMembers<'_>) -> HashSet<String> {
    duplicates(members).map(str::to_owned).collect()
}

/// Reports each duplicate name of these members, and at most [`MAX_ERRORS`] of the objects inside them, once
/// per object.
pub(super) fn report_duplicates(errors: &mut Vec<FieldError>, members: &BodyMembers<'_>) {
    let mut report = DuplicateReport { errors, path: Vec::new(), most: usize::MAX };
    report.names(members);
    report.most = report.errors.len() + MAX_ERRORS;
    report.values(members);
}

/// The report of a body, at one place in it.
struct DuplicateReport<'e, 'm> {
    errors: &'e mut Vec<FieldError>,
    /// The names and indices that lead to the place.
    path: Vec<Cow<'m, str>>,
    /// The length of `errors` at which this stops.
    most: usize,
}

impl<'m> DuplicateReport<'_, 'm> {
    /// Reports the duplicate names of one object.
    fn names(&mut self, members: &'m BodyMembers<'_>) {
        let mut reported = HashSet::new();
        for name in duplicates(members).filter(|name| reported.insert(*name)) {
            if self.errors.len() >= self.most {
                return;
            }
            let at = pointer(self.path.iter().map(AsRef::as_ref).chain([name]));
            self.errors.push(FieldError::at_path(at, Violation::DuplicateField));
        }
    }

    /// Reports those inside the values of an object.
    fn values(&mut self, members: &'m BodyMembers<'_>) {
        for (name, value) in members {
            self.path.push(Cow::Borrowed(name));
            self.value(value);
            self.path.pop();
        }
    }

    /// Reports those inside a value.
    fn value(&mut self, value: &'m BodyValue<'_>) {
        match value {
            BodyValue::Null
            | BodyValue::Bool(_)
            | BodyValue::Number(_)
            | BodyValue::Text(_)
            | BodyValue::Checkbox(_)
            | BodyValue::File => {}
            BodyValue::Object(members) => {
                self.names(members);
                self.values(members);
            }
            BodyValue::Array(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    self.path.push(Cow::Owned(index.to_string()));
                    self.value(element);
                    self.path.pop();
                }
            }
        }
    }
}
