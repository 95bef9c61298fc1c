//! `user_metadata`: the keys that the operator allows, each with a type and bounds.
//!
//! Auth0 accepts any object there, and the user may edit it, so only listed keys are accepted.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Serialize;

/// The name of the object whose members the operator allows one by one.
pub const USER_METADATA: &str = "user_metadata";

/// The maximum length of a string value in code points: the limit of Auth0's public sign-up
/// endpoint.
pub const MAX_TEXT_LENGTH: usize = 500;

/// The rules of the allowed keys, by name.
pub type MetadataRules = BTreeMap<String, MetadataRule>;

/// The rule of one key.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataRule {
    /// The type and its bounds.
    pub kind: MetadataKind,
    /// Rejects a sign-up without this key.
    pub required: bool,
}

/// The type of a value, with its bounds.
#[derive(Debug, Clone, PartialEq)]
pub enum MetadataKind {
    /// A string.
    Text {
        /// The allowed number of code points, within 1..=500.
        length: RangeInclusive<usize>,
    },
    /// One of these strings.
    OneOf(Vec<String>),
    /// A whole number in this range; in a form, its decimal digits.
    Integer(RangeInclusive<i64>),
    /// `true` or `false`; in a form also `on`, which a checkbox sends.
    Boolean,
}

/// A value that meets its rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum MetadataValue {
    /// A string.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A truth value.
    Boolean(bool),
}

impl MetadataValue {
    /// The string, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Integer(_) | Self::Boolean(_) => None,
        }
    }
}

impl MetadataRule {
    /// The rule of a key that is listed by name alone: an optional string of at most
    /// [`MAX_TEXT_LENGTH`] code points.
    pub const fn text() -> Self {
        Self { kind: MetadataKind::Text { length: 1..=MAX_TEXT_LENGTH }, required: false }
    }
}

impl MetadataKind {
    /// The JSON type, as `wrong_type` errors name it.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Text { .. } | Self::OneOf(_) => "string",
            Self::Integer(_) => "integer",
            Self::Boolean => "boolean",
        }
    }
}

/// Returns the configured minimum and maximum. The limits of the integer type do not count as
/// bounds.
pub fn bounds(range: &RangeInclusive<i64>) -> (Option<i64>, Option<i64>) {
    let bound = |bound: &i64| (![i64::MIN, i64::MAX].contains(bound)).then_some(*bound);
    (bound(range.start()), bound(range.end()))
}
