//! A posted form: its fields, control fields and unknown names, and the check against the rules.
//!
//! JSON, urlencoded and multipart bodies all become a [`Submission`], so that they cannot differ in
//! what they accept. [`Submission::validate`] turns it into a [`NewUser`](crate::domain::NewUser).
//! Uses `domain` for fields and rules. Must not know HTTP, settings files or any language.

mod checker;
mod control_field;
mod duplicates;
mod field_value;
mod metadata;
mod pointer;
mod submission;
mod value;

pub use control_field::ControlField;
pub use field_value::FieldValue;
pub use submission::{Submission, members_from_pairs};
pub use value::{BodyMembers, BodyValue, JsonError, MAX_MEMBERS};

/// The maximum number of errors reported for one form. No form that a person fills in has that
/// many, and the response to a hostile one stays small.
pub(crate) const MAX_ERRORS: usize = 100;
