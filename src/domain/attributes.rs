//! The root attributes of a new user, each parsed by the rule of its kind.

use super::field::AttributeKind;
use super::redacted::redacted_newtype;
use super::{Field, Rules, Violation, check_length, phone, picture};

/// A parsed value of a root attribute.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AttributeValue(String);

redacted_newtype!(AttributeValue);

impl AttributeValue {
    /// Parses `text` by the rule of this kind.
    ///
    /// # Errors
    ///
    /// The [`Violation`] of that rule.
    pub fn parse(kind: AttributeKind, text: &str, rules: &Rules) -> Result<Self, Violation> {
        match kind {
            AttributeKind::PersonName { max_length } => check_length(text, &(1..=max_length))?,
            AttributeKind::Picture => picture::check(text, rules.picture)?,
            AttributeKind::Username => check_length(text, &rules.username)?,
            AttributeKind::PhoneNumber => return phone::parse_typed(text).map(Self),
        }
        Ok(Self(text.to_owned()))
    }
}

/// The root attributes that a sign-up has, in the order of [`Field::ALL`].
#[derive(Debug, Clone, Default)]
pub struct Attributes(Vec<(Field, AttributeValue)>);

impl Attributes {
    /// Adds an attribute. Attributes are added in order, each at most once.
    pub fn push(&mut self, field: Field, value: AttributeValue) {
        debug_assert!(self.0.last().is_none_or(|(last, _)| *last < field), "{field} is in order");
        self.0.push((field, value));
    }

    /// The value of an attribute, if the sign-up has it.
    pub fn get(&self, field: Field) -> Option<&str> {
        self.iter().find(|(known, _)| *known == field).map(|(_, value)| value)
    }

    /// The attributes with their values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Field, &str)> {
        self.0.iter().map(|(field, value)| (*field, value.as_ref()))
    }
}
